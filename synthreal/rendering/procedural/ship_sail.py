"""Sailing boats: sloops, ketches, tall ships."""

from itertools import pairwise

import numpy as np
from jaxtyping import Float

from synthreal.rendering.mesh import Material, Mesh
from synthreal.rendering.procedural.paint import (
    WHITE,
    any_colour,
    between,
    brown,
    chance,
    choose,
    dark,
    gloss,
    pale,
    vivid,
)
from synthreal.rendering.procedural.rounds import pillow, rod
from synthreal.rendering.procedural.ship_house import storey
from synthreal.rendering.procedural.ship_hull import Hull, hull_paint
from synthreal.rendering.procedural.solids import Point, box, loft
from synthreal.rendering.procedural.textures import Texture, bands, panels, stripes


def sailing_boat(rng: np.random.Generator) -> list[Mesh]:
    """Returns the parts of a boat with one mast or two, or of a square-rigged ship."""
    return _tall_ship(rng) if chance(rng, 0.3) else _yacht(rng)


def _sailcloth(rng: np.random.Generator) -> Material:
    """White or coloured, plain, seamed, striped or in two colours."""
    first = choose(rng, ((0.95, 0.94, 0.9), (0.95, 0.94, 0.9), pale(rng), any_colour(rng)))
    second = vivid(rng)
    seams: Texture = panels(first, (first[0] * 0.8, first[1] * 0.8, first[2] * 0.8), 1, 5, 0.015)
    options = (
        seams,
        seams,
        stripes(first, second, int(rng.integers(2, 5))),
        bands([(between(rng, 0.2, 0.4), second), (1, first)]),
    )
    return Material(WHITE, choose(rng, options))


def _sail(tack: Point, head: Point, clew: Point, bulge: float, cloth: Material) -> Mesh:
    """A three-cornered sail blown out to +x: from its front edge (tack to head) back to the clew.

    Args:
        tack: Lower front corner.
        head: Upper corner.
        clew: Lower back corner.
        bulge: Depth relative to the lower edge.
        cloth: Its surface.
    """
    rows, columns = 8, 7
    t, s = np.linspace(0, 0.97, rows)[:, None, None], np.linspace(0, 1, columns)[None, :, None]
    front = np.array(tack) + t * np.subtract(head, tack)
    back = np.array(clew) + t * np.subtract(head, clew)
    # The back edge is a little rounded.
    sheet = front + s * (back - front) * (1 + 0.25 * t * (1 - t))
    depth = bulge * np.linalg.norm(np.subtract(clew, tack)) * (1 - t) * 4 * s * (1 - s)
    sheet = sheet + depth * np.array([1.0, 0, 0])
    thin = 0.006 * (head[2] - tack[2])
    return _cloth(sheet, (thin, 0.4 * thin, 0.0), cloth)


def _cloth(sheet: Float[np.ndarray, "r c 3"], thickness: Point, cloth: Material) -> Mesh:
    """A thin solid about a grid of points, with hard edges."""
    sheet = sheet[:, [0, *range(sheet.shape[1]), -1]]
    half = np.array(thickness) / 2
    return loft(np.concatenate([sheet + half, (sheet - half)[:, ::-1]], 1), cloth)


def _yacht(rng: np.random.Generator) -> list[Mesh]:
    """A slim hull, a cabin, a main sail and a jib, sometimes a second mast."""
    long = between(rng, 9, 14)
    beam, depth, deck = long * between(rng, 0.24, 0.3), long * between(rng, 0.05, 0.08), long * between(rng, 0.07, 0.1)
    hull = Hull(long, beam, depth, deck, long * between(rng, 0.02, 0.05), 0.8, between(rng, 0.5, 0.8), 0.12)
    top = choose(rng, (pale(rng), pale(rng), any_colour(rng), dark(rng)))
    parts = hull.body(hull_paint(top, vivid(rng), choose(rng, (vivid(rng), dark(rng)))), Material(brown(rng)))
    cabin = (beam * 0.5, long * 0.32, long * 0.05)
    parts.append(pillow(cabin, (0, hull.at(0.5), deck + long * 0.02), gloss(pale(rng), 0.3), 4, 0.8))
    keel = box((0.02 * long, 0.08 * long, 0.13 * long), (0, 0.02 * long, -0.06 * long - depth), gloss(dark(rng), 0.1))
    return [*parts, keel, *_rig(rng, hull)]


