"""One row of `Views` as a Mitsuba scene.

Display values are used as they are, as the rasteriser does: a convex matt object looks the same in both. What differs:
no surface reflects more than all light, highlights are those of a rough dielectric (Burley 2012) that also mirrors its
surroundings, a texture's texels are not averaged but met by many samples, a texture that covers the object is mapped
along the axis that each whole face faces, and vertex colours under a texture count with their mean.
"""

import math
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from synthreal.rendering.camera import Camera, field_of_view
from synthreal.rendering.lights import Lights
from synthreal.rendering.packing import PackedMeshes
from synthreal.rendering.scene import Views
from synthreal.rendering.textures import PackedTextures

_BOUNCES = 5
_BLOCK = 32  # Mitsuba's own choice depends on the number of cores, and the noise on it
_SKY = 32  # rows of the picture of the surroundings


def scene_of(mitsuba: Any, meshes: PackedMeshes, view: Views, image_size: int, samples: int, flat: bool) -> Any:
    """Returns a Mitsuba scene.

    Args:
        mitsuba: The package, its variant set.
        meshes: On the CPU.
        view: One row.
        image_size: Side of the picture, pixels.
        samples: Paths a pixel.
        flat: Shade each face with its own normal.
    """
    integrator = {"type": "path", "max_depth": _BOUNCES, "hide_emitters": True, "block_size": _BLOCK}
    sensor = _sensor(mitsuba, view.camera, image_size, samples)
    parts = _emitters(mitsuba, view.lights) | _shapes(mitsuba, meshes, view, flat)
    return mitsuba.load_dict({"type": "scene", "integrator": integrator, "sensor": sensor, **parts})


def _sensor(mitsuba: Any, camera: Camera, image_size: int, samples: int) -> dict[str, Any]:
    right, up, back = camera.rotation()[0].cpu()
    pose = torch.eye(4)
    pose[:3] = torch.stack([-right, up, -back, camera.position()[0].cpu()], 1)  # Mitsuba's x points left
    across, down = (-camera.principal[0]).tolist()
    return {
        "type": "perspective",
        "to_world": mitsuba.ScalarTransform4f(pose.numpy()),
        "fov": field_of_view(float(camera.focal[0])),
        "principal_point_offset_x": across,
        "principal_point_offset_y": down,
        "sampler": {"type": "multijitter", "sample_count": samples},
        "film": {
            "type": "hdrfilm",
            "width": image_size,
            "height": image_size,
            "pixel_format": "rgba",
            "component_format": "float32",
            "filter": {"type": "box"},
        },
    }


def _emitters(mitsuba: Any, lights: Lights) -> dict[str, Any]:
    # A white Lambert surface throws back 1 / π of the irradiance of a lamp.
    emitters = {}
    for i, (position, colour) in enumerate(zip(lights.position[0].tolist(), lights.colour[0].tolist(), strict=True)):
        strength = {"type": "rgb", "value": [math.pi * c for c in colour]}
        if position[3] > 0:
            emitters[f"light{i}"] = {"type": "point", "position": position[:3], "intensity": strength}
        else:
            away = [-x for x in position[:3]]
            emitters[f"light{i}"] = {"type": "directional", "direction": away, "irradiance": strength}
    everywhere = lights.irradiance[0].cpu()
    if not bool((everywhere[0] > 0).any()):
        return emitters
    if len(everywhere) == 1:
        return emitters | {"sky": {"type": "constant", "radiance": {"type": "rgb", "value": everywhere[0].tolist()}}}
    turn = mitsuba.ScalarTransform4f().rotate([1, 0, 0], 90)  # Mitsuba's up is y
    return emitters | {"sky": {"type": "envmap", "bitmap": mitsuba.Bitmap(_sky(everywhere)), "to_world": turn}}


def _sky(irradiance: Float[Tensor, "9 3"]) -> Float[np.ndarray, "h w 3"]:
    """Surroundings that throw the given light: the polynomials themselves, each divided by the cosine lobe's factor.

    Where they are below 0 they are cut off, and the rest is dimmed so that the mean stays. So a small strong light,
    which nine polynomials blur anyway, comes out a little softer still.
    """
    e = (0.5 - torch.arange(_SKY) / (_SKY - 1)) * math.pi  # Mitsuba's first and last rows are the poles
    a = (torch.arange(2 * _SKY) + 0.5) / _SKY * math.pi
    x, y = e.cos()[:, None] * a.sin(), e.cos()[:, None] * a.cos()
    z = e.sin()[:, None].expand_as(x)
    basis = torch.stack([torch.ones_like(x), y, z, x, x * y, y * z, 3 * z * z - 1, x * z, x * x - y * y])
    lobe = torch.tensor([1.0] + [2 / 3] * 3 + [1 / 4] * 5)
    radiance = torch.einsum("kc,khw->hwc", irradiance / lobe[:, None], basis).clamp(min=0)
    weight = e.cos()[:, None, None].clamp(min=0) / e.cos().clamp(min=0).sum() / (2 * _SKY)
    mean = (radiance * weight).sum((0, 1))
    return (radiance * (irradiance[0] / mean.clamp(min=1e-12))).clamp(min=0).numpy()


