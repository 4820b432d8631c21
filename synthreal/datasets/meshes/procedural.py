"""Meshes made from seeds: no download."""

import torch

from synthreal.datasets.meshes.base import LabelledMeshes, MeshCollection
from synthreal.errors import ConfigError
from synthreal.rendering.packing import pack_meshes
from synthreal.rendering.procedural import FAMILIES, procedural_mesh


class ProceduralMeshes(MeshCollection):
    """Parametric families, for example chairs, in which no two members are alike.

    Args:
        classes: Families; None takes all.
        instances_per_class: How many of each, at least 1.
        first: Seed of the first of each family, at least 0; the others follow. Sets that share no seed share no mesh.
        texture_size: Longer side of a texture at most, texels; larger ones are shrunk.

    Raises:
        ConfigError: If a value is out of range, a family does not exist or is named twice.
    """

    def __init__(
        self,
        classes: list[str] | None = None,
        instances_per_class: int = 40,
        first: int = 0,
        texture_size: int = 512,
    ) -> None:
        self.classes = tuple(FAMILIES if classes is None else classes)
        unknown = [name for name in self.classes if name not in FAMILIES]
        if unknown or not self.classes or len(set(self.classes)) < len(self.classes):
            raise ConfigError(f"classes must be different names of {', '.join(FAMILIES)}, not {classes}.")
        if instances_per_class < 1 or first < 0 or texture_size < 1:
            raise ConfigError(
                "instances_per_class and texture_size are at least 1, first at least 0, "
                f"not {instances_per_class}, {texture_size}, {first}."
            )
        self.instances_per_class, self.first, self.texture_size = instances_per_class, first, texture_size

    def load(self) -> LabelledMeshes:
        """See `MeshCollection.load`."""
        seeds = range(self.first, self.first + self.instances_per_class)
        meshes = [procedural_mesh(name, seed) for name in self.classes for seed in seeds]
        labels = torch.arange(len(self.classes)).repeat_interleave(len(seeds))
        return LabelledMeshes(pack_meshes(meshes, self.texture_size), labels, self.classes)
