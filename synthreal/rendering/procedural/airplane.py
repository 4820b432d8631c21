"""Airplanes: airliners, business jets, propeller airplanes, biplanes and fighters."""

import numpy as np

from synthreal.rendering.mesh import Material, Mesh, merge_meshes
from synthreal.rendering.procedural.airplane_fighter import fighter
from synthreal.rendering.procedural.airplane_light import biplane, light_airplane
from synthreal.rendering.procedural.airplane_parts import airplane_paint, fin, fuselage, gear, jet, propeller
from synthreal.rendering.procedural.paint import (
    CHROME,
    between,
    chance,
    choose,
    gloss,
    grey,
    pale,
    vivid,
)
from synthreal.rendering.procedural.placing import both_sides
from synthreal.rendering.procedural.rounds import blade, rod
from synthreal.rendering.procedural.solids import box


def airplane(rng: np.random.Generator) -> Mesh:
    """Returns an airplane, its nose at -y."""
    kind = choose(
        rng,
        (_airliner, _airliner, _airliner, _business_jet, _turboprop, light_airplane, light_airplane, biplane, fighter),
    )
    return merge_meshes("airplane", kind(rng))


def _airliner(rng: np.random.Generator) -> list[Mesh]:
    """A long tube with swept wings; two or four engines under them, or two at the tail."""
    long, wide = between(rng, 30, 48), between(rng, 3.6, 5.0)
    skin, wing, tail = airplane_paint(rng, int(rng.integers(18, 34)), (0.055, 0.085))
    places = [(0.0, 0.02, -0.15), (0.01, 0.35, -0.12), (0.035, 0.68, -0.07), (0.075, 0.92, -0.02), (0.12, 1.0, 0.0)]
    places += [(0.62, 1.0, 0.0), (0.76, 0.85, 0.07), (0.9, 0.5, 0.2), (1.0, 0.12, 0.32)]
    stations = [((t - 0.5) * long, s * wide, s * wide, dz * wide) for t, s, dz in places]
    span, chord = long * between(rng, 0.42, 0.52), long * between(rng, 0.15, 0.19)
    sweep, rise = span * between(rng, 0.42, 0.6), span * between(rng, 0.07, 0.13)
    root = -0.09 * long
    parts = [fuselage(stations, skin, 24)]
    tip = (span, root + sweep, -0.3 * wide + rise)
    parts += both_sides(blade((0.2 * wide, root, -0.3 * wide), chord, tip, chord * 0.28, 0.11, wing))
    if chance(rng, 0.4):
        middle = (span, tip[1] + 0.14 * chord, tip[2] + 0.03 * span)
        parts += both_sides(box((0.12, chord * 0.26, 0.06 * span), middle, tail, (1, 0.5)))
    layout = choose(rng, ("two", "two", "four", "tail"))
    radius, nacelle = wide * between(rng, 0.24, 0.32), gloss(choose(rng, (pale(rng), vivid(rng), grey(rng))), 0.3)
    if layout == "tail":
        parts += _rear_engines(long, wide, radius * 0.8, nacelle, wing)
    for place in {"two": (0.36,), "four": (0.34, 0.62), "tail": ()}[layout]:
        x, y, z = place * span, root + place * sweep, -0.3 * wide + place * rise
        pylon = box((0.25, radius * 2.6, radius * 1.1), (x, y + radius * 0.5, z - radius * 0.5), wing)
        parts += both_sides(*jet((x, y - radius * 0.4, z - radius * 1.25), radius, radius * 3.2, nacelle), pylon)
    parts += _tail(rng, long, wide, tail, wing, high=layout == "tail" or chance(rng, 0.1))
    return parts + (_airliner_gear(long, wide) if chance(rng, 0.4) else [])


def _rear_engines(long: float, wide: float, radius: float, nacelle: Material, wing: Material) -> list[Mesh]:
    """A jet on either side of the tail, on stubs."""
    y, z = 0.27 * long, 0.19 * wide
    stub = box((wide * 0.5, radius * 2, 0.1 * wide), (wide * 0.5, y, z), wing)
    return both_sides(*jet((wide * 0.83, y, z), radius, radius * 4.8, nacelle), stub)


