"""One geometry of a file, at its place."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from trimesh.geometry import triangulate_quads

from synthreal.errors import MeshError
from synthreal.rendering.mesh import Material
from synthreal.rendering.mesh_files.creases import split_at_creases
from synthreal.rendering.mesh_files.polygons import polygon_of_triangles
from synthreal.rendering.mesh_files.surfaces import Surfaces, to_display

_FARTHEST = 1e50
"""Areas of larger faces might overflow."""


@dataclass(frozen=True)
class Part:
    """Triangles of one material, in double precision; see `Mesh`."""

    vertices: Float[np.ndarray, "v 3"]
    faces: Int[np.ndarray, "f 3"]
    normals: Float[np.ndarray, "v 3"]
    uv: Float[np.ndarray, "v 2"]
    colours: Float[np.ndarray, "v 3"]
    surface: Material


def read_part(geometry: dict[str, Any], transform: Float[np.ndarray, "4 4"], surfaces: Surfaces, linear: bool) -> Part:
    """Returns a part; without faces if none has an area.

    Args:
        geometry: What a loader of trimesh returns for one geometry: vertices, faces, visual …
        transform: To the scene.
        surfaces: Makes the materials.
        linear: Whether vertex colours are linear intensities.

    Raises:
        MeshError: If a face points nowhere or a position is not finite.
    """
    faces = np.asarray(triangulate_quads(geometry["faces"]), int).reshape(-1, 3)
    count = len(geometry["vertices"])
    if len(faces) and (faces.min() < 0 or faces.max() >= count):
        raise MeshError(f"a face points beyond the {count} vertices.")
    geometry, faces = _face_colours_to_corners(geometry, faces)
    vertices = np.asarray(geometry["vertices"], float) @ transform[:3, :3].T + transform[:3, 3]
    if not (np.abs(vertices) < _FARTHEST).all():
        raise MeshError(f"a position is not a finite number below {_FARTHEST:.0e}.")
    corner = vertices[faces]
    faces = faces[np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0]).any(axis=1)]
    if np.linalg.det(transform[:3, :3]) < 0:  # a mirror image turns the faces' order round
        faces = faces[:, ::-1]
    visual = geometry.get("visual")
    uv = _rows(getattr(visual, "uv", None), len(vertices), 2)
    colours = _colours(geometry, linear)
    kept, faces, normals = _with_normals(geometry, vertices, faces, transform)
    return Part(
        vertices=vertices[kept],
        faces=faces,
        normals=normals,
        uv=np.zeros((len(kept), 2)) if uv is None else uv[kept],
        colours=np.ones((len(kept), 3)) if colours is None else colours[kept],
        surface=surfaces.of(getattr(visual, "material", None), colours is not None),
    )


def _face_colours_to_corners(
    geometry: dict[str, Any], faces: Int[np.ndarray, "f 3"]
) -> tuple[dict[str, Any], Int[np.ndarray, "f 3"]]:
    """Vertices of their own for every face, if faces (of a PLY file) have colours and vertices have none."""
    colours = geometry.get("face_colors")
    if colours is None or geometry.get("vertex_colors") is not None or not len(faces):
        return geometry, faces
    corner, colour = faces.ravel(), np.asarray(colours)[polygon_of_triangles(geometry)]
    split = {"vertices": np.asarray(geometry["vertices"])[corner], "vertex_colors": np.repeat(colour, 3, axis=0)}
    return split, np.arange(len(corner)).reshape(-1, 3)


def _with_normals(
    geometry: dict[str, Any],
    vertices: Float[np.ndarray, "v 3"],
    faces: Int[np.ndarray, "f 3"],
    transform: Float[np.ndarray, "4 4"],
) -> tuple[Int[np.ndarray, " n"], Int[np.ndarray, "f 3"], Float[np.ndarray, "n 3"]]:
    """The vertices that are used, faces in those, and their normals: the file's, if every one has a direction."""
    if not len(faces):
        return np.empty(0, int), faces, np.empty((0, 3))
    written = _rows(geometry.get("vertex_normals"), len(vertices), 3)
    if written is not None:
        kept, new = np.unique(faces, return_inverse=True)
        normals = _turned(written[kept], transform[:3, :3])
        length = np.linalg.norm(normals, axis=1, keepdims=True)
        if length.all() and np.isfinite(length).all():
            return kept, new.reshape(-1, 3), normals / length
    return split_at_creases(vertices, faces)


def _turned(normals: Float[np.ndarray, "n 3"], transform: Float[np.ndarray, "3 3"]) -> Float[np.ndarray, "n 3"]:
    """Normals turn with the transform's cofactors, which exist where its inverse does not."""
    a, b, c = transform.T / np.abs(transform).max()
    cofactors = np.stack([np.cross(b, c), np.cross(c, a), np.cross(a, b)])
    return normals @ cofactors * np.sign(np.dot(a, np.cross(b, c)))


def _rows(values: Any, rows: int, columns: int) -> Float[np.ndarray, "r c"] | None:
    """The first columns of an array that has the right number of rows; numbers that are not finite become 0."""
    array = np.asarray(values, np.float32) if values is not None else np.empty(0)
    if array.ndim != 2 or len(array) != rows or array.shape[1] < columns:
        return None
    return np.nan_to_num(array[:, :columns].astype(float), posinf=0, neginf=0)


def _colours(geometry: dict[str, Any], linear: bool) -> Float[np.ndarray, "v 3"] | None:
    """Vertex colours in [0, 1]: integers are shares of their largest value, and so are numbers above 1, of 255."""
    raw = geometry.get("vertex_colors")
    if raw is None:
        raw = getattr(geometry.get("visual"), "vertex_attributes", {}).get("color")
    colours = _rows(raw, len(geometry["vertices"]), 3)
    if colours is None:
        return None
    kind = np.asarray(raw).dtype
    largest = np.iinfo(kind).max if kind.kind in "iu" else 255 if colours.max() > 1 and not linear else 1
    colours = np.clip(colours / largest, 0, 1)
    return to_display(colours) if linear else colours
