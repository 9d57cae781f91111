"""Search over settings: one study, many trials, an answer with its uncertainty."""
