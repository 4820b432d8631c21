"""Boxes of plain colours, and images of them, for the tests of rendered models."""

import numpy as np
import torch
import trimesh

from synthreal.batch import Draws
from synthreal.datasets.by_class import by_class
from synthreal.datasets.meshes import LabelledMeshes, MeshCollection
from synthreal.datasets.pictures import Noise, Pictures, PictureSource
from synthreal.generators import MeshImages
from synthreal.generators.lighting import FixedLight, RandomLight
from synthreal.rendering.mesh import Material, build_mesh
from synthreal.rendering.packing import pack_meshes
from synthreal.spaces import UniformViews

CPU = torch.device("cpu")
SIZE = 32
WHITE = FixedLight(ambient=1, strength=0)  # surfaces in their own colours
CLASSES = ("ant", "bee", "cow")
COLOURS = np.array([[[0.8, 0.2, 0.2], [0.4, 0, 0]], [[0.2, 0.8, 0.2], [0, 0.4, 0]], [[0.2, 0.2, 0.8], [0, 0, 0.4]]])
EXTENTS = (1.0, 0.5, 0.6)


def box(name, colour):
    solid = trimesh.creation.box(EXTENTS)
    corners = np.array(solid.triangles, np.float32).reshape(-1, 3)  # of their own for each face: sharp edges
    return build_mesh(name, corners, np.arange(36).reshape(-1, 3), (Material(tuple(colour)),))


class Boxes(MeshCollection):
    """Two boxes a class, a light one and a dark one."""

    classes = CLASSES
    loaded = 0

    def load(self):
        self.loaded += 1
        meshes = [box(f"{CLASSES[i]}_{j}", COLOURS[i, j]) for i in range(3) for j in range(2)]
        return LabelledMeshes(pack_meshes(meshes), torch.arange(6) // 2, self.classes)


class Plain(PictureSource):
    """Pictures of one grey each; each class may have its own two."""

    def load(self, classes):
        grey = torch.arange(2 * len(classes), dtype=torch.uint8) * 40 + 30
        images = grey.view(-1, 1, 1, 1).expand(-1, 3, 16, 16).contiguous()
        members = [[2 * i, 2 * i + 1] for i in range(len(classes))]
        return Pictures(images, tuple(f"plain_{i}" for i in range(len(grey))), by_class(members))


AROUND = UniformViews(4, 2, elevation=(-5, 45), tilt=(-10, 10), distance=(1.8, 2.4))
EVERYTHING = {
    "views": AROUND,
    "lighting": RandomLight(),
    "background": Noise(5, 32),
    "texture": Noise(5, 32, seed=1),
    "focal_length": (1.2, 1.7),
    "shift": 0.1,
    "focal_point": 0.1,
    "occlusion": 0.3,
    "outputs": ["depth", "normals", "semantic"],
}


def images_of(size=SIZE, **settings):
    return MeshImages(Boxes(), size, **settings)


def draws_of(generator, count, seed=0):
    stream = torch.Generator().manual_seed(seed)
    bucket = torch.randint(generator.space.num_buckets, (count,), generator=stream)
    seeds = torch.randint(2**63 - 1, (count,), generator=stream)
    return Draws(bucket=bucket, parameters=generator.space.sample(bucket, stream), seed=seeds)


def rows(draws, index):
    return Draws(**{key: value[index] for key, value in draws.items()})


def make(generator, seed=0, **given):
    """One image: the middle of the first bucket, but for what is given."""
    u = generator.space.centres()[:1]
    for name, value in given.items():
        u[0, generator.space.columns.index(name.replace("_", " "))] = value
    return generator.generate(Draws(bucket=generator.space.assign(u), parameters=u, seed=torch.tensor([seed])), CPU)


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)
