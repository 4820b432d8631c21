"""Chairs: wooden, shell, cantilever, office and arm chairs."""

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
    dark,
    gloss,
    grey,
    pale,
    vivid,
)
from synthreal.rendering.procedural.placing import both_sides, circled, moved, turned
from synthreal.rendering.procedural.rounds import pillow, rod, tube
from synthreal.rendering.procedural.solids import box, loft
from synthreal.rendering.procedural.textures import checker, dots, noise, stripes, wood


def chair(rng: np.random.Generator) -> Mesh:
    """Returns a chair with a back, for one person."""
    kind = choose(rng, (_wooden, _wooden, _wooden, _office, _office, _shell, _cantilever, _armchair))
    return merge_meshes("chair", kind(rng))


def _timber(rng: np.random.Generator) -> Material:
    if chance(rng, 0.35):
        return gloss(choose(rng, (pale, any_colour, dark))(rng), 0.2)
    return Material(WHITE, wood(rng, brown(rng)), 0.15, 20)


def _fabric(rng: np.random.Generator) -> Material:
    first = choose(rng, (vivid, any_colour, grey))(rng)
    second = choose(rng, (pale, dark, vivid))(rng)
    patterned = (
        checker(first, second, 4),
        stripes(first, second, 4, upright=True),
        dots(first, second, 4),
        noise(rng, first, second, 8, 2),
    )
    return Material(WHITE, choose(rng, patterned)) if chance(rng, 0.35) else Material(first)


def _wooden(rng: np.random.Generator) -> list[Mesh]:
    """Four legs and a back of slats, rungs, spindles or one board."""
    wide, deep, seat = between(rng, 0.4, 0.5), between(rng, 0.4, 0.48), between(rng, 0.42, 0.48)
    top = seat + between(rng, 0.38, 0.65)
    surface = _timber(rng)
    leg, lean = between(rng, 0.032, 0.05), between(rng, 0.02, 0.12)
    x, y = wide / 2 - leg / 2, deep / 2 - leg / 2
    parts = both_sides(
        box((leg * 0.75, leg * 0.75, seat), (x, -y, seat / 2), surface, (1.33, 1.33), tile=0.5),
        box((leg, leg, seat), (x, y + 0.3 * lean, seat / 2), surface, lean=(0.0, -0.3 * lean), tile=0.5),
        box((leg, leg, top - seat), (x, y, (top + seat) / 2), surface, (0.9, 0.7), (0.0, lean), tile=0.5),
    )
    if chance(rng, 0.5):
        parts += both_sides(box((0.022, 2 * y, 0.03), (x, 0, seat * between(rng, 0.25, 0.5)), surface, tile=0.5))
    cushion = _fabric(rng) if chance(rng, 0.4) else surface
    parts.append(pillow((wide + 0.03, deep + 0.02, between(rng, 0.035, 0.08)), (0, -0.01, seat), cushion, 10))
    parts += _back(rng, (wide - 2 * leg, seat, top), (y, lean), surface)
    if chance(rng, 0.3):
        parts += _arms(x, y, seat, surface)
    return parts


def _back(
    rng: np.random.Generator, size: tuple[float, float, float], at: tuple[float, float], surface: Material
) -> list[Mesh]:
    """What fills the back between its posts.

    Args:
        rng: Random numbers.
        size: Width between the posts; heights of seat and top.
        at: y at the seat, and how much further back the top lies.
        surface: Its material.
    """
    wide, seat, top = size
    height = top - seat

    def y(z: float) -> float:
        """Where the leaning back is at a height."""
        return at[0] + at[1] * (z - seat) / height

    def board(low: float, high: float, width: float, x: float = 0.0) -> Mesh:
        """A piece of the back between two shares of its height."""
        bottom, upper = seat + low * height, seat + high * height
        lean = y(upper) - y(bottom)
        return box(
            (width, 0.022, upper - bottom), (x, y(bottom), (bottom + upper) / 2), surface, lean=(0, lean), tile=0.5
        )

    crest = board(0.86, 1.0, wide + 0.02)
    style, count = choose(rng, ("slats", "slats", "rungs", "board", "spindles")), int(rng.integers(3, 6))
    if style == "rungs":
        return [crest, *(board(low, low + 0.11, wide + 0.01) for low in np.linspace(0.2, 0.68, count - 1).tolist())]
    if style == "board":
        return [board(between(rng, 0.15, 0.45), 0.98, wide + 0.01)]
    places = np.linspace(-0.5, 0.5, count + 2)[1:-1] * wide
    if style == "slats":
        width = wide / count * between(rng, 0.35, 0.6)
        return [crest, board(0.14, 0.22, wide), *(board(0.2, 0.9, width, float(x)) for x in places)]
    rods = [rod((x, y(seat), seat), (x, y(top), top - 0.02), 0.009, surface, sides=6) for x in (places * 1.1).tolist()]
    return [crest, *rods]


