"""The contract of every collection of meshes."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor

from synthreal.errors import ConfigError
from synthreal.rendering.packing import PackedMeshes


@dataclass(frozen=True)
class LabelledMeshes:
    """Meshes in memory with their labels.

    Args:
        meshes: All meshes.
        labels: int64, values 0 to len(classes) - 1.
        classes: Name of each class; labels are indices into it.
        skipped: What could not be drawn, each "path: reason".
        remarks: What is drawn but lacks something its file has or names, each "path: what".

    Raises:
        ConfigError: If labels do not fit meshes or classes.
    """

    meshes: PackedMeshes
    labels: Int[Tensor, " m"]
    classes: tuple[str, ...]
    skipped: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.labels.dtype != torch.int64 or self.labels.shape != (len(self.meshes),):
            raise ConfigError(
                f"labels must be int64 [{len(self.meshes)}], not {self.labels.dtype} {self.labels.shape}."
            )
        if len(self.labels) and not 0 <= int(self.labels.min()) <= int(self.labels.max()) < len(self.classes):
            raise ConfigError(
                f"labels run from {int(self.labels.min())} to {int(self.labels.max())}, "
                f"but there are {len(self.classes)} classes."
            )

    def __len__(self) -> int:
        return len(self.labels)


class MeshCollection(ABC):
    """Labelled meshes.

    Attributes:
        classes: Name of each class; labels are indices into it.
    """

    classes: tuple[str, ...]

    @abstractmethod
    def load(self) -> LabelledMeshes:
        """Returns the meshes, every class at least once.

        Raises:
            MeshError: If no mesh of a class can be drawn.
        """
