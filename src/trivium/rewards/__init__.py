"""Rewards: named scores put together, watched, and attacked before they are trusted."""
