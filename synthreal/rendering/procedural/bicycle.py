"""Bicycles: road, city, mountain and small-wheeled ones."""

from dataclasses import dataclass

import numpy as np

from synthreal.rendering.mesh import Material, Mesh, merge_meshes
from synthreal.rendering.procedural.paint import (
    BLACK,
    CHROME,
    LAMP,
    RED_LAMP,
    RUBBER,
    any_colour,
    between,
    brown,
    chance,
    choose,
    gloss,
    grey,
    pale,
    vivid,
)
from synthreal.rendering.procedural.placing import both_sides, circled, mirrored, moved, turned
from synthreal.rendering.procedural.rounds import pillow, rod, torus, tube
from synthreal.rendering.procedural.solids import Point, box, point
from synthreal.rendering.procedural.textures import panels

_CREAM = Material((0.85, 0.78, 0.62))


@dataclass(frozen=True)
class _Frame:
    """Corners of the frame in the plane x = 0, metres; the front wheel is at negative y.

    Args:
        wheel: Radius of the wheels.
        rear, front: Hubs.
        crank: Bottom bracket.
        seat: Upper end of the seat tube.
        saddle: Where the saddle is clamped.
        crown, head: Lower and upper end of the head tube.
        grip: Where the stem holds the handlebar.
        tube: Radius of the tubes.
    """

    wheel: float
    rear: Point
    front: Point
    crank: Point
    seat: Point
    saddle: Point
    crown: Point
    head: Point
    grip: Point
    tube: float


def bicycle(rng: np.random.Generator) -> Mesh:
    """Returns an upright bicycle, steering straight ahead."""
    style = choose(rng, ("road", "road", "city", "city", "mountain", "mountain", "small"))
    frame, paint = _frame(rng, style), gloss(any_colour(rng), 0.5)
    step = style in ("city", "small") and chance(rng, 0.5)
    parts = [*_tubes(rng, frame, paint, step), *_wheels(rng, frame, style), *_drive(rng, frame)]
    parts += [*_saddle(rng, frame), *_handlebar(rng, frame, style)]
    if style == "city" or chance(rng, 0.15):
        parts += _fenders(frame, choose(rng, (paint, paint, CHROME, BLACK)))
    if style in ("city", "small"):
        parts += _rack(frame) if chance(rng, 0.6) else []
        parts += _basket(rng, frame) if chance(rng, 0.5) else []
    if chance(rng, 0.4):
        x, y, z = frame.crown
        parts.append(rod((x, y - 0.06, z + 0.05), (x, y - 0.13, z + 0.05), 0.03, CHROME, 0.04, cap=LAMP))
    if style != "city" and chance(rng, 0.35):
        a, b = (np.array(point) for point in (frame.crank, frame.crown))
        low, high = a + 0.3 * (b - a) + (0, 0, 0.06), a + 0.55 * (b - a) + (0, 0, 0.06)
        parts.append(rod(point(low), point(high), 0.034, gloss(vivid(rng))))
    return merge_meshes("bicycle", parts)


def _frame(rng: np.random.Generator, style: str) -> _Frame:
    small = style == "small"
    wheel = between(rng, 0.22, 0.27) if small else between(rng, 0.32, 0.36)
    base = between(rng, 0.85, 0.95) if small else between(rng, 0.98, 1.14)
    crank = np.array([0.0, 0.08, between(rng, 0.27, 0.31)])
    rear, front = np.array([0.0, 0.08 + 0.43, wheel]), np.array([0.0, 0.51 - base, wheel])
    slant = np.deg2rad(between(rng, 68, 75))
    back, up = np.array([0, np.cos(slant), 0]), np.array([0, 0, np.sin(slant)])
    length = between(rng, 0.30, 0.38) if small else between(rng, 0.42, 0.56)
    seat = crank + length * (back + up)
    # The steering axis passes a little behind the front hub.
    foot = front + np.array([0, 0.05, 0])
    crown, reach = foot + (wheel + 0.09) * (back + up), between(rng, 0.09, 0.16)
    head = crown + reach * (back + up)
    stem = {"road": 0.05, "mountain": 0.06, "city": 0.14, "small": 0.22}[style]
    grip = head + stem * (back + up) + np.array([0, -0.09 if style == "road" else -0.04, 0.02])
    rise = max(between(rng, 0.08, 0.18), (0.8 - float(seat[2])) if small else 0.0)
    return _Frame(
        wheel,
        point(rear),
        point(front),
        point(crank),
        point(seat),
        point(seat + rise * (back + up)),
        point(crown),
        point(head),
        point(grip),
        between(rng, 0.019, 0.027) if style in ("mountain", "small") else between(rng, 0.016, 0.021),
    )


