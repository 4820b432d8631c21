"""Real data: files on disk, or bundled, to labelled images."""

from synthreal.datasets.base import ImageDataset
from synthreal.datasets.digits import Digits
from synthreal.datasets.mnist import MNIST

__all__ = ["MNIST", "Digits", "ImageDataset"]
