"""One mesh with its materials, checked."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int, UInt8

from synthreal.errors import MeshError


@dataclass(frozen=True)
class Material:
    """A surface.

    Args:
        colour: RGB in [0, 1], display values; multiplies the texture.
        texture: uint8 RGB image, row 0 at v = 1; None for a plain colour.
        specular: Strength of the Blinn-Phong highlight, 0 (matt) to 1.
        shininess: Its exponent.
    """

    colour: tuple[float, float, float] = (0.8, 0.8, 0.8)
    texture: UInt8[np.ndarray, "h w 3"] | None = None
    specular: float = 0.0
    shininess: float = 32.0


@dataclass(frozen=True)
class Mesh:
    """Triangles with normals, texture coordinates, vertex colours and materials. z is up and the front faces -y.

    Args:
        name: Name of the instance, for manifests.
        vertices: Positions.
        faces: Vertex indices of each triangle.
        normals: Unit normal of each vertex.
        uv: Texture coordinates; they repeat outside [0, 1].
        colours: RGB of each vertex in [0, 1]; multiplies the material.
        material: Index into `materials` of each face.
        materials: At least one.

    Raises:
        MeshError: If it is empty, an array has the wrong length, an index points nowhere or a value is not finite.
    """

    name: str
    vertices: Float[np.ndarray, "v 3"]
    faces: Int[np.ndarray, "f 3"]
    normals: Float[np.ndarray, "v 3"]
    uv: Float[np.ndarray, "v 2"]
    colours: Float[np.ndarray, "v 3"]
    material: Int[np.ndarray, " f"]
    materials: tuple[Material, ...]

    def __post_init__(self) -> None:
        count = len(self.vertices)
        if not count or not len(self.faces):
            raise MeshError(f"{self.name}: no faces.")
        if not (len(self.normals) == len(self.uv) == len(self.colours) == count):
            raise MeshError(f"{self.name}: normals, uv and colours must have one row for each of {count} vertices.")
        if len(self.material) != len(self.faces):
            raise MeshError(f"{self.name}: {len(self.material)} material indices for {len(self.faces)} faces.")
        if self.faces.min() < 0 or self.faces.max() >= count:
            raise MeshError(f"{self.name}: a face points beyond the {count} vertices.")
        if self.material.min() < 0 or self.material.max() >= len(self.materials):
            raise MeshError(f"{self.name}: a face points beyond the {len(self.materials)} materials.")
        for part in ("vertices", "normals", "uv", "colours"):
            if not np.isfinite(getattr(self, part)).all():
                raise MeshError(f"{self.name}: {part} hold a number that is not finite.")


def build_mesh(
    name: str,
    vertices: Float[np.ndarray, "v 3"],
    faces: Int[np.ndarray, "f 3"],
    materials: Sequence[Material] = (Material(),),
    normals: Float[np.ndarray, "v 3"] | None = None,
    uv: Float[np.ndarray, "v 2"] | None = None,
    colours: Float[np.ndarray, "v 3"] | None = None,
    material: Int[np.ndarray, " f"] | None = None,
) -> Mesh:
    """Returns a mesh with what is missing filled in: smooth normals, uv 0, white vertices, the first material.

    Faces without area are dropped.

    Raises:
        MeshError: See `Mesh`; also if no face has an area.
    """
    vertices = np.asarray(vertices, np.float32)
    faces = np.asarray(faces, np.int32)
    if not len(vertices) or not len(faces):
        raise MeshError(f"{name}: no faces.")
    if not np.isfinite(vertices).all():
        raise MeshError(f"{name}: vertices hold a number that is not finite.")
    if faces.min() < 0 or faces.max() >= len(vertices):
        raise MeshError(f"{name}: a face points beyond the {len(vertices)} vertices.")
    solid = np.linalg.norm(_doubled_areas(vertices, faces), axis=1) > 0
    if not solid.any():
        raise MeshError(f"{name}: no face has an area.")
    of_face = np.zeros(len(faces), np.int32) if material is None else np.asarray(material, np.int32)
    if len(of_face) != len(faces):
        raise MeshError(f"{name}: {len(of_face)} material indices for {len(faces)} faces.")
    faces = faces[solid]
    return Mesh(
        name=name,
        vertices=vertices,
        faces=faces,
        normals=smooth_normals(vertices, faces) if normals is None else _unit(np.asarray(normals, np.float32)),
        uv=np.zeros((len(vertices), 2), np.float32) if uv is None else np.asarray(uv, np.float32),
        colours=np.ones((len(vertices), 3), np.float32) if colours is None else np.asarray(colours, np.float32),
        material=of_face[solid],
        materials=tuple(materials),
    )


def smooth_normals(vertices: Float[np.ndarray, "v 3"], faces: Int[np.ndarray, "f 3"]) -> Float[np.ndarray, "v 3"]:
    """Returns the mean normal of the faces around each vertex, weighted by their areas."""
    area = _doubled_areas(vertices, faces)
    normals = np.stack(
        [np.bincount(faces.ravel(), np.repeat(area[:, axis], 3), len(vertices)) for axis in range(3)], axis=1
    )
    return _unit(normals)


def merge_meshes(name: str, parts: Sequence[Mesh]) -> Mesh:
    """Returns one mesh of all parts, each with its materials.

    Raises:
        MeshError: If there is no part.
    """
    if not parts:
        raise MeshError(f"{name}: no parts.")
    vertex = np.cumsum([0, *(len(part.vertices) for part in parts)])
    material = np.cumsum([0, *(len(part.materials) for part in parts)])
    return Mesh(
        name=name,
        vertices=np.concatenate([part.vertices for part in parts]),
        faces=np.concatenate([part.faces + np.int32(first) for part, first in zip(parts, vertex, strict=False)]),
        normals=np.concatenate([part.normals for part in parts]),
        uv=np.concatenate([part.uv for part in parts]),
        colours=np.concatenate([part.colours for part in parts]),
        material=np.concatenate(
            [part.material + np.int32(first) for part, first in zip(parts, material, strict=False)]
        ),
        materials=tuple(surface for part in parts for surface in part.materials),
    )


def in_unit_box(mesh: Mesh) -> Mesh:
    """Returns the mesh centred at the origin, scaled so that the longest side of its bounding box is 1."""
    low, high = mesh.vertices.min(0), mesh.vertices.max(0)
    scale = float((high - low).max())
    return replace(mesh, vertices=((mesh.vertices - (low + high) / 2) / np.float32(scale)).astype(np.float32))


def _doubled_areas(vertices: Float[np.ndarray, "v 3"], faces: Int[np.ndarray, "f 3"]) -> Float[np.ndarray, "f 3"]:
    corner = vertices[faces].astype(np.float64)
    return np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])


def _unit(vectors: Float[np.ndarray, "v 3"]) -> Float[np.ndarray, "v 3"]:
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    up = np.array([0, 0, 1], np.float32)
    return np.where(length == 0, up, vectors / np.where(length == 0, 1, length)).astype(np.float32)
