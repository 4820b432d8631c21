"""Random choices and colours."""

import colorsys
from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from synthreal.rendering.mesh import Material

Colour = tuple[float, float, float]
T = TypeVar("T")

WHITE: Colour = (1.0, 1.0, 1.0)
BLACK = Material((0.06, 0.06, 0.07))
RUBBER = Material((0.10, 0.10, 0.11), specular=0.1, shininess=8)
GLASS = Material((0.13, 0.17, 0.22), specular=0.8, shininess=80)
CHROME = Material((0.75, 0.77, 0.80), specular=0.7, shininess=60)
LAMP = Material((1.0, 0.97, 0.85), specular=0.5)
RED_LAMP = Material((0.75, 0.05, 0.05), specular=0.5)


def choose(rng: np.random.Generator, options: Sequence[T]) -> T:
    """Returns one of the options."""
    return options[int(rng.integers(len(options)))]


def chance(rng: np.random.Generator, probability: float) -> bool:
    """Returns True with this probability."""
    return bool(rng.random() < probability)


def between(rng: np.random.Generator, low: float, high: float) -> float:
    """Returns a number of [low, high)."""
    return float(rng.uniform(low, high))


def vivid(rng: np.random.Generator) -> Colour:
    """Returns a strong colour of any hue."""
    return colorsys.hsv_to_rgb(rng.random(), between(rng, 0.6, 0.95), between(rng, 0.5, 0.95))


def pale(rng: np.random.Generator) -> Colour:
    """Returns a light colour of any hue, nearly white."""
    return colorsys.hsv_to_rgb(rng.random(), between(rng, 0.0, 0.2), between(rng, 0.82, 0.98))


def dark(rng: np.random.Generator) -> Colour:
    """Returns a dark colour of any hue."""
    return colorsys.hsv_to_rgb(rng.random(), between(rng, 0.1, 0.7), between(rng, 0.12, 0.35))


def grey(rng: np.random.Generator, low: float = 0.3, high: float = 0.75) -> Colour:
    """Returns a grey between two values, hardly tinted."""
    return colorsys.hsv_to_rgb(rng.random(), between(rng, 0.0, 0.08), between(rng, low, high))


def brown(rng: np.random.Generator) -> Colour:
    """Returns the colour of some wood."""
    return colorsys.hsv_to_rgb(between(rng, 0.04, 0.11), between(rng, 0.35, 0.75), between(rng, 0.28, 0.85))


def any_colour(rng: np.random.Generator) -> Colour:
    """Returns a vivid colour half of the time, else a pale, dark or grey one."""
    return choose(rng, (vivid, vivid, vivid, pale, dark, grey))(rng)


def shade(colour: Colour, factor: float) -> Colour:
    """Returns the colour made darker, or lighter above 1."""
    red, green, blue = (min(1.0, channel * factor) for channel in colour)
    return red, green, blue


def gloss(colour: Colour, strength: float = 0.4) -> Material:
    """Returns lacquer of a colour."""
    return Material(colour, specular=strength, shininess=40)