def _arms(x: float, y: float, seat: float, surface: Material) -> list[Mesh]:
    """Arm rests on posts."""
    rise = seat + 0.21
    post = box((0.03, 0.03, rise - seat), (x + 0.005, -y * 0.75, (rise + seat) / 2), surface, tile=0.5)
    return both_sides(post, box((0.05, 2 * y * 0.95, 0.025), (x + 0.005, 0.02, rise), surface, tile=0.5))


def _office(rng: np.random.Generator) -> list[Mesh]:
    """A star base with castors, a gas spring, padded seat and back."""
    base, seat = choose(rng, (CHROME, BLACK, gloss(pale(rng)))), between(rng, 0.46, 0.54)
    cover = _fabric(rng) if chance(rng, 0.6) else Material(dark(rng))
    wide, deep = between(rng, 0.44, 0.54), between(rng, 0.44, 0.5)
    tall, gap, y = between(rng, 0.4, 0.75), between(rng, 0.08, 0.18), deep / 2 + 0.02
    parts = [*_star(rng, seat, base), pillow((wide, deep, 0.09), (0, 0, seat + 0.03), cover, between(rng, 3, 7))]
    # Made lying, then raised; it leans back a little.
    back = pillow((wide * between(rng, 0.8, 1), tall, 0.08), (0, 0, 0), cover, between(rng, 3, 8))
    parts.append(moved(turned(back, "x", 90 - between(rng, 5, 14)), (0, y + 0.03, seat + gap + tall / 2)))
    middle = seat + gap + tall * 0.5
    spine = [(0, 0.05, seat - 0.01), (0, y + 0.02, seat), (0, y + 0.07, seat + gap * 0.7), (0, y + 0.09, middle)]
    parts.append(tube(np.array(spine), 0.022, base))
    if chance(rng, 0.65):
        x = wide / 2 + 0.03
        post = tube(np.array([(x - 0.08, 0.05, seat), (x, 0.05, seat + 0.02), (x, 0.05, seat + 0.22)]), 0.016, base)
        parts += both_sides(post, pillow((0.07, 0.28, 0.035), (x, 0.02, seat + 0.23), BLACK))
    return parts


def _star(rng: np.random.Generator, seat: float, base: Material) -> list[Mesh]:
    """The foot of an office chair: arms on castors around a gas spring."""
    reach, arms = between(rng, 0.27, 0.34), int(rng.integers(4, 7))
    arm = rod((0, 0, 0.12), (reach, 0, 0.065), 0.028, base, 0.016, sides=6)
    castor = rod((reach, -0.022, 0.028), (reach, 0.022, 0.028), 0.028, BLACK)
    start = between(rng, 0, 360 / arms)
    spring = [rod((0, 0, 0.07), (0, 0, seat * 0.6), 0.032, base), rod((0, 0, seat * 0.6), (0, 0, seat), 0.02, CHROME)]
    return [*spring, *(circled(part, "z", arms, start) for part in (arm, castor))]


def _shell(rng: np.random.Generator) -> list[Mesh]:
    """A moulded seat and back in one piece, on thin legs."""
    wide, seat, rise = between(rng, 0.44, 0.54), between(rng, 0.42, 0.46), between(rng, 0.32, 0.45)
    colour = gloss(choose(rng, (pale, vivid, any_colour))(rng), 0.3)
    parts = [moved(_moulded(wide, rise, between(rng, 0.03, 0.1), colour), (0, 0, seat))]
    legs, thick = choose(rng, ((CHROME, 0.012), (BLACK, 0.012), (Material(WHITE, wood(rng, brown(rng))), 0.021)))
    for end in (-1, 1):
        leg = rod((0.12, end * 0.11, seat - 0.02), (wide * 0.48, end * 0.24, 0.0), thick, legs, 0.01, sides=8)
        y, z = end * 0.13, seat * 0.82
        parts += [*both_sides(leg), rod((-0.16, y, z), (0.16, y, z), thick * 0.7, legs, sides=6)]
    if chance(rng, 0.3):
        x = wide / 2 - 0.01
        path = [(x, -0.12, 0.02), (x + 0.04, -0.14, 0.2), (x + 0.03, 0.1, 0.22), (x - 0.02, 0.26, 0.24)]
        parts += both_sides(moved(tube(np.array(path), 0.016, colour), (0, 0, seat)))
    return parts


