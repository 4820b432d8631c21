"""synthreal: train vision models on a little real data and any amount of synthetic data."""

__version__ = "0.1.0"
