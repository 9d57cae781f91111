"""Training with Unsloth's models, in an environment and a process of their own, by the trainers of `backends/torch`."""
