"""Other renderers of the same knots: Embree's rays with NumPy's shading, and pyrender."""

import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from knots import AMBIENT, STRENGTH

from synthreal.rendering.mesh import Mesh
from synthreal.rendering.scene import Views


class Peer(ABC):
    """Draws views one after another, with four samples a pixel. Meshes and textures are uploaded beforehand.

    Attributes:
        name: Its name.
        images: How many it draws in a turn.
        agreement: Least overlap with synthreal's masks, and largest difference of the mean colour, 0 to 1.
    """

    name: str
    images: int
    agreement: tuple[float, float]

    @abstractmethod
    def draw(self, views: Views) -> tuple[Float[np.ndarray, "b h w 4"], Float[np.ndarray, "b h w"]]:
        """Returns colours with alpha, 0 to 1, and depths."""


class Embree(Peer):
    """Embree finds what each ray hits, its barycentric weights and its depth; NumPy shades the rays that hit.

    Args:
        meshes: What can be drawn; one material each.
        image_size: Side of the pictures, pixels.
    """

    name, images, agreement = "Embree with NumPy", 24, (0.995, 0.01)

    def __init__(self, meshes: Sequence[Mesh], image_size: int) -> None:
        from embreex.mesh_construction import TriangleMesh
        from embreex.rtcore_scene import EmbreeScene

        self.meshes, self.image_size = meshes, image_size
        self.textures = [mesh.materials[0].texture.astype(np.float32) / 255 for mesh in meshes]  # type: ignore[union-attr]
        self.scenes: list[Any] = [EmbreeScene() for _ in meshes]
        for scene, mesh in zip(self.scenes, meshes, strict=True):
            TriangleMesh(scene, mesh.vertices, mesh.faces)
        # Sample by sample, so that a pixel's mean is a sum of whole pictures.
        middle = (np.arange(image_size)[:, None] + [0.25, 0.75]) / image_size - 0.5
        down, right = np.meshgrid(middle.T, middle.T, indexing="ij")
        order = (2, image_size, 2, image_size)
        self.plane = np.stack([t.reshape(order).transpose(0, 2, 1, 3).ravel() for t in (right, -down)], 1)

    def draw(self, views: Views) -> tuple[Float[np.ndarray, "b h w 4"], Float[np.ndarray, "b h w"]]:
        """See `Peer.draw`."""
        camera, lights = views.camera, views.lights
        tables = (views.mesh, camera.position(), camera.rotation(), camera.focal, lights.position[:, 0, :3])
        drawn = [self._picture(*row) for row in zip(*(table.numpy() for table in tables), strict=True)]
        colour, depth = zip(*drawn, strict=True)
        return np.stack(colour), np.stack(depth)

    def _picture(
        self, which: int, eye: np.ndarray, rotation: np.ndarray, focal: float, towards: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        rays = np.ascontiguousarray(self.plane @ (rotation[:2] / focal) - rotation[2], np.float32)
        hit = self.scenes[which].run(np.tile(eye, (len(rays), 1)), rays, output=True)
        seen = np.flatnonzero(hit["primID"] >= 0)
        rgba = np.zeros((len(rays), 4), np.float32)
        rgba[seen, :3] = self._shaded(which, hit["primID"][seen], hit["u"][seen], hit["v"][seen], rays[seen], towards)
        rgba[seen, 3] = 1
        depth = np.full(len(rays), np.inf, np.float32)
        depth[seen] = hit["tfar"][seen]
        nearest = depth.reshape(4, self.image_size, self.image_size).min(0)
        return rgba.reshape(4, self.image_size, self.image_size, 4).mean(0), np.where(nearest < np.inf, nearest, 0)

    def _shaded(
        self, which: int, face: np.ndarray, u: np.ndarray, v: np.ndarray, rays: np.ndarray, towards: np.ndarray
    ) -> np.ndarray:
        mesh, (a, b, c) = self.meshes[which], self.meshes[which].faces[face].T
        w = 1 - u - v
        normal = mesh.normals[a] * w[:, None] + mesh.normals[b] * u[:, None] + mesh.normals[c] * v[:, None]
        facing = normal @ towards / np.sqrt(np.einsum("rk,rk->r", normal, normal))
        facing = np.where(np.einsum("rk,rk->r", normal, rays) > 0, -facing, facing)
        uv = mesh.uv[a] * w[:, None] + mesh.uv[b] * u[:, None] + mesh.uv[c] * v[:, None]
        light = AMBIENT + STRENGTH * np.maximum(facing, 0)
        return np.minimum(_bilinear(self.textures[which], uv) * light[:, None], 1)


class Pyrender(Peer):
    """OpenGL with 4 samples a pixel. Its shading is its own: physically based, in linear light.

    Args:
        meshes: What can be drawn; one material each.
        image_size: Side of the pictures, pixels.
    """

    name, images, agreement = "pyrender", 6, (0.95, 0.1)

    def __init__(self, meshes: Sequence[Mesh], image_size: int) -> None:
        os.environ.setdefault("PYOPENGL_PLATFORM", "egl")
        os.environ.setdefault("LP_NUM_THREADS", "1")  # of Mesa's renderer on the CPU
        import pyrender

        self.image_size, self.flags = image_size, pyrender.RenderFlags.RGBA
        self.renderer = pyrender.OffscreenRenderer(image_size, image_size)
        self.scene = pyrender.Scene(bg_color=[0, 0, 0, 0], ambient_light=[AMBIENT**2.2] * 3)
        self.meshes = [pyrender.Mesh([self._primitive(pyrender, mesh)]) for mesh in meshes]
        for mesh in self.meshes:
            self.scene.add(mesh)
        self.camera = self.scene.add(pyrender.IntrinsicsCamera(1, 1, image_size / 2, image_size / 2))
        self.light = self.scene.add(pyrender.DirectionalLight(intensity=np.pi * (1 - AMBIENT**2.2)))

    def draw(self, views: Views) -> tuple[Float[np.ndarray, "b h w 4"], Float[np.ndarray, "b h w"]]:
        """See `Peer.draw`."""
        camera, lights = views.camera, views.lights
        tables = (views.mesh, camera.position(), camera.rotation(), camera.focal, lights.position[:, 0, :3])
        drawn = [self._picture(*row) for row in zip(*(table.numpy() for table in tables), strict=True)]
        colour, depth = zip(*drawn, strict=True)
        return np.stack(colour) / np.float32(255), np.stack(depth)

    def _picture(
        self, which: int, eye: np.ndarray, rotation: np.ndarray, focal: float, towards: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        for index, mesh in enumerate(self.meshes):
            mesh.is_visible = index == which
        self.camera.camera.fx = self.camera.camera.fy = focal * self.image_size
        self.scene.set_pose(self.camera, _pose(rotation.T, eye))
        across = np.cross(towards, np.eye(3)[np.abs(towards).argmin()])
        self.scene.set_pose(self.light, _pose(np.stack([across, np.cross(towards, across), towards], 1), eye))
        colour, depth = self.renderer.render(self.scene, self.flags)
        return colour, depth

    @staticmethod
    def _primitive(pyrender: Any, mesh: Mesh) -> Any:
        texture = pyrender.Texture(source=mesh.materials[0].texture, source_channels="RGB")
        surface = pyrender.MetallicRoughnessMaterial(
            baseColorTexture=texture, metallicFactor=0.0, roughnessFactor=1.0, doubleSided=True
        )
        return pyrender.Primitive(
            positions=mesh.vertices, normals=mesh.normals, texcoord_0=mesh.uv, indices=mesh.faces, material=surface
        )


def _bilinear(texture: Float[np.ndarray, "h w 3"], uv: Float[np.ndarray, "r 2"]) -> Float[np.ndarray, "r 3"]:
    """Colour of a repeating texture whose row 0 is at v = 1."""
    height, width = texture.shape[:2]
    x, y = uv[:, 0] * width - 0.5, (1 - uv[:, 1]) * height - 0.5
    left, top = np.floor(x).astype(np.int32), np.floor(y).astype(np.int32)
    across, down = (x - left)[:, None], (y - top)[:, None]
    x0, x1, y0, y1 = left % width, (left + 1) % width, top % height * width, (top + 1) % height * width
    texels = texture.reshape(-1, 3)
    upper = texels[y0 + x0] * (1 - across) + texels[y0 + x1] * across
    lower = texels[y1 + x0] * (1 - across) + texels[y1 + x1] * across
    return upper * (1 - down) + lower * down


def _pose(axes: Float[np.ndarray, "3 3"], place: Float[np.ndarray, " 3"]) -> Float[np.ndarray, "4 4"]:
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = axes / np.linalg.norm(axes, axis=0), place
    return pose
