"""Many meshes in one set of tensors, so that one launch can draw any of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from synthreal.errors import MeshError
from synthreal.rendering.mesh import Mesh
from synthreal.rendering.textures import PackedTextures, join_textures, pack_textures


@dataclass(frozen=True)
class PackedMeshes:
    """Meshes one after another.

    Args:
        names: Name of each mesh.
        vertices, normals, uv, colours: Rows of all meshes, as in `Mesh`.
        faces: Indices into those rows.
        material: Index into the material rows of each face.
        density: Texels a unit of length of each face's texture at full size; 0 without one.
        vertex_start, face_start: First row of each mesh, and the end.
        radius: Largest distance of a vertex from the origin.
        surface_colour: RGB of each material.
        surface_gloss: Specular strength and shininess of each material.
        surface_texture: Index of each material's texture; -1 for none.
        textures: All textures.
    """

    names: tuple[str, ...]
    vertices: Float[Tensor, "v 3"]
    normals: Float[Tensor, "v 3"]
    uv: Float[Tensor, "v 2"]
    colours: Float[Tensor, "v 3"]
    faces: Int[Tensor, "f 3"]
    material: Int[Tensor, " f"]
    density: Float[Tensor, " f"]
    vertex_start: Int[Tensor, " starts"]
    face_start: Int[Tensor, " starts"]
    radius: Float[Tensor, " m"]
    surface_colour: Float[Tensor, "s 3"]
    surface_gloss: Float[Tensor, "s 2"]
    surface_texture: Int[Tensor, " s"]
    textures: PackedTextures

    def __len__(self) -> int:
        return len(self.names)

    def tensors(self) -> dict[str, Tensor]:
        """Returns every tensor by name, to be saved."""
        own = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in ("names", "textures")}
        return own | {f"textures.{f.name}": getattr(self.textures, f.name) for f in fields(PackedTextures)}

    @staticmethod
    def from_tensors(names: Sequence[str], tensors: Mapping[str, Tensor]) -> "PackedMeshes":
        """Returns the meshes whose `tensors()` were saved."""
        textures = PackedTextures(**{f.name: tensors[f"textures.{f.name}"] for f in fields(PackedTextures)})
        own = {name: tensor for name, tensor in tensors.items() if not name.startswith("textures.")}
        return PackedMeshes(names=tuple(names), textures=textures, **own)

    def to(self, device: torch.device) -> "PackedMeshes":
        """Returns the same meshes on `device`."""
        return PackedMeshes.from_tensors(self.names, {name: t.to(device) for name, t in self.tensors().items()})


def pack_meshes(meshes: Sequence[Mesh], texture_size: int = 512) -> PackedMeshes:
    """Packs meshes.

    Args:
        meshes: At least one.
        texture_size: Longer side of a texture at most, texels; larger ones are shrunk.

    Raises:
        MeshError: If there is none.
    """
    if not meshes:
        raise MeshError("There is no mesh to pack.")
    meshes = [_in_order(mesh) for mesh in meshes]
    images = [s.texture for mesh in meshes for s in mesh.materials if s.texture is not None]
    textures = pack_textures(images, texture_size)
    surfaces = [s for mesh in meshes for s in mesh.materials]
    has_texture = torch.tensor([s.texture is not None for s in surfaces])
    texture = torch.where(has_texture, has_texture.cumsum(0) - 1, -1).int()
    first_vertex = np.cumsum([0, *(len(m.vertices) for m in meshes)])
    first_surface = np.cumsum([0, *(len(m.materials) for m in meshes)])
    material = _joined([m.material + first for m, first in zip(meshes, first_surface, strict=False)], np.int32)
    sides = torch.cat([textures.size.float().prod(1).sqrt(), torch.zeros(1)])[texture]
    return PackedMeshes(
        names=tuple(mesh.name for mesh in meshes),
        vertices=_joined([m.vertices for m in meshes], np.float32),
        normals=_joined([m.normals for m in meshes], np.float32),
        uv=_joined([m.uv for m in meshes], np.float32),
        colours=_joined([m.colours for m in meshes], np.float32),
        faces=_joined([m.faces + first for m, first in zip(meshes, first_vertex, strict=False)], np.int32),
        material=material,
        density=torch.cat([_uv_per_length(m) for m in meshes]) * sides[material.long()],
        vertex_start=torch.from_numpy(first_vertex.astype(np.int32)),
        face_start=torch.from_numpy(np.cumsum([0, *(len(m.faces) for m in meshes)]).astype(np.int32)),
        radius=torch.tensor([float(np.linalg.norm(m.vertices, axis=1).max()) for m in meshes]),
        surface_colour=torch.tensor([s.colour for s in surfaces], dtype=torch.float32),
        surface_gloss=torch.tensor([[s.specular, s.shininess] for s in surfaces], dtype=torch.float32),
        surface_texture=texture,
        textures=textures,
    )


def join_meshes(first: PackedMeshes, second: PackedMeshes) -> PackedMeshes:
    """Returns the meshes of both, the second's after the first's."""
    corners, surfaces, textures = len(first.vertices), len(first.surface_colour), len(first.textures)
    shifted = replace(
        second,
        faces=second.faces + corners,
        material=second.material + surfaces,
        vertex_start=second.vertex_start[1:] + corners,
        face_start=second.face_start[1:] + len(first.faces),
        surface_texture=torch.where(second.surface_texture < 0, -1, second.surface_texture + textures).int(),
    )
    own = [f.name for f in fields(PackedMeshes) if f.name not in ("names", "textures")]
    return PackedMeshes(
        names=first.names + second.names,
        textures=join_textures(first.textures, second.textures),
        **{name: torch.cat([getattr(first, name), getattr(shifted, name)]) for name in own},
    )


def _in_order(mesh: Mesh) -> Mesh:
    """The same faces in the order of their vertices: of two that are equally near, the first is seen."""
    order = np.lexsort([mesh.material, *mesh.faces.T[::-1]])
    return replace(mesh, faces=mesh.faces[order], material=mesh.material[order])


def _joined(arrays: Sequence[np.ndarray], dtype: type) -> Tensor:
    return torch.from_numpy(np.concatenate(arrays).astype(dtype))


def _uv_per_length(mesh: Mesh) -> Float[Tensor, " f"]:
    """Square root of each face's area in uv over its area in space."""
    corner, uv = mesh.vertices[mesh.faces].astype(np.float64), mesh.uv[mesh.faces].astype(np.float64)
    area = np.linalg.norm(np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0]), axis=1)
    (u1, v1), (u2, v2) = (uv[:, 1] - uv[:, 0]).T, (uv[:, 2] - uv[:, 0]).T
    ratio = np.sqrt(np.abs(u1 * v2 - u2 * v1) / np.maximum(area, 1e-30))
    return torch.from_numpy(ratio.astype(np.float32))
