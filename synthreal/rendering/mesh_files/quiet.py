"""What trimesh does not find or cannot read, and only whispers about."""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote

from trimesh.resolvers import FilePathResolver


class Beside(FilePathResolver):
    """Finds the files that a mesh file names, beside it or one folder above (ShapeNet's images).

    Names as the web writes them (%20), with backslashes, behind MTL options, or with the path of another machine are
    understood too.
    """

    def get(self, name: str) -> bytes:
        """Returns the contents of a file.

        Raises:
            FileNotFoundError: If there is none.
        """
        folder = Path(self.parent).resolve()
        plain = unquote(name.strip()).replace("\\", "/")
        for candidate in (name.strip(), plain, plain.split()[-1] if plain else "", plain.rsplit("/", 1)[-1]):
            path = (folder / candidate).resolve()
            if path.is_relative_to(folder.parent) and path.is_file():
                return path.read_bytes()
        raise FileNotFoundError(f"no file {name.strip()!r} beside it")


class _Listener(logging.Handler):
    def __init__(self, remarks: list[str]) -> None:
        super().__init__(logging.DEBUG)
        self.remarks = remarks

    def emit(self, record: logging.LogRecord) -> None:
        """Keeps what tells of a loss."""
        text = record.getMessage()
        if not re.search(r"unable|fail|skipping|not loaded|\bno materials", text):
            return
        reason = record.exc_info[1] if record.exc_info else None
        text = text if reason is None else f"{text}: {reason}"
        self.remarks.append(re.sub(r" from: dict_keys\(.*?\)| <_?io\..*?>|!", "", text))


@contextmanager
def swallowed(remarks: list[str]) -> Iterator[None]:
    """Collects what trimesh logs about things it could not load, and keeps its log off the terminal."""
    log = logging.getLogger("trimesh")
    listener, level, propagate = _Listener(remarks), log.level, log.propagate
    log.addHandler(listener)
    log.setLevel(logging.DEBUG)
    log.propagate = False
    try:
        yield
    finally:
        log.removeHandler(listener)
        log.setLevel(level)
        log.propagate = propagate