def _tubes(rng: np.random.Generator, frame: _Frame, paint: Material, step: bool) -> list[Mesh]:
    """The frame and the fork; `step` has a low top tube."""
    r, thin = frame.tube, frame.tube * 0.65
    seat, crank, crown, head = (np.array(p) for p in (frame.seat, frame.crank, frame.crown, frame.head))
    parts = [rod(frame.crank, frame.seat, r, paint), rod(frame.seat, frame.saddle, r * 0.75, CHROME)]
    parts.append(rod(frame.crown, frame.head, r * 1.25, paint))
    parts.append(rod(frame.crank, frame.crown, r * 1.1, paint))
    if step:
        middle = crank + 0.42 * (seat - crank)
        bend = (head + middle) / 2 - np.array([0, 0, 0.06])
        parts.append(tube(np.stack([head, (head + bend) / 2 - (0, 0, 0.02), bend, middle]), r, paint))
    else:
        drop = choose(rng, (0.0, 0.0, 0.12))
        parts.append(rod(point(head - (0, 0, 0.02)), point(seat - (0, 0, 0.02 + drop)), r, paint))
    x = 0.055
    aside = np.array([x, 0, 0])
    parts += both_sides(
        rod((x * 0.6, *frame.crank[1:]), (x, *frame.rear[1:]), thin, paint, sides=8),
        rod(point(seat - (-0.02, 0, 0.03)), (x, *frame.rear[1:]), thin, paint, sides=8),
        rod(point(crown + aside), (x, *frame.front[1:]), thin * 1.2, paint, thin, sides=8),
    )
    parts.append(rod(point(crown - 1.3 * aside), point(crown + 1.3 * aside), thin * 1.2, paint, sides=8))
    return parts


