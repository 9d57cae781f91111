"""Training in other processes: a frozen request, a child that trains, a parent that listens to it."""
