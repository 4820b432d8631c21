"""Parts of airplanes: bodies and their paint, wings, engines, propellers, landing gear."""

import numpy as np

from synthreal.rendering.mesh import Material, Mesh
from synthreal.rendering.procedural.paint import (
    BLACK,
    CHROME,
    WHITE,
    Colour,
    any_colour,
    between,
    chance,
    choose,
    gloss,
    grey,
    pale,
    vivid,
)
from synthreal.rendering.procedural.placing import circled, moved, turned
from synthreal.rendering.procedural.rounds import blade, lathe, rod
from synthreal.rendering.procedural.solids import Point, box, loft
from synthreal.rendering.procedural.textures import Texture, spokes, stripes
from synthreal.rendering.procedural.wheels import wheel


def fuselage(stations: list[tuple[float, float, float, float]], surface: Material, sides: int = 20) -> Mesh:
    """Returns a body through ellipses.

    Args:
        stations: y, width, height and the middle's z of each, from the nose.
        surface: u runs around from the top over the right side (-x when seen from the nose) and back, v to the tail.
        sides: Corners of each ellipse.
    """
    angle = np.arange(sides) * (2 * np.pi / sides)
    sections = [
        np.stack([np.sin(angle) * wide / 2, np.full(sides, y), z + np.cos(angle) * tall / 2], 1)
        for y, wide, tall, z in stations
    ]
    return loft(np.stack(sections), surface)


def airplane_paint(
    rng: np.random.Generator, windows: int, cockpit: tuple[float, float]
) -> tuple[Material, Material, Material]:
    """Returns the surfaces of body, wings and tail; see `livery`."""
    top, band = choose(rng, (pale(rng), pale(rng), any_colour(rng))), vivid(rng)
    belly = choose(rng, (top, grey(rng, 0.5, 0.8), vivid(rng)))
    tail = choose(rng, (top, band, band))
    skin = Material(WHITE, livery(top, belly, band, tail, windows, cockpit, between(rng, 0.3, 0.4)), 0.4, 40)
    wings = gloss(choose(rng, (grey(rng, 0.6, 0.85), top, top)), 0.3)
    stripe = Material(WHITE, stripes(tail, choose(rng, (WHITE, band, vivid(rng))), 2, 0.4), 0.3, 30)
    return skin, wings, stripe if chance(rng, 0.35) else gloss(tail, 0.3)


def livery(
    top: Colour,
    belly: Colour,
    band: Colour,
    tail: Colour,
    windows: int,
    cockpit: tuple[float, float],
    belly_from: float = 0.36,
) -> Texture:
    """Returns the paint of a fuselage: u around from the top, v from nose to tail.

    Args:
        top: Colour above.
        belly: Colour below.
        band: Colour of the stripe along the windows.
        tail: Colour of the last fifth.
        windows: Number of round ones along the cabin; 0 for none.
        cockpit: v where the windscreen begins and ends.
        belly_from: |u| where the belly begins: 0 is the top, 0.5 the keel.
    """
    size = 128
    middle = (np.arange(size) + 0.5) / size
    v, u = np.meshgrid(1 - middle, np.abs((middle + 0.5) % 1 - 0.5), indexing="ij")
    image = np.where((u > belly_from)[..., None], belly, top)
    image = np.where((np.abs(u - belly_from + 0.03) < 0.025)[..., None], band, image)
    image = np.where((v - 0.25 * u > 0.76)[..., None], tail, image)
    glass = (v > cockpit[0]) & (v < cockpit[1]) & (u < 0.22)
    if windows:
        cabin = (v > cockpit[1] + 0.07) & (v < 0.76) & (np.abs(u - 0.22) < 0.022)
        glass |= cabin & ((v * windows) % 1 < 0.5)
    return (np.where(glass[..., None], (0.12, 0.15, 0.2), image) * 255).round().astype(np.uint8)


def jet(centre: Point, radius: float, long: float, paint: Material) -> list[Mesh]:
    """Returns a nacelle with a fan in front and a cone behind; `centre` is its middle."""
    profile = [(0.86, 0.0), (1.0, 0.08), (1.02, 0.35), (0.85, 0.8), (0.62, 1.0)]
    fan = Material(WHITE, spokes(12, (0.35, 0.36, 0.38), (0.12, 0.12, 0.13), 0.3, 0.97))
    shell = turned(lathe([(r * radius, z * long) for r, z in profile], paint, 18, cap=fan), "x", -90)
    x, y, z = centre
    y -= long / 2
    lip = turned(
        lathe(
            [(radius * 0.84, -0.02 * long), (radius * 0.93, -0.02 * long), (radius, 0.08 * long)], CHROME, 18, cap=fan
        ),
        "x",
        -90,
    )
    core = rod((x, y + long * 0.95, z), (x, y + long * 1.2, z), radius * 0.45, BLACK, radius * 0.15)
    return [moved(shell, (x, y, z)), moved(lip, (x, y, z)), core]


def propeller(centre: Point, radius: float, blades: int, hub: Material, angle: float = 20.0) -> list[Mesh]:
    """Returns blades about the y axis and a spinner that points to -y."""
    x, y, z = centre
    spinner = rod((x, y + 0.06 * radius, z), (x, y - 0.2 * radius, z), radius * 0.14, hub, 0.02 * radius)
    vane = box((0.15 * radius, 0.03 * radius, radius), (0, 0, radius / 2), BLACK, (0.5, 0.6))
    return [spinner, moved(circled(vane, "y", blades, angle), centre)]


def fin(root: tuple[float, float], chord: float, height: float, sweep: float, tip: float, paint: Material) -> Mesh:
    """Returns an upright tail.

    Args:
        root: y and z of its front edge at the foot.
        chord: Length at the foot.
        height: To the tip.
        sweep: How far the tip's front edge lies behind the foot's.
        tip: Length at the tip, relative to the foot.
        paint: Its surface.
    """
    y, z = root
    return blade((0, y, z), chord, (0, y + sweep, z + height), chord * tip, 0.1, paint)


def gear(foot: Point, top: Point, radius: float) -> list[Mesh]:
    """Returns a strut from `top` to a wheel whose axle is at `foot`."""
    strut = rod(top, foot, radius * 0.22, CHROME, sides=6)
    return [strut, wheel(foot, radius, radius * 0.6, gloss((0.7, 0.7, 0.72)), sides=14)]
