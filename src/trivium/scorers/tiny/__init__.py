"""The embedded scorers: made from the small world, in seconds, as ordinary directories of their libraries."""

from trivium.scorers.tiny.embeddings import build_embeddings
from trivium.scorers.tiny.nli import build_nli
from trivium.scorers.tiny.syntax import build_syntax

__all__ = ["build_embeddings", "build_nli", "build_syntax"]
