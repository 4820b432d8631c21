"""What the rendering benchmarks draw: torus knots of 2,000, 20,000 and 100,000 triangles from random sides."""

import numpy as np
import torch
from jaxtyping import Float, UInt8

from synthreal.rendering.camera import orbit
from synthreal.rendering.lights import Lights
from synthreal.rendering.mesh import Material, Mesh, build_mesh, in_unit_box
from synthreal.rendering.palette import class_colours
from synthreal.rendering.scene import Views

AMBIENT, STRENGTH = 0.35, 0.65
_TEXELS = 256


def knots() -> tuple[Mesh, ...]:
    """Returns three textured knots, each in the unit box: 2,048, 20,000 and 100,000 triangles."""
    return (
        knot("2k", (2, 3), (64, 16), thickness=0.32),
        knot("20k", (2, 5), (250, 40), thickness=0.28),
        knot("100k", (3, 4), (625, 80), thickness=0.3, ripple=0.08),
    )


def knot(name: str, turns: tuple[int, int], steps: tuple[int, int], thickness: float, ripple: float = 0.0) -> Mesh:
    """Returns a tube along a knot on the torus of radii 2 and 1, with 2 · steps[0] · steps[1] triangles.

    Args:
        name: Its name, which also picks the colours.
        turns: How often the knot runs round the torus's axis, and round its tube.
        steps: Rings along the knot, and corners of each ring.
        thickness: Radius of the tube.
        ripple: Height of the waves on it, as a share of its radius.
    """
    along, around = (np.linspace(0, 2 * np.pi, count + 1) for count in steps)
    p, q = turns
    level = np.stack([np.cos(p * along), np.sin(p * along), 0 * along], 1)
    up = np.array([0.0, 0.0, 1.0])
    out = np.cos(q * along)[:, None] * level + np.sin(q * along)[:, None] * up  # normal of the torus
    forward = np.gradient(2 * level + out, along, axis=0, edge_order=2)
    forward[[0, -1]] = (forward[0] + forward[-1]) / 2  # the knot is closed
    side = np.cross(forward / np.linalg.norm(forward, axis=1, keepdims=True), out)
    radius = thickness * (1 + ripple * np.cos(40 * along)[:, None] * np.cos(8 * around))
    ring = np.cos(around)[:, None] * out[:, None] + np.sin(around)[:, None] * side[:, None]
    vertices = (2 * level + out)[:, None] + radius[..., None] * ring
    uv = np.stack(np.meshgrid(np.linspace(0, 8, len(along)), np.linspace(0, 1, len(around)), indexing="ij"), -1)
    surface = Material((1.0, 1.0, 1.0), checks(len(name)))
    return in_unit_box(build_mesh(name, vertices.reshape(-1, 3), _grid(*steps), [surface], uv=uv.reshape(-1, 2)))


def _grid(rows: int, columns: int) -> np.ndarray:
    """Two triangles for each cell of a grid of vertices, one row and column more."""
    first = (np.arange(rows)[:, None] * (columns + 1) + np.arange(columns)).ravel()
    right, down = first + 1, first + columns + 1
    return np.concatenate([np.stack([first, down + 1, down], 1), np.stack([first, right, down + 1], 1)])


def checks(seed: int) -> UInt8[np.ndarray, "s s 3"]:
    """Returns a chequered texture in two colours, with soft stripes."""
    colours = np.random.default_rng(seed).uniform(0.2, 1, (2, 3))
    y, x = np.mgrid[:_TEXELS, :_TEXELS] / _TEXELS
    squares = colours[((8 * x).astype(int) + (8 * y).astype(int)) % 2]
    stripes = 0.8 + 0.2 * np.sin(2 * np.pi * (3 * x + 5 * y))
    image: np.ndarray = (255 * (squares * stripes[..., None]).clip(0, 1)).astype(np.uint8)
    return image


def random_views(mesh: Float[torch.Tensor, " b"], seed: int = 0) -> Views:
    """Returns a view of each mesh from anywhere on the sphere, lit from anywhere; it covers some 23 % of the picture.

    Args:
        mesh: Index of each mesh.
        seed: Another seed, other views.
    """
    count, generator = len(mesh), torch.Generator().manual_seed(seed)
    turn, height, tilt, scale = torch.rand(4, count, generator=generator)
    camera = orbit(360 * turn, (2 * height - 1).asin().rad2deg(), 360 * tilt, distance=2.2, focal=1.7)
    camera.distance.mul_(0.9 + 0.25 * scale)
    towards = torch.randn(count, 3, generator=generator)
    towards = torch.cat([towards / towards.norm(dim=1, keepdim=True), torch.zeros(count, 1)], 1)
    grey = torch.ones(count, 1, 3)
    lights = Lights(AMBIENT * grey, towards[:, None], STRENGTH * grey)
    return Views(mesh, camera, lights, class_colour=class_colours(3)[mesh])
