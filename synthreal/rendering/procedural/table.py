"""Tables: round, oval and rectangular ones, desks with drawers, with many kinds of legs."""

import numpy as np

from synthreal.rendering.mesh import Material, Mesh, merge_meshes
from synthreal.rendering.procedural.paint import (
    BLACK,
    CHROME,
    WHITE,
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
from synthreal.rendering.procedural.placing import both_sides, circled
from synthreal.rendering.procedural.rounds import lathe, levels, outline, rod, tube
from synthreal.rendering.procedural.solids import Point, box, loft
from synthreal.rendering.procedural.textures import checker, dots, noise, stripes, wood


def table(rng: np.random.Generator) -> Mesh:
    """Returns a table; drawers open to the front."""
    return merge_meshes("table", choose(rng, (_round, _round, _rectangular, _rectangular, _rectangular, _desk))(rng))


def timber(rng: np.random.Generator) -> Material:
    """Returns wood, or one time in three a painted surface."""
    if chance(rng, 0.33):
        return gloss(choose(rng, (pale, any_colour, grey))(rng), 0.2)
    return Material(WHITE, wood(rng, brown(rng), between(rng, 0.2, 0.5)), 0.15, 20)


def _top(rng: np.random.Generator) -> Material:
    """Marble, glass or a coloured board for a table top."""
    stone = Material(WHITE, noise(rng, pale(rng), grey(rng, 0.45, 0.7), 5), 0.4, 40)
    return choose(rng, (stone, gloss((0.62, 0.78, 0.80), 0.8), gloss(any_colour(rng), 0.3)))


def _round(rng: np.random.Generator) -> list[Mesh]:
    """A round or oval top on a pedestal or on splayed legs."""
    height = choose(rng, (0.75, 0.75, 0.5, 1.05)) * between(rng, 0.95, 1.05)
    wide = between(rng, 0.7, 1.2)
    long = wide * choose(rng, (1.0, 1.0, 1.0, 1.5))
    frame = timber(rng)
    top = frame if chance(rng, 0.5) else _top(rng)
    thick = between(rng, 0.025, 0.06)
    parts = [_board((long, wide, thick), height, choose(rng, (2.0, 2.0, 3.5)), frame, top)]
    if chance(rng, 0.6):
        return parts + _pedestal(rng, height - thick, min(wide, 0.9), choose(rng, (frame, frame, CHROME, BLACK)))
    legs = choose(rng, (frame, frame, CHROME, BLACK))
    splay, count, radius = between(rng, 0.72, 0.84) / 2, choose(rng, (3, 4, 4)), between(rng, 0.022, 0.04)
    for angle in np.pi * (2 * np.arange(count) + 1) / count:
        x, y = long * float(np.cos(angle)), wide * float(np.sin(angle))
        head, foot = (0.34 * x, 0.34 * y, height - thick), (splay * x, splay * y, 0.0)
        parts.append(rod(head, foot, radius, legs, end_radius=0.018))
    return parts


def _board(size: Point, height: float, power: float, edge: Material, top: Material) -> Mesh:
    """A table top with rounded edges whose upper side lies at `height`; see `outline` for its power."""
    inset = 1 - np.array([0.5, 0, 0, 0.4])[:, None, None] * size[2] / np.array(size[:2])
    rise = height - size[2] * np.array([1.0, 0.75, 0.25, 0])
    return loft(levels(outline(size[0], size[1], power, 40) * inset, rise), edge, cap=top)


def _pedestal(rng: np.random.Generator, height: float, wide: float, surface: Material) -> list[Mesh]:
    """A column on a plate or on curved feet."""
    waist = between(rng, 0.035, 0.07)
    bulge = waist * between(rng, 1.0, 2.2)
    shape = [(waist, 0.04), (waist, 0.12), (bulge, 0.25), (waist, 0.42), (waist * 0.8, 0.7), (waist * 1.5, 0.97)]
    parts = [lathe([(r, z * height) for r, z in shape], surface, 16)]
    parts.append(rod((0, 0, height - 0.03), (0, 0, height), wide * 0.25, surface, sides=16))
    if chance(rng, 0.45):
        plate = [(wide * 0.34, 0.0), (wide * 0.34, 0.015), (wide * 0.3, 0.03), (waist, 0.06)]
        return [*parts, lathe(plate, surface, 28)]
    low, count = min(1.0, height), choose(rng, (3, 4, 4))
    path = [(0, 0, 0.22 * low), (0.15 * wide, 0, 0.2 * low), (0.28 * wide, 0, 0.1 * low), (0.4 * wide, 0, 0.025)]
    foot = tube(np.array(path), np.array([0.035, 0.032, 0.028, 0.022]), surface)
    return [*parts, circled(foot, "z", count, 180 / count)]


def _rectangular(rng: np.random.Generator) -> list[Mesh]:
    """A rectangular top: dining, coffee and side tables, one in six under a table-cloth."""
    low = chance(rng, 0.25)
    height = (0.45 if low else 0.75) * between(rng, 0.93, 1.07)
    long = between(rng, 0.9, 1.3 if low else 1.8)
    wide = between(rng, 0.5, 0.7) if low else between(rng, 0.7, 0.95)
    frame = timber(rng)
    thick = between(rng, 0.025, 0.07)
    top = frame if chance(rng, 0.6) else _top(rng)
    parts = [_board((long, wide, thick), height, between(rng, 8, 40), choose(rng, (frame, top)), top)]
    under = height - thick
    base = choose(rng, (_corner_legs, _corner_legs, _corner_legs, _trestles, _slabs))
    parts += base(rng, (long, wide, under), choose(rng, (frame, frame, frame, BLACK, CHROME)))
    if not low and chance(rng, 0.2):
        parts.append(_cloth(rng, long, wide, height))
    return parts


def _corner_legs(rng: np.random.Generator, size: Point, surface: Material) -> list[Mesh]:
    """Four legs, square, tapered, turned or hairpin; perhaps an apron, a drawer, a shelf."""
    long, wide, height = size
    thick = between(rng, 0.05, 0.1)
    x, y = long / 2 - thick * 0.7, wide / 2 - thick * 0.7
    style, lean = choose(rng, ("square", "square", "tapered", "turned", "round")), choose(rng, (0.0, 0.0, 0.06))
    r = thick / 2
    turned = [(0.5, 0), (0.6, 0.1), (0.4, 0.14), (0.55, 0.2), (0.9, 0.5), (0.95, 0.62), (0.6, 0.68), (1, 0.75), (1, 1)]
    parts = []
    for side in (-1, 1):
        for end in (-1, 1):
            at = (side * x, end * y)
            if style == "turned":
                parts.append(lathe([(r * a, height * z) for a, z in turned], surface, 12, (*at, 0)))
            elif style == "round":
                foot = (at[0] + side * lean, at[1] + end * lean, 0.0)
                parts.append(rod((*at, height), foot, r * 0.8, surface, r * 0.45))
            else:
                slim = 0.55 if style == "tapered" else 1.0
                size_ = (thick * slim, thick * slim, height)
                parts.append(box(size_, (*at, height / 2), surface, taper=(1 / slim, 1 / slim), tile=0.9))
    if chance(rng, 0.65):
        deep = between(rng, 0.07, 0.14)
        parts += _apron(long - 2 * thick, wide - 2 * thick, height, deep, surface)
        if chance(rng, 0.4):
            parts += _drawers(rng, (0.0, thick - wide / 2 - 0.0125, height - deep / 2), (x, deep * 0.8), 1, surface)
    if chance(rng, 0.25):
        parts.append(box((2 * x, 2 * y, 0.025), (0, 0, height * between(rng, 0.15, 0.35)), surface, tile=0.9))
    return parts


def _apron(long: float, wide: float, height: float, deep: float, surface: Material) -> list[Mesh]:
    """The frame under a top."""
    boards = [
        box((long + 0.04, 0.025, deep), (0, end * wide / 2, height - deep / 2), surface, tile=0.9) for end in (-1, 1)
    ]
    return boards + both_sides(box((0.025, wide + 0.04, deep), (long / 2, 0, height - deep / 2), surface, tile=0.9))


def _trestles(rng: np.random.Generator, size: Point, surface: Material) -> list[Mesh]:
    """Crossed or A-shaped legs at either end, and a bar between them."""
    long, wide, height = size
    x, foot = long * between(rng, 0.3, 0.42), wide * 0.42
    head = -foot if chance(rng, 0.5) else wide * 0.08
    leg = between(rng, 0.025, 0.04)
    legs = [rod((x, s * head, height), (x, s * foot, 0.0), leg, surface, sides=4) for s in (-1, 1)]
    beam = box((0.06, wide * 0.85, 0.05), (x, 0, height - 0.025), surface, tile=0.9)
    level = height * (0.5 if head < 0 else 0.35)
    bar = rod((-x, 0, level), (x, 0, level), leg, surface, sides=4)
    tie = box((0.05, foot * 1.3, 0.04), (x, 0, level), surface, tile=0.9)
    return [*both_sides(*legs, beam, tie), bar]


def _slabs(rng: np.random.Generator, size: Point, surface: Material) -> list[Mesh]:
    """A board at either end."""
    long, wide, height = size
    thick = between(rng, 0.03, 0.08)
    x = long / 2 - thick / 2 - choose(rng, (0.0, 0.0, 0.15))
    board = box((thick, wide * 0.95, height), (x, 0, height / 2), surface, tile=0.9)
    tie = box((2 * x, 0.03, height * 0.3), (0, wide * 0.2, height * 0.7), surface, tile=0.9)
    return [*both_sides(board), tie]


def _desk(rng: np.random.Generator) -> list[Mesh]:
    """A writing desk: a chest of drawers at one side or both."""
    long, wide, height = between(rng, 1.1, 1.6), between(rng, 0.55, 0.75), between(rng, 0.7, 0.78)
    body = timber(rng)
    front = body if chance(rng, 0.5) else timber(rng)
    parts = [_board((long, wide, 0.04), height, 30, body, body)]
    chest, count = between(rng, 0.32, 0.42), int(rng.integers(2, 5))
    x, tall = long / 2 - chest / 2 - 0.02, height - 0.04
    for side in (-1, 1):
        if side == 1 or chance(rng, 0.4):
            parts.append(box((chest, wide * 0.92, tall - 0.06), (side * x, 0, tall / 2 + 0.03), body, tile=0.9))
            parts += _drawers(rng, (side * x, -wide * 0.46, tall / 2 + 0.03), (chest * 0.92, tall - 0.1), count, front)
            parts += [
                box((0.05, 0.05, 0.06), (side * x + a * chest * 0.4, b * wide * 0.4, 0.03), body)
                for a in (-1, 1)
                for b in (-1, 1)
            ]
        else:
            at = side * (long / 2 - 0.05)
            parts += [box((0.05, 0.05, tall), (at, b * wide * 0.42, tall / 2), body, tile=0.9) for b in (-1, 1)]
    parts.append(box((long - 0.1, 0.02, tall * 0.4), (0, wide * 0.4, tall * 0.8), body, tile=0.9))
    return parts


def _drawers(
    rng: np.random.Generator,
    middle: Point,
    size: tuple[float, float],
    count: int,
    surface: Material,
) -> list[Mesh]:
    """Drawer fronts one above another, each with a knob or a bar."""
    x, y, z = middle
    each = size[1] / count
    grip = choose(rng, (CHROME, BLACK, gloss((0.75, 0.6, 0.25))))
    bar = chance(rng, 0.5)
    parts = []
    for k in range(count):
        level = z + (k - (count - 1) / 2) * each
        parts.append(box((size[0], 0.03, each * 0.86), (x, y, level), surface, tile=0.9))
        parts.append(box((size[0] + 0.01, 0.012, each * 0.97), (x, y, level), BLACK))
        if bar:
            parts.append(box((size[0] * 0.35, 0.03, 0.018), (x, y - 0.03, level), grip))
        else:
            parts.append(rod((x, y, level), (x, y - 0.05, level), 0.012, grip, 0.022, sides=8))
    return parts


def _cloth(rng: np.random.Generator, long: float, wide: float, height: float) -> Mesh:
    """A cloth that hangs over the edge in folds."""
    first, second = choose(rng, (WHITE, pale(rng))), vivid(rng)
    pattern = choose(rng, (checker(first, second, 4), dots(first, second, 4), stripes(first, second, 4)))
    surface = Material(WHITE, pattern)
    edge = outline(long + 0.03, wide + 0.03, 20, 72)
    folds = 1 + 0.03 * np.cos(np.arange(72) * (2 * np.pi / 6))[:, None]
    loops = np.stack([edge * folds * 1.03, edge * (1 + 0.5 * (folds - 1)) * 1.01, edge])
    drop = between(rng, 0.12, 0.22)
    rise = np.array([height - drop, height - drop * 0.3, height + 0.006])
    return loft(levels(loops, rise), surface, repeat=(6, 0.4), cap=surface)
