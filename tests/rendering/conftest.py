"""Small scenes whose pictures can be worked out by hand."""

from dataclasses import fields

import numpy as np
import pytest
import torch
import trimesh
from scipy.spatial.transform import Rotation

from synthreal.rendering.camera import Camera, orbit
from synthreal.rendering.lights import Lights, ambient
from synthreal.rendering.mesh import Material, build_mesh, merge_meshes
from synthreal.rendering.packing import pack_meshes
from synthreal.rendering.rasteriser import Rasteriser
from synthreal.rendering.scene import Views


@pytest.fixture(scope="session")
def straight():
    """Cameras before an object's front, which see x and z from -0.5 to 0.5 of the plane y = 0, and no more."""

    def make(count=1, **changes):
        at = {"azimuth": 0.0, "elevation": 0.0, "tilt": 0.0, "distance": 2.0, "focal": 2.0} | changes
        columns = {name: torch.full((count,), float(value)) for name, value in at.items()}
        return Camera(**columns, principal=torch.zeros(count, 2), focus=torch.zeros(count, 3))

    return make


@pytest.fixture(scope="session")
def cameras():
    """Random cameras that see a unit box, with everything that a camera has."""

    def make(count, seed=0):
        draw = torch.Generator().manual_seed(seed)

        def uniform(low, high, *shape):
            return torch.rand(count, *shape, generator=draw) * (high - low) + low

        return Camera(
            azimuth=uniform(-180, 180),
            elevation=uniform(-85, 85),
            tilt=uniform(-180, 180),
            distance=uniform(1.5, 3),
            focal=uniform(1, 2.5),
            principal=uniform(-0.15, 0.15, 2),
            focus=uniform(-0.1, 0.1, 3),
        )

    return make


@pytest.fixture(scope="session")
def rectangle():
    """A rectangle in the plane y = 0 that faces -y; uv runs from (0, 0) at its lower left to (1, 1)."""

    def make(left=-0.5, right=0.5, bottom=-0.5, top=0.5, y=0.0, repeat=1.0, shift=0.0, **material):
        corner = np.array([[left, y, bottom], [right, y, bottom], [right, y, top], [left, y, top]], np.float32)
        uv = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32) * repeat + shift
        surface = Material(**{"colour": (1.0, 1.0, 1.0)} | material)
        return build_mesh("rectangle", corner, np.array([[0, 1, 2], [0, 2, 3]]), (surface,), uv=uv)

    return make


@pytest.fixture(scope="session")
def sphere():
    """A ball about the origin, fine enough to be round."""

    def make(radius=0.5, subdivisions=5, **material):
        ball = trimesh.creation.icosphere(subdivisions, radius)
        surface = Material(**{"colour": (1.0, 1.0, 1.0)} | material)
        return build_mesh("sphere", np.array(ball.vertices, np.float32), np.array(ball.faces), (surface,))

    return make


@pytest.fixture(scope="session")
def box():
    """A box of one colour, from one corner to the opposite one."""

    def make(low, high, colour=(1.0, 1.0, 1.0)):
        solid = trimesh.creation.box(bounds=[low, high])
        # A vertex for each corner of each face keeps the edges sharp.
        return build_mesh(
            "box",
            np.array(solid.triangles, np.float32).reshape(-1, 3),
            np.arange(36).reshape(-1, 3),
            (Material(colour),),
        )

    return make


@pytest.fixture(scope="session")
def meshes(rectangle, sphere, box):
    """A coloured soup, a ball, a textured rectangle before boxes."""
    rng = np.random.default_rng(0)
    corners = (rng.uniform(-0.4, 0.4, (60, 1, 3)) + rng.normal(0, 0.1, (60, 3, 3))).reshape(-1, 3).astype(np.float32)
    colours = rng.random((180, 3)).astype(np.float32)
    soup = build_mesh("soup", corners, np.arange(180).reshape(-1, 3), colours=colours)
    texture = rng.integers(0, 256, (16, 16, 3)).astype(np.uint8)
    parts = [
        rectangle(y=-0.2, texture=texture),
        box([-0.4] * 3, [0.0] * 3, (0.9, 0.2, 0.1)),
        box([0.1] * 3, [0.3] * 3),
    ]
    return [soup, sphere(subdivisions=3, specular=0.5), merge_meshes("parts", parts)]


@pytest.fixture(scope="session")
def rays():
    """Where cameras stand and their rays of depth 1 through the samples, in float64 and from first principles."""

    def make(camera, size, samples=1):
        column = {field.name: getattr(camera, field.name).double().numpy() for field in fields(camera)}
        a, e, tilt = (np.radians(column[name]) for name in ("azimuth", "elevation", "tilt"))
        eye = np.stack([np.cos(e) * np.sin(a), -np.cos(e) * np.cos(a), np.sin(e)], 1) * column["distance"][:, None]
        back = _unit(eye - column["focus"])
        right = _unit(np.cross([0, 0, 1], back))
        level = np.stack([right, np.cross(back, right), back], 1)
        turn = Rotation.from_euler("z", tilt[:, None]).as_matrix()
        middle = (np.arange(size * samples) + 0.5) / (size * samples) - 0.5
        x, down = np.meshgrid(middle, middle)
        shift, focal = column["principal"][:, None, None], column["focal"][:, None, None]
        x, down = (x - shift[..., 0]) / focal, (down - shift[..., 1]) / focal
        return eye, np.einsum("bhwc,bcd->bhwd", np.stack([x, -down, -np.ones_like(x)], -1), turn @ level)

    return make


def _unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


@pytest.fixture(scope="session")
def shine():
    """One light for all views, far away in a direction or at a place (weight 1), over an ambient one."""

    def make(count, *lights, over=0.0):
        position = torch.tensor([place for place, _ in lights]).float().reshape(1, -1, 4)
        colour = torch.tensor([colour for _, colour in lights]).float().reshape(1, -1, 3)
        return Lights(torch.full((count, 1, 3), over), position.repeat(count, 1, 1), colour.repeat(count, 1, 1))

    return make


@pytest.fixture(scope="session")
def render():
    """Pictures of meshes; white light from everywhere unless `lights` say otherwise."""

    def make(meshes, camera, outputs=("rgba",), size=32, samples=1, flat=False, lights=None, **rows):
        packed = meshes if hasattr(meshes, "vertex_start") else pack_meshes(meshes)
        count = len(camera.azimuth)
        rows.setdefault("mesh", torch.zeros(count, dtype=torch.long))
        views = Views(camera=camera, lights=lights or ambient(torch.ones(count, 3)), **rows)
        return Rasteriser(packed, size, samples, flat).render(views, outputs)

    return make


@pytest.fixture(scope="session")
def around():
    """Cameras that look at the origin from given angles."""

    def make(azimuth, elevation, tilt=0.0, **lens):
        azimuth, elevation, tilt = torch.broadcast_tensors(
            *(torch.as_tensor(angle, dtype=torch.float32) for angle in (azimuth, elevation, tilt))
        )
        return orbit(azimuth.reshape(-1), elevation.reshape(-1), tilt.reshape(-1), **lens)

    return make
