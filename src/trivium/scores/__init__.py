"""Small pure functions `(completion, …) -> float | None`, for evaluation and reward alike."""
