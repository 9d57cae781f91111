"""Hydra's way to Trivium's sweeps."""