def _moulded(wide: float, rise: float, curl: float, colour: Material) -> Mesh:
    """A bowl-shaped seat at z = 0 with a back of height `rise`; its edges are bent inward by `curl`."""
    line = [(-0.24, -0.03), (-0.2, 0), (-0.05, -0.02), (0.1, -0.02), (0.18, 0.02), (0.23, 0.12), (0.27, 0.6), (0.3, 1)]
    middle = np.array(line)
    middle[-2:, 1] *= rise
    width = np.array([0.8, 0.93, 1, 1, 0.98, 0.95, 0.92, 0.62]) * wide / 2
    along = np.gradient(middle, axis=0)
    inward = np.stack([-along[:, 1], along[:, 0]], 1) / np.linalg.norm(along, axis=1, keepdims=True)
    bow = np.linspace(-1, 1, 9)[:, None]
    curve = middle[:, None] + curl * bow**2 * inward[:, None]
    inside = np.concatenate([width[:, None, None] * bow, curve], 2)
    outside = inside - 0.018 * np.insert(inward, 0, 0, axis=1)[:, None]
    return loft(np.concatenate([inside, outside[:, ::-1]], 1), colour)


def _cantilever(rng: np.random.Generator) -> list[Mesh]:
    """One bent steel tube that carries a seat and a back."""
    x, seat, top = between(rng, 0.21, 0.25), between(rng, 0.43, 0.47), between(rng, 0.78, 0.95)
    steel, cover = choose(rng, (CHROME, CHROME, BLACK, gloss(vivid(rng)))), choose(rng, (_fabric, _timber))(rng)
    side = [
        (0.24, 0.02),
        (-0.2, 0.02),
        (-0.235, 0.04),
        (-0.25, 0.08),
        (-0.25, seat - 0.06),
        (-0.235, seat - 0.02),
        (-0.2, seat),
        (0.17, seat),
        (0.2, seat + 0.03),
        (0.28, top),
    ]
    parts = both_sides(tube(np.array([(x, y, z) for y, z in side]), 0.015, steel))
    parts.append(rod((-x, 0.24, 0.02), (x, 0.24, 0.02), 0.015, steel))
    parts.append(pillow((2 * x - 0.01, 0.4, between(rng, 0.03, 0.07)), (0, -0.02, seat + 0.01), cover, 8))
    tall = (top - seat) * between(rng, 0.5, 0.8)
    back = turned(pillow((2 * x - 0.01, tall, 0.04), (0, 0, 0), cover, 8), "x", 80)
    parts.append(moved(back, (0, 0.265 - tall * 0.09, top - tall / 2)))
    if chance(rng, 0.4):
        arm = [(-0.25, seat - 0.1), (-0.25, seat + 0.19), (-0.22, seat + 0.21), (0.24, seat + 0.21)]
        parts += both_sides(tube(np.array([(x + 0.005, y, z) for y, z in arm]), 0.013, steel))
    return parts


def _armchair(rng: np.random.Generator) -> list[Mesh]:
    """An upholstered chair on short legs."""
    cover, legs = _fabric(rng), choose(rng, (Material(brown(rng)), BLACK, CHROME))
    wide, deep, seat = between(rng, 0.5, 0.6), between(rng, 0.55, 0.65), between(rng, 0.38, 0.44)
    arm, foot, rise = between(rng, 0.09, 0.16), between(rng, 0.08, 0.18), between(rng, 0.15, 0.24)
    x, tall = wide / 2 + arm / 2, between(rng, 0.85, 1.1)
    parts = [pillow((wide + 0.02, deep, seat - foot - 0.1), (0, 0, (seat + foot - 0.1) / 2), cover, 12, 0.2)]
    cushion = cover if chance(rng, 0.6) else _fabric(rng)
    parts.append(pillow((wide, deep, 0.13), (0, -0.02, seat - 0.05), cushion, 9, 0.7))
    parts += both_sides(pillow((arm, deep, seat + rise - foot), (x, 0, (seat + rise + foot) / 2), cover, 8, 0.3))
    back = turned(pillow((wide + arm, tall - foot, 0.16), (0, 0, 0), cover, between(rng, 5, 12), 0.7), "x", 84)
    parts.append(moved(back, (0, deep / 2 + 0.02, (tall + foot) / 2)))
    for y in (-deep * 0.42, deep * 0.42):
        parts += both_sides(rod((x - 0.02, y, foot + 0.01), (x, y, 0), 0.025, legs, 0.015, sides=8))
    return parts