def _shapes(mitsuba: Any, meshes: PackedMeshes, view: Views, flat: bool) -> dict[str, Any]:
    """One shape for each material of the mesh."""
    mesh = int(view.mesh[0])
    faces = slice(int(meshes.face_start[mesh]), int(meshes.face_start[mesh + 1]))
    corners, material = meshes.faces[faces].long(), meshes.material[faces]
    return {
        f"surface{m}": _shape(mitsuba, meshes, view, corners[material == m], m, flat)
        for m in material.unique().tolist()
    }


def _shape(
    mitsuba: Any, meshes: PackedMeshes, view: Views, corners: Int[Tensor, "f 3"], material: int, flat: bool
) -> Any:
    """Faces of one material; each has corners of its own."""
    texture, uv, colours = _paint(meshes, view, corners, material)
    reflectance: dict[str, Any] = {"type": "mesh_attribute", "name": "vertex_color"}
    if texture >= 0:
        picture = (_picture(meshes.textures, texture) * colours.mean((0, 1))).clamp(max=1)
        reflectance = {"type": "bitmap", "bitmap": mitsuba.Bitmap(picture.numpy()), "raw": True}
    properties = mitsuba.Properties()
    properties["mesh_bsdf"] = mitsuba.load_dict(_surface(reflectance, *meshes.surface_gloss[material].tolist()))
    count = corners.numel()
    shape = mitsuba.Mesh("surface", count, len(corners), properties, not flat, True)
    table = mitsuba.traverse(shape)
    table["faces"] = np.arange(count, dtype=np.uint32)
    table["vertex_positions"] = meshes.vertices[corners].numpy().ravel()
    table["vertex_texcoords"] = torch.stack([uv[..., 0], 1 - uv[..., 1]], -1).numpy().ravel()  # row 0 is v = 0 there
    if not flat:
        table["vertex_normals"] = meshes.normals[corners].numpy().ravel()
    table.update()
    shape.add_attribute("vertex_color", 3, colours.clamp(max=1).numpy().ravel())
    return shape


def _paint(
    meshes: PackedMeshes, view: Views, corners: Int[Tensor, "f 3"], material: int
) -> tuple[int, Float[Tensor, "f 3 2"], Float[Tensor, "f 3 3"]]:
    """Index of the texture (-1: none), its coordinates, and the colours that multiply it."""
    tint = torch.ones(3) if view.tint is None else view.tint[0].cpu()
    cover = -1 if view.texture is None else int(view.texture[0])
    if cover < 0:
        colours = meshes.colours[corners] * (tint * meshes.surface_colour[material])
        return int(meshes.surface_texture[material]), meshes.uv[corners], colours
    repeat = 1.0 if view.texture_repeat is None else float(view.texture_repeat[0])
    uv = _projected(meshes.vertices[corners], meshes.normals[corners]) * repeat
    return cover, uv, tint.expand(*corners.shape, 3)


def _surface(reflectance: dict[str, Any], specular: float, shininess: float) -> dict[str, Any]:
    if specular == 0:
        return {"type": "twosided", "bsdf": {"type": "diffuse", "reflectance": reflectance}}
    roughness = (2 / (shininess + 2)) ** 0.25  # the highlight is about as wide as Blinn-Phong's (Walter et al. 2007)
    glossy = {"type": "principled", "base_color": reflectance, "specular": specular, "roughness": roughness}
    return {"type": "twosided", "bsdf": glossy}


def _projected(position: Float[Tensor, "f 3 3"], normals: Float[Tensor, "f 3 3"]) -> Float[Tensor, "f 3 2"]:
    """Coordinates along the axis that each face faces most: the kernels' `projected_uv`."""
    x, y, z = normals.mean(1).abs().unbind(1)
    kept = torch.tensor([[0, 1], [1, 2], [0, 2]])
    faces = torch.where(z >= x.maximum(y), 0, torch.where(x >= y, 1, 2))
    return position.gather(2, kept[faces][:, None].expand(-1, 3, -1))


def _picture(textures: PackedTextures, index: int) -> Float[Tensor, "h w 3"]:
    """A texture at full size, values in [0, 1]."""
    width, height = textures.size[index].tolist()
    start = int(textures.start[index, 0])
    texels = textures.texels[start : start + width * height].reshape(height, width)
    return torch.stack([texels >> shift & 255 for shift in (0, 8, 16)], 2) / 255
