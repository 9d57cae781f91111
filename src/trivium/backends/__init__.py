"""A grid of files: `<backend>/<method>.py` is what that backend does for that method; a hole is an error."""
