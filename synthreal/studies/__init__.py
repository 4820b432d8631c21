"""A study is a grid of runs, variants × seeds, and what can be said from it."""
