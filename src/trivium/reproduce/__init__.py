"""`task=reproduce`: a run made again from what was recorded of it, and held against it."""
