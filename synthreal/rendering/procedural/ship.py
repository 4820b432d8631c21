"""Ships: sailing boats, container ships, tankers, cruise liners, fishing boats, tugs and warships."""

import numpy as np

from synthreal.rendering.mesh import Material, Mesh, merge_meshes
from synthreal.rendering.procedural.paint import (
    BLACK,
    CHROME,
    GLASS,
    WHITE,
    Colour,
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
from synthreal.rendering.procedural.placing import both_sides
from synthreal.rendering.procedural.rounds import pillow, rod, torus
from synthreal.rendering.procedural.ship_freight import cargo, cruise, tanker
from synthreal.rendering.procedural.ship_house import funnel, mast, rail, storey
from synthreal.rendering.procedural.ship_hull import Hull, draw_hull, hull_paint, ship_paint
from synthreal.rendering.procedural.ship_sail import sailing_boat
from synthreal.rendering.procedural.solids import box


def ship(rng: np.random.Generator) -> Mesh:
    """Returns a ship or boat, its bow at -y."""
    kinds = (sailing_boat, sailing_boat, cargo, cargo, tanker, cruise, cruise, _fishing, _tug, _warship)
    return merge_meshes("ship", choose(rng, kinds)(rng))


def _fishing(rng: np.random.Generator) -> list[Mesh]:
    """A fishing boat: a wheelhouse fore or aft, a derrick, nets."""
    hull = _small_hull(rng)
    fore = chance(rng, 0.6)
    parts, _ = _wheelhouse(rng, hull, between(rng, 0.34, 0.45) if fore else between(rng, 0.68, 0.75), chance(rng, 0.3))
    y, z, boom = hull.at(0.8 if fore else 0.45), hull.freeboard, between(rng, 3.0, 5.0)
    parts.append(rod((0, y, z), (0, y, z + boom), 0.14, gloss(vivid(rng)), 0.08))
    reach = 0.16 * hull.length
    ends = [(0, y - reach, z + boom * 0.95), (0, y + reach, z + boom * 0.95)]
    parts += [rod((0, y, z + boom * 0.3), end, 0.09, CHROME, sides=5) for end in ends]
    net = Material(choose(rng, ((0.15, 0.45, 0.35), (0.8, 0.4, 0.1), (0.2, 0.3, 0.6))))
    parts.append(pillow((1.6, 1.6, 0.7), (0, y + 0.9, z + 0.35), net, 2.5, 0.9))
    return hull.body(ship_paint(rng), Material(brown(rng))) + parts + rail(hull, 0.04, 0.95, 0.65)


def _tug(rng: np.random.Generator) -> list[Mesh]:
    """A tug: a high wheelhouse, a funnel, tyres along the sides."""
    hull = _small_hull(rng)
    parts, back = _wheelhouse(rng, hull, between(rng, 0.34, 0.45), double=True)
    z, aft = hull.freeboard, hull.at(0.78)
    parts += funnel(rng, (0, back + 0.7, z), 0.5, between(rng, 3.0, 4.2))
    parts += both_sides(rod((0.5, aft, z), (0.5, aft, z + 1.1), 0.22, BLACK))
    sides = [(hull.width(p) * 0.49, hull.at(p), hull.deck(p) - 0.45) for p in np.linspace(0.2, 0.85, 6).tolist()]
    parts += both_sides(*(torus(at, (1, 0, 0), 0.38, 0.15, BLACK, 14) for at in sides))
    return hull.body(ship_paint(rng), Material(choose(rng, (brown(rng), grey(rng))))) + parts


def _small_hull(rng: np.random.Generator) -> Hull:
    return draw_hull(rng, (14, 20), (4.8, 6), (1.2, 1.8), (1.1, 1.6), (0.9, 1.6), 0.88, 0.75)


def _wheelhouse(rng: np.random.Generator, hull: Hull, place: float, double: bool) -> tuple[list[Mesh], float]:
    """One storey or two with roofs and a mast, and the y of its back."""
    wall, y, z = choose(rng, (pale, vivid))(rng), hull.at(place), hull.deck(place) - 0.15
    wide, deep = hull.beam * between(rng, 0.5, 0.65), hull.length * between(rng, 0.16, 0.24)
    tall, roof = between(rng, 1.9, 2.4), gloss(choose(rng, (vivid(rng), WHITE)))
    parts = [storey((wide, deep, tall), (y, z), wall, 3)]
    parts.append(box((wide * 1.12, deep * 1.12, 0.15), (0, y, z + tall), roof))
    if double:
        parts.append(storey((wide * 0.8, deep * 0.7, tall * 0.8), (y - deep * 0.05, z + tall), wall, 3))
        tall *= 1.8
        parts.append(box((wide * 0.92, deep * 0.82, 0.14), (0, y - deep * 0.05, z + tall), gloss(vivid(rng))))
    return parts + mast((0, y + deep * 0.3, z + tall), between(rng, 1.8, 3)), y + deep / 2


def _warship(rng: np.random.Generator) -> list[Mesh]:
    """A slim grey hull, a slanting superstructure, guns, masts with radars, a landing deck."""
    hull = draw_hull(rng, (80, 110), (13, 16), (3.5, 5), (4.5, 6), (2, 4), 0.85, 0.85, 0.1)
    paint: Colour = grey(rng, 0.42, 0.66)
    steel, bottom = Material(paint, specular=0.1), choose(rng, ((0.45, 0.14, 0.12), (0.12, 0.12, 0.13)))
    parts = hull.body(hull_paint(paint, (0.12, 0.12, 0.13), bottom), Material(shade(paint, 0.75)))
    z = hull.freeboard
    blocks = [(0.40, 0.16, 0.86, 6.0), (0.36, 0.07, 0.7, 11.0), (0.62, 0.16, 0.75, 5.0)]
    for place, long, wide, tall in blocks:
        tall *= between(rng, 0.85, 1.2)
        size = (hull.beam * wide, hull.length * long, tall)
        parts.append(box(size, (0, hull.at(place), z + tall / 2), steel, (between(rng, 0.65, 0.8), 0.85)))
    parts.append(box((hull.beam * 0.62, 1.2, 1.3), (0, hull.at(0.335), z + 8.0), GLASS))
    for place, tall in ((0.42, between(rng, 16, 22)), (0.62, between(rng, 12, 16))):
        parts.append(box((4.5, 5, tall), (0, hull.at(place), z + tall / 2), steel, (0.25, 0.25)))
        parts += mast((0, hull.at(place), z + tall - 1), 6)
        parts.append(box((6, 0.6, 2.2), (0, hull.at(place) - 2, z + tall * 0.75), Material(shade(paint, 0.6))))
    parts.append(box((3.6, 5, 7.5), (0, hull.at(0.53), z + 3.7), Material(shade(paint, 0.7)), (0.8, 0.8)))
    for place in choose(rng, ((0.2,), (0.16, 0.24), (0.2, 0.78))):
        parts += _turret(hull, place, steel, -1.0 if place < 0.5 else 1.0)
    rockets = box((2.4, 7, 1.8), (hull.beam * 0.25, hull.at(0.5), z + 1.6), Material(shade(paint, 0.85)))
    return parts + both_sides(rockets)


def _turret(hull: Hull, place: float, steel: Material, forward: float) -> list[Mesh]:
    """A gun house and its barrels, along y in the direction `forward`."""
    y, z = hull.at(place), hull.deck(place)
    house = box((5, 6, 3), (0, y, z + 2.0), steel, (0.7, 0.6))
    barrel = rod((0.8, y + 2 * forward, z + 2.2), (0.8, y + 10 * forward, z + 3.2), 0.35, steel, sides=8)
    return [rod((0, y, z), (0, y, z + 0.8), 3, steel, sides=14), house, *both_sides(barrel)]
