"""Conversations of a persona about passages: written from templates, or by a teacher behind a server."""
