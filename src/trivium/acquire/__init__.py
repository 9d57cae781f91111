"""Acquisition: texts from libraries, archives, newspapers, datasets and folders, fetched politely, with their provenance."""
