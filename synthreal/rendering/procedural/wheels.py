"""Wheels of road vehicles."""

import numpy as np
from jaxtyping import Float

from synthreal.rendering.mesh import Material, Mesh
from synthreal.rendering.procedural.paint import BLACK, RUBBER, choose, grey, shade
from synthreal.rendering.procedural.placing import moved, turned
from synthreal.rendering.procedural.rounds import lathe
from synthreal.rendering.procedural.solids import Point, loft
from synthreal.rendering.procedural.textures import spokes


def rim(rng: np.random.Generator) -> Material:
    """Returns the disc of a wheel, a spoked picture."""
    metal = grey(rng, 0.45, 0.9)
    count = choose(rng, (5, 5, 6, 7, 8, 10))
    return Material((1.0, 1.0, 1.0), spokes(count, metal, shade(metal, 0.3)), 0.4, 30)


def wheel(centre: Point, radius: float, width: float, disc: Material, sides: int = 20) -> Mesh:
    """Returns a tyre and its disc, which turn about x."""
    half = width / 2
    profile = [(0.64, -1), (0.92, -1), (1, -0.6), (1, 0.6), (0.92, 1), (0.64, 1)]
    tyre = lathe([(radius * r, half * x) for r, x in profile], RUBBER, sides, cap=disc)
    return moved(turned(tyre, "y", 90), centre)


def arch(centre: Point, radius: float, width: float, floor: float, material: Material = BLACK) -> Mesh:
    """Returns the dark opening above a wheel, cut off at the height `floor`."""
    x, y, z = centre
    low = np.arcsin(np.clip((floor - z) / radius, -1, 1))
    angle = np.linspace(low, np.pi - low, 15)
    return across_x(np.stack([y + radius * np.cos(angle), z + radius * np.sin(angle)], 1), x, width, material)


def across_x(shape: Float[np.ndarray, "n 2"], x: float, width: float, material: Material) -> Mesh:
    """Returns a convex outline (y, z) carried from one side of `x` to the other, with hard edges at its ends."""
    ends = [np.insert(shape, 0, x + side * width / 2, axis=1) for side in (-1, 1)]
    return loft(np.stack(ends), material)
