"""Packed meshes in the user's cache folder, so that files are read once."""

import hashlib
import os
import warnings
from collections.abc import Sequence
from pathlib import Path

import torch
import trimesh

from synthreal.datasets.meshes.base import LabelledMeshes
from synthreal.datasets.walking import files_below
from synthreal.files import replacing
from synthreal.rendering.packing import PackedMeshes

_READER = 2
"""To be raised when the same files come out as other tensors."""


def cache_file(root: Path, files: Sequence[tuple[Path, int]], settings: object) -> Path:
    """Returns where the packed meshes of `files` are kept: `$XDG_CACHE_HOME` or `~/.cache`, `synthreal/meshes/`.

    The name is a hash of the files, of all that lie where the reader looks for textures and the like, with sizes and
    times, of the settings and of the reader's version. Links are followed; what lies above the folder that a link leads
    to is not in it, and neither is `root` itself, so a collection may move.

    Args:
        root: Folder that holds the files.
        files: Mesh files and their labels.
        settings: Anything else that the tensors depend on; its repr counts.
    """
    digest = hashlib.sha256(repr((_READER, trimesh.__version__, settings)).encode())
    for path, label in files:
        digest.update(f"{path.relative_to(root).as_posix()} {label}\n".encode())
    for folder in sorted({path.parent.parent for path, _ in files}):
        for path in sorted(path for path in files_below(folder, hidden=True) if path.is_file()):
            stat = path.stat()
            digest.update(f"{path.relative_to(root).as_posix()} {stat.st_size} {stat.st_mtime_ns}\n".encode())
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return caches / "synthreal" / "meshes" / f"{digest.hexdigest()}.pt"


def read_cache(path: Path) -> LabelledMeshes | None:
    """Returns what was kept, None if nothing was or the file is damaged."""
    try:
        kept = torch.load(path, weights_only=True)
        return LabelledMeshes(
            PackedMeshes.from_tensors(kept["names"], kept["tensors"]),
            kept["labels"],
            tuple(kept["classes"]),
            tuple(kept["skipped"]),
            tuple(kept["remarks"]),
        )
    except Exception:  # torch raises nearly anything on a damaged file; it is made anew
        return None


def write_cache(path: Path, loaded: LabelledMeshes) -> None:
    """Keeps the meshes; a warning if that is impossible, as they can be read again."""
    kept = {
        "names": list(loaded.meshes.names),
        "tensors": loaded.meshes.tensors(),
        "labels": loaded.labels,
        "classes": list(loaded.classes),
        "skipped": list(loaded.skipped),
        "remarks": list(loaded.remarks),
    }
    try:
        with replacing(path) as beside:
            torch.save(kept, beside)
    except (OSError, RuntimeError) as error:  # RuntimeError: torch's for a full or read-only disk
        warnings.warn(f"The packed meshes are not kept in {path.parent}: {error}.", stacklevel=2)
