"""Normals for meshes that come without: smooth, but sharp edges stay sharp."""

import numpy as np
from jaxtyping import Float, Int
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from trimesh.graph import face_adjacency


def split_at_creases(
    vertices: Float[np.ndarray, "v 3"], faces: Int[np.ndarray, "f 3"], degrees: float = 30.0
) -> tuple[Int[np.ndarray, " n"], Int[np.ndarray, "f 3"], Float[np.ndarray, "n 3"]]:
    """Splits vertices where smooth surfaces meet at a crease.

    A smooth surface is all faces that are joined by edges bent by at most `degrees`. Vertices at the same place count
    as one here, so a seam in the texture makes no crease.

    Args:
        vertices: Positions.
        faces: Vertex indices of each triangle; each has an area.
        degrees: Angle between the normals of two faces from which their edge is sharp.

    Returns:
        The old vertex that each new one copies, the faces in new vertices, and the unit normal of each new vertex: the
        mean of its surface's faces there, weighted by their areas.
    """
    place = np.unique(vertices, axis=0, return_inverse=True)[1].reshape(-1)
    corner = vertices[faces]
    area = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    surface = _smooth_surfaces(place[faces], area, degrees)
    group = _rank(place[faces].ravel(), np.repeat(surface, 3))[1]
    normals = np.stack([np.bincount(group, np.repeat(area[:, axis], 3)) for axis in range(3)], axis=1)
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    normals = np.divide(normals, length, out=np.zeros_like(normals), where=length > 0)
    first, new = _rank(faces.ravel(), group)
    return faces.ravel()[first], new.reshape(-1, 3), normals[group[first]]


def _smooth_surfaces(
    faces: Int[np.ndarray, "f 3"], area: Float[np.ndarray, "f 3"], degrees: float
) -> Int[np.ndarray, " f"]:
    """Number of the smooth surface that each face belongs to."""
    normal = area / np.linalg.norm(area, axis=1, keepdims=True)
    one, other = face_adjacency(faces=faces).reshape(-1, 2).T
    smooth = (normal[one] * normal[other]).sum(1) >= np.cos(np.radians(degrees))
    joined = coo_matrix((smooth[smooth], (one[smooth], other[smooth])), shape=(len(faces), len(faces)))
    return connected_components(joined, directed=False)[1]


def _rank(
    first: Int[np.ndarray, " n"], second: Int[np.ndarray, " n"]
) -> tuple[Int[np.ndarray, " k"], Int[np.ndarray, " n"]]:
    """Where each distinct pair first occurs, and the number of each pair."""
    key = first.astype(np.int64) * (int(second.max()) + 1) + second
    _, where, number = np.unique(key, return_index=True, return_inverse=True)
    return where, number.reshape(-1)
