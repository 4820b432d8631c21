"""Light airplanes and biplanes."""

import numpy as np

from synthreal.rendering.mesh import Material, Mesh
from synthreal.rendering.procedural.airplane_parts import airplane_paint, fin, fuselage, gear, propeller
from synthreal.rendering.procedural.paint import (
    BLACK,
    CHROME,
    GLASS,
    any_colour,
    between,
    chance,
    choose,
    gloss,
    pale,
    vivid,
)
from synthreal.rendering.procedural.placing import both_sides, moved
from synthreal.rendering.procedural.rounds import blade, pillow, rod
from synthreal.rendering.procedural.solids import box


def light_airplane(rng: np.random.Generator) -> list[Mesh]:
    """Returns the parts of an airplane with one propeller or two, its wing high or low, on wheels or floats."""
    high, twin = chance(rng, 0.5), chance(rng, 0.25)
    long, wide = between(rng, 7, 9), between(rng, 1.1, 1.35)
    skin, wing, tail = airplane_paint(rng, 0, (0.0, 0.0))
    nose = 0.1 if twin else 0.55
    places = [(0.0, nose, nose, -0.1), (0.03, 0.7, 0.65, -0.1), (0.12, 0.85, 0.75, -0.08), (0.26, 1.0, 0.95, -0.02)]
    places += [(0.45, 1.0, 1.0, 0.0), (0.6, 0.75, 0.75, 0.03), (0.8, 0.4, 0.42, 0.12), (1.0, 0.1, 0.2, 0.2)]
    stations = [((t - 0.5) * long, w * wide, h * wide * 1.05, dz * wide) for t, w, h, dz in places]
    parts = [fuselage(stations, skin), *_canopy(long, wide, high, skin)]
    span, chord = long * between(rng, 0.58, 0.72), long * between(rng, 0.17, 0.21)
    z, y = (0.72 * wide if high else -0.38 * wide), -0.27 * long
    rise = span * (0.02 if high else 0.09)
    parts += both_sides(
        blade((0, y, z), chord, (span, y + 0.03 * long, z + rise), chord * between(rng, 0.6, 1.0), 0.13, wing)
    )
    if high:
        strut = rod((0.4 * wide, y + 0.4 * chord, -0.35 * wide), (0.5 * span, y + 0.4 * chord, z), 0.05, wing, sides=6)
        parts += both_sides(strut)
    vanes, radius = int(rng.integers(2, 4)), between(rng, 0.85, 1.05)
    if twin:
        x = 0.33 * span
        engine = rod((x, y - 0.6, z + 0.1), (x, y + chord * 0.9, z + 0.05), 0.36, wing, 0.12)
        parts += both_sides(engine, *propeller((x, y - 0.65, z + 0.1), radius * 0.9, vanes, CHROME))
    else:
        parts += propeller((0, -0.51 * long, -0.1 * wide), radius, vanes, tail)
    parts += _small_tail(rng, long, wide, tail, wing)
    return parts + (_floats(long, wide, tail) if high and chance(rng, 0.3) else _fixed_gear(long, wide))


def _canopy(long: float, wide: float, high: bool, skin: Material) -> list[Mesh]:
    """Cabin windows: a block under a high wing, a bubble over a low one."""
    if high:
        cabin = box(
            (0.84 * wide, 0.34 * long, 0.5 * wide), (0, -0.14 * long, 0.5 * wide), GLASS, (0.85, 0.66), (0, 0.02 * long)
        )
        return [
            cabin,
            *both_sides(box((0.06, 0.08, 0.45 * wide), (0.4 * wide, -0.1 * long, 0.5 * wide), skin, lean=(-0.06, 0))),
        ]
    stations = [
        (-0.27, 0.1, 0.1, 0.35),
        (-0.2, 0.7, 0.55, 0.45),
        (-0.1, 0.8, 0.8, 0.48),
        (0.02, 0.65, 0.65, 0.42),
        (0.1, 0.1, 0.1, 0.3),
    ]
    return [fuselage([(y * long, w * wide, h * wide, z * wide) for y, w, h, z in stations], GLASS, 14)]


