"""ShapeNetCore (Chang et al., 2015), versions 1 and 2, as unpacked from its archives."""

from pathlib import Path

from synthreal.datasets.meshes.base import LabelledMeshes, MeshCollection
from synthreal.datasets.meshes.reading import MeshFiles, Reading, load_meshes
from synthreal.datasets.meshes.taxonomy import Taxonomy
from synthreal.errors import ConfigError, DatasetNotFoundError


class ShapeNet(MeshCollection):
    """`{synset}/{model}/` with one mesh file in each model's folder: see `ShapeNetV1` and `ShapeNetV2`.

    Args:
        root: Folder that holds the synsets' folders, and `taxonomy.json` for names.
        classes: Synset ids or names, or a name of one's own → id or name, such as {tvmonitor: "03211117"}; None takes
            every synset there, by its usual name.
        limit_per_class: At most this many models of each class, the first by id; None takes all.
        texture_size: Longer side of a texture at most, texels; larger ones are shrunk.
        cache: Keep the packed meshes in `$XDG_CACHE_HOME/synthreal` (`~/.cache/synthreal`).

    Raises:
        DatasetNotFoundError: If there is no synset's folder.
        ConfigError: If a value is out of range, or a class does not exist or is stored in its parent's folder.

    Attributes:
        model: The mesh file in a model's folder.
    """

    model: str

    def __init__(
        self,
        root: str,
        classes: list[str] | dict[str, str] | None = None,
        limit_per_class: int | None = None,
        texture_size: int = 512,
        cache: bool = True,
    ) -> None:
        self.root, self.limit_per_class = Path(root), limit_per_class
        self.reading = Reading("+y", "-z", texture_size, cache)
        if limit_per_class is not None and limit_per_class < 1:
            raise ConfigError(f"limit_per_class is at least 1, not {limit_per_class}.")
        self._taxonomy = Taxonomy.read(self.root / "taxonomy.json")
        there = sorted(path.name for path in self.root.glob("[0-9]*") if path.is_dir())
        if not there:
            looked_for = str(self.root / "<synset>" / "<model>" / self.model)
            raise DatasetNotFoundError(type(self).__name__, looked_for, "Set root to the folder with the synsets.")
        asked = list(classes.values()) if isinstance(classes, dict) else there if classes is None else classes
        self.synsets = [self._synset(name, there) for name in asked]
        if not asked or len(set(self.synsets)) < len(asked):
            raise ConfigError(f"classes must be one or more different synsets, not {asked}.")
        self.classes = tuple(map(self._taxonomy.name, there)) if classes is None else tuple(classes)

    def load(self) -> LabelledMeshes:
        """See `MeshCollection.load`."""
        files: list[tuple[Path, int]] = []
        empty: list[str] = []
        for label, synset in enumerate(self.synsets):
            models = sorted(path for path in (self.root / synset).iterdir() if path.is_dir())
            there = [path / self.model for path in models if (path / self.model).is_file()]
            files += [(path, label) for path in there[: self.limit_per_class]]
            empty += [f"{synset}/{p.name}: no {self.model}" for p in models if not (p / self.model).is_file()]
        found = MeshFiles(type(self).__name__, self.root, self.classes, tuple(files), tuple(empty))
        return load_meshes(found, self.reading)

    def _synset(self, asked: str, there: list[str]) -> str:
        """The folder of a class that is asked for by id or by name."""
        ids = self._taxonomy.ids(asked)
        stored = [synset for synset in ids if synset in there]
        if len(stored) == 1:
            return stored[0]
        if stored:
            raise ConfigError(f"{asked!r} names the synsets {', '.join(stored)}: ask for one of them.")
        for above in (above for synset in ids for above in self._taxonomy.ancestors(synset)):
            if above in there:
                raise ConfigError(
                    f"{asked!r} has no folder of its own: its models are stored in its parent's, {above} "
                    f"({self._taxonomy.name(above)}). Ask for that class."
                )
        known = [f"{synset} ({self._taxonomy.name(synset)})" for synset in there]
        hint = "" if self._taxonomy.names else f" Names need {self._taxonomy.path}."
        raise ConfigError(f"There is no class {asked!r} in {self.root}, only {', '.join(known)}.{hint}")


class ShapeNetV1(ShapeNet):
    """ShapeNetCore v1: `{synset}/{model}/model.obj`. Arguments: see `ShapeNet`."""

    model = "model.obj"


class ShapeNetV2(ShapeNet):
    """ShapeNetCore v2: `{synset}/{model}/models/model_normalized.obj`. Arguments: see `ShapeNet`."""

    model = "models/model_normalized.obj"
