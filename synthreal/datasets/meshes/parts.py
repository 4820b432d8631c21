"""One side of a split by model, so that no test image shows a model that was trained on."""

from dataclasses import replace
from typing import Literal

import pandas as pd
import torch
from jaxtyping import Bool, Int
from torch import Tensor
from torch.nn import functional as F

from synthreal.datasets.folder import held_out
from synthreal.datasets.meshes.base import LabelledMeshes, MeshCollection
from synthreal.errors import ConfigError, DatasetError
from synthreal.rendering.packing import PackedMeshes
from synthreal.rendering.textures import PackedTextures, pack_textures


class MeshPart(MeshCollection):
    """The training or the test models of a collection (benchmark paper, sec. 4.3.2: 80 % and 20 %).

    A share of each class's models, rounded and at least one on either side, is for testing. The choice is a pure
    function of the models' names and the seed, not of their order, and both parts together are the whole collection.
    The paper splits images instead, which puts views of one model on both sides.

    Args:
        meshes: The whole collection.
        part: Which side.
        test_share: Share of each class's models that is for testing, 0 to 1 (exclusive).
        seed: Another seed, another choice.

    Raises:
        ConfigError: If the share is out of range.
    """

    def __init__(
        self, meshes: MeshCollection, part: Literal["train", "test"], test_share: float = 0.2, seed: int = 0
    ) -> None:
        if not 0 < test_share < 1:
            raise ConfigError(f"test_share is more than 0 and less than 1, not {test_share}.")
        self.meshes, self.part, self.test_share, self.seed = meshes, part, test_share, seed
        self.classes = meshes.classes

    def load(self) -> LabelledMeshes:
        """See `MeshCollection.load`. What it reports as skipped, and its remarks, are of the whole collection.

        Raises:
            DatasetError: If a class has one model only.
        """
        loaded = self.meshes.load()
        chosen = self._tested(loaded) == (self.part == "test")
        return replace(loaded, meshes=_select(loaded.meshes, chosen), labels=loaded.labels[chosen])

    def _tested(self, loaded: LabelledMeshes) -> Bool[Tensor, " m"]:
        by_class = pd.Series(loaded.meshes.names).groupby(loaded.labels.numpy())
        count = by_class.nunique()
        if alone := [loaded.classes[label] for label in count.index[count < 2]]:
            raise DatasetError(
                f"The classes {alone} have one model each, and training and test need one of their own: add models, "
                "or leave these classes out."
            )
        tested = by_class.transform(lambda names: held_out(list(names), self.test_share, self.seed))
        return torch.tensor(tested.tolist())


def _select(meshes: PackedMeshes, chosen: Bool[Tensor, " m"]) -> PackedMeshes:
    """The chosen meshes, with the surfaces and textures that they use."""
    rows = chosen.repeat_interleave(meshes.vertex_start.diff())
    faces = chosen.repeat_interleave(meshes.face_start.diff())
    surfaces = _mentioned(meshes.material[faces], len(meshes.surface_texture))
    texture = meshes.surface_texture[surfaces]
    textures = _mentioned(texture[texture >= 0], len(meshes.textures))
    return PackedMeshes(
        names=tuple(name for name, keep in zip(meshes.names, chosen.tolist(), strict=True) if keep),
        vertices=meshes.vertices[rows],
        normals=meshes.normals[rows],
        uv=meshes.uv[rows],
        colours=meshes.colours[rows],
        faces=_renumbered(meshes.faces[faces], rows),
        material=_renumbered(meshes.material[faces], surfaces),
        density=meshes.density[faces],
        vertex_start=_starts(meshes.vertex_start.diff()[chosen]),
        face_start=_starts(meshes.face_start.diff()[chosen]),
        radius=meshes.radius[chosen],
        surface_colour=meshes.surface_colour[surfaces],
        surface_gloss=meshes.surface_gloss[surfaces],
        surface_texture=_renumbered(texture, textures),
        textures=_select_textures(meshes.textures, textures),
    )


def _select_textures(textures: PackedTextures, chosen: Bool[Tensor, " n"]) -> PackedTextures:
    if not bool(chosen.any()):
        return pack_textures([])
    # All levels of a texture lie together, its largest first. Joined sets may begin with a texel of none.
    begin = textures.start[:, 0]
    count = torch.cat([begin, torch.tensor([len(textures.texels)])]).diff()
    texels = textures.texels[begin[0] :][chosen.repeat_interleave(count)]
    shift = _starts(count[chosen])[:-1] - begin[chosen]
    return PackedTextures(texels, textures.start[chosen] + shift[:, None], textures.size[chosen])


def _mentioned(index: Int[Tensor, " n"], count: int) -> Bool[Tensor, " count"]:
    """Which of `count` rows an index points to."""
    return torch.bincount(index, minlength=count) > 0


def _renumbered(index: Int[Tensor, "..."], kept: Bool[Tensor, " n"]) -> Int[Tensor, "..."]:
    """An index into the kept rows alone; -1, for none, stays."""
    return torch.cat([kept.cumsum(0) - 1, torch.tensor([-1])])[index.long()].int()


def _starts(count: Int[Tensor, " n"]) -> Int[Tensor, " starts"]:
    """Where each begins if they lie one after another, and the end."""
    return F.pad(count.cumsum(0), (1, 0)).int()
