"""Files that are whole or not there."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path, alone: bool = False) -> Iterator[Path]:
    """Yields a path beside `path` to write to; when the block ends well it takes `path`'s place, else it is removed.

    The folder is made if it is missing.

    Args:
        path: The file to make.
        alone: No other process writes this file: the name beside it is then always the same, and what a killed process
            left is written over by the next one.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{'part' if alone else os.getpid()}")
    try:
        yield beside
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