def _small_tail(rng: np.random.Generator, long: float, wide: float, paint: Material, wing: Material) -> list[Mesh]:
    chord, height = long * between(rng, 0.13, 0.17), long * between(rng, 0.15, 0.19)
    upright = fin((0.35 * long, 0.2 * wide), chord, height, chord * between(rng, 0.3, 0.7), 0.55, paint)
    tip = (long * between(rng, 0.18, 0.23), 0.38 * long, 0.22 * wide)
    return [upright, *both_sides(blade((0, 0.36 * long, 0.22 * wide), chord * 0.9, tip, chord * 0.6, 0.08, wing))]


def _fixed_gear(long: float, wide: float) -> list[Mesh]:
    low = -1.05 * wide
    nose = gear((0, -0.4 * long, low), (0, -0.4 * long, -0.3 * wide), 0.22)
    return [*nose, *both_sides(*gear((0.95 * wide, -0.12 * long, low), (0.3 * wide, -0.14 * long, -0.4 * wide), 0.26))]


def _floats(long: float, wide: float, paint: Material) -> list[Mesh]:
    """Two floats and their struts."""
    x, z = 0.95 * wide, -1.15 * wide
    rows = [
        (-0.52, 0.05, 0.1, 0.12),
        (-0.45, 0.35, 0.3, 0.05),
        (-0.25, 0.5, 0.45, 0),
        (0.05, 0.48, 0.42, 0),
        (0.3, 0.15, 0.15, 0.1),
    ]
    hull = fuselage([(y * long, w, h * 1.2, z + up) for y, w, h, up in rows], paint, 12)
    struts = [
        rod((x, y * long, z), (0.3 * wide, y * long, -0.35 * wide), 0.05, CHROME, sides=6) for y in (-0.32, -0.05)
    ]
    return both_sides(*struts, moved(hull, (x, 0, 0)))


def biplane(rng: np.random.Generator) -> list[Mesh]:
    """Returns the parts of one with two wings joined by struts and wires, an open seat, a round engine."""
    long, wide = between(rng, 6.5, 8), between(rng, 0.95, 1.2)
    skin, _, tail = airplane_paint(rng, 0, (0.0, 0.0))
    wing = gloss(choose(rng, (vivid(rng), pale(rng), any_colour(rng))), 0.2)
    places = [
        (0.0, 0.75, 0.0),
        (0.02, 0.95, 0.0),
        (0.12, 1.0, 0.0),
        (0.4, 0.95, 0.02),
        (0.7, 0.55, 0.1),
        (1.0, 0.12, 0.2),
    ]
    parts = [fuselage([((t - 0.5) * long, s * wide, s * wide * 1.1, dz * wide) for t, s, dz in places], skin)]
    span, chord = long * between(rng, 0.52, 0.65), long * between(rng, 0.16, 0.2)
    y, top, low = -0.36 * long, 1.05 * wide, -0.35 * wide
    back, lower = chord * between(rng, 0.0, 0.3), between(rng, 0.8, 1.0)
    parts += both_sides(
        blade((0, y, top), chord, (span, y + 0.1, top + 0.02 * span), chord * 0.85, 0.1, wing),
        blade((0, y + back, low), chord, (span * lower, y + back + 0.1, low + 0.05 * span), chord * 0.85, 0.1, wing),
    )
    for part in (0.12, 0.7):
        for at in (0.15, 0.7):
            foot = (part * span, y + back + at * chord, low + 0.05 * span * part)
            parts += both_sides(rod(foot, (part * span, y + at * chord, top), 0.04, CHROME, sides=5))
    parts.append(rod((0, -0.5 * long, 0), (0, -0.53 * long, 0), 0.4 * wide, BLACK))
    parts += propeller((0, -0.54 * long, 0), 1.05, 2, choose(rng, (CHROME, tail)), between(rng, 0, 90))
    parts.append(pillow((0.45 * wide, 0.12 * long, 0.12), (0, -0.02 * long, 0.5 * wide), BLACK, 3))
    parts.append(box((0.4 * wide, 0.03, 0.25), (0, -0.09 * long, 0.6 * wide), GLASS, lean=(0, 0.08)))
    return parts + _small_tail(rng, long, wide, tail, wing) + _fixed_gear(long, wide)[2:]
