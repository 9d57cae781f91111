"""Out of the project: what a run trained, in the forms that other programs read, each proven to answer as it did here."""
