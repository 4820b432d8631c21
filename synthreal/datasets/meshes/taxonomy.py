"""ShapeNet's `taxonomy.json`: names of synsets and which holds which."""

import json
from dataclasses import dataclass
from pathlib import Path

from synthreal.errors import ConfigError


@dataclass(frozen=True)
class Taxonomy:
    """Synsets.

    Args:
        names: Every name of each synset id; the first is the usual one.
        parents: Synsets that hold each synset id as a child.
        path: The file, for messages.
    """

    names: dict[str, tuple[str, ...]]
    parents: dict[str, tuple[str, ...]]
    path: Path

    @staticmethod
    def read(path: Path) -> "Taxonomy":
        """Reads the file; without one, synsets have no names and no parents.

        Raises:
            ConfigError: If it is not a list of {synsetId, name, children}.
        """
        if not path.is_file():
            return Taxonomy({}, {}, path)
        try:
            entries = json.loads(path.read_text(encoding="utf-8"))
            names = {str(entry["synsetId"]): _names(entry["name"]) for entry in entries}
            held = [(str(child), str(entry["synsetId"])) for entry in entries for child in entry.get("children", [])]
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ConfigError(f"{path} is not a list of {{synsetId, name, children}}: {error!r}.") from error
        children = {child for child, _ in held}
        return Taxonomy(names, {c: tuple(parent for child, parent in held if child == c) for c in children}, path)

    def ids(self, asked: str) -> list[str]:
        """Returns the synsets of that id or name."""
        return [synset for synset, names in self.names.items() if asked in names] or [asked]

    def name(self, synset: str) -> str:
        """Returns the usual name of a synset, its id without one."""
        return self.names.get(synset, (synset,))[0]

    def ancestors(self, synset: str) -> list[str]:
        """Returns the synsets above one, nearest first."""
        above: list[str] = []
        level = [synset]
        while level:
            level = [p for s in level for p in self.parents.get(s, ()) if p not in above]
            above += dict.fromkeys(level)
        return above


def _names(written: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in written.split(","))
