"""Base models: building the embedded one, loading any."""
