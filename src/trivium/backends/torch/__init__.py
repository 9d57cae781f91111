"""Training with torch, TRL and PEFT."""
