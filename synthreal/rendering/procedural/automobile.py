"""Automobiles: sedans, hatchbacks, estates, vans, SUVs, pickups, sports cars and convertibles."""

import numpy as np
from jaxtyping import Float

from synthreal.rendering.mesh import Material, Mesh, merge_meshes
from synthreal.rendering.procedural.automobile_details import doors, extras, front, rear, taxi_sign
from synthreal.rendering.procedural.automobile_shape import KINDS, Car
from synthreal.rendering.procedural.paint import (
    BLACK,
    GLASS,
    WHITE,
    any_colour,
    between,
    chance,
    choose,
    dark,
    gloss,
    pale,
)
from synthreal.rendering.procedural.placing import both_sides
from synthreal.rendering.procedural.rounds import outline, pillow, rod
from synthreal.rendering.procedural.solids import box, hexahedron, loft, point
from synthreal.rendering.procedural.textures import Texture, bands
from synthreal.rendering.procedural.wheels import arch, rim, wheel


def automobile(rng: np.random.Generator) -> Mesh:
    """Returns a passenger car on its wheels."""
    shape = choose(rng, KINDS)
    taxi = shape.roof and not shape.bed and chance(rng, 0.1)
    car = Car(
        shape,
        between(rng, *shape.length),
        between(rng, 1.66, 1.86),
        between(rng, *shape.height),
        between(rng, *shape.belt),
        between(rng, *shape.wheel),
        (0.95, 0.75, 0.1) if taxi else any_colour(rng),
    )
    parts = [*_body(rng, car), *_wheels(rng, car), *front(rng, car), *rear(rng, car), *doors(rng, car)]
    parts += _cabin(rng, car) if shape.roof else _open_cabin(rng, car)
    parts += _load_bed(car) if shape.bed else []
    parts += taxi_sign(car) if taxi else extras(rng, car)
    return merge_meshes("automobile", parts)


def _body(rng: np.random.Generator, car: Car) -> list[Mesh]:
    """Everything below the windows, through cross-sections from nose to tail."""
    low, belt = car.sill, car.belt
    nose, deck = belt * car.shape.nose, belt * car.shape.deck
    cowl, tail = car.shape.cabin[0] + 0.02, car.shape.cabin[3]
    bow = between(rng, 0.8, 0.92)
    rows = [  # place, width, lower edge, upper edge
        (0.0, bow, low + 0.16, nose - 0.16),
        (0.012, bow + 0.04, low + 0.06, nose - 0.06),
        (0.05, 0.97, low, nose),
        # The bonnet clears the wheels.
        (max(0.06, 0.31 * cowl), 1.0, low, max(nose + 0.3 * (belt - nose), 2.1 * car.wheel)),
        (max(0.08, 0.56 * cowl), 1.0, low, max(nose + 0.6 * (belt - nose), 2.35 * car.wheel)),
        (cowl, 1.0, low, max(belt, 2.4 * car.wheel)),
        ((cowl + tail) / 2, 1.0, low, belt),
        (min(tail, 0.93), 1.0, low, (belt + deck) / 2),
        (0.96, 0.97, low + 0.03, deck - 0.01),
        (0.99, 0.93, low + 0.08, deck - 0.06),
        (1.0, 0.88, low + 0.16, deck - 0.14),
    ]
    if car.shape.bed:
        floor = 0.68 * belt
        rows[6:] = [(tail + 0.015, 1.0, low, belt), (tail + 0.015, 1.0, low, floor), (0.995, 0.98, low + 0.05, floor)]
        rows.append((1.0, 0.97, low + 0.08, floor - 0.02))
    power = between(rng, 4, 7)
    sections = [_section(car.at(t), w * car.width, z0, z1, power) for t, w, z0, z1 in rows]
    livery = _livery(rng, car)
    surface = gloss(car.colour, 0.5) if livery is None else Material(WHITE, livery, 0.5, 40)
    return [loft(np.stack(sections), surface, cap=gloss(car.colour, 0.5))]


def _section(y: float, width: float, low: float, high: float, power: float) -> Float[np.ndarray, "24 3"]:
    line = outline(width, high - low, power)
    return np.stack([line[:, 0], np.full(len(line), y), line[:, 1] + (low + high) / 2], 1)


def _livery(rng: np.random.Generator, car: Car) -> Texture | None:
    """A picture around the body (u: right side 0, top 0.25, left side 0.5): stripes, or a darker lower part."""
    colour, other = car.colour, choose(rng, (pale, dark, any_colour))(rng)
    if chance(rng, 0.15):
        edges = [(0.215, colour), (0.24, other), (0.26, colour), (0.285, other), (1.0, colour)]
        return bands(edges, upright=True)
    if chance(rng, 0.25):
        lower = choose(rng, (other, (0.15, 0.15, 0.16)))
        return bands([(0.515, colour), (0.985, lower), (1.0, colour)], upright=True)
    return None


