"""Batches of the benchmark's merge: their space, foregrounds, backgrounds and seeds, and what is refused."""

import copy
import pickle

import numpy as np
import pytest
import torch
import trimesh

from synthreal.batch import Domain, Draws, LabelledImages
from synthreal.datasets.by_class import by_class
from synthreal.datasets.meshes import LabelledMeshes, MeshCollection
from synthreal.datasets.pictures import Noise, Pictures, PictureSource
from synthreal.errors import ConfigError
from synthreal.generators import CutPaste, Glyphs, MeshImages
from synthreal.rendering.mesh import Material, build_mesh
from synthreal.rendering.packing import pack_meshes
from synthreal.spaces import Categorical, UniformViews
from tests.generators.cutpaste_parts import CPU, SIZE, Even, Stamp, blobs, cut_paste, make, opaque, premultiplied


def test_the_space_goes_on_from_the_foregrounds():
    foreground = Stamp(opaque(), opaque(), views=4)
    generator = CutPaste(foreground, Even(), SIZE)
    assert generator.space.columns == ("class", "azimuth", "angle", "scale", "right", "down", "background")
    assert generator.space.num_buckets == foreground.space.num_buckets == 8
    u = generator.space.sample(torch.arange(8))
    assert torch.equal(foreground.space.assign(u[:, :2]), torch.arange(8))
    assert torch.equal(generator.space.assign(u), torch.arange(8))
    assert generator.classes == foreground.classes == ("class_0", "class_1")
    ends = {axis.name: (axis.low, axis.high) for axis in generator.space.factors[2:]}
    assert ends == {"angle": (0, 360), "scale": (0.5, 1), "right": (0, 1), "down": (0, 1), "background": (0, 1)}
    augmented = CutPaste(foreground, Even(), SIZE, augment=True).space
    assert augmented.columns[7:] == ("first angle", "first scale", "first shift right", "first shift down")
    ends = [(axis.low, axis.high) for axis in augmented.factors[-4:]]
    assert ends == [(0, 180), (0.1, 1), (-1 / 3, 1 / 3), (-1 / 3, 1 / 3)]
    assert augmented.num_buckets == 8


def test_classes_are_those_of_the_foreground_when_it_learns_them():
    foreground = Stamp(opaque(), opaque())
    generator = CutPaste(foreground, Even(), SIZE)
    assert generator.classes == ("class_0", "class_1")
    foreground.classes = ("cat", "dog")
    assert generator.classes == ("cat", "dog")


def test_a_foreground_of_one_axis():
    foreground = Stamp(opaque(), opaque())
    foreground.space = Categorical("class", ["a", "b"])
    generator = CutPaste(foreground, Even(), SIZE)
    assert generator.space.num_buckets == 2
    assert make(generator, **{"class": 1})["label"].tolist() == [1]


def box_mesh(name, colour):
    corners = np.array(trimesh.creation.box((1, 0.5, 0.7)).triangles, np.float32).reshape(-1, 3)
    return build_mesh(name, corners, np.arange(36).reshape(-1, 3), (Material(colour),))


class Boxes(MeshCollection):
    classes = ("ant", "bee")

    def load(self):
        meshes = [box_mesh("red", (1.0, 0.1, 0.1)), box_mesh("green", (0.1, 1.0, 0.1))]
        return LabelledMeshes(pack_meshes(meshes), torch.arange(2), self.classes)


def rendered(augment=False):
    views = UniformViews(4, 2, elevation=(-5, 45))
    return CutPaste(MeshImages(Boxes(), 40, views, fill=1), Noise(5, 32), 32, augment=augment)


def draws_of(generator, count, seed=0):
    stream = torch.Generator().manual_seed(seed)
    bucket = torch.randint(generator.space.num_buckets, (count,), generator=stream)
    seeds = torch.randint(2**63 - 1, (count,), generator=stream)
    return Draws(bucket=bucket, parameters=generator.space.sample(bucket, stream), seed=seeds)


@pytest.mark.parametrize("augment", [False, True])
def test_a_batch_is_its_samples(augment):
    generator = rendered(augment)
    draws = draws_of(generator, 35)
    batch = generator.generate(draws, CPU)
    for i in range(35):
        alone = generator.generate(Draws(**{key: value[i : i + 1] for key, value in draws.items()}), CPU)
        assert all(torch.equal(value[i : i + 1], alone[key]) for key, value in batch.items())
    for twin in (generator, copy.deepcopy(generator), pickle.loads(pickle.dumps(generator)), rendered(augment)):
        again = twin.generate(draws, CPU)
        assert all(torch.equal(value, again[key]) for key, value in batch.items())


