"""Cups: mugs, tea cups on saucers, tumblers and paper cups."""

import numpy as np
from jaxtyping import Float

from synthreal.rendering.mesh import Material, Mesh, merge_meshes
from synthreal.rendering.procedural.paint import Colour, any_colour, between, chance, choose, gloss, pale, shade
from synthreal.rendering.procedural.rounds import lathe, rod, tube
from synthreal.rendering.procedural.textures import Texture, bands, checker, dots, framed, noise, stripes

Profile = Float[np.ndarray, "n 2"]  # radius and height, from the foot to the rim

_DRINKS = ((0.20, 0.11, 0.06), (0.45, 0.28, 0.16), (0.62, 0.33, 0.10), (0.92, 0.88, 0.80))


def cup(rng: np.random.Generator) -> Mesh:
    """Returns a cup with its handle, if any, at +x."""
    kind = choose(rng, (_mug, _mug, _mug, _tea_cup, _tea_cup, _tumbler, _paper_cup))
    return merge_meshes("cup", kind(rng))


def _mug(rng: np.random.Generator) -> list[Mesh]:
    height, foot, rim = between(rng, 0.85, 1.3), between(rng, 0.34, 0.5), between(rng, 0.4, 0.5)
    side = _side(height, foot, rim, belly=between(rng, -0.04, 0.09), bend=1.0)
    colour = any_colour(rng)
    parts = _vessel(rng, side, 0.045, colour, _pattern(rng, colour))
    same = gloss(colour) if chance(rng, 0.7) else gloss(any_colour(rng))
    return [*parts, _handle(rng, side, 0.82, 0.2, between(rng, 0.28, 0.42), same)]


def _tea_cup(rng: np.random.Generator) -> list[Mesh]:
    height, foot, rim = between(rng, 0.5, 0.8), between(rng, 0.2, 0.3), between(rng, 0.42, 0.6)
    side = _side(height, foot, rim, belly=between(rng, 0.02, 0.12), bend=between(rng, 0.45, 0.8))
    colour = choose(rng, (pale, any_colour))(rng)
    pattern = _pattern(rng, colour)
    parts = _vessel(rng, side + np.array([0, 0.06]), 0.035, colour, pattern)
    parts.append(_handle(rng, side + np.array([0, 0.06]), 0.88, 0.4, between(rng, 0.18, 0.28), gloss(colour)))
    if chance(rng, 0.8):
        wide = rim * between(rng, 1.5, 1.85)
        profile = [
            (0, 0),
            (wide * 0.55, 0),
            (wide, 0.13),
            (wide, 0.15),
            (wide * 0.97, 0.15),
            (wide * 0.5, 0.05),
            (0, 0.05),
        ]
        ring = bands([(0.4, colour), (0.55, any_colour(rng)), (1, colour)]) if pattern is not None else None
        parts.append(lathe(profile, _glazed(colour, ring), 32))
    return parts


def _tumbler(rng: np.random.Generator) -> list[Mesh]:
    height, foot = between(rng, 1.0, 1.5), between(rng, 0.3, 0.4)
    side = _side(height, foot, foot * between(rng, 1.05, 1.4), belly=between(rng, -0.05, 0.03), bend=1.0)
    colour = any_colour(rng)
    return _vessel(rng, side, 0.04, colour, _pattern(rng, colour))


def _paper_cup(rng: np.random.Generator) -> list[Mesh]:
    height, foot, rim = between(rng, 1.1, 1.5), between(rng, 0.28, 0.34), between(rng, 0.4, 0.46)
    colour = pale(rng)
    parts = _vessel(rng, _side(height, foot, rim, 0.0, 1.0), 0.02, colour, _pattern(rng, colour))
    if chance(rng, 0.7):
        low, high = between(rng, 0.2, 0.35), between(rng, 0.6, 0.78)
        at = [foot + (rim - foot) * part + 0.015 for part in (low, high)]
        brown = stripes((0.62, 0.45, 0.28), (0.55, 0.38, 0.23), 2, upright=True)
        profile = [(at[0], low * height), (at[1], high * height)]
        parts.append(lathe(profile, Material((1.0, 1.0, 1.0), brown), 32, repeat=(24, 1)))
    if chance(rng, 0.75):
        lid = gloss(choose(rng, ((0.95, 0.95, 0.95), (0.1, 0.1, 0.1), (0.35, 0.2, 0.12))))
        profile = [
            (0.0, -0.03),
            (1.05, -0.03),
            (1.05, 0.05),
            (1.0, 0.05),
            (0.94, 0.14),
            (0.86, 0.14),
            (0.84, 0.1),
            (0, 0.1),
        ]
        parts.append(lathe([(rim * r, height + rim * z) for r, z in profile], lid, 32))
    return parts


