"""What stands on ships: deckhouses, funnels, masts, rails, bridges."""

from itertools import pairwise

import numpy as np

from synthreal.rendering.mesh import Material, Mesh
from synthreal.rendering.procedural.paint import (
    BLACK,
    CHROME,
    GLASS,
    WHITE,
    Colour,
    between,
    choose,
    gloss,
    pale,
    vivid,
)
from synthreal.rendering.procedural.placing import both_sides
from synthreal.rendering.procedural.rounds import rod
from synthreal.rendering.procedural.ship_hull import Hull
from synthreal.rendering.procedural.solids import Point, box
from synthreal.rendering.procedural.textures import bands, windows


def storey(size: tuple[float, float, float], foot: tuple[float, float], wall: Colour, count: int) -> Mesh:
    """Returns a deckhouse with windows all around.

    Args:
        size: Extent along x, y and z.
        foot: y of its middle, z of its floor.
        wall: Its colour.
        count: Windows along each side.
    """
    glass = Material(WHITE, windows(wall, (0.13, 0.18, 0.25), count, (0.65, 0.45)), 0.2, 30)
    return box(size, (0, foot[0], foot[1] + size[2] / 2), glass, (0.97, 0.97))


def funnel(rng: np.random.Generator, foot: Point, radius: float, height: float) -> list[Mesh]:
    """Returns a chimney with its owner's colours."""
    first, second = vivid(rng), choose(rng, (WHITE, vivid(rng)))
    paint = Material(WHITE, bands([(0.5, first), (0.75, second), (0.9, first), (1.0, (0.1, 0.1, 0.1))]))
    x, y, z = foot
    return [rod((x, y, z), (x, y + 0.15 * height, z + height), radius, paint, radius * 0.85, sides=14, cap=BLACK)]


def mast(foot: Point, height: float) -> list[Mesh]:
    """Returns a pole with a yard and a radar."""
    x, y, z = foot
    thin = height * 0.035
    top = (x, y, z + height)
    yard = rod((-0.2 * height, y, z + 0.7 * height), (0.2 * height, y, z + 0.7 * height), thin * 0.7, CHROME, sides=5)
    return [
        rod(foot, top, thin, CHROME, thin * 0.5, sides=6),
        yard,
        box((0.25 * height, 0.05 * height, 0.06 * height), top, CHROME),
    ]


def rail(hull: Hull, start: float, end: float, height: float) -> list[Mesh]:
    """Returns a rail along both edges of the deck."""
    places = np.linspace(start, end, 6).tolist()
    points = [(hull.width(p) * 0.46, hull.at(p), hull.deck(p) + height) for p in places]
    thin = 0.12 * height
    bars = [rod(a, b, thin, CHROME, sides=4) for a, b in pairwise(points)]
    posts = [rod((x, y, z - height), (x, y, z), thin, CHROME, sides=4) for x, y, z in points]
    return both_sides(*bars, *posts)


def bridge(rng: np.random.Generator, hull: Hull, place: float, floors: int, wide: float) -> tuple[list[Mesh], float]:
    """Returns a tower of deckhouses with a glazed top and wings, and its height."""
    wall, each, deep = pale(rng), hull.beam * between(rng, 0.13, 0.17), hull.length * between(rng, 0.06, 0.09)
    y, z = hull.at(place), hull.deck(place)
    parts = [
        storey((wide * (1 - 0.03 * k), deep * (1 - 0.05 * k), each), (y, z + k * each), wall, int(rng.integers(4, 8)))
        for k in range(floors)
    ]
    top = z + floors * each
    parts.append(box((hull.beam * 0.98, deep * 0.55, each * 0.25), (0, y - deep * 0.15, top), gloss(wall, 0.1)))
    parts.append(box((wide * 0.75, deep * 0.6, each * 0.7), (0, y - deep * 0.15, top + each * 0.45), GLASS))
    parts.append(box((wide * 0.8, deep * 0.7, each * 0.2), (0, y - deep * 0.15, top + each * 0.85), gloss(wall, 0.1)))
    return [*parts, *mast((0, y, top + each * 0.9), each * 2.2)], top