def _wheels(rng: np.random.Generator, frame: _Frame, style: str) -> list[Mesh]:
    """Tyres, rims, hubs and spokes."""
    fat = {"road": 0.016, "city": 0.022, "mountain": 0.032, "small": 0.028}[style] * between(rng, 0.9, 1.1)
    tyre = choose(rng, (RUBBER, RUBBER, RUBBER, _CREAM, gloss(vivid(rng), 0.1)))
    metal = choose(rng, (CHROME, gloss(grey(rng)), BLACK, gloss(any_colour(rng))))
    count, r = choose(rng, (10, 12, 16)), frame.wheel - fat
    spoke = rod((0.03, 0, 0.015), (0, 0, r - fat), 0.0035, CHROME, sides=3)
    half = circled(spoke, "x", count // 2)
    wheel = [
        torus((0, 0, 0), (1, 0, 0), r, fat, tyre, 36),
        torus((0, 0, 0), (1, 0, 0), r - fat * 0.95, 0.011, metal, 28),
        rod((-0.06, 0, 0), (0.06, 0, 0), 0.02, CHROME),
        half,
        turned(mirrored(half), "x", 360 / count),
    ]
    return [moved(part, hub) for hub in (frame.rear, frame.front) for part in wheel]


def _drive(rng: np.random.Generator, frame: _Frame) -> list[Mesh]:
    """Chain-wheel, sprocket, chain, cranks and pedals."""
    _, y, z = frame.crank
    _, rear, low = frame.rear
    metal, big, small, x = choose(rng, (CHROME, BLACK)), between(rng, 0.075, 0.1), between(rng, 0.03, 0.05), 0.06
    parts = [
        torus((x, y, z), (1, 0, 0), big, 0.008, metal, 20),
        rod((x, rear, low), (x + 0.015, rear, low), small, metal),
    ]
    if chance(rng, 0.25):
        guard = np.array([(x + 0.015, y - big, z), (x + 0.015, y, z + big), (x + 0.015, rear, low + small)])
        parts.append(tube(guard, 0.03, BLACK, flat=0.4))
    parts += [rod((x, y, z + end * big), (x, rear, low + end * small), 0.005, BLACK, sides=4) for end in (-1, 1)]
    turn = between(rng, -0.6, 0.6)
    right = _crank(y, z, -0.17 * np.cos(turn), -0.17 * np.sin(turn), metal)
    left = [mirrored(part) for part in _crank(y, z, 0.17 * np.cos(turn), 0.17 * np.sin(turn), metal)]
    return [*parts, *right, *left, rod((-0.08, y, z), (0.08, y, z), 0.024, metal)]


def _crank(y: float, z: float, along: float, up: float, metal: Material) -> list[Mesh]:
    """The right crank and its pedal, which lies `along` and `up` from the axle."""
    pedal = box((0.1, 0.075, 0.025), (0.15, y + along, z + up), BLACK)
    return [rod((0.075, y, z), (0.09, y + along, z + up), 0.011, metal, sides=6), pedal]


def _saddle(rng: np.random.Generator, frame: _Frame) -> list[Mesh]:
    leather = Material(choose(rng, ((0.09, 0.09, 0.1), (0.09, 0.09, 0.1), brown(rng), pale(rng))))
    _, y, z = frame.saddle
    wide = between(rng, 0.13, 0.22)
    return [
        pillow((wide, 0.15, 0.06), (0, y + 0.07, z + 0.03), leather, 3, 0.8),
        pillow((0.07, 0.24, 0.05), (0, y - 0.04, z + 0.025), leather, 3, 0.8),
    ]


def _handlebar(rng: np.random.Generator, frame: _Frame, style: str) -> list[Mesh]:
    """A straight, swept, drop or high bar, its stem and its grips."""
    _, y, z = frame.grip
    half = between(rng, 0.2, 0.23) if style == "road" else between(rng, 0.26, 0.34)
    shapes = {
        "drop": [
            (0, 0, 0),
            (half, 0, 0),
            (half, -0.09, -0.01),
            (half, -0.12, -0.07),
            (half, -0.07, -0.13),
            (half, 0.03, -0.14),
        ],
        "flat": [(0, 0, 0), (half * 0.5, 0, 0.01), (half, 0.03, 0.015)],
        "swept": [(0, 0, 0), (0.06, -0.03, 0.05), (half * 0.8, -0.01, 0.1), (half, 0.1, 0.1), (half, 0.22, 0.09)],
        "high": [(0, 0, 0), (0.06, 0.0, 0.0), (0.14, 0.01, 0.16), (half, 0.05, 0.18)],
    }
    wanted = {"road": ("drop",), "city": ("swept", "swept", "flat"), "mountain": ("flat",), "small": ("high", "flat")}
    path = np.array(shapes[choose(rng, wanted[style])]) + np.array(frame.grip)
    metal, grip = choose(rng, (CHROME, BLACK)), choose(rng, (BLACK, gloss(brown(rng)), gloss(vivid(rng))))
    end = path[-1] - 0.11 * (path[-1] - path[-2]) / np.linalg.norm(path[-1] - path[-2])
    parts = both_sides(tube(path, 0.013, metal), rod(point(end), point(path[-1]), 0.019, grip))
    parts.append(tube(np.array([frame.head, (0, (frame.head[1] + y) / 2 + 0.02, z - 0.01), frame.grip]), 0.016, metal))
    return parts


def _fenders(frame: _Frame, paint: Material) -> list[Mesh]:
    """Strips around the upper part of either wheel."""
    parts = []
    for hub, start, stop in ((frame.rear, -20, 190), (frame.front, 20, 165)):
        # Counter-clockwise seen from -x: 0 points to the back.
        angle = np.deg2rad(np.linspace(start, stop, 17))[:, None]
        ring = np.cos(angle) * np.array([0, 1, 0]) + np.sin(angle) * np.array([0, 0, 1])
        parts.append(tube(np.array(hub) + (frame.wheel + 0.02) * ring, 0.007, paint, 8, flat=4.5))
    x, y, z = frame.rear
    reach = frame.wheel + 0.03
    lamp = (x, y + reach * 0.94, z + reach * 0.34)
    return [*parts, box((0.05, 0.04, 0.06), lamp, RED_LAMP)]


def _rack(frame: _Frame) -> list[Mesh]:
    """A luggage carrier over the rear wheel."""
    _, y, z = frame.rear
    top, x = z + frame.wheel + 0.07, 0.06
    rails = [
        rod((x, y - 0.2, top), (x, y + 0.2, top), 0.007, BLACK, sides=6),
        rod((x, y, z), (x, y + 0.1, top), 0.006, BLACK, sides=6),
    ]
    rungs = [rod((-x, y + at, top), (x, y + at, top), 0.006, BLACK, sides=6) for at in (-0.2, -0.07, 0.07, 0.2)]
    return [*both_sides(*rails), *rungs]


def _basket(rng: np.random.Generator, frame: _Frame) -> list[Mesh]:
    """A wire or wicker basket before the handlebar."""
    ground = choose(rng, (brown(rng), (0.75, 0.75, 0.77)))
    dimmer = (ground[0] * 0.45, ground[1] * 0.45, ground[2] * 0.45)
    weave = Material((1.0, 1.0, 1.0), panels(dimmer, ground, 6, 4, 0.07))
    _, y, z = frame.grip
    wide, deep, tall = between(rng, 0.28, 0.36), between(rng, 0.2, 0.26), between(rng, 0.18, 0.24)
    low = z - tall * 0.85
    middle = y - 0.07 - deep / 2
    edge = gloss(ground, 0.2)
    rim = [box((wide * 1.17, 0.02, 0.02), (0, middle + s * deep * 0.57, low + tall), edge) for s in (-1, 1)]
    rim += both_sides(box((0.02, deep * 1.17, 0.02), (wide * 0.57, middle, low + tall), edge))
    body = box((wide, deep, tall), (0, middle, low + tall / 2), weave, (1.15, 1.15))
    return [body, *rim, box((wide, deep, 0.01), (0, middle, low + tall * 0.985), BLACK, (1.08, 1.08))]
