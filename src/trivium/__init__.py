"""Config-driven fine-tuning experiments that change a language model's character, and prove whether it changed."""

__version__ = "0.1.0"