def _tail(
    rng: np.random.Generator, long: float, wide: float, paint: Material, wing: Material, high: bool
) -> list[Mesh]:
    """Fin and tailplane; `high` puts it on top of the fin."""
    chord, height = long * between(rng, 0.13, 0.16), long * between(rng, 0.14, 0.19)
    y, z = long * 0.34, wide * 0.35
    upright = fin((y, z), chord, height, chord * 0.8, 0.5, paint)
    flat = chord * 0.75
    level = z + height * 0.96 if high else wide * 0.25
    start = y + chord * 0.75 if high else long * 0.37
    tips = (long * between(rng, 0.15, 0.19), start + chord * 0.5, level + (0.0 if high else 0.08 * wide))
    return [upright, *both_sides(blade((0.0, start, level), flat, tips, flat * 0.45, 0.09, wing))]


def _airliner_gear(long: float, wide: float) -> list[Mesh]:
    r, low = wide * 0.13, -wide * 0.95
    nose = gear((0, -0.36 * long, low), (0, -0.36 * long, -0.3 * wide), r)
    main = [
        part
        for at in (-0.8, 0.8)
        for part in gear((wide * 0.65, 0.04 * long + at * 1.3 * r, low), (wide * 0.5, 0.04 * long, -0.3 * wide), r)
    ]
    return [*nose, *both_sides(*main)]


def _business_jet(rng: np.random.Generator) -> list[Mesh]:
    """A slim jet with engines at the tail, which is T-shaped."""
    long, wide = between(rng, 13, 17), between(rng, 1.7, 2.1)
    skin, wing, tail = airplane_paint(rng, int(rng.integers(9, 14)), (0.12, 0.17))
    places = [(0.0, 0.02, -0.2), (0.02, 0.25, -0.18), (0.08, 0.55, -0.14), (0.16, 0.85, -0.03), (0.24, 1.0, 0.0)]
    places += [(0.62, 1.0, 0.0), (0.8, 0.8, 0.06), (0.92, 0.45, 0.15), (1.0, 0.1, 0.25)]
    parts = [fuselage([((t - 0.5) * long, s * wide, s * wide, dz * wide) for t, s, dz in places], skin)]
    span, chord = long * between(rng, 0.42, 0.5), long * 0.16
    low = -0.35 * wide
    tip = (span, span * between(rng, 0.25, 0.5), low + span * 0.06)
    parts += both_sides(blade((0.2 * wide, -0.02 * long, low), chord, tip, chord * 0.35, 0.1, wing))
    parts += _rear_engines(long, wide, wide * 0.26, wing, wing)
    return parts + _tail(rng, long, wide, tail, wing, high=True)


def _turboprop(rng: np.random.Generator) -> list[Mesh]:
    """A high wing with two or four propellers."""
    long, wide = between(rng, 18, 25), between(rng, 2.6, 3.2)
    skin, wing, tail = airplane_paint(rng, int(rng.integers(10, 20)), (0.07, 0.11))
    places = [(0.0, 0.05, -0.12), (0.02, 0.45, -0.1), (0.06, 0.78, -0.05), (0.12, 1.0, 0.0)]
    places += [(0.6, 1.0, 0.0), (0.78, 0.8, 0.1), (0.92, 0.4, 0.28), (1.0, 0.1, 0.36)]
    parts = [fuselage([((t - 0.5) * long, s * wide, s * wide, dz * wide) for t, s, dz in places], skin)]
    span, chord, z, y = long * between(rng, 0.5, 0.6), long * 0.12, 0.5 * wide, -0.1 * long
    parts += both_sides(blade((0, y, z), chord, (span, y + chord * 0.3, z + 0.02 * span), chord * 0.5, 0.13, wing))
    radius, hub = wide * between(rng, 0.5, 0.65), choose(rng, (CHROME, tail))
    for part in choose(rng, ((0.33,), (0.33,), (0.28, 0.6))):
        x = part * span
        nacelle = rod((x, y - 0.55 * wide, z - 0.05), (x, y + chord * 0.9, z - 0.1), 0.2 * wide, wing, 0.1 * wide)
        parts += both_sides(nacelle, *propeller((x, y - 0.58 * wide, z - 0.05), radius, choose(rng, (4, 6)), hub))
    return parts + _tail(rng, long, wide, tail, wing, high=chance(rng, 0.6))
