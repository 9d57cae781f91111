"""Trying a finished run: a conversation in the terminal, and a server that other programs can ask."""
