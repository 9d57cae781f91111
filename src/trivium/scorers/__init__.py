"""Models that scores ask: entailment, embeddings and syntax, each behind one small interface, batched and cached."""
