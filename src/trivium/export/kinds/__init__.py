"""The forms: `<kind>.py` makes one and says how it is run again; the file is the registry."""
