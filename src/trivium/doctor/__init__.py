"""`task=doctor`: is this machine ready for this configuration, and does everything that a run needs work on it?"""
