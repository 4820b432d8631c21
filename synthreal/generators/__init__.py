"""Image generators g: parameters u to images, a batch at a time, on the device."""

from synthreal.generators.augment import Augment
from synthreal.generators.base import ImageGenerator
from synthreal.generators.cutpaste import CutPaste
from synthreal.generators.glyphs import Glyphs
from synthreal.generators.lighting import BackgroundLight, FixedLight, Lighting, PanoramaLight, RandomLight
from synthreal.generators.mesh import MeshImages
from synthreal.generators.painted import Painted
from synthreal.generators.refined import Refined
from synthreal.generators.stored import StoredImages
from synthreal.generators.stored_pairs import StoredPairs

__all__ = [
    "Augment",
    "BackgroundLight",
    "CutPaste",
    "FixedLight",
    "Glyphs",
    "ImageGenerator",
    "Lighting",
    "MeshImages",
    "Painted",
    "PanoramaLight",
    "RandomLight",
    "Refined",
    "StoredImages",
    "StoredPairs",
]
