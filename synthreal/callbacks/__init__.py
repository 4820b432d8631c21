"""Lightning callbacks."""

from synthreal.callbacks.frechet import FrechetDistance
from synthreal.callbacks.predictions import Predictions
from synthreal.callbacks.random_state import RandomState
from synthreal.callbacks.refined_images import RefinedImages
from synthreal.callbacks.sample_ahead import SampleAhead
from synthreal.callbacks.writer import DatasetWriter

__all__ = ["DatasetWriter", "FrechetDistance", "Predictions", "RandomState", "RefinedImages", "SampleAhead"]
