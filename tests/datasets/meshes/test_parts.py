"""Training and test models: disjoint, complete, and drawn as they were."""

import shutil
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from synthreal.datasets.meshes import LabelledMeshes, MeshCollection, MeshFolder, MeshPart, ProceduralMeshes, ShapeNetV1
from synthreal.errors import ConfigError, DatasetError
from synthreal.rendering.mesh import build_mesh
from synthreal.rendering.packing import pack_meshes
from synthreal.rendering.procedural import procedural_mesh
from synthreal.rendering.textures import join_textures, pack_textures

TRIANGLE = build_mesh("", np.eye(3, dtype=np.float32), np.array([[0, 1, 2]]))


@dataclass
class Named(MeshCollection):
    """One mesh under many names, each with its class."""

    models: list[tuple[str, int]]
    classes: tuple[str, ...] = ("a", "b", "c")

    def load(self):
        names, labels = zip(*self.models, strict=True)
        meshes = pack_meshes([replace(TRIANGLE, name=name) for name in names])
        return LabelledMeshes(meshes, torch.tensor(labels), self.classes, ("x: bad",), ("y: lacks",))


def models(part):
    loaded = part.load()
    return set(zip(loaded.meshes.names, loaded.labels.tolist(), strict=True))


def both(collection, **settings):
    return [MeshPart(collection, part, **settings) for part in ("train", "test")]


def assert_equal(found, expected):
    assert found.names == expected.names
    for name, tensor in expected.tensors().items():
        assert found.tensors()[name].dtype == tensor.dtype, name
        assert torch.equal(found.tensors()[name], tensor), name


@given(
    counts=st.tuples(*[st.integers(2, 12)] * 3),
    share=st.floats(0.01, 0.99),
    seed=st.integers(0, 2**32),
    shuffle=st.randoms(),
)
def test_parts_are_disjoint_and_complete_whatever_the_order(counts, share, seed, shuffle):
    every = [(f"{label}/{i}.obj", label) for label, count in enumerate(counts) for i in range(count)]
    train, test = (models(part) for part in both(Named(every), test_share=share, seed=seed))
    assert train | test == set(every)
    assert not train & test
    for label, count in enumerate(counts):
        tested = sum(own == label for _, own in test)
        assert tested == min(max(round(share * count), 1), count - 1)
    shuffle.shuffle(every)
    assert models(MeshPart(Named(every), "test", share, seed)) == test


def test_a_fifth_by_default_and_another_seed_another_choice():
    collection = Named([(f"{label}/{i}", label) for label in range(3) for i in range(10)])
    assert [sum(own == label for _, own in models(MeshPart(collection, "test"))) for label in range(3)] == [2, 2, 2]
    assert len({frozenset(models(MeshPart(collection, "test", seed=seed))) for seed in range(5)}) == 5


def test_every_reader_of_a_part_gets_classes_and_reports():
    part = MeshPart(Named([(f"{label}/{i}", label) for label in range(3) for i in range(2)]), "train")
    assert part.classes == part.load().classes == ("a", "b", "c")
    assert (part.load().skipped, part.load().remarks) == (("x: bad",), ("y: lacks",))


def test_procedural_models_are_those_that_their_seeds_make():
    # Each family has several surfaces, and some of them have textures.
    families = ["truck", "chair", "ship"]
    for part in both(ProceduralMeshes(families, instances_per_class=4, texture_size=16), test_share=0.5):
        loaded = part.load()
        assert loaded.labels.tolist() == [0, 0, 1, 1, 2, 2]
        alone = [procedural_mesh(name.rpartition("_")[0], int(name.rpartition("_")[2])) for name in loaded.meshes.names]
        assert_equal(loaded.meshes, pack_meshes(alone, 16))


@pytest.fixture
def folder(tmp_path, write, paint):
    """Two classes of five models, three of each with a texture of its own size and colour."""
    for label, name in enumerate(("bus", "car")):
        for i in range(5):
            texture = f"{name}{i}.png" if i in (1, 2, 4) else None
            write(tmp_path / "models" / name / f"{i}.obj", 0.1 * (i + 1), texture)
            if texture:
                paint(tmp_path / "models" / name / texture, (50 * i, 100 * label, 7))
    return tmp_path / "models"


@pytest.mark.parametrize("seed", range(4))
def test_a_part_is_the_folder_of_its_files_alone(tmp_path, folder, seed):
    for part in both(MeshFolder(str(folder)), test_share=0.4, seed=seed):
        loaded = part.load()
        own = tmp_path / f"{part.part}{seed}"
        shutil.copytree(folder, own, ignore=lambda at, files: [f for f in files if f.endswith(".obj")])
        for name in loaded.meshes.names:
            shutil.copy(folder / name, own / name)
        alone = MeshFolder(str(own)).load()
        assert_equal(loaded.meshes, alone.meshes)
        assert torch.equal(loaded.labels, alone.labels)
        assert len(loaded) == (4 if part.part == "test" else 6)


def test_textures_may_lie_behind_a_texel_of_none(folder):
    # as when meshes with textures are joined to those without
    whole = MeshFolder(str(folder)).load()
    textures = join_textures(pack_textures([]), whole.meshes.textures)
    assert int(textures.start.min()) == 1

    class Joined(MeshFolder):
        def load(self):
            return replace(whole, meshes=replace(whole.meshes, textures=textures))

    for name in ("train", "test"):
        assert_equal(
            MeshPart(Joined(str(folder)), name).load().meshes, MeshPart(MeshFolder(str(folder)), name).load().meshes
        )


def test_shapenet_models_are_split_by_class(tmp_path, write):
    for synset in ("02691156", "02958343"):
        for i in range(5):
            write(tmp_path / synset / f"model{i}" / "model.obj", 0.1 * (i + 1))
    train, test = (models(part) for part in both(ShapeNetV1(str(tmp_path))))
    assert [len(train), len(test)] == [8, 2]
    assert {name.partition("/")[0] for name, _ in test} == {"02691156", "02958343"}
    assert not train & test


def test_what_cannot_be_split_is_named():
    with pytest.raises(DatasetError, match=r"classes \['b'\] have one model each.*add models"):
        MeshPart(Named([("0", 0), ("1", 0), ("2", 1), ("3", 2), ("4", 2)]), "train").load()
    with pytest.raises(DatasetError, match=r"\['a'\]"):  # the same model twice
        MeshPart(Named([("0", 0), ("0", 0), ("2", 1), ("3", 1), ("4", 2), ("5", 2)]), "test").load()


@pytest.mark.parametrize("share", [0, 1, -0.2, 1.5])
def test_a_share_is_between_0_and_1(share):
    with pytest.raises(ConfigError, match="test_share is more than 0 and less than 1"):
        MeshPart(Named([("0", 0)]), "train", test_share=share)
