"""Cabs of trucks: over the engine, or behind a bonnet."""

import numpy as np

from synthreal.rendering.mesh import Material, Mesh
from synthreal.rendering.procedural.paint import (
    BLACK,
    CHROME,
    GLASS,
    LAMP,
    Colour,
    any_colour,
    between,
    chance,
    choose,
    gloss,
    shade,
)
from synthreal.rendering.procedural.placing import both_sides
from synthreal.rendering.procedural.rounds import levels, outline, pillow, rod
from synthreal.rendering.procedural.solids import box, hexahedron, loft
from synthreal.rendering.procedural.textures import stripes
from synthreal.rendering.procedural.wheels import arch, rim, wheel


def cab(rng: np.random.Generator, paint: Colour, radius: float) -> tuple[list[Mesh], float]:
    """Returns the front of a truck.

    Args:
        rng: Random numbers.
        paint: Its colour.
        radius: Of the wheels, metres.

    Returns:
        The parts, and the y of the cab's back; the nose lies at negative y.
    """
    bonnet = between(rng, 1.1, 1.6) if chance(rng, 0.35) else 0.0
    width, deep, low = between(rng, 2.15, 2.4), between(rng, 1.5, 2.2), radius * 1.15
    high = low + between(rng, 1.75, 2.3)
    slope = between(rng, 0.05, 0.25) + (0.15 if bonnet else 0.0)
    parts = _house(width, deep, low, high, slope, gloss(paint, 0.4))
    parts += _windows(width, deep, low, high, slope)
    if bonnet:
        parts += _bonnet(width, bonnet, low, low + (high - low) * 0.46, gloss(paint, 0.4))
    parts += _face(rng, -bonnet, width * (0.72 if bonnet else 1.0), low, low + (high - low) * 0.42, paint)
    axle = -bonnet + (0.75 if bonnet else 0.9)
    x = width / 2 - 0.13
    parts += both_sides(
        wheel((x, axle, radius), radius, 0.3, rim(rng)),
        arch((width / 2 - 0.1, axle, radius), radius * 1.2, 0.23, low * 0.8),
        box((0.1, 0.16, 0.5), (width / 2 + 0.16, 0.02, high - 0.75), BLACK),
        rod((width / 2 - 0.1, 0.12, high - 0.5), (width / 2 + 0.18, 0.03, high - 0.5), 0.02, BLACK, sides=5),
    )
    if bonnet:
        parts += _fenders(width, axle, radius, gloss(paint, 0.4))
    return parts + _trimmings(rng, width, deep, high, slope, paint), deep


def _house(width: float, deep: float, low: float, high: float, slope: float, paint: Material) -> list[Mesh]:
    """The body: straight up to the windows, then leaning back at the front."""
    line = outline(1, 1, 12)
    sill = low + (high - low) * 0.5
    rows = [
        (low - 0.15, 0.0, 0.98),
        (low, 0.0, 1.0),
        (sill, 0.0, 1.0),
        (high - 0.12, slope, 0.95),
        (high, slope + 0.1, 0.88),
    ]
    loops = [line * (width * wide, deep - back) + np.array([0, (deep + back) / 2]) for _, back, wide in rows]
    return [loft(levels(np.stack(loops), np.array([z for z, _, _ in rows])), paint)]


def _windows(width: float, deep: float, low: float, high: float, slope: float) -> list[Mesh]:
    """Windscreen and side windows, just proud of the body."""
    z0, z1 = low + (high - low) * 0.53, high - 0.2
    lean = slope * (z1 - z0) / ((high - low) * 0.5)
    x0, x1 = width * 0.45, width * 0.43
    sheet = 0.05
    front = [(-x0, -0.03, z0), (x0, -0.03, z0), (x0, sheet, z0), (-x0, sheet, z0)]
    above = [(-x1, lean - 0.02, z1), (x1, lean - 0.02, z1), (x1, lean + sheet, z1), (-x1, lean + sheet, z1)]
    parts = [hexahedron(np.array([*front, *above]), GLASS)]
    y0, y1, inner = 0.16, min(deep - 0.25, 1.15), width / 2 - 0.2
    out, top = width / 2 + 0.015, width * 0.477 + 0.015
    lower = [(inner, y0, z0), (out, y0, z0), (out, y1, z0), (inner, y1, z0)]
    upper = [(inner, y0 + lean, z1), (top, y0 + lean, z1), (top, y1, z1), (inner, y1, z1)]
    return parts + both_sides(hexahedron(np.array([*lower, *upper]), GLASS))


