"""Files below a folder, links followed."""

import os
from collections.abc import Iterator
from pathlib import Path


def files_below(root: Path, hidden: bool = False) -> Iterator[Path]:
    """Yields every file in a folder and below, in no order; links are followed, but not in circles.

    Args:
        root: The folder; nothing if there is none.
        hidden: Files and folders whose name begins with a dot, too. The root itself may be one.
    """
    for folder, below, names in os.walk(root, followlinks=True):
        shown = [name for name in below if hidden or not name.startswith(".")]
        below[:] = [name for name in shown if not _leads_up(Path(folder, name), root)]
        yield from (Path(folder, name) for name in names if hidden or not name.startswith("."))


def _leads_up(folder: Path, root: Path) -> bool:
    """Says whether a folder is a link to one above it, by whatever links one came, which would never end."""
    if not folder.is_symlink():
        return False
    target = folder.resolve()
    return any(above.resolve().is_relative_to(target) for above in folder.parents if above.is_relative_to(root))