def test_what_a_batch_holds():
    generator = rendered()
    draws = draws_of(generator, 40)
    batch = generator.generate(draws, CPU)
    assert batch["image"].shape == (40, 3, 32, 32)
    assert batch["mask"].shape == (40, 1, 32, 32)
    assert 0 <= batch["image"].min() <= batch["image"].max() <= 1
    assert torch.equal(batch["parameters"], draws["parameters"])
    assert torch.equal(batch["bucket"], generator.space.assign(batch["parameters"]))
    assert torch.equal(batch["label"], draws["parameters"][:, 0].long())
    assert (batch["domain"] == Domain.SYNTHETIC).all()
    names = generator.name(draws)
    assert names["model"] == [("red", "green")[label] for label in batch["label"]]
    assert set(names["background"]) <= {f"noise_0_{i}" for i in range(5)}
    ink = (batch["image"] * (batch["mask"] > 0.9)).sum((2, 3))
    assert torch.equal(ink[:, 1] > ink[:, 0], batch["label"].bool())  # the class that is labelled


class Greys(PictureSource):
    """Two greys for the first class, another for the second."""

    loaded = 0

    def load(self, classes):
        self.loaded += 1
        images = torch.tensor([20, 120, 220], dtype=torch.uint8).view(3, 1, 1, 1).expand(3, 3, 16, 16).contiguous()
        return Pictures(images, ("a", "b", "c"), by_class([[0, 1], [2]]))


def test_a_class_gets_its_own_backgrounds():
    clear = torch.zeros(4, SIZE, SIZE)
    generator = CutPaste(Stamp(clear, clear), Greys(), SIZE)
    for label, place, grey, name in ((0, 0.2, 20, "a"), (0, 0.7, 120, "b"), (1, 0.2, 220, "c"), (1, 1, 220, "c")):
        batch = make(generator, **{"class": label, "background": place})
        torch.testing.assert_close(batch["image"], torch.full_like(batch["image"], grey / 255))
        draws = Draws(bucket=batch["bucket"], parameters=batch["parameters"], seed=batch["bucket"])
        assert generator.name(draws) == {"background": [name]}


def test_the_seed_picks_the_part_of_the_background_alone():
    generator = cut_paste(premultiplied(*blobs()), Noise(1, 64))
    one, other = make(generator, 1), make(generator, 2)
    assert torch.equal(one["mask"], other["mask"])
    assert (one["image"] - other["image"]).abs().max() > 0.05
    whole = cut_paste(torch.zeros(4, SIZE, SIZE), Noise(1, 64), smallest_crop=1)
    first = make(whole, 0)["image"]
    mirrored = [torch.allclose(first, make(whole, seed)["image"].flip(3), atol=1e-4) for seed in range(9)]
    assert set(mirrored) == {True, False}


def test_copies_share_the_backgrounds_but_not_a_foreground_that_is_bound():
    class Bound(Stamp):
        source = None

        def bind(self, source):
            self.source = source

    generator = CutPaste(Bound(opaque()), Greys(), SIZE)
    twin = copy.deepcopy(generator)
    make(generator), make(twin)
    assert generator.background.loaded == 1
    few, many = (LabelledImages(torch.zeros(n, 3, 2, 2).byte(), torch.zeros(n).long(), ("a",)) for n in (1, 9))
    twin.bind(few)
    generator.bind(many)
    assert (generator.foreground.source, twin.foreground.source) == (many, few)


def test_a_foreground_without_mask_or_colours_is_refused():
    class Maskless(Stamp):
        def generate(self, draws, device):
            batch = super().generate(draws, device)
            del batch["mask"]
            return batch

    with pytest.raises(ConfigError, match="Maskless makes no colour images with masks"):
        make(CutPaste(Maskless(opaque()), Even(), SIZE))
    with pytest.raises(ConfigError, match="Glyphs makes no colour images with masks"):
        CutPaste(Glyphs(), Even(), SIZE).generate(draws_of(CutPaste(Glyphs(), Even(), SIZE), 2), CPU)


def test_a_foreground_with_a_background_of_its_own_is_refused():
    with pytest.raises(ConfigError, match=r"MeshImages draws outside its mask.*background"):
        make(CutPaste(MeshImages(Boxes(), 32, background=Noise(2, 16)), Even(), 32))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"scale": (0, 1)}, "scale is least and largest share"),
        ({"scale": (0.9, 0.5)}, "scale is least and largest share"),
        ({"scale": (0.5, 1.1)}, "scale is least and largest share"),
        ({"smallest_crop": 0}, "smallest_crop is a share"),
        ({"smallest_crop": 1.1}, "smallest_crop is a share"),
        ({"image_size": 0}, "image_size is at least 1"),
    ],
)
def test_what_it_refuses(changes, words):
    with pytest.raises(ConfigError, match=words):
        CutPaste(Stamp(opaque()), Even(), **changes)
