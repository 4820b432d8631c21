"""Trucks: box, refrigerated, flatbed, tanker, dump and mixer lorries, and tractors with trailers."""

import numpy as np

from synthreal.rendering.mesh import Material, Mesh, merge_meshes
from synthreal.rendering.procedural.paint import BLACK, CHROME, RED_LAMP, any_colour, between, chance, choose
from synthreal.rendering.procedural.placing import both_sides
from synthreal.rendering.procedural.rounds import rod
from synthreal.rendering.procedural.solids import box
from synthreal.rendering.procedural.truck_cab import cab
from synthreal.rendering.procedural.truck_load import WIDTH, Bed, container, dump, flatbed, mixer, tank
from synthreal.rendering.procedural.wheels import rim, wheel


def truck(rng: np.random.Generator) -> Mesh:
    """Returns a lorry: cab, frame, wheels and what it carries."""
    radius, paint = between(rng, 0.45, 0.55), any_colour(rng)
    parts, behind = cab(rng, paint, radius)
    trailer = chance(rng, 0.25)
    length = between(rng, 7.0, 10.0) if trailer else between(rng, 3.6, 6.2)
    bed = Bed(behind + (0.3 if trailer else 0.12), behind + length, 2 * radius + between(rng, 0.1, 0.25))
    parts += _frame(rng, bed, behind, radius, trailer)
    loads = (container, container, flatbed, tank, dump, mixer)
    parts += choose(rng, loads[:4] if trailer else loads)(rng, bed, paint)
    return merge_meshes("truck", parts)


def _frame(rng: np.random.Generator, bed: Bed, behind: float, radius: float, trailer: bool) -> list[Mesh]:
    """Rails, axles behind the cab, a fuel tank, rear lights and mud-guards."""
    disc, steel = rim(rng), Material((0.16, 0.16, 0.17), specular=0.1)
    parts = [box((0.9, bed.end - behind + 1.6, 0.22), (0, (bed.end + behind) / 2 - 0.8, bed.floor - 0.12), steel)]
    gap, width = 2.25 * radius, 0.5
    last = bed.end - between(rng, 0.9, 1.3)
    count = int(rng.integers(2, 4)) if trailer else int(rng.integers(1, 3))
    places = [last - k * gap for k in range(count)]
    if trailer:
        places += [behind + 0.55, behind + 0.55 + gap][: int(rng.integers(1, 3))]
        legs = rod((0.8, behind + 2.9, bed.floor), (0.8, behind + 2.9, 0.3), 0.06, steel, sides=6)
        parts += both_sides(legs)
    x = WIDTH / 2 - width / 2
    for y in places:
        parts += both_sides(wheel((x, y, radius), radius, width, disc))
        parts.append(rod((-x, y, radius), (x, y, radius), 0.09, steel, sides=6))
    if min(places) - behind > 1.9 * radius + 0.7 and not trailer:
        tank = rod(
            (0.85, behind + 0.25, 0.75), (0.85, behind + 1.1, 0.75), 0.28, choose(rng, (CHROME, steel)), sides=14
        )
        parts += both_sides(tank)
    flap = box((width, 0.03, radius * 0.9), (x, max(places) + radius + 0.12, bed.floor - radius * 0.5 - 0.1), BLACK)
    lamp = box((0.35, 0.06, 0.14), (WIDTH / 2 - 0.25, bed.end - 0.02, bed.floor - 0.1), RED_LAMP)
    return [
        *parts,
        *both_sides(flap, lamp),
        box((WIDTH - 0.1, 0.08, 0.12), (0, bed.end - 0.06, bed.floor - 0.12), steel),
    ]
