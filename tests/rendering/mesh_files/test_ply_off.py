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


POLYGONS = [(0, 1, 2), (0, 3, 4, 1), (1, 4, 5), (2, 6, 7, 8, 9), (0, 2, 9, 3)]
SHADES = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (51, 102, 153), (9, 99, 199)]


@pytest.mark.parametrize("kind", ["mixed", "quads", "pentagons", "binary quads"])
def test_colours_of_polygons_reach_their_corners(tmp_path, kind):
    size = {"quads": 4, "binary quads": 4, "pentagons": 5}.get(kind)
    faces = [f for f in POLYGONS if size in (None, len(f))]
    places = [(np.cos(i), np.sin(i), 0.1 * i * i) for i in range(10)]
    header = ply_header("binary_little_endian" if "binary" in kind else "ascii", face_colours=True)
    header = header.replace("vertex 4", "vertex 10").replace("face 4", f"face {len(faces)}")
    rows = list(zip(faces, SHADES, strict=False))
    if "binary" in kind:
        body = b"".join(struct.pack("<3f", *place) for place in places)
        body += b"".join(struct.pack("<B4i3B", 4, *face, *shade) for face, shade in rows)
        data = header.encode() + body
    else:
        lines = [" ".join(map(str, place)) for place in places]
        lines += [" ".join(map(str, (len(face), *face, *shade))) for face, shade in rows]
        data = (header + "\n".join(lines) + "\n").encode()
    (tmp_path / "a.ply").write_bytes(data)
    mesh = read_mesh(tmp_path / "a.ply", up="+z", front="-y").mesh
    assert len(mesh.faces) == sum(len(face) - 2 for face in faces)
    # Every triangle has one colour, that of the polygon that holds its corners.
    places = np.array(places, np.float32)
    used = places[sorted({i for face in faces for i in face})]
    low, high = used.min(0), used.max(0)
    scaled = (places - (low + high) / 2) / (high - low).max()
    for triangle in mesh.faces:
        corners = {int(np.linalg.norm(scaled - place, axis=1).argmin()) for place in mesh.vertices[triangle]}
        (shade,) = {tuple(np.round(colour * 255).astype(int).tolist()) for colour in mesh.colours[triangle]}
        assert any(corners <= set(face) and shade == own for face, own in rows)
    assert len(np.unique(mesh.colours, axis=0)) == len(faces)


DART = [(0, 0, 0), (2, -1, 0), (0, 3, 0), (-2, -1, 0)]  # hollow at its first corner


@pytest.mark.parametrize("suffix", ["off", "ply"])
@pytest.mark.parametrize("other", [False, True])
@pytest.mark.parametrize(("face", "wrong"), [((1, 2, 3, 0), True), ((0, 1, 2, 3), False)])
def test_concave_polygons_that_come_out_wrong_are_remarked(tmp_path, suffix, other, face, wrong):
    faces = [face, *[(0, 1, 2)] * other]
    header = f"OFF # dart\n4 {len(faces)} 0\n"
    if suffix == "ply":
        header = ply_header("ascii", face_colours=True).replace("face 4", f"face {len(faces)}")
        header = header.replace("property uchar red\nproperty uchar green\nproperty uchar blue\n", "")
    lines = [" ".join(map(str, place)) for place in DART] + [" ".join(map(str, (len(f), *f))) for f in faces]
    (tmp_path / f"a.{suffix}").write_text(header + "\n".join(lines) + "\n")
    one = read_mesh(tmp_path / f"a.{suffix}")
    assert one.remarks == (("1 concave polygon comes out wrong: cut it into triangles before",) if wrong else ())
