"""Several collections as one: every mesh looks as it did alone."""

import pytest
import torch

from synthreal.batch import Draws
from synthreal.datasets.meshes import MeshFolder, MeshUnion, ProceduralMeshes
from synthreal.errors import ConfigError
from synthreal.generators import MeshImages

CLASSES = ["cup", "chair"]


def draw(meshes, label, position):
    """The picture of the mesh at a position in [0, 1) among its class's."""
    generator = MeshImages(meshes, image_size=24)
    parameters = generator.space.place(torch.tensor([label]), torch.full((1, len(generator.space.columns)), 0.5))
    parameters[:, generator.space.columns.index("model")] = position
    draws = Draws(bucket=torch.tensor([label]), parameters=parameters, seed=torch.tensor([7]))
    return generator.generate(draws, torch.device("cpu"))["image"]


@pytest.mark.parametrize("label", [0, 1])
def test_meshes_look_as_they_did_alone(label):
    first = ProceduralMeshes(CLASSES, instances_per_class=2)
    second = ProceduralMeshes(CLASSES, instances_per_class=1, first=9)
    union = MeshUnion([first, second])
    for i, (alone, position) in enumerate([(first, 0.2), (first, 0.7), (second, 0.5)]):
        assert torch.equal(draw(union, label, (i + 0.5) / 3), draw(alone, label, position))
    assert not torch.equal(draw(union, label, 0.1), draw(union, label, 0.9))


def test_names_labels_and_reports_come_together():
    first, second = ProceduralMeshes(CLASSES, 2), ProceduralMeshes(CLASSES, 1, first=5)
    held = MeshUnion([first, second]).load()
    assert held.meshes.names == first.load().meshes.names + second.load().meshes.names
    assert held.labels.tolist() == [0, 0, 1, 1, 0, 1]
    assert len(held.meshes.vertex_start) == len(held) + 1 == 7
    assert held.meshes.face_start[-1] == len(held.meshes.faces)


def test_textures_keep_their_numbers(tmp_path, write, paint):
    for name, colour in (("cup", (255, 0, 0)), ("chair", (0, 255, 0))):
        write(tmp_path / name / "one.obj", texture="paint.png")
        paint(tmp_path / name / "paint.png", colour)
    files, other = MeshFolder(str(tmp_path), CLASSES, cache=False), ProceduralMeshes(CLASSES, 1)
    assert not torch.equal(draw(files, 0, 0.5), draw(files, 1, 0.5))
    for label in (0, 1):
        assert torch.equal(draw(MeshUnion([other, files]), label, 0.75), draw(files, label, 0.5))
        assert torch.equal(draw(MeshUnion([files, other]), label, 0.25), draw(files, label, 0.5))


def test_classes_must_agree():
    with pytest.raises(ConfigError, match="same classes in the same order, not cup, chair and chair, cup"):
        MeshUnion([ProceduralMeshes(CLASSES, 1), ProceduralMeshes(CLASSES[::-1], 1)])
    with pytest.raises(ConfigError, match="at least one"):
        MeshUnion([])
