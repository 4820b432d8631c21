"""What trucks carry: boxes, open beds, tanks, skips, mixers."""

from dataclasses import dataclass

import numpy as np

from synthreal.rendering.mesh import Material, Mesh
from synthreal.rendering.procedural.paint import (
    BLACK,
    CHROME,
    WHITE,
    Colour,
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
from synthreal.rendering.procedural.placing import both_sides, moved, turned
from synthreal.rendering.procedural.rounds import lathe, rod
from synthreal.rendering.procedural.solids import box, hexahedron
from synthreal.rendering.procedural.textures import bands, checker, noise, panels, stripes, wood

WIDTH = 2.4


@dataclass(frozen=True)
class Bed:
    """Where the load goes: from y `start` to `end`, upward from height `floor` (metres)."""

    start: float
    end: float
    floor: float

    @property
    def middle(self) -> float:
        """Its middle's y."""
        return (self.start + self.end) / 2

    @property
    def length(self) -> float:
        """Its extent along y."""
        return self.end - self.start


def _sheet_metal(rng: np.random.Generator, colour: Colour) -> Material:
    """The side of a box body: plain, banded, ribbed or panelled."""
    other = choose(rng, (vivid, any_colour, grey))(rng)
    dimmer = (colour[0] * 0.75, colour[1] * 0.75, colour[2] * 0.75)
    low = between(rng, 0.15, 0.5)
    patterns = (
        bands([(low, colour), (low + between(rng, 0.1, 0.3), other), (1.0, colour)]),
        bands([(low, other), (1.0, colour)]),
        stripes(colour, dimmer, 16, 0.35, upright=True),
        panels(colour, dimmer, 4, 1, 0.012),
        checker(colour, other, 4),
    )
    return (
        gloss(colour, 0.2)
        if chance(rng, 0.25)
        else Material(WHITE, choose(rng, patterns[:4] * 2 + patterns[4:]), 0.2, 20)
    )


def container(rng: np.random.Generator, bed: Bed, paint: Colour) -> list[Mesh]:
    """Returns a closed box, perhaps with a cooling unit."""
    colour = choose(rng, (pale(rng), any_colour(rng), paint))
    tall = between(rng, 2.0, 2.7)
    parts = [box((WIDTH + 0.05, bed.length, tall), (0, bed.middle, bed.floor + tall / 2), _sheet_metal(rng, colour))]
    trim, top = gloss(grey(rng)), bed.floor + tall
    edges = (bed.floor + 0.03, top - 0.03)
    parts += [box((WIDTH + 0.09, bed.length + 0.04, 0.08), (0, bed.middle, z), trim) for z in edges]
    bars = [
        rod((x, bed.end + 0.03, bed.floor + 0.1), (x, bed.end + 0.03, top - 0.1), 0.025, CHROME, sides=6)
        for x in (0.3, 0.8)
    ]
    parts += both_sides(*bars, box((0.08, 0.08, tall), (WIDTH / 2, bed.start, bed.floor + tall / 2), trim))
    if chance(rng, 0.3):
        parts.append(box((1.5, 0.35, 0.6), (0, bed.start - 0.1, top - 0.5), gloss(pale(rng))))
    return parts


def flatbed(rng: np.random.Generator, bed: Bed, paint: Colour) -> list[Mesh]:
    """Returns a wooden floor with a headboard, stakes or low sides; loaded with logs, crates or pipes, or empty."""
    planks, steel = Material(WHITE, wood(rng, brown(rng))), gloss(grey(rng), 0.3)
    side = gloss(paint) if chance(rng, 0.5) else planks
    parts = [box((WIDTH + 0.05, bed.length, 0.14), (0, bed.middle, bed.floor + 0.07), planks, tile=1.0)]
    parts.append(box((WIDTH + 0.05, 0.1, 1.3), (0, bed.start, bed.floor + 0.65), side, tile=1.0))
    top, low = bed.floor + 0.14, between(rng, 0.3, 0.55)
    load = choose(rng, ("logs", "logs", "crates", "crates", "pipes", "none"))
    if load in ("crates", "none"):
        board = box((0.06, bed.length, low), (WIDTH / 2, bed.middle, top + low / 2), side, tile=1.0)
        parts += [*both_sides(board), box((WIDTH, 0.06, low), (0, bed.end - 0.03, top + low / 2), side, tile=1.0)]
    else:
        places = np.linspace(bed.start + 0.4, bed.end - 0.4, 4).tolist()
        parts += both_sides(*(box((0.09, 0.09, 1.4), (WIDTH / 2, y, bed.floor + 0.7), steel) for y in places))
    if load == "crates":
        count = int(bed.length / 1.15)
        for k in range(count):
            y, size = bed.start + 0.7 + k * 1.15, between(rng, 0.7, 1.2)
            crate = choose(rng, (planks, Material(any_colour(rng))))
            parts.append(box((between(rng, 1.4, 2.0), 1.0, size), (0, y, top + size / 2), crate, tile=1.0))
    elif load != "none":
        bark = Material(WHITE, wood(rng, (0.42, 0.28, 0.18), 0.5)) if load == "logs" else gloss(grey(rng, 0.5, 0.8))
        end = Material((0.80, 0.62, 0.40)) if load == "logs" else BLACK
        thick = between(rng, 0.17, 0.28)
        for layer in range(3):
            count = int((WIDTH - 0.15) / (2 * thick)) - layer
            for k in range(count):
                x, z = (k - (count - 1) / 2) * 2 * thick, top + thick * (1 + 1.75 * layer)
                parts.append(rod((x, bed.start + 0.15, z), (x, bed.end + 0.1, z), thick, bark, sides=9, cap=end))
    return parts


def tank(rng: np.random.Generator, bed: Bed, paint: Colour) -> list[Mesh]:
    """Returns a lying tank with bands, a walkway with lids on top, and a ladder."""
    radius, long = between(rng, 0.95, 1.15), bed.length
    colour = choose(rng, (pale(rng), grey(rng, 0.6, 0.85), paint, vivid(rng)))
    other = any_colour(rng)
    skin = bands([(0.35, colour), (0.4, other), (0.62, colour), (0.67, other), (1.0, colour)])
    shell = Material(WHITE, skin, 0.6, 50) if chance(rng, 0.6) else gloss(colour, 0.7)
    profile = [(0.0, 0.0), (0.6, 0.03), (0.9, 0.12), (1.0, 0.3)]
    line = [(r * radius, z) for r, z in profile] + [(r * radius, long - z) for r, z in profile[::-1]]
    tank = turned(lathe(line, shell, 28), "x", -90)
    level = bed.floor + radius * 0.95
    parts = [moved(tank, (0, bed.start, level))]
    for y in np.linspace(bed.start + 0.6, bed.end - 0.6, 4).tolist():
        parts.append(box((1.5, 0.12, radius), (0, y, bed.floor + radius * 0.4), BLACK))
        parts.append(rod((0, y, level + radius - 0.08), (0, y, level + radius + 0.16), 0.24, CHROME))
    parts.append(box((0.7, long * 0.85, 0.05), (0, bed.middle, level + radius), gloss(grey(rng))))
    y, rungs = bed.end + 0.06, np.linspace(bed.floor, level + radius, 6).tolist()
    parts += [rod((-0.25, y, z), (0.25, y, z), 0.02, CHROME, sides=5) for z in rungs]
    return parts + both_sides(rod((0.25, y, bed.floor), (0.25, y, level + radius), 0.025, CHROME, sides=5))


def dump(rng: np.random.Generator, bed: Bed, paint: Colour) -> list[Mesh]:
    """Returns an open skip with ribs and a guard over the cab, its load heaped, perhaps raised."""
    steel = gloss(choose(rng, (paint, any_colour(rng), (0.85, 0.6, 0.1))), 0.3)
    tall, x, long = between(rng, 0.9, 1.4), WIDTH / 2, bed.length
    wall = box((0.08, long, tall), (x, long / 2, tall / 2), steel)
    ribs = [box((0.12, 0.12, tall), (x + 0.05, y, tall / 2), steel) for y in np.linspace(0.2, long - 0.2, 5).tolist()]
    parts = both_sides(wall, *ribs)
    parts.append(box((WIDTH, long, 0.12), (0, long / 2, 0.06), steel))
    parts += [box((WIDTH, 0.08, tall * h), (0, y, tall * h / 2), steel) for y, h in ((0.04, 1.15), (long - 0.04, 0.9))]
    parts.append(box((WIDTH, 1.0, 0.08), (0, -0.42, tall * 1.15), steel))
    if chance(rng, 0.7):
        earth = Material(WHITE, noise(rng, (0.36, 0.25, 0.16), choose(rng, ((0.62, 0.48, 0.3), (0.6, 0.6, 0.58))), 10))
        parts.append(
            box((WIDTH - 0.1, long - 0.2, tall * 0.75), (0, long / 2, tall * 0.85), earth, (0.35, 0.6), tile=1.2)
        )
    angle = choose(rng, (0.0, 0.0, 0.0, 28.0))
    # It tips about its rear edge.
    tipped = [moved(turned(moved(part, (0, -long, 0)), "x", -angle), (0, bed.end, bed.floor)) for part in parts]
    if angle:
        half = np.deg2rad(angle)
        head = (0.0, bed.end - long * 0.7 * np.cos(half), bed.floor + long * 0.7 * np.sin(half))
        tipped.append(rod((0, bed.start + long * 0.1, bed.floor - 0.1), head, 0.11, CHROME))
    return tipped


def mixer(rng: np.random.Generator, bed: Bed, paint: Colour) -> list[Mesh]:
    """Returns a concrete mixer: a slanting striped drum, a hopper and a chute."""
    first, second = choose(rng, (pale(rng), paint)), vivid(rng)
    wide, long = 1.15, min(bed.length * 0.95, 4.6)
    skin = Material(WHITE, stripes(first, second, 4, between(rng, 0.2, 0.5)), 0.3, 30)
    profile = [(0.0, 0.0), (0.45, 0.0), (0.75, 0.12), (1.0, 0.38), (1.0, 0.55), (0.55, 0.95), (0.4, 1.0), (0.0, 1.0)]
    drum = turned(lathe([(r * wide, z * long) for r, z in profile], skin, 24), "x", -76)
    parts = [moved(drum, (0, bed.start, bed.floor + 1.02))]
    frame = gloss(paint)
    parts.append(box((1.5, bed.length, 0.15), (0, bed.middle, bed.floor + 0.05), frame))
    parts.append(box((1.3, 0.25, 1.3), (0, bed.start + 0.1, bed.floor + 0.6), frame))
    y, z = bed.start + long, bed.floor + 1.0 + long * 0.25
    parts += both_sides(rod((0.6, y - 0.7, bed.floor), (0.4, y - 0.3, z), 0.09, frame, sides=6))
    parts.append(box((0.6, 0.6, 0.5), (0, y, z + 0.75), frame, (1.7, 1.6)))
    chute = [(-0.25, y, z - 0.2), (0.25, y, z - 0.2), (0.25, y + 0.1, z), (-0.25, y + 0.1, z)]
    lower = [(px, py + 0.75, pz - 1.1) for px, py, pz in chute]
    parts.append(hexahedron(np.array([*lower, *chute]), CHROME))
    return parts
