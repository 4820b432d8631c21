"""Round solids: turned profiles, bent and straight rods, rings, cushions, wings."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from synthreal.rendering.mesh import Material, Mesh
from synthreal.rendering.procedural.solids import Point, loft


def lathe(
    profile: Sequence[tuple[float, float]],
    material: Material,
    sides: int = 24,
    centre: Point = (0.0, 0.0, 0.0),
    repeat: tuple[float, float] = (1.0, 1.0),
    cap: Material | None = None,
) -> Mesh:
    """Returns a profile of (radius, height) turned about the upright axis through `centre`; see `loft`."""
    radius, height = np.array(profile, np.float64).T
    return loft(levels(radius[:, None, None] * _circle(sides), height) + np.array(centre), material, False, repeat, cap)


def levels(loops: Float[np.ndarray, "r c 2"], height: Float[np.ndarray, " r"]) -> Float[np.ndarray, "r c 3"]:
    """Returns flat loops as cross-sections, each at its height."""
    return np.concatenate([loops, np.broadcast_to(height[:, None, None], (*loops.shape[:2], 1))], 2)


def tube(
    path: Float[np.ndarray, "n 3"],
    radius: float | Float[np.ndarray, " n"],
    material: Material,
    sides: int = 8,
    ring: bool = False,
    cap: Material | None = None,
    flat: float = 1.0,
) -> Mesh:
    """Returns a rod bent along a path.

    Args:
        path: Points on its middle line; no point twice in a row.
        radius: One, or one for each point.
        material: Its surface.
        sides: Corners of its cross-section.
        ring: Joins the last point to the first; the path must lie in a plane then.
        cap: Surface of the ends.
        flat: Width across the plane that the path lies in (one along the axes), relative to the radius in it.
    """
    if ring:
        along = np.roll(path, -1, 0) - np.roll(path, 1, 0)
    else:
        along = np.diff(path[[0, *range(len(path)), -1]], axis=0)
        along = along[1:] + along[:-1]
    along = along / np.linalg.norm(along, axis=1, keepdims=True)
    side = np.empty_like(path)
    side[0] = _across(along[0])
    for k in range(1, len(path)):
        # The frame turns no more than the path does.
        turned = side[k - 1] - along[k] * (side[k - 1] @ along[k])
        side[k] = turned / np.linalg.norm(turned)
    angle = np.arange(sides) * (2 * np.pi / sides) + np.pi / sides
    reach = np.broadcast_to(np.asarray(radius, np.float64), len(path))[:, None, None]
    u = flat * np.cos(angle)[:, None] * side[:, None] + np.sin(angle)[:, None] * np.cross(along, side)[:, None]
    return loft(path[:, None] + reach * u, material, ring=ring, cap=cap)


def rod(
    start: Point,
    end: Point,
    radius: float,
    material: Material,
    end_radius: float | None = None,
    sides: int = 10,
    cap: Material | None = None,
) -> Mesh:
    """Returns a cylinder between two points, or part of a cone if `end_radius` is given."""
    radii = np.array([radius, radius if end_radius is None else end_radius], np.float64)
    return tube(np.array([start, end], np.float64), radii, material, sides, cap=cap)


def torus(centre: Point, axis: Point, ring_radius: float, radius: float, material: Material, sides: int = 32) -> Mesh:
    """Returns a ring about `axis`; `radius` is that of its tube."""
    unit = np.array(axis) / np.linalg.norm(axis)
    first = _across(unit)
    path = np.array(centre) + ring_radius * _circle(sides) @ np.stack([first, np.cross(unit, first)])
    return tube(path, radius, material, ring=True)


def outline(width: float, depth: float, power: float = 2.0, points: int = 24) -> Float[np.ndarray, "n 2"]:
    """Returns a closed line about the origin: an ellipse for power 2, nearer to a rectangle for a higher one."""
    unit = _circle(points)
    return np.sign(unit) * np.abs(unit) ** (2 / power) * np.array([width, depth]) / 2


def pillow(size: Point, centre: Point, material: Material, power: float = 6.0, edge: float = 0.4) -> Mesh:
    """Returns an upright rounded block.

    Args:
        size: Extent along x, y and z.
        centre: Its middle.
        material: Its surface.
        power: See `outline`.
        edge: Part of the shortest side that is rounded off, 0 to 1.
    """
    bend = np.linspace(0, np.pi / 2, 3)
    inset = edge * min(size) / 2
    top, inward = size[2] / 2 - inset * (1 - np.sin(bend)), inset * (1 - np.cos(bend))
    height, inward = np.concatenate([-top[::-1], top]), np.concatenate([inward[::-1], inward])
    scale = 1 - 2 * inward[:, None, None] / np.array(size[:2])
    sections = levels(outline(size[0], size[1], power) * scale, height) + np.array(centre)
    # On the sides the texture is as large as on the top.
    longest = max(size[:2])
    return loft(sections, material, repeat=(round(2 * (size[0] + size[1]) / longest), size[2] / longest))


def blade(root: Point, root_chord: float, tip: Point, tip_chord: float, thickness: float, material: Material) -> Mesh:
    """Returns a wing or fin: a drop-shaped section, blunt edge at the front, carried from root to tip.

    Args:
        root: Front edge at the root.
        root_chord: Length of the root along y.
        tip: Front edge at the tip.
        tip_chord: Length of the tip along y.
        thickness: Of the section, relative to its length.
        material: Its surface; v from root to tip.
    """
    along = np.array([0, 0.02, 0.1, 0.3, 0.6, 1])
    half = np.array([0, 0.2, 0.4, 0.5, 0.32, 0.03]) * thickness
    loop = np.concatenate([np.stack([along, half], 1), np.stack([along, -half], 1)[:0:-1]])
    reach = np.subtract(tip, root)
    # The thickness is upright for a wing, sideways for a fin.
    upright = np.array([0, 0, 1.0]) if abs(reach[0]) > abs(reach[2]) else np.array([1.0, 0, 0])
    chord = np.array([root_chord, tip_chord])[:, None, None]
    drop = loop[:, :1] * np.array([0, 1.0, 0]) + loop[:, 1:] * upright
    return loft(np.stack([root, tip])[:, None] + chord * drop, material)


def _across(unit: Float[np.ndarray, "3"]) -> Float[np.ndarray, "3"]:
    """A unit vector at right angles to another; the y axis for one in the plane y = 0, and so on."""
    aside = np.eye(3)[np.abs(unit).argmin()]
    aside -= unit * (aside @ unit)
    return aside / np.linalg.norm(aside)


def _circle(points: int) -> Float[np.ndarray, "n 2"]:
    angle = np.arange(points) * (2 * np.pi / points)
    return np.stack([np.cos(angle), np.sin(angle)], 1)
