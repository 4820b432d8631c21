"""Container ships, tankers, bulk carriers and liners."""

import numpy as np

from synthreal.rendering.mesh import Material, Mesh
from synthreal.rendering.procedural.paint import (
    CHROME,
    GLASS,
    WHITE,
    between,
    brown,
    chance,
    choose,
    gloss,
    grey,
    pale,
    shade,
    vivid,
)
from synthreal.rendering.procedural.placing import both_sides, moved
from synthreal.rendering.procedural.rounds import lathe, pillow, rod
from synthreal.rendering.procedural.ship_house import bridge, funnel, mast, rail, storey
from synthreal.rendering.procedural.ship_hull import Hull, draw_hull, ship_paint
from synthreal.rendering.procedural.solids import box
from synthreal.rendering.procedural.textures import stripes


def cargo(rng: np.random.Generator) -> list[Mesh]:
    """Returns the parts of a container ship, its boxes stacked in bays."""
    hull = draw_hull(rng, (75, 120), (17, 23), (4, 6), (5, 8), (2, 5), 0.97, 0.9)
    parts = hull.body(ship_paint(rng), Material(choose(rng, ((0.45, 0.2, 0.16), grey(rng), (0.25, 0.4, 0.3)))))
    aft = between(rng, 0.84, 0.9) if chance(rng, 0.75) else between(rng, 0.3, 0.6)
    house, top = bridge(rng, hull, aft, int(rng.integers(4, 6)), hull.beam * 0.8)
    parts += house + funnel(
        rng, (0, hull.at(aft + 0.06), hull.deck(aft)), hull.beam * 0.11, (top - hull.deck(aft)) * 0.9
    )
    return parts + _containers(rng, hull, aft)


def _containers(rng: np.random.Generator, hull: Hull, aft: float) -> list[Mesh]:
    """Rows of stacks across the deck, with a gap for the bridge at the place `aft`."""
    colours = [Material(WHITE, stripes(c := vivid(rng), shade(c, 0.8), 12, upright=True)) for _ in range(5)]
    colours.append(Material(pale(rng)))
    wide, long, tall = 4.4, 11.0, 3.0
    parts = []
    for y in np.arange(hull.at(0.1), hull.at(0.94), long + 1.0).tolist():
        place = y / hull.length + 0.5
        if abs(place - aft) < 0.07 + 0.5 * long / hull.length:
            continue
        columns = int(hull.width(place - 0.04) * 0.93 / wide)
        for k in range(columns):
            x, z = (k - (columns - 1) / 2) * wide, hull.deck(place)
            parts += [
                box((wide - 0.15, long, tall - 0.1), (x, y, z + (level + 0.5) * tall), choose(rng, colours))
                for level in range(int(rng.integers(1, 5)))
            ]
    return parts


def tanker(rng: np.random.Generator) -> list[Mesh]:
    """Returns the parts of a ship with a long low deck and its bridge aft: an oil or gas tanker, a bulk carrier."""
    hull = draw_hull(rng, (75, 115), (16, 21), (4, 6), (5, 7), (2, 4), 0.97, 0.85)
    parts = hull.body(ship_paint(rng), Material(choose(rng, ((0.5, 0.2, 0.15), (0.25, 0.42, 0.3), grey(rng)))))
    house, top = bridge(rng, hull, 0.87, int(rng.integers(3, 6)), hull.beam * 0.75)
    z = hull.freeboard
    parts += house + funnel(rng, (0, hull.at(0.94), z), hull.beam * 0.1, (top - z) * 0.9) + rail(hull, 0.03, 0.8, 1.6)
    metal = gloss(choose(rng, (pale, vivid, grey))(rng))
    return parts + choose(rng, (_pipes, _spheres, _hatches))(hull, np.linspace(0.2, 0.72, 4).tolist(), metal)


def _spheres(hull: Hull, places: list[float], metal: Material) -> list[Mesh]:
    """Gas tanks."""
    r = hull.beam * 0.4
    ball = lathe([(r * np.sin(t), -r * np.cos(t)) for t in np.linspace(0, np.pi, 11)], metal, 20)
    return [moved(ball, (0, hull.at(place), hull.freeboard + 0.45 * r)) for place in places]


def _pipes(hull: Hull, places: list[float], metal: Material) -> list[Mesh]:
    """Pipes along and across the deck, and vents."""
    z, half, start, end = hull.freeboard, 0.42 * hull.beam, hull.at(0.12), hull.at(0.8)
    parts = [rod((x, start, z + 1.8), (x, end, z + 1.8), 0.5, metal, sides=8) for x in (-1.3, 0, 1.3)]
    for place in places:
        y, vent = hull.at(place), hull.at(place + 0.06)
        parts.append(rod((-half, y, z + 1.2), (half, y, z + 1.2), 0.45, metal, sides=8))
        parts.append(rod((0, vent, z), (0, vent, z + 5), 0.5, metal, sides=8))
    return parts


def _hatches(hull: Hull, places: list[float], metal: Material) -> list[Mesh]:
    """Hatch covers, and cranes between them."""
    z = hull.freeboard
    parts = [box((hull.beam * 0.6, hull.length * 0.09, 2.2), (0, hull.at(place), z + 1.1), metal) for place in places]
    for place in places[1:]:
        y = hull.at(place - 0.085)
        parts.append(rod((0, y, z), (0, y, z + 11), 1.1, CHROME, 0.8))
        parts.append(rod((0, y, z + 10), (0, y - hull.length * 0.1, z + 14), 0.6, CHROME, sides=6))
    return parts


def cruise(rng: np.random.Generator) -> list[Mesh]:
    """Returns the parts of a liner: many decks of windows, boats along the side, one to three funnels."""
    hull = draw_hull(rng, (95, 140), (18, 23), (4, 6), (6, 9), (2, 4), 0.98, 0.9, 0.12)
    wall = pale(rng)
    parts = hull.body(ship_paint(rng), Material(brown(rng)))
    floors, each = int(rng.integers(3, 7)), between(rng, 2.8, 3.6)
    start, end = between(rng, 0.16, 0.24), between(rng, 0.92, 0.97)
    z = hull.freeboard
    for k in range(floors):
        front, back = start + 0.018 * k, end - 0.012 * k
        middle, long = hull.at((front + back) / 2), (back - front) * hull.length
        wide = hull.beam * (0.94 - 0.02 * k)
        parts.append(storey((wide, long, each * 0.86), (middle, z + k * each), wall, int(rng.integers(24, 40))))
        parts.append(box((wide + 0.6, long + 1.0, each * 0.14), (0, middle, z + (k + 0.93) * each), gloss(WHITE, 0.1)))
    boat = gloss(choose(rng, ((0.95, 0.5, 0.1), vivid(rng))))
    parts += both_sides(
        *(
            pillow((2.4, 7.5, 2.6), (hull.beam * 0.48, hull.at(p), z + 1.2 * each), boat, 3, 0.8)
            for p in np.linspace(start + 0.12, 0.82, 5).tolist()
        )
    )
    top, y = z + floors * each, hull.at(start + 0.018 * floors + 0.06)
    parts.append(box((hull.beam * 0.9, 7, each * 0.8), (0, y, top + each * 0.4), GLASS, (0.9, 0.8), (0, 0.8)))
    parts += mast((0, y + 3, top + each * 0.7), each * 2.5)
    for p in choose(rng, ((0.72,), (0.75,), (0.5, 0.72), (0.4, 0.56, 0.72))):
        parts += funnel(rng, (0, hull.at(p), top - 0.5), hull.beam * 0.15, each * between(rng, 2.0, 3.2))
    return parts