def _side(height: float, foot: float, rim: float, belly: float, bend: float) -> Profile:
    """The outside; `bend` below 1 makes a bowl, `belly` a bulge."""
    t = np.linspace(0, 1, 9)
    return np.stack([foot + (rim - foot) * t**bend + belly * np.sin(np.pi * t), t * height], 1)


def _vessel(
    rng: np.random.Generator, side: Profile, wall: float, colour: Colour, pattern: Texture | None
) -> list[Mesh]:
    """The body, open at the top, and what it holds; the pattern lies on the outside only."""
    inside = side[:0:-1] - np.array([wall, 0])
    foot = np.array([[0, side[0, 1]], [side[0, 0] * 0.9, side[0, 1]]])
    lip = side[-1] + np.array([-wall / 2, wall * 0.4])
    floor = np.array([0, side[1, 1]])
    profile = np.concatenate([foot, side, lip[None], inside, floor[None]])
    way = np.concatenate([[0], np.linalg.norm(np.diff(profile, axis=0), axis=1).cumsum()])
    repeat = 1
    if pattern is not None:
        low, high = way[2], way[1 + len(side)]
        gap = (high - low) * choose(rng, (0.0, 0.1, 0.25))
        low, high = low + gap, high - gap
        pattern = framed(pattern, low / way[-1], high / way[-1], colour)
        # As wide as it is high, a whole number of times around.
        repeat = max(2, round(2 * np.pi * side[:, 0].mean() / (high - low)))
    body = lathe([(r, z) for r, z in profile], _glazed(colour, pattern), 40, repeat=(repeat, 1))
    level = side[int(rng.integers(5, 8))]
    drink = rod((0, 0, level[1] - 0.02), (0, 0, level[1]), level[0] - wall / 2, gloss(choose(rng, _DRINKS)), sides=32)
    return [body, drink] if chance(rng, 0.6) else [body]


def _handle(
    rng: np.random.Generator, side: Profile, top: float, bottom: float, reach: float, surface: Material
) -> Mesh:
    """A bow at +x between two parts of the height: round, square or ear-shaped."""
    low, high = (side[0, 1] + np.ptp(side[:, 1]) * part for part in (bottom, top))
    angle = np.linspace(0, np.pi, 17)
    power = choose(rng, (2.0, 2.0, 3.5, 6.0))
    out = np.sin(angle) ** (2 / power) * reach * (1 + choose(rng, (0.0, 0.0, 0.35)) * np.cos(angle))
    up = np.sign(np.cos(angle)) * np.abs(np.cos(angle)) ** (2 / power)
    z = (low + high) / 2 + up * (high - low) / 2
    x = np.interp(z, side[:, 1], side[:, 0]) - 0.02 + out
    path = np.stack([x, np.zeros_like(x), z], 1)
    return tube(path, between(rng, 0.035, 0.055), surface, 10, flat=choose(rng, (1.0, 1.3, 2.0)))


def _pattern(rng: np.random.Generator, colour: Colour) -> Texture | None:
    """A decoration on a ground of this colour; none for one cup in four."""
    other = choose(rng, (any_colour(rng), shade(colour, 0.55), (0.96, 0.96, 0.94)))
    count = int(rng.integers(2, 5))
    options = (
        None,
        None,
        stripes(colour, other, count + 1),
        stripes(colour, other, count, upright=True),
        checker(colour, other, 2 * count),
        dots(colour, other, count, between(rng, 0.2, 0.35)),
        bands([(between(rng, 0.2, 0.6), other), (1, colour)]),
        noise(rng, colour, other, 6, steps=choose(rng, (0, 2))),
    )
    return choose(rng, options)


def _glazed(colour: Colour, pattern: Texture | None) -> Material:
    return gloss(colour) if pattern is None else Material((1.0, 1.0, 1.0), pattern, 0.4, 40)
