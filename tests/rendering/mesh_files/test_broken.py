"""Whatever a file holds, reading it gives a mesh that can be drawn or a MeshError, nothing else."""

import logging
import struct

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from synthreal.errors import ConfigError, MeshError
from synthreal.rendering.mesh_files import SUFFIXES, read_mesh

TRIANGLE = np.array([[0, 0, 0], [1, 0, 0], [0, 2, 0]], np.float32)


def glb(gltf):
    file = gltf(
        materials=[{"pbrMetallicRoughness": {"baseColorFactor": [1, 0.5, 0, 1], "roughnessFactor": 0.5}}],
        nodes=[{"children": [1], "rotation": [0, 0, 1, 0]}, {"mesh": 0, "translation": [1, 2, 3]}],
        scenes=[{"nodes": [0]}],
    )
    normals = np.tile(np.float32([[0, 0, 1]]), (3, 1))
    uv = np.zeros((3, 2), np.float32)
    file.mesh([[0, 1, 2]], material=0, POSITION=TRIANGLE, NORMAL=normals, TEXCOORD_0=uv, COLOR_0=normals)
    return file.glb()


PLY = b"""ply
format %s 1.0
element vertex 3
property float x
property float y
property float z
property uchar red
property uchar green
property uchar blue
element face 1
property list uchar int vertex_indices
end_header
"""
TEXTS = {
    ".obj": b"v 0 0 0\nv 1 0 0\nv 0 2 0\nvt 0 0\nvt 1 0\nvt 0 1\nvn 0 0 1\n"
    b"g a\nusemtl b\nf 1/1/1 2/2/1 3/3/1\nf 1 2 3\n",
    ".off": b"OFF\n4 2 0\n0 0 0\n1 0 0\n0 2 0\n1 1 0\n3 0 1 2\n4 0 1 3 2\n",
    ".ply": PLY % b"ascii" + b"0 0 0 1 2 3\n1 0 0 4 5 6\n0 2 0 7 8 9\n3 0 1 2\n",
}


@pytest.fixture
def whole(gltf):
    """A small good file of each kind; a binary PLY too."""
    rows = b"".join(struct.pack("<3f3B", *place, 1, 2, 3) for place in TRIANGLE)
    binary = PLY % b"binary_little_endian" + rows + struct.pack("<B3i", 3, 0, 1, 2)
    return [*TEXTS.items(), (".ply", binary), (".glb", glb(gltf))]


def is_sound_or_refused(path):
    """Reads a file that may be broken: whether that gives a mesh that makes sense, or an error that names the file."""
    try:
        mesh = read_mesh(path).mesh
    except MeshError as error:
        return str(error).startswith(f"{path}: ")
    return (
        bool(np.isclose(np.ptp(mesh.vertices, axis=0).max(), 1, atol=1e-5))
        and bool(np.allclose(np.linalg.norm(mesh.normals, axis=1), 1, atol=1e-4))
        and bool(0 <= mesh.colours.min() <= mesh.colours.max() <= 1)
    )


def test_the_good_files_are_good(tmp_path, whole):
    for number, (suffix, data) in enumerate(whole):
        path = tmp_path / f"{number}{suffix}"
        path.write_bytes(data)
        assert len(read_mesh(path).mesh.faces) > 0


quick = settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])


@quick
@given(st.data())
def test_files_that_end_early(tmp_path, whole, data):
    suffix, good = data.draw(st.sampled_from(whole))
    path = tmp_path / f"cut{suffix}"
    path.write_bytes(good[: data.draw(st.integers(0, len(good) - 1))])
    assert is_sound_or_refused(path)


