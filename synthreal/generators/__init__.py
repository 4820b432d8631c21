"""Image generators g: parameters u to images, a batch at a time, on the device."""

from synthreal.generators.augment import Augment
from synthreal.generators.base import ImageGenerator
from synthreal.generators.glyphs import Glyphs

__all__ = ["Augment", "Glyphs", "ImageGenerator"]