def _wheels(rng: np.random.Generator, car: Car) -> list[Mesh]:
    disc, tyre = rim(rng), between(rng, 0.2, 0.27)
    parts = []
    for place in (between(rng, 0.17, 0.2), between(rng, 0.78, 0.82)):
        centre = (car.width / 2 - tyre / 2 + 0.015, car.at(place), car.wheel)
        parts.append(wheel(centre, car.wheel, tyre, disc))
        parts.append(arch((car.width / 2 - 0.1, *centre[1:]), car.wheel * 1.12, 0.215, car.sill + 0.02))
    return both_sides(*parts)


def _cabin(rng: np.random.Generator, car: Car) -> list[Mesh]:
    """Windows all around, pillars of the body's colour, and the roof."""
    y = [car.at(place) for place in car.shape.cabin]
    wide, narrow = car.width * 0.46, car.width * between(rng, 0.36, 0.40)
    low, high = car.belt - 0.04, car.height - 0.05
    lower = np.array([(-wide, y[0], low), (wide, y[0], low), (wide, y[3], low), (-wide, y[3], low)])
    upper = np.array([(-narrow, y[1], high), (narrow, y[1], high), (narrow, y[2], high), (-narrow, y[2], high)])
    paint = gloss(car.colour, 0.5)
    pillar = paint if chance(rng, 0.8) else BLACK
    parts = [hexahedron(np.concatenate([lower, upper]), GLASS)]
    posts = [(lower[k] * 0.995, upper[k] * 0.995) for k in (1, 2)]
    # The pillars between the doors stand where the roof is: one, or two for a long roof.
    for place in (0.38,) if y[2] - y[1] < 1.4 else (0.27, 0.7):
        along = y[1] + place * (y[2] - y[1])
        posts.append((np.array((wide, along, low)), np.array((narrow, along, high))))
    for foot, head in posts:
        parts += both_sides(rod(point(foot), point(head), 0.035, pillar, sides=6))
    top = paint if chance(rng, 0.8) else choose(rng, (BLACK, gloss(pale(rng))))
    size = (2 * narrow + 0.06, y[2] - y[1] + 0.08, 0.11)
    parts.append(pillow(size, (0, (y[1] + y[2]) / 2, car.height - 0.055), top, 8, 0.9))
    return parts


def _open_cabin(rng: np.random.Generator, car: Car) -> list[Mesh]:
    """A windscreen, seats in a dark tub, and the folded hood."""
    y = [car.at(place) for place in car.shape.cabin]
    wide, narrow = car.width * 0.44, car.width * 0.37
    foot, head = np.array((wide, y[0], car.belt - 0.02)), np.array((narrow, y[1], car.height))
    thick = np.array((0, 0.03, 0))
    flip = np.array((-1, 1, 1))
    corners = [
        foot * flip,
        foot,
        foot + thick,
        foot * flip + thick,
        head * flip,
        head,
        head + thick,
        head * flip + thick,
    ]
    paint = gloss(car.colour, 0.5)
    parts = [hexahedron(np.stack(corners), GLASS), rod(point(head * flip), point(head), 0.025, paint, sides=6)]
    parts += both_sides(rod(point(foot), point(head), 0.028, paint, sides=6))
    parts.append(pillow((car.width * 0.84, y[3] - y[0] - 0.25, 0.03), (0, (y[0] + y[3]) / 2 + 0.1, car.belt), BLACK, 8))
    leather = Material(choose(rng, ((0.45, 0.28, 0.17), (0.75, 0.68, 0.55), (0.5, 0.08, 0.08), (0.2, 0.2, 0.2))))
    x, seat = car.width * 0.21, (y[1] + y[2]) / 2 + 0.12
    parts += both_sides(
        pillow((0.48, 0.16, 0.5), (x, seat, car.belt + 0.05), leather, 6),
        pillow((0.48, 0.5, 0.14), (x, seat - 0.25, car.belt - 0.02), leather, 6),
    )
    parts.append(pillow((car.width * 0.8, 0.35, 0.16), (0, y[3] - 0.05, car.belt + 0.02), BLACK, 6))
    return parts


def _load_bed(car: Car) -> list[Mesh]:
    """Side walls and tail-gate of a pickup."""
    start, paint, low = car.at(car.shape.cabin[3] + 0.01), gloss(car.colour, 0.5), car.belt * 0.5
    size = (0.07, car.at(0.995) - start, car.belt * 1.0 - low)
    side = box(size, (car.width / 2 - 0.045, start + size[1] / 2, low + size[2] / 2), paint)
    gate = box((car.width - 0.04, 0.07, size[2]), (0, car.at(0.99), low + size[2] / 2), paint)
    return [
        *both_sides(side),
        gate,
        box((car.width - 0.15, size[1] - 0.1, 0.02), (0, start + size[1] / 2, 0.69 * car.belt), BLACK),
    ]
