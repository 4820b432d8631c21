"""How a data set lies on disk: a folder of PNG files, or WebDataset shards."""

import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from synthreal.files import replacing

Row = Mapping[str, str | int | float]
"""What is known of a sample, column by column."""


@dataclass(frozen=True)
class Sample:
    """One sample, ready to be written.

    Args:
        name: Its index, with leading zeros.
        files: Name of a picture ("image", "mask", …) → its PNG file.
        row: What is known of it; has the "class" (name) and the "label".
    """

    name: str
    files: Mapping[str, bytes]
    row: Row


def write_folders(output: Path, samples: Sequence[Sample]) -> list[str]:
    """Writes `<picture>/<class>/<index>.png`, and returns the path of each image in `output`."""
    paths = []
    for sample in samples:
        place = f"{sample.row['class']}/{sample.name}.png"
        for picture, content in sample.files.items():
            with replacing(output / picture / place, alone=True) as beside:
                beside.write_bytes(content)
        paths.append(f"image/{place}")
    return paths


def write_shard(output: Path, shard: str, samples: Sequence[Sample]) -> list[str]:
    """Writes `shard-<shard>.tar` as WebDataset reads it, and returns the path of each image: `<shard>/<member>`.

    Members are `<index>.png`, `<index>.<picture>.png` for the other pictures, `<index>.json` (the row) and
    `<index>.cls` (the label).
    """
    path = output / f"shard-{shard}.tar"
    with replacing(path, alone=True) as beside, tarfile.open(beside, "w", format=tarfile.USTAR_FORMAT) as tar:
        for sample in samples:
            for name, content in _members(sample).items():
                member = tarfile.TarInfo(name)  # time 0 and nobody's: the same bytes whenever and by whom
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
    return [f"{path.name}/{sample.name}.png" for sample in samples]


def _members(sample: Sample) -> dict[str, bytes]:
    pictures = {name: "png" if name == "image" else f"{name}.png" for name in sample.files}
    return {
        **{f"{sample.name}.{pictures[name]}": content for name, content in sample.files.items()},
        f"{sample.name}.json": json.dumps(sample.row).encode(),
        f"{sample.name}.cls": str(sample.row["label"]).encode(),
    }
