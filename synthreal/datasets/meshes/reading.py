"""Mesh files of a collection to labelled meshes: read and packed once, then from the cache."""

import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import track

from synthreal.datasets.meshes.base import LabelledMeshes
from synthreal.datasets.meshes.cache import cache_file, read_cache, write_cache
from synthreal.errors import ConfigError, MeshError
from synthreal.rendering.mesh import Mesh
from synthreal.rendering.mesh_files import house_rotation, read_mesh
from synthreal.rendering.packing import pack_meshes

_SHOWN = 3
_WORTH_A_BAR = 20


@dataclass(frozen=True)
class Reading:
    """How files are read.

    Args:
        up: Axis that points up in the files, "+x" to "-z".
        front: Axis that the objects' fronts face.
        texture_size: Longer side of a texture at most, texels, at least 1.
        cache: Keep the packed meshes in the cache folder.

    Raises:
        ConfigError: If a value is out of range, or `up` and `front` are not two perpendicular axes.
    """

    up: str
    front: str
    texture_size: int
    cache: bool

    def __post_init__(self) -> None:
        house_rotation(self.up, self.front)
        if self.texture_size < 1:
            raise ConfigError(f"texture_size is at least 1, not {self.texture_size}.")


@dataclass(frozen=True)
class MeshFiles:
    """The files of a collection.

    Args:
        collection: Its name, for messages.
        root: The folder that all paths are relative to.
        classes: Name of each class.
        files: Mesh files, and the index of the class of each.
        skipped: What was passed over while looking for them, each "path: reason".
    """

    collection: str
    root: Path
    classes: tuple[str, ...]
    files: tuple[tuple[Path, int], ...]
    skipped: tuple[str, ...] = ()


def load_meshes(found: MeshFiles, reading: Reading) -> LabelledMeshes:
    """Returns every mesh that can be drawn; what cannot is in `skipped`, with one warning for all.

    Raises:
        MeshError: If no file of a class can be drawn.
    """
    loaded = _read_cached(found, reading) if reading.cache else _read_all(found, reading)
    _warn(found, loaded)
    return loaded


def _read_cached(found: MeshFiles, reading: Reading) -> LabelledMeshes:
    path = cache_file(found.root, found.files, (found.classes, found.skipped, reading))
    kept = read_cache(path)
    if kept is not None:
        return kept
    loaded = _read_all(found, reading)
    write_cache(path, loaded)
    return loaded


def _read_all(found: MeshFiles, reading: Reading) -> LabelledMeshes:
    meshes: list[Mesh] = []
    labels: list[int] = []
    skipped, remarks = list(found.skipped), []
    bar = Console(stderr=True)
    quiet = len(found.files) < _WORTH_A_BAR or not bar.is_terminal
    for path, label in track(found.files, "Reading meshes", console=bar, disable=quiet, transient=True):
        name = path.relative_to(found.root).as_posix()
        try:
            one = read_mesh(path, reading.up, reading.front, reading.texture_size)
        except MeshError as error:
            skipped.append(f"{name}: {str(error).removeprefix(f'{path}: ')}")
            continue
        meshes.append(replace(one.mesh, name=name))
        labels.append(label)
        remarks += [f"{name}: {remark}" for remark in one.remarks]
    _check_classes(found, labels, skipped)
    packed = pack_meshes(meshes, reading.texture_size)
    return LabelledMeshes(packed, torch.tensor(labels), found.classes, tuple(skipped), tuple(remarks))


def _check_classes(found: MeshFiles, labels: list[int], skipped: Sequence[str]) -> None:
    there = Counter(labels)
    empty = [name for label, name in enumerate(found.classes) if not there[label]]
    if empty:
        raise MeshError(
            f"{found.collection}: no mesh of class {', '.join(map(repr, empty))} in {found.root} can be drawn. "
            f"Skipped: {_shown(skipped)}."
        )


def _warn(found: MeshFiles, loaded: LabelledMeshes) -> None:
    broken, total = len(found.files) - len(loaded), len(found.files)
    told = []
    if broken:
        told.append(f"{broken} of {total} meshes were skipped ({_shown(loaded.skipped[len(found.skipped) :])})")
    if loaded.remarks:
        told.append(f"some lack a part of their files ({_shown(loaded.remarks)})")
    if told:
        warnings.warn(f"{found.collection}: {'; '.join(told)}. All in .skipped and .remarks.", stacklevel=4)


def _shown(lines: Sequence[str]) -> str:
    more = f"; and {len(lines) - _SHOWN} more" if len(lines) > _SHOWN else ""
    return "; ".join(lines[:_SHOWN]) + more
