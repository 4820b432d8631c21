"""Batches of pictures of meshes, on the device where the meshes are."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any, Literal, TypedDict

import torch
import warp as wp
from jaxtyping import Float
from torch import Tensor

from synthreal.errors import ConfigError
from synthreal.rendering.kernels.passes import Canvas, measure, shade, shade_rows
from synthreal.rendering.kernels.visibility import see_faces, see_image, see_vertices
from synthreal.rendering.packing import PackedMeshes
from synthreal.rendering.scene import Views, share, share_meshes, share_views

Output = Literal["rgba", "mask", "depth", "normals", "semantic"]
_CHUNK_BYTES = 2**28  # of scratch


class Pictures(TypedDict, total=False):
    """What was drawn; only what was asked for."""

    rgba: Float[Tensor, "b 4 h w"]
    """Premultiplied colour and coverage, 0 to 1."""
    mask: Float[Tensor, "b 1 h w"]
    """Share of each pixel's samples that see the object."""
    depth: Float[Tensor, "b 1 h w"]
    """Distance of the nearest sample from the camera's plane; 0 where nothing is."""
    normals: Float[Tensor, "b 3 h w"]
    """Mean unit normal in camera axes (right, up, towards the camera); 0 where nothing is."""
    semantic: Float[Tensor, "b 3 h w"]
    """Class colour, full at the near end of the mesh's bounding sphere and half at the far end (GM-CML, sec. III)."""


class Rasteriser:
    """Draws meshes with many cameras, lights and textures in one launch.

    Each sample is shaded exactly, at its own point. A picture depends on nothing but its own row: neither on the rest
    of the batch nor on the order of the faces.

    Args:
        meshes: What can be drawn.
        image_size: Side of the pictures, pixels.
        supersampling: Samples along each side of a pixel, 1 to 4.
        flat: Shade each face with its own normal instead of the vertices'.

    Raises:
        ConfigError: If a size is out of range.
    """

    def __init__(self, meshes: PackedMeshes, image_size: int, supersampling: int = 2, flat: bool = False) -> None:
        if not 1 <= image_size <= 4096:
            raise ConfigError(f"image_size is 1 to 4096 pixels, not {image_size}.")
        if not 1 <= supersampling <= 4:
            raise ConfigError(f"supersampling is 1 to 4 samples along a pixel's side, not {supersampling}.")
        wp.init()  # not at import: it looks for GPUs
        self.meshes, self.image_size, self.supersampling, self.flat = meshes, image_size, supersampling, flat
        self._shared = share_meshes(meshes)
        self._most_vertices = int(meshes.vertex_start.diff().max())
        self._most_faces = int(meshes.face_start.diff().max())

    @property
    def device(self) -> torch.device:
        """Where the meshes are and the pictures will be."""
        return self.meshes.vertices.device

    def render(self, views: Views, outputs: Sequence[Output] = ("rgba",)) -> Pictures:
        """Returns the pictures that are asked for, one for each view.

        Args:
            views: What to draw, on the meshes' device.
            outputs: Which pictures.
        """
        side, count = self.image_size, len(views.mesh)
        wanted = {"rgba", "depth", *outputs}  # the alpha of rgba and the depth are nearly free
        table = {
            name: torch.empty(count if name in wanted else 1, channels, side, side, device=self.device)
            for name, channels in (("rgba", 4), ("depth", 1), ("normals", 3), ("semantic", 3))
        }
        # A key for each sample and, on a GPU, every vertex on screen.
        chunk = max(1, _CHUNK_BYTES // (8 * (side * self.supersampling) ** 2 + 12 * self._most_vertices))
        with _torch_stream(self.device):
            for start in range(0, count, chunk):
                part = slice(start, start + chunk)
                self._draw(views.part(part), {k: t[part] if k in wanted else t for k, t in table.items()}, outputs)
        if "mask" in outputs:
            table["mask"] = table["rgba"][:, 3:]
        return Pictures(**{name: table[name] for name in outputs})  # type: ignore[typeddict-item]

    def frame(self, views: Views, fill: float = 1.0) -> Views:
        """Returns the same views with cameras zoomed and shifted so that each object fills its picture.

        Args:
            views: What to draw.
            fill: Share of the picture's side that the longer side of the object's box takes.
        """
        bounds = torch.empty(len(views.mesh), 4, device=self.device)
        with _torch_stream(self.device):
            self._launch(measure, len(views.mesh), share_views(views), share(bounds, wp.vec4))
        return replace(views, camera=views.camera.framing(bounds, fill))

    def _draw(self, views: Views, table: Mapping[str, Tensor], outputs: Sequence[Output]) -> None:
        count, samples = len(views.mesh), self.image_size * self.supersampling
        rows = share_views(views)
        keys = torch.full((count, samples, samples), -1, dtype=torch.int64, device=self.device)  # all bits set: EMPTY
        visible = wp.from_torch(keys, dtype=wp.uint64)
        if self.device.type == "cpu":
            self._launch(see_image, count, rows, self._scratch(1), visible)
        else:
            stride, screen = self._most_vertices, self._scratch(count)
            self._launch(see_vertices, (count, stride), rows, stride, screen, visible)
            self._launch(see_faces, (count, self._most_faces), rows, stride, screen, visible)
        canvas: Any = Canvas()
        for name, pixels in table.items():
            setattr(canvas, name, share(pixels, wp.float32))
        canvas.flat = int(self.flat)
        canvas.with_colour, canvas.with_normals = int("rgba" in outputs), int("normals" in outputs)
        canvas.with_semantic = int("semantic" in outputs)
        drawn = (rows, self.supersampling, visible, canvas)
        if self.device.type == "cpu":
            self._launch(shade_rows, (count, self.image_size), *drawn)
        else:
            self._launch(shade, (count, self.image_size, self.image_size), *drawn)

    def _scratch(self, count: int) -> Any:
        return share(torch.empty(count * self._most_vertices, 3, device=self.device), wp.vec3)

    def _launch(self, kernel: Any, size: int | tuple[int, ...], rows: Any, *inputs: Any) -> None:
        wp.launch(kernel, dim=size, inputs=[self._shared, rows, *inputs], device=wp.device_from_torch(self.device))


def _torch_stream(device: torch.device) -> AbstractContextManager[Any]:
    """Puts Warp's launches in line with torch's own on a GPU."""
    if device.type != "cuda":
        return nullcontext()
    return wp.ScopedStream(wp.stream_from_torch(torch.cuda.current_stream(device)))
