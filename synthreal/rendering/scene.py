"""What the kernels read: meshes that stay, and what differs from image to image."""

from dataclasses import dataclass, fields
from typing import Any

import torch
import warp as wp
from jaxtyping import Float, Int
from torch import Tensor

from synthreal.rendering.camera import Camera
from synthreal.rendering.kernels.inputs import Meshes, Rows
from synthreal.rendering.lights import Lights
from synthreal.rendering.packing import PackedMeshes


@dataclass(frozen=True)
class Views:
    """What to draw: one row for each image.

    Args:
        mesh: Index of the mesh.
        camera: Cameras.
        lights: Lights.
        tint: RGB that multiplies every surface; None for none.
        texture: Index into the textures of one that covers the whole object instead of its own, mapped along the axis
            that each point faces; -1 keeps its own. None keeps them all.
        texture_repeat: How often it repeats over a unit of length.
        class_colour: RGB of the semantic output.
    """

    mesh: Int[Tensor, " b"]
    camera: Camera
    lights: Lights
    tint: Float[Tensor, "b 3"] | None = None
    texture: Int[Tensor, " b"] | None = None
    texture_repeat: Float[Tensor, " b"] | None = None
    class_colour: Float[Tensor, "b 3"] | None = None

    def part(self, rows: slice) -> "Views":
        """Returns some of the views."""
        return _part(self, rows)


def share(tensor: Tensor, dtype: Any) -> Any:
    """Returns a Warp array over a tensor's memory."""
    return wp.from_torch(tensor.contiguous(), dtype=dtype)


def share_meshes(packed: PackedMeshes) -> Any:
    """Returns packed meshes for kernels; the tensors are shared, not copied, and must outlive it."""
    meshes: Any = Meshes()
    for name in ("vertices", "normals", "colours", "surface_colour"):
        setattr(meshes, name, share(getattr(packed, name), wp.vec3))
    for name in ("uv", "surface_gloss"):
        setattr(meshes, name, share(getattr(packed, name), wp.vec2))
    for name in ("material", "vertex_start", "face_start", "surface_texture"):
        setattr(meshes, name, share(getattr(packed, name), wp.int32))
    for name in ("density", "radius"):
        setattr(meshes, name, share(getattr(packed, name), wp.float32))
    meshes.faces = share(packed.faces, wp.vec3i)
    meshes.texels = share(packed.textures.texels, wp.int32)
    meshes.texture_start = share(packed.textures.start, wp.int32)
    meshes.texture_size = share(packed.textures.size, wp.vec2i)
    return meshes


def share_views(views: Views) -> Any:
    """Returns views for kernels, what is None filled in."""
    rows: Any = Rows()
    camera, lights, count = views.camera, views.lights, len(views.mesh)
    ones = camera.distance.new_ones(count, 3)
    rows.mesh = share(views.mesh.int(), wp.int32)
    rows.eye = share(camera.position(), wp.vec3)
    rows.rotation = share(camera.rotation(), wp.mat33)
    rows.focal = share(camera.focal, wp.float32)
    rows.principal = share(camera.principal, wp.vec2)
    rows.irradiance = share(lights.irradiance, wp.vec3)
    rows.num_lights = lights.position.shape[1]
    rows.ambient_only = int(lights.irradiance.shape[1] == 1)
    rows.light = share(_some(lights.position), wp.vec4)
    rows.light_colour = share(_some(lights.colour), wp.vec3)
    rows.tint = share(ones if views.tint is None else views.tint, wp.vec3)
    own = torch.full_like(views.mesh, -1)
    rows.texture = share((own if views.texture is None else views.texture).int(), wp.int32)
    repeat = ones[:, 0] if views.texture_repeat is None else views.texture_repeat
    rows.texture_repeat = share(repeat, wp.float32)
    rows.class_colour = share(ones if views.class_colour is None else views.class_colour, wp.vec3)
    return rows


def _part(table: Any, rows: slice) -> Any:
    """The rows of every tensor in a dataclass of tensors and such dataclasses."""
    if table is None or isinstance(table, Tensor):
        return None if table is None else table[rows]
    return type(table)(*(_part(getattr(table, field.name), rows) for field in fields(table)))


def _some(table: Tensor) -> Tensor:
    """At least one light, unread: Warp arrays of length 0 have no address."""
    return table if table.shape[1] else table.new_zeros(len(table), 1, table.shape[2])
