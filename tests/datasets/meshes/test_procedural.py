import pytest
import torch

from synthreal.datasets.meshes import ProceduralMeshes
from synthreal.errors import ConfigError
from synthreal.rendering.packing import pack_meshes
from synthreal.rendering.procedural import FAMILIES, procedural_mesh


def test_every_family_by_default():
    collection = ProceduralMeshes(instances_per_class=1, texture_size=8)
    assert collection.classes == tuple(FAMILIES)
    assert collection.load().labels.tolist() == list(range(len(FAMILIES)))


def test_seeds_follow_from_the_first():
    loaded = ProceduralMeshes(["table", "chair"], instances_per_class=2, first=5, texture_size=8).load()
    assert loaded.classes == ("table", "chair")
    assert loaded.labels.tolist() == [0, 0, 1, 1]
    assert len(set(loaded.meshes.names)) == 4
    expected = pack_meshes([procedural_mesh(name, seed) for name in ("table", "chair") for seed in (5, 6)], 8)
    for name, tensor in expected.tensors().items():
        assert torch.equal(loaded.meshes.tensors()[name], tensor)
    before = ProceduralMeshes(["table", "chair"], instances_per_class=5, texture_size=8).load()
    assert not set(before.meshes.names) & set(loaded.meshes.names)


@pytest.mark.parametrize(
    ("setting", "reason"),
    [
        ({"classes": ["dragon"]}, "dragon"),
        ({"classes": []}, "classes"),
        ({"classes": ["table", "table"]}, "different"),
        ({"instances_per_class": 0}, "instances_per_class"),
        ({"first": -1}, "first"),
        ({"texture_size": 0}, "texture_size"),
    ],
)
def test_senseless_settings_are_named(setting, reason):
    with pytest.raises(ConfigError, match=reason):
        ProceduralMeshes(**setting)