@quick
@given(st.data())
def test_files_with_wrong_bytes(tmp_path, whole, data):
    suffix, good = data.draw(st.sampled_from(whole))
    bad = bytearray(good)
    for _ in range(data.draw(st.integers(1, 5))):
        wrong = data.draw(st.one_of(st.integers(0, 255), st.sampled_from(b'0123456789-. \n/"{}[]e')))
        bad[data.draw(st.integers(0, len(good) - 1))] = wrong
    path = tmp_path / f"bad{suffix}"
    path.write_bytes(bytes(bad))
    assert is_sound_or_refused(path)


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(SUFFIXES), st.binary(max_size=200))
def test_files_of_anything(tmp_path, suffix, data):
    path = tmp_path / f"any{suffix}"
    path.write_bytes(data)
    assert is_sound_or_refused(path)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_empty_and_missing_files_are_named(tmp_path, suffix):
    path = tmp_path / f"empty{suffix}"
    with pytest.raises(MeshError, match=f"empty{suffix}: FileNotFoundError"):
        read_mesh(path)
    path.write_bytes(b"")
    with pytest.raises(MeshError, match=f"empty{suffix}: "):
        read_mesh(path)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("OFF\n3 0 0\n0 0 0\n1 0 0\n0 1 0\n", "no triangle"),
        ("OFF\n3 1 0\n0 0 0\n1 0 nan\n0 1 0\n3 0 1 2\n", "not a finite number"),
        ("OFF\n3 1 0\n0 0 0\n1 0 inf\n0 1 0\n3 0 1 2\n", "not a finite number"),
        ("OFF\n3 2 0\n0 0 0\n1 1 1\n2 2 2\n3 0 1 2\n3 0 0 1\n", "no triangle with an area"),
        ("OFF\n3 1 0\n0 0 0\n1 0 0\n0 1 0\n3 0 1 3\n", "outside|beyond"),
        ("OFF\n3 1 0\n0 0 0\n1 0 0\n0 1 0\n3 0 1 -1\n", "outside|beyond"),
    ],
)
def test_reasons(tmp_path, text, reason):
    (tmp_path / "a.off").write_text(text)
    with pytest.raises(MeshError, match=reason):
        read_mesh(tmp_path / "a.off")


def test_faces_beyond_the_vertices_of_a_glb(tmp_path, gltf):
    file = gltf()
    file.mesh([[0, 1, 3]], POSITION=TRIANGLE)
    (tmp_path / "a.glb").write_bytes(file.glb())
    with pytest.raises(MeshError, match="beyond the 3 vertices"):
        read_mesh(tmp_path / "a.glb")


def test_obj_of_points_only(tmp_path):
    (tmp_path / "a.obj").write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\n")
    with pytest.raises(MeshError, match="points or lines"):
        read_mesh(tmp_path / "a.obj")


@pytest.mark.parametrize("scale", [1e-30, 1e-6, 1e20])
def test_any_size_and_place_fits_the_box(tmp_path, scale):
    rows = "\n".join(" ".join(str(value * scale) for value in place) for place in [(7, 7, 7), (8, 7, 7), (7, 9, 7)])
    (tmp_path / "a.off").write_text(f"OFF\n3 1 0\n{rows}\n3 0 1 2\n")
    mesh = read_mesh(tmp_path / "a.off", up="+z", front="-y").mesh
    np.testing.assert_allclose(mesh.vertices, [[-0.25, -0.5, 0], [0.25, -0.5, 0], [-0.25, 0.5, 0]], atol=1e-6)


def test_settings_are_checked_before_the_file(tmp_path):
    with pytest.raises(ConfigError, match="perpendicular"):
        read_mesh(tmp_path / "lost.obj", up="+y", front="-y")
    with pytest.raises(MeshError, match=r"\.stl"):
        read_mesh(tmp_path / "a.stl")


def test_nothing_is_printed_and_the_log_is_left_as_it_was(tmp_path, capfd):
    log = logging.getLogger("trimesh")
    before = (log.level, log.propagate, list(log.handlers))
    (tmp_path / "a.obj").write_text("mtllib lost.mtl\nv 0 0 0\nv 1 0 0\nv 0 1 0\nusemtl a\nf 1 2 3\n")
    assert len(read_mesh(tmp_path / "a.obj").remarks) > 0
    assert (log.level, log.propagate, list(log.handlers)) == before
    assert capfd.readouterr() == ("", "")
