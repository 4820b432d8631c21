"""Lights, bumpers, doors and what is put on cars."""

import numpy as np

from synthreal.rendering.mesh import Material, Mesh
from synthreal.rendering.procedural.automobile_shape import Car
from synthreal.rendering.procedural.paint import (
    BLACK,
    CHROME,
    LAMP,
    RED_LAMP,
    WHITE,
    between,
    chance,
    choose,
    dark,
    gloss,
    pale,
    shade,
)
from synthreal.rendering.procedural.placing import both_sides
from synthreal.rendering.procedural.rounds import pillow, rod
from synthreal.rendering.procedural.solids import box
from synthreal.rendering.procedural.textures import checker, stripes


def front(rng: np.random.Generator, car: Car) -> list[Mesh]:
    """Returns headlights, grille, bumper and number plate."""
    y, low, nose = car.at(0.0), car.sill, car.belt * car.shape.nose
    lamp, level = between(rng, 0.08, 0.13), low + 0.68 * (nose - low)
    if chance(rng, 0.35):
        light = rod(
            (car.width * 0.33, y + 0.1, level), (car.width * 0.33, y - 0.03, level), lamp * 0.8, CHROME, cap=LAMP
        )
        parts = both_sides(light)
    else:
        wide = between(rng, 0.28, 0.42)
        parts = both_sides(box((wide, 0.16, lamp), (car.width * 0.43 - wide / 2, y + 0.06, level), LAMP, (0.9, 1)))
    bars = Material(WHITE, stripes((0.08, 0.08, 0.09), choose(rng, ((0.6, 0.6, 0.62), (0.2, 0.2, 0.21))), 5, 0.35))
    grille = (car.width * between(rng, 0.3, 0.45), 0.1, (nose - low) * between(rng, 0.2, 0.4))
    parts.append(box(grille, (0, y + 0.03, level - 0.02), bars, (between(rng, 0.8, 1.15), 1)))
    bumper = choose(rng, (gloss(car.colour, 0.5), BLACK, BLACK, CHROME))
    parts.append(pillow((car.width * 0.95, 0.3, 0.17), (0, y + 0.13, low + 0.14), bumper, 6, 0.6))
    parts.append(box((0.5, 0.04, 0.11), (0, y - 0.02, low + 0.15), Material(pale(rng))))
    return parts


def rear(rng: np.random.Generator, car: Car) -> list[Mesh]:
    """Returns tail lights, bumper and number plate."""
    y, low, deck = car.at(1.0), car.sill, car.belt * (0.98 if car.shape.bed else car.shape.deck)
    lamp = (0.14, 0.1, 0.3) if chance(rng, 0.4) else (0.36, 0.14, 0.13)
    level = deck - 0.16 - lamp[2] / 2
    parts = both_sides(box(lamp, (car.width * 0.44 - lamp[0] / 2, y - 0.03, level), RED_LAMP))
    bumper = choose(rng, (gloss(car.colour, 0.5), BLACK, CHROME))
    parts.append(pillow((car.width * 0.95, 0.26, 0.18), (0, y - 0.11, low + 0.16), bumper, 6, 0.6))
    parts.append(box((0.5, 0.04, 0.11), (0, y + 0.005, low + 0.36), Material(pale(rng))))
    return parts


def doors(rng: np.random.Generator, car: Car) -> list[Mesh]:
    """Returns door gaps, handles and mirrors."""
    y = [car.at(place) for place in car.shape.cabin]
    gap, x = Material(shade(car.colour, 0.35)), car.width / 2
    gaps = [y[0] + 0.1, (y[1] + y[2]) / 2 + 0.05, y[2] + 0.1] if y[2] - y[1] > 1.0 else [y[0] + 0.2, y[2] + 0.05]
    tall = car.belt - car.sill - 0.16
    parts = [box((0.03, 0.018, tall), (x - 0.01, at, car.belt - 0.06 - tall / 2), gap) for at in gaps]
    handle = choose(rng, (CHROME, BLACK))
    parts += [box((0.03, 0.14, 0.03), (x, at - 0.16, car.belt - 0.12), handle) for at in gaps[1:]]
    mirror = gloss(car.colour, 0.5) if chance(rng, 0.7) else BLACK
    foot = y[0] + 0.45 * (y[1] - y[0]) + 0.05
    parts.append(pillow((0.2, 0.1, 0.13), (x + 0.08, foot, car.belt + 0.07), mirror, 4, 0.8))
    return both_sides(*parts)


def taxi_sign(car: Car) -> list[Mesh]:
    """Returns the lamp on the roof, and checkers along the doors."""
    y = (car.at(car.shape.cabin[1]) + car.at(car.shape.cabin[2])) / 2 - 0.15
    sign = Material(WHITE, checker((0.98, 0.95, 0.8), (0.1, 0.1, 0.1), 4))
    long = car.length * 0.42
    squares = Material(WHITE, checker(WHITE, (0.05, 0.05, 0.05), 2))
    band = box((0.02, long, 0.12), (car.width / 2, 0.05, car.belt - 0.25), squares, tile=0.12)
    return [box((0.5, 0.2, 0.16), (0, y, car.height + 0.08), sign, (0.9, 0.6)), *both_sides(band)]


def extras(rng: np.random.Generator, car: Car) -> list[Mesh]:
    """Returns roof rails with or without a box, a tail wing, a blue light."""
    y = [car.at(place) for place in car.shape.cabin]
    middle, long = (y[1] + y[2]) / 2, y[2] - y[1]
    choice = rng.random()
    if car.height > 1.4 and car.shape.roof and choice < 0.35:
        x, top = car.width * 0.31, car.height + 0.07
        parts = both_sides(rod((x, middle - long * 0.4, top), (x, middle + long * 0.4, top), 0.02, BLACK, sides=6))
        parts += [box((2 * x, 0.05, 0.04), (0, middle + s * long * 0.25, top - 0.01), CHROME) for s in (-1, 1)]
        parts += both_sides(
            *(box((0.03, 0.06, 0.1), (x, middle + s * long * 0.38, top - 0.04), BLACK) for s in (-1, 1))
        )
        if chance(rng, 0.5):
            parts.append(pillow((0.55, long * 0.85, 0.3), (0, middle, top + 0.15), gloss(dark(rng)), 5))
        return parts
    if car.height < 1.4 and choice < 0.45:
        deck, tail = car.belt * car.shape.deck, car.at(0.95)
        plank = pillow((car.width * 0.9, 0.28, 0.04), (0, tail, deck + 0.24), gloss(car.colour), 8)
        return [plank, *both_sides(box((0.04, 0.16, 0.26), (car.width * 0.3, tail, deck + 0.1), BLACK))]
    if car.shape.roof and choice > 0.95:
        blue, top = Material((0.1, 0.25, 0.95), specular=0.6), car.height + 0.06
        return [
            box((0.2, 0.2, 0.13), (0, middle, top), CHROME),
            *both_sides(box((0.42, 0.2, 0.13), (0.3, middle, top), blue)),
        ]
    return []
