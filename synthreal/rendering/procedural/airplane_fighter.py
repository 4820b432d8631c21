"""Fighters."""

import numpy as np

from synthreal.rendering.mesh import Material, Mesh
from synthreal.rendering.procedural.airplane_parts import fuselage
from synthreal.rendering.procedural.paint import (
    BLACK,
    CHROME,
    GLASS,
    WHITE,
    between,
    chance,
    choose,
    gloss,
    grey,
    pale,
    shade,
)
from synthreal.rendering.procedural.placing import both_sides, moved, turned
from synthreal.rendering.procedural.rounds import blade, lathe, rod
from synthreal.rendering.procedural.solids import box
from synthreal.rendering.procedural.textures import noise


def fighter(rng: np.random.Generator) -> list[Mesh]:
    """Returns the parts of a pointed jet with delta or swept wings, one fin or two, with or without missiles."""
    long, wide, double = between(rng, 13, 17), between(rng, 1.6, 2.0), chance(rng, 0.5)
    first = choose(rng, (grey(rng, 0.4, 0.7), (0.38, 0.42, 0.30), (0.62, 0.54, 0.40), grey(rng, 0.4, 0.7)))
    surface = gloss(first, 0.15)
    if chance(rng, 0.5):
        surface = Material(WHITE, noise(rng, shade(first, 0.65), first, 6, 2), 0.1, 20)
    span, chord, y, z = long * between(rng, 0.3, 0.38), long * between(rng, 0.34, 0.45), -0.1 * long, -0.05 * wide
    tip = (span, y + chord * between(rng, 0.65, 0.8), z)
    parts = _body(long, wide, 1.5 if double else 1.0, surface)
    parts += both_sides(blade((0.4 * wide, y, z), chord, tip, chord * 0.22, 0.05, surface))
    parts += _tail(long, wide, long * between(rng, 0.15, 0.2), double, surface)
    if chance(rng, 0.6):
        missile = lathe([(0.08, 0), (0.1, 0.1), (0.1, 2.4), (0.0, 2.7)], gloss(pale(rng)), 8)
        missile = turned(missile, "x", 90)
        parts += both_sides(moved(missile, (span, tip[1] + 1.8, z)))
        parts += both_sides(moved(missile, (0.62 * span, tip[1] + 1.4, z - 0.2 * wide)))
    return parts


def _body(long: float, wide: float, tail: float, surface: Material) -> list[Mesh]:
    """Fuselage, canopy and air intakes; `tail` is the width at the engines, relative to `wide`."""
    places = [(0.0, 0.02, 0.02), (0.06, 0.3, 0.3), (0.18, 0.65, 0.75), (0.32, 0.9, 0.95)]
    places += [(0.5, tail, 0.95), (0.85, tail, 0.85), (1.0, tail * 0.75, 0.6)]
    bubble = [(-0.33, 0.05, 0.05, 0.3), (-0.28, 0.45, 0.4, 0.38), (-0.2, 0.5, 0.55, 0.42)]
    bubble += [(-0.1, 0.3, 0.35, 0.42), (-0.04, 0.05, 0.1, 0.4)]
    x, z = 0.55 * wide, -0.08 * wide
    return [
        fuselage([((t - 0.5) * long, w * wide, h * wide, 0.0) for t, w, h in places], surface),
        fuselage([(y * long, w * wide, h * wide, up * wide) for y, w, h, up in bubble], GLASS, 14),
        *both_sides(
            box((0.35 * wide, 0.34 * long, 0.55 * wide), (x, -0.02 * long, z), surface),
            box((0.3 * wide, 0.02, 0.48 * wide), (x, -0.192 * long, z), BLACK),
        ),
    ]


def _tail(long: float, wide: float, high: float, double: bool, surface: Material) -> list[Mesh]:
    """Tailplane, one fin or two, one exhaust or two."""
    foot, tip = (0.4 * wide, 0.34 * long, -0.05 * wide), (0.2 * long, 0.44 * long, -0.05 * wide)
    parts = both_sides(blade(foot, 0.15 * long, tip, 0.07 * long, 0.06, surface))
    x, top = (0.5 * wide if double else 0.0), (0.8 * wide if double else 0.0)
    upright = blade(
        (x, 0.24 * long, 0.3 * wide), 0.19 * long, (top, 0.38 * long, 0.3 * wide + high), 0.08 * long, 0.06, surface
    )
    x *= 0.76
    nozzle = rod((x, 0.48 * long, 0), (x, 0.53 * long, 0), 0.3 * wide, CHROME, 0.24 * wide, cap=BLACK)
    return parts + (both_sides(upright, nozzle) if double else [upright, nozzle])
