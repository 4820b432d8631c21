"""Several collections as one."""

from collections.abc import Sequence
from functools import reduce

import torch

from synthreal.datasets.meshes.base import LabelledMeshes, MeshCollection
from synthreal.errors import ConfigError
from synthreal.rendering.packing import join_meshes


class MeshUnion(MeshCollection):
    """The meshes of several collections with the same classes, for example files and procedural ones.

    Args:
        collections: At least one.

    Raises:
        ConfigError: If there is none, or their classes differ.
    """

    def __init__(self, collections: Sequence[MeshCollection]) -> None:
        if not collections:
            raise ConfigError("MeshUnion needs at least one collection.")
        self.collections, self.classes = collections, collections[0].classes
        for other in collections[1:]:
            if tuple(other.classes) != tuple(self.classes):
                raise ConfigError(
                    f"Collections of a union have the same classes in the same order, not {', '.join(self.classes)} "
                    f"and {', '.join(other.classes)}: name them with `classes`."
                )

    def load(self) -> LabelledMeshes:
        """See `MeshCollection.load`."""
        parts = [collection.load() for collection in self.collections]
        return LabelledMeshes(
            reduce(join_meshes, [part.meshes for part in parts]),
            torch.cat([part.labels for part in parts]),
            self.classes,
            tuple(line for part in parts for line in part.skipped),
            tuple(line for part in parts for line in part.remarks),
        )
