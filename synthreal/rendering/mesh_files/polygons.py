"""Faces of four and more corners, which trimesh splits into fans of triangles from their first corner."""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from trimesh.geometry import triangulate_quads

_SLACK = 1e-3
"""Share of a polygon that nobody sees; corners on a straight line are a little off it."""
_PLY_NAMES = {"vertex_index", "vertex_indices"}

Polygons = Sequence[Sequence[int]] | np.ndarray


def check_polygons(path: Path, loaded: dict[str, Any]) -> Iterator[str]:
    """Yields a remark if a fan does not fill its polygon, which must be concave for that.

    Args:
        path: An OBJ, OFF or PLY file; other formats have triangles alone.
        loaded: What a loader of trimesh makes of it.
    """
    try:
        wrong = _wrong_fans(*_READERS[path.suffix.lower()](path, loaded))
    except (KeyError, ValueError, IndexError):  # no polygons; or numbers that make no sense, which others find
        return
    if wrong == 1:
        yield "1 concave polygon comes out wrong: cut it into triangles before"
    elif wrong:
        yield f"{wrong} concave polygons come out wrong: cut them into triangles before"


def polygon_of_triangles(ply: dict[str, Any]) -> Int[np.ndarray, " f"]:
    """Returns the number of the polygon that each triangle of a loaded PLY file is a part of."""
    # Split as the polygons were, their numbers come in the order of the triangles.
    return triangulate_quads([[number] * len(corners) for number, corners in enumerate(_ply_faces(ply))])[:, 0]


def _wrong_fans(places: Float[np.ndarray, "v 3"], polygons: Polygons) -> int:
    """How many polygons have a triangle in their fan that faces the other way than the whole of them."""
    sizes = defaultdict(list)
    for corners in polygons:
        sizes[len(corners)].append(corners)
    wrong = 0
    for size in sizes.keys() - {0, 1, 2, 3}:
        corner = places[np.array(sizes[size], int)]
        spoke = corner[:, 1:] - corner[:, :1]
        area = np.cross(spoke[:, :-1], spoke[:, 1:])
        whole = area.sum(1, keepdims=True)
        along = (area * whole).sum(2)
        wrong += int((along.min(1) < -_SLACK * along.sum(1)).sum())
    return wrong


def _obj(path: Path, _: dict[str, Any]) -> tuple[Float[np.ndarray, "v 3"], Polygons]:
    data = path.read_bytes().replace(b"\r\n", b"\n").replace(b"\\\n", b"")
    faces = re.findall(rb"^f((?:[ \t]+-?\d\S*){4,})", data, re.MULTILINE)
    places = re.findall(rb"^v[ \t]+(\S+)[ \t]+(\S+)[ \t]+(\S+)", data, re.MULTILINE) if faces else []
    number = [[int(corner.split(b"/")[0]) for corner in face.split()] for face in faces]
    # They count from 1, or back from -1, as NumPy does.
    return np.array(places, float).reshape(-1, 3), [[i - (i > 0) for i in corners] for corners in number]


def _off(path: Path, _: dict[str, Any]) -> tuple[Float[np.ndarray, "v 3"], Polygons]:
    text = re.sub(rb"#.*", b"", path.read_bytes()).partition(b"OFF")[2]
    rows = [line.split() for line in text.splitlines() if line.strip()]
    first, end = 1 + int(rows[0][0]), 1 + int(rows[0][0]) + int(rows[0][1])
    faces = [[int(i) for i in row[1 : 1 + int(row[0])]] for row in rows[first:end]]
    return np.array([row[:3] for row in rows[1:first]], float).reshape(-1, 3), faces


def _ply(_: Path, loaded: dict[str, Any]) -> tuple[Float[np.ndarray, "v 3"], Polygons]:
    vertex = loaded["metadata"]["_ply_raw"]["vertex"]["data"]
    return np.column_stack([vertex[axis] for axis in "xyz"]).astype(float), _ply_faces(loaded)


def _ply_faces(loaded: dict[str, Any]) -> Polygons:
    """A PLY file's polygons as they are written, which trimesh keeps beside what it makes of them."""
    faces = loaded["metadata"]["_ply_raw"]["face"]["data"]
    if isinstance(faces, dict):  # of text
        return faces[min(faces.keys() & _PLY_NAMES)]
    names = faces.dtype.names
    if not names:
        return faces
    return faces[names[0] if len(names) == 1 else min(_PLY_NAMES & set(names))]["f1"]


_READERS = {".obj": _obj, ".off": _off, ".ply": _ply}
