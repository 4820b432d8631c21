"""Lightning callbacks."""

from synthreal.callbacks.predictions import Predictions
from synthreal.callbacks.random_state import RandomState
from synthreal.callbacks.sample_ahead import SampleAhead
from synthreal.callbacks.writer import DatasetWriter

__all__ = ["DatasetWriter", "Predictions", "RandomState", "SampleAhead"]
