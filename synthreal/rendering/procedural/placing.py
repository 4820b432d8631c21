"""Parts moved, turned, mirrored and repeated."""

from dataclasses import replace
from typing import Literal

import numpy as np
from jaxtyping import Float

from synthreal.rendering.mesh import Mesh
from synthreal.rendering.procedural.solids import Point

Axis = Literal["x", "y", "z"]


def moved(part: Mesh, by: Point) -> Mesh:
    """Returns the part shifted."""
    return replace(part, vertices=part.vertices + np.array(by, np.float32))


def turned(part: Mesh, axis: Axis, degrees: float) -> Mesh:
    """Returns the part turned about an axis through the origin, counter-clockwise seen from its tip."""
    matrix = _rotation(axis, degrees)
    return replace(part, vertices=part.vertices @ matrix.T, normals=part.normals @ matrix.T)


def mirrored(part: Mesh) -> Mesh:
    """Returns the part on the other side of x = 0."""
    flip = np.array([-1, 1, 1], np.float32)
    return replace(part, vertices=part.vertices * flip, normals=part.normals * flip, faces=part.faces[:, ::-1])


def both_sides(*parts: Mesh) -> list[Mesh]:
    """Returns the parts and their mirror images."""
    return [*parts, *(mirrored(part) for part in parts)]


def circled(part: Mesh, axis: Axis, count: int, start: float = 0.0) -> Mesh:
    """Returns `count` copies evenly around an axis through the origin, the first turned by `start` degrees."""
    matrices = [_rotation(axis, start + 360 * k / count).T for k in range(count)]
    first = np.repeat(np.arange(count, dtype=np.int32) * len(part.vertices), len(part.faces))
    return replace(
        part,
        vertices=np.concatenate([part.vertices @ matrix for matrix in matrices]),
        normals=np.concatenate([part.normals @ matrix for matrix in matrices]),
        faces=np.tile(part.faces, (count, 1)) + first[:, None],
        uv=np.tile(part.uv, (count, 1)),
        colours=np.tile(part.colours, (count, 1)),
        material=np.tile(part.material, count),
    )


def _rotation(axis: Axis, degrees: float) -> Float[np.ndarray, "3 3"]:
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    i, j = {"x": (1, 2), "y": (2, 0), "z": (0, 1)}[axis]
    matrix = np.eye(3, dtype=np.float32)
    matrix[i, i], matrix[i, j], matrix[j, i], matrix[j, j] = c, -s, s, c
    return matrix
