"""Image generators g: parameters u to images, a batch at a time, on the device."""

from synthreal.generators.augment import Augment
from synthreal.generators.base import ImageGenerator

__all__ = ["Augment", "ImageGenerator"]
