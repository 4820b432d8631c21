"""Small mesh files, and a cache folder of each test's own."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

TRIANGLE = "v 0 0 0\nv {width} 0 0\nv 0 1 0\n"
BROKEN = "v 0 0 0\nv 1 0 0\nv 0 nan 0\nf 1 2 3\n"


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """The cache folder that the collections use."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "synthreal" / "meshes"


def _write(path, width=1.0, texture=None):
    """Writes a triangle of that width and height 1; the texture is named, not written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = TRIANGLE.format(width=width) + "vt 0 0\nvt 1 0\nvt 0 1\n"
    if texture is None:
        path.write_text(text + "f 1 2 3\n")
        return path
    path.write_text(f"mtllib {path.stem}.mtl\n{text}usemtl a\nf 1/1 2/2 3/3\n")
    path.with_suffix(".mtl").write_text(f"newmtl a\nKd 0.2 0.4 0.6\nmap_Kd {texture}\n")
    return path


@pytest.fixture
def write():
    return _write


@pytest.fixture
def broken():
    def broken(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(BROKEN)

    return broken


@pytest.fixture
def paint():
    """Writes a picture of one colour."""

    def paint(path, colour=(255, 0, 0)):
        path.parent.mkdir(parents=True, exist_ok=True)
        file = BytesIO()
        Image.fromarray(np.full((4, 4, 3), colour, np.uint8)).save(file, "PNG")
        path.write_bytes(file.getvalue())

    return paint


@pytest.fixture
def widths():
    """Returns each mesh's width over its height, to tell meshes apart."""

    def widths(loaded):
        packed = loaded.meshes
        bounds = zip(packed.vertex_start[:-1].tolist(), packed.vertex_start[1:].tolist(), strict=True)
        sides = [np.ptp(packed.vertices[a:b].numpy(), axis=0) for a, b in bounds]
        return [round(float(side[0] / side[2]), 3) for side in sides]

    return widths
