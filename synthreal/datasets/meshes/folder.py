"""A folder of mesh files, one sub-folder a class."""

from pathlib import Path

from synthreal.datasets.meshes.base import LabelledMeshes, MeshCollection
from synthreal.datasets.meshes.reading import MeshFiles, Reading, load_meshes
from synthreal.datasets.walking import files_below
from synthreal.errors import ConfigError, DatasetNotFoundError
from synthreal.rendering.mesh_files import SUFFIXES

_REMEDY = f"Make a folder of that name for the class and put {', '.join(SUFFIXES)} files in it."


class MeshFolder(MeshCollection):
    """`<root>/<class>/` with GLB, glTF, OBJ, PLY and OFF files, in it or in folders below it; links are followed.

    Every such file is one mesh. They are read once and kept packed in the cache folder.

    Args:
        root: The folder.
        classes: Names of sub-folders; None takes all that hold a mesh file, sorted.
        up: Axis that points up in the files: "+x", "-x", "+y", "-y", "+z" or "-z".
        front: Axis that the objects' fronts face.
        texture_size: Longer side of a texture at most, texels; larger ones are shrunk.
        cache: Keep the packed meshes in `$XDG_CACHE_HOME/synthreal` (`~/.cache/synthreal`).

    Raises:
        DatasetNotFoundError: If the root or a class is missing or holds no mesh file.
        ConfigError: If a value is out of range, or `classes` is empty or names one twice.
    """

    def __init__(
        self,
        root: str,
        classes: list[str] | None = None,
        up: str = "+y",
        front: str = "+z",
        texture_size: int = 512,
        cache: bool = True,
    ) -> None:
        self.root, self.reading = Path(root), Reading(up, front, texture_size, cache)
        if not self.root.is_dir():
            raise DatasetNotFoundError("MeshFolder", root, "Set root to a folder with one sub-folder for each class.")
        if classes is not None and (not classes or len(set(classes)) < len(classes)):
            raise ConfigError(f"classes must be one or more different names, not {classes}.")
        self._files = {name: _mesh_files(self.root / name) for name in classes or _folders(self.root)}
        for name in classes or []:
            if not self._files[name]:
                raise DatasetNotFoundError("MeshFolder", str(self.root / name), _REMEDY)
        self.classes = tuple(name for name, files in self._files.items() if files)
        if not self.classes:
            raise DatasetNotFoundError("MeshFolder", str(self.root / "<class>" / "<mesh>"), _REMEDY)

    def load(self) -> LabelledMeshes:
        """See `MeshCollection.load`."""
        files = [(file, label) for label, name in enumerate(self.classes) for file in self._files[name]]
        places = [self.root / name for name in self._files]
        places += [self.root / name / below for name in self.classes for below in _folders(self.root / name)]
        empty = [f"{place.relative_to(self.root).as_posix()}: no mesh file" for place in places if not _has_mesh(place)]
        return load_meshes(MeshFiles("MeshFolder", self.root, self.classes, tuple(files), tuple(empty)), self.reading)


def _folders(root: Path) -> list[str]:
    return sorted(path.name for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))


def _has_mesh(folder: Path) -> bool:
    return bool(_mesh_files(folder))


def _mesh_files(folder: Path) -> list[Path]:
    files = [path for path in files_below(folder) if path.suffix.lower() in SUFFIXES and path.is_file()]
    return sorted(files, key=lambda path: path.relative_to(folder).as_posix())
