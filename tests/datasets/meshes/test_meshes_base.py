import pytest
import torch

from synthreal.datasets.meshes import LabelledMeshes, ProceduralMeshes
from synthreal.errors import ConfigError


def test_labels_fit_meshes_and_classes():
    meshes = ProceduralMeshes(["table"], instances_per_class=2, texture_size=8).load().meshes
    assert len(LabelledMeshes(meshes, torch.tensor([0, 1]), ("a", "b"))) == 2
    for labels, reason in [
        (torch.tensor([0]), r"int64 \[2\]"),
        (torch.tensor([0, 1], dtype=torch.int32), "int64"),
        (torch.tensor([0, 2]), "0 to 2"),
        (torch.tensor([-1, 0]), "-1 to 0"),
    ]:
        with pytest.raises(ConfigError, match=reason):
            LabelledMeshes(meshes, labels, ("a", "b"))