def _rig(rng: np.random.Generator, hull: Hull) -> list[Mesh]:
    """Masts and sails of a yacht."""
    long, z = hull.length, hull.freeboard
    height, y, bow = (
        long * between(rng, 1.05, 1.35),
        hull.at(between(rng, 0.36, 0.42)),
        (0.0, hull.at(0.02), hull.deck(0)),
    )
    spar, cloth = gloss(choose(rng, ((0.8, 0.8, 0.82), brown(rng))), 0.4), _sailcloth(rng)
    jib = cloth if chance(rng, 0.6) else _sailcloth(rng)
    side = choose(rng, (-1, 1)) * between(rng, 0.03, 0.1) * long
    parts = _mast_and_main(y, z, height, long * between(rng, 0.4, 0.46), side, spar, cloth)
    clew = (side * 0.9, y + long * between(rng, -0.03, 0.07), z + 0.6)
    parts.append(_sail(bow, (0, y - 0.3, z + height * 0.85), clew, float(np.sign(side)) * 0.14, jib))
    parts.append(rod(bow, (0, y, z + height * 0.9), 0.03, spar, sides=4))
    if chance(rng, 0.25):
        parts += _mast_and_main(hull.at(0.84), z, height * 0.6, long * 0.22, side * 0.6, spar, cloth)
    return parts


def _mast_and_main(
    y: float, z: float, height: float, boom: float, side: float, spar: Material, cloth: Material
) -> list[Mesh]:
    """A mast, its boom swung to one side, and the sail between them."""
    thin, low = height * 0.008, z + height * 0.12
    end = (side, y + boom, low)
    return [
        rod((0, y, z - 0.3), (0, y, z + height), thin, spar, thin * 0.6, sides=8),
        rod((0, y, low), end, thin * 0.8, spar, sides=8),
        _sail(
            (0, y + 0.06, low + 0.1),
            (0, y + 0.06, z + height * 0.98),
            (end[0], end[1], low + 0.1),
            float(np.sign(side)) * 0.12,
            cloth,
        ),
    ]


def _tall_ship(rng: np.random.Generator) -> list[Mesh]:
    """Two or three masts with square sails, a high stern and a bowsprit."""
    long = between(rng, 26, 36)
    hull = Hull(
        long,
        long * between(rng, 0.22, 0.27),
        long * 0.07,
        long * between(rng, 0.08, 0.11),
        long * 0.05,
        0.9,
        0.75,
        0.05,
    )
    wood = brown(rng)
    planks = choose(rng, (wood, wood, dark(rng)))
    parts = hull.body(
        hull_paint(planks, choose(rng, (pale(rng), vivid(rng))), choose(rng, (dark(rng), planks))), Material(brown(rng))
    )
    z, spar, cloth = hull.freeboard, Material(brown(rng)), _sailcloth(rng)
    parts.append(storey((hull.width(0.9) * 0.95, long * 0.18, long * 0.06), (hull.at(0.9), z), planks, 5))
    tip = (0.0, hull.at(-0.17), hull.deck(0) + long * 0.08)
    parts.append(rod((0, hull.at(0.06), hull.deck(0)), tip, long * 0.01, spar))
    masts = [(0.22, 0.9), (0.5, 1.0), (0.78, 0.8)] if chance(rng, 0.65) else [(0.3, 1.0), (0.68, 0.95)]
    for place, size in masts:
        y, height = hull.at(place), long * size * between(rng, 0.75, 0.85)
        parts.append(rod((0, y, z - 0.5), (0, y, z + height), long * 0.01, spar, long * 0.005, sides=8))
        parts += _square_sails(y, z, height, long * size * 0.42, spar, cloth)
    jib = hull.at(masts[0][0])
    parts.append(_sail(tip, (0, jib, z + long * 0.6), (0.3, jib - 0.06 * long, z + 0.12 * long), 0.1, cloth))
    return parts


def _square_sails(y: float, z: float, height: float, wide: float, spar: Material, cloth: Material) -> list[Mesh]:
    """Three sails one above another, blown to the front, each under its yard."""
    parts = []
    edges = [0.18, 0.46, 0.72, 0.94]
    s, t = np.linspace(-1, 1, 7)[None, :], np.linspace(0, 1, 6)[:, None]
    for k, (low, high) in enumerate(pairwise(edges)):
        bottom, top = wide * (1 - 0.17 * k), wide * (0.88 - 0.17 * k)
        half = (bottom + (top - bottom) * t) / 2
        bulge = -0.22 * (high - low) * height * np.sin(np.pi * (0.15 + 0.85 * (1 - t))) * (1 - 0.5 * s**2)
        level = z + height * (low + 0.02 + (high - low - 0.04) * t) + 0 * s
        sheet = np.stack([half * s, y - 0.02 * height + bulge, level], 2)
        parts.append(_cloth(sheet, (0.0, 0.012 * height, 0.0), cloth))
        at = z + height * high
        parts.append(
            rod(
                (-0.52 * top, y - 0.02 * height, at), (0.52 * top, y - 0.02 * height, at), 0.008 * height, spar, sides=6
            )
        )
    return parts