def _bonnet(width: float, long: float, low: float, high: float, paint: Material) -> list[Mesh]:
    """The engine's cover in front of the cab."""
    rows = [(-long, 0.62, high - 0.12), (-long + 0.08, 0.68, high - 0.04), (0.05, 0.8, high + 0.05)]
    sections = []
    for y, wide, top in rows:
        line = outline(width * wide, top - low + 0.1, 6)
        sections.append(np.stack([line[:, 0], np.full(len(line), y), line[:, 1] + (top + low - 0.1) / 2], 1))
    return [loft(np.stack(sections), paint)]


def _fenders(width: float, axle: float, radius: float, paint: Material) -> list[Mesh]:
    """Rounded covers over the front wheels of a truck with a bonnet."""
    x = width / 2 - 0.22
    return both_sides(arch((x, axle, radius + 0.02), radius * 1.32, 0.42, radius * 0.95, paint))


def _face(rng: np.random.Generator, y: float, width: float, low: float, high: float, paint: Colour) -> list[Mesh]:
    """Grille, bumper, headlights and number plate."""
    bars = stripes((0.07, 0.07, 0.08), choose(rng, ((0.7, 0.7, 0.72), shade(paint, 0.7))), int(rng.integers(4, 8)), 0.4)
    wide, tall = width * between(rng, 0.4, 0.75), (high - low) * between(rng, 0.55, 0.85)
    parts = [box((wide, 0.1, tall), (0, y - 0.01, high - 0.05 - tall / 2), Material((1.0, 1.0, 1.0), bars, 0.3, 30))]
    bumper = choose(rng, (CHROME, BLACK, gloss(paint), gloss((0.6, 0.6, 0.6))))
    parts.append(pillow((width * 1.02, 0.35, 0.36), (0, y + 0.06, low - 0.08), bumper, 8, 0.4))
    light = box((0.3, 0.08, 0.18), (width * 0.38, y - 0.12, low - 0.05), LAMP)
    return [*parts, *both_sides(light), box((0.55, 0.04, 0.13), (0, y - 0.13, low - 0.12), Material((0.95, 0.93, 0.8)))]


def _trimmings(
    rng: np.random.Generator, width: float, deep: float, high: float, slope: float, paint: Colour
) -> list[Mesh]:
    """Sun visor, lamps or a wind deflector on the roof, exhaust stacks, coloured band."""
    parts: list[Mesh] = []
    if chance(rng, 0.5):
        parts.append(box((width * 0.9, 0.3, 0.06), (0, slope - 0.08, high - 0.14), choose(rng, (BLACK, gloss(paint)))))
    if chance(rng, 0.35):
        rise = between(rng, 0.4, 0.7)
        y = deep * 0.6
        parts.append(
            box(
                (width * 0.85, deep * 0.7, rise),
                (0, y, high + rise / 2 - 0.02),
                gloss(paint, 0.4),
                (0.9, 0.4),
                (0, deep * 0.2),
            )
        )
    elif chance(rng, 0.5):
        lamp = Material((0.98, 0.6, 0.1), specular=0.4)
        parts += [box((0.16, 0.1, 0.09), (x, slope + 0.25, high + 0.04), lamp) for x in (-0.7, -0.35, 0, 0.35, 0.7)]
    if chance(rng, 0.3):
        parts += both_sides(
            rod((width / 2 - 0.1, deep + 0.06, 0.9), (width / 2 - 0.1, deep + 0.06, high + 0.4), 0.08, CHROME)
        )
    if chance(rng, 0.4):
        band = gloss(any_colour(rng))
        parts += both_sides(box((0.02, deep * 0.9, 0.18), (width / 2, deep / 2, high - 1.35), band))
    return parts
