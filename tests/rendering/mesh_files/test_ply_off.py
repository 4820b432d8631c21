import struct

import numpy as np
import pytest

from synthreal.rendering.mesh_files import read_mesh

PLACES = [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 2)]
FACES = [(0, 2, 1), (0, 1, 3), (0, 3, 2), (1, 2, 3)]
COLOURS = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (51, 102, 153)]


def ply_header(kind, face_colours=False):
    colours = "property uchar red\nproperty uchar green\nproperty uchar blue\n"
    return (
        f"ply\nformat {kind} 1.0\nelement vertex 4\nproperty float x\nproperty float y\nproperty float z\n"
        + ("" if face_colours else colours)
        + "element face 4\nproperty list uchar int vertex_indices\n"
        + (colours if face_colours else "")
        + "end_header\n"
    )


def ply(kind):
    if kind == "ascii":
        body = [" ".join(map(str, place + colour)) for place, colour in zip(PLACES, COLOURS, strict=True)]
        body += [" ".join(map(str, (3, *face))) for face in FACES]
        return (ply_header(kind) + "\n".join(body) + "\n").encode()
    order = "<" if "little" in kind else ">"
    body = b"".join(struct.pack(f"{order}3f3B", *p, *c) for p, c in zip(PLACES, COLOURS, strict=True))
    return ply_header(kind).encode() + body + b"".join(struct.pack(f"{order}B3i", 3, *face) for face in FACES)


def colour_of_place(mesh):
    return {
        tuple(np.round(place, 4).tolist()): colour for place, colour in zip(mesh.vertices, mesh.colours, strict=True)
    }


@pytest.mark.parametrize("kind", ["ascii", "binary_little_endian", "binary_big_endian"])
def test_ply_keeps_places_and_vertex_colours(tmp_path, kind):
    (tmp_path / "a.ply").write_bytes(ply(kind))
    one = read_mesh(tmp_path / "a.ply", up="+z", front="-y")  # the house's axes: nothing turns
    found = colour_of_place(one.mesh)
    for place, colour in zip(PLACES, COLOURS, strict=True):
        scaled = tuple(((np.array(place) - [0.5, 0.5, 1]) / 2).tolist())
        np.testing.assert_allclose(found[scaled], np.array(colour) / 255, atol=1e-6)
    assert len(one.mesh.faces) == 4
    assert one.mesh.materials[0].colour == (1, 1, 1)
    assert one.remarks == ()


def test_ply_face_colours_reach_the_corners(tmp_path):
    body = [" ".join(map(str, place)) for place in PLACES]
    body += [" ".join(map(str, (3, *face, *colour))) for face, colour in zip(FACES, COLOURS, strict=True)]
    (tmp_path / "a.ply").write_text(ply_header("ascii", face_colours=True) + "\n".join(body) + "\n")
    mesh = read_mesh(tmp_path / "a.ply", up="+z", front="-y").mesh
    for face, colour in zip(FACES, COLOURS, strict=True):
        centre = (np.mean([PLACES[i] for i in face], axis=0) - [0.5, 0.5, 1]) / 2
        row = np.linalg.norm(mesh.vertices[mesh.faces].mean(1) - centre, axis=1).argmin()
        np.testing.assert_allclose(mesh.colours[mesh.faces[row]], np.tile(np.array([colour]) / 255, (3, 1)), atol=1e-6)


@pytest.mark.parametrize("header", ["OFF\n4 4 0\n", "OFF 4 4 0\n", "OFF4 4 0\n", "# a comment\nOFF\n4 4 6\n"])
def test_off(tmp_path, header):
    lines = [" ".join(map(str, place)) for place in PLACES] + [" ".join(map(str, (3, *face))) for face in FACES]
    (tmp_path / "a.OFF").write_text(header + "\n".join(lines) + "\n")
    mesh = read_mesh(tmp_path / "a.OFF", up="+z", front="-y").mesh
    assert set(colour_of_place(mesh)) == {tuple(((np.array(place) - [0.5, 0.5, 1]) / 2).tolist()) for place in PLACES}
    assert mesh.materials[0].colour == (0.8, 0.8, 0.8)
    assert mesh.name == "a"
    # A corner of a box: every edge is sharp, so each face has its own normals, outward.
    corner = mesh.vertices[mesh.faces]
    flat = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    flat /= np.linalg.norm(flat, axis=1, keepdims=True)
    np.testing.assert_allclose(mesh.normals[mesh.faces], np.repeat(flat[:, None], 3, axis=1), atol=1e-5)
