"""Sets of pictures that were read already, for the next run in the same process."""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
from torch import Tensor

_SETS = 6
_MOST_BYTES = 2**29

Read = TypeVar("Read", bound=tuple[Tensor | np.ndarray, list[int]])

_held: OrderedDict[Hashable, tuple[Tensor | np.ndarray, list[int]]] = OrderedDict()


def remembered(files: Sequence[Path], settings: Hashable, read: Callable[[], Read]) -> Read:
    """Returns what `read` gave for the same files and settings, or calls it.

    A study trains many models in one process, and decoding the photos would take longer than some of them. The last six
    sets of at most 512 MiB are kept. A file that has changed since (its time or size) is read again.

    Args:
        files: What is read.
        settings: What else the result depends on.
        read: Returns pictures, and the position in `files` of each. They are shared: nobody may write into them.
    """
    key = (settings, tuple(map(_state, files)))
    if key in _held:
        _held.move_to_end(key)
        return _held[key]  # type: ignore[return-value]  # what this `read` gave
    result = read()
    if result[0].nbytes <= _MOST_BYTES:
        _held[key] = result
        if len(_held) > _SETS:
            _held.popitem(last=False)
    return result


def _state(file: Path) -> tuple[str, int, int]:
    """What changes when a file does; a file that is missing is for `read` to report."""
    try:
        status = file.stat()
    except OSError:
        return str(file), 0, 0
    return str(file), status.st_mtime_ns, status.st_size
