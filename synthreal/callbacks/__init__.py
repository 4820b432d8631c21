"""Lightning callbacks."""

from synthreal.callbacks.random_state import RandomState
from synthreal.callbacks.sample_ahead import SampleAhead

__all__ = ["RandomState", "SampleAhead"]
