"""Lightning callbacks."""

from synthreal.callbacks.descriptors import DescriptorMaps
from synthreal.callbacks.frechet import FrechetDistance
from synthreal.callbacks.nearest_neighbour import NearestNeighbour
from synthreal.callbacks.noise_curves import NoiseCurves
from synthreal.callbacks.predictions import Predictions
from synthreal.callbacks.random_state import RandomState
from synthreal.callbacks.reconstructions import Reconstructions
from synthreal.callbacks.refined_images import RefinedImages
from synthreal.callbacks.sample_ahead import SampleAhead
from synthreal.callbacks.unfinished_epoch import UnfinishedEpoch
from synthreal.callbacks.writer import DatasetWriter

__all__ = [
    "DatasetWriter",
    "DescriptorMaps",
    "FrechetDistance",
    "NearestNeighbour",
    "NoiseCurves",
    "Predictions",
    "RandomState",
    "Reconstructions",
    "RefinedImages",
    "SampleAhead",
    "UnfinishedEpoch",
]
