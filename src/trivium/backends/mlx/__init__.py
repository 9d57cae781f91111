"""Training with MLX, on Apple's machines and, for tests, on any."""
