"""The folder of a data set that is written part by part: what it holds, which parts are done, and the manifest."""

import csv
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from synthreal.callbacks.layouts import Row
from synthreal.errors import ConfigError
from synthreal.files import replacing


class DatasetFolder:
    """Remembers on disk which parts are done: a part's record, `parts/<part>.csv`, is written after its files.

    Args:
        path: The folder; made if it is missing.
        description: What it holds, as plain as JSON; written to `dataset.json`.
        num_parts: Number of parts.
    """

    def __init__(self, path: Path, description: dict[str, Any], num_parts: int) -> None:
        self.path, self.num_parts = path, num_parts
        self.description = json.loads(json.dumps(description))

    def check(self) -> None:
        """Makes sure that nothing else is or will be written over.

        Raises:
            ConfigError: If the folder holds another data set, or something else.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        names = sorted(file.name for file in self.path.iterdir() if not file.name.startswith("."))
        if "dataset.json" in names:
            self._check_same(self.path / "dataset.json")
        elif names:
            raise ConfigError(
                f"{self.path} holds {', '.join(names[:3])} but no dataset.json, so it is no data set that could be "
                "continued: choose another output, or empty it."
            )

    def _check_same(self, file: Path) -> None:
        try:
            held = dict(json.loads(file.read_text()))
        except (ValueError, TypeError):
            raise ConfigError(f"{file} is no description of a data set: choose another output.") from None
        keys = sorted({*held, *self.description})
        if different := [key for key in keys if held.get(key) != self.description.get(key)]:
            raise ConfigError(
                f"{self.path} holds a data set made with other settings ({', '.join(different)}; see dataset.json "
                "there): choose another output, or delete it."
            )

    def finished(self) -> set[int]:
        """Returns the parts that are done."""
        return {int(file.stem) for file in (self.path / "parts").glob("[0-9]*.csv")}

    def commit(self, part: int, rows: Sequence[Row]) -> None:
        """Records that a part's files are written. Rows have the same columns in every part."""
        with replacing(self._record(part), alone=True) as beside, beside.open("w", newline="") as file:
            table = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
            table.writeheader()
            table.writerows(rows)

    def claim(self) -> None:
        """Writes `dataset.json`, before the first part."""
        if not (self.path / "dataset.json").exists():
            with replacing(self.path / "dataset.json") as beside:
                beside.write_text(json.dumps(self.description, indent=2, ensure_ascii=False) + "\n")

    def write_manifest(self) -> None:
        """Joins all records to `manifest.csv`, one at a time."""
        with replacing(self.path / "manifest.csv", alone=True) as beside, beside.open("wb") as manifest:
            for part in range(self.num_parts):
                with self._record(part).open("rb") as record:
                    header = record.readline()
                    if part == 0:
                        manifest.write(header)
                    shutil.copyfileobj(record, manifest)

    def _record(self, part: int) -> Path:
        return self.path / "parts" / f"{part:06d}.csv"
