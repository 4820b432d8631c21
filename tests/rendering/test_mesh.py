import importlib.util

import numpy as np
import pytest
import trimesh
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from synthreal.errors import MeshError
from synthreal.rendering import mesh as checked
from synthreal.rendering.mesh import Material, build_mesh, in_unit_box, merge_meshes, smooth_normals

CORNERS = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], np.float32)
FACES = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]], np.int32)


def tetrahedron(build=build_mesh, **parts):
    return build("tetrahedron", **{"vertices": CORNERS, "faces": FACES} | parts)


@pytest.fixture(scope="module")
def unchecked():
    """The module as a user has it, whose arrays no checker of shapes looks at first."""
    spec = importlib.util.spec_from_file_location("unchecked_mesh", checked.__file__)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def normals_by_loop(vertices, faces):
    total = np.zeros((len(vertices), 3))
    for face in faces:
        a, b, c = vertices[face].astype(float)
        for vertex in face:
            total[vertex] += np.cross(b - a, c - a)
    return total / np.linalg.norm(total, axis=1, keepdims=True)


def test_what_is_missing_is_filled_in():
    mesh = tetrahedron()
    assert mesh.name == "tetrahedron"
    np.testing.assert_array_equal(mesh.vertices, CORNERS)
    np.testing.assert_array_equal(mesh.faces, FACES)
    np.testing.assert_array_equal(mesh.uv, np.zeros((4, 2)))
    np.testing.assert_array_equal(mesh.colours, np.ones((4, 3)))
    np.testing.assert_array_equal(mesh.material, np.zeros(4))
    assert mesh.materials == (Material(),)
    # Three faces of area ½ along the axes meet at the origin; at (1, 0, 0) those of -y, -z and the slanted (1, 1, 1).
    np.testing.assert_allclose(mesh.normals[0], -np.ones(3) / np.sqrt(3), rtol=1e-6)
    np.testing.assert_allclose(mesh.normals[1], [1, 0, 0], atol=1e-7)


def test_given_parts_are_kept_and_normals_made_unit():
    normals = np.array([[0, 0, 2], [3, 0, 0], [0, -0.5, 0], [0, 0, 0]], np.float32)
    uv, colours = np.arange(8, dtype=np.float32).reshape(4, 2), np.full((4, 3), 0.25, np.float32)
    two = (Material((1, 0, 0)), Material((0, 1, 0)))
    mesh = tetrahedron(normals=normals, uv=uv, colours=colours, materials=two, material=np.array([0, 1, 1, 0]))
    np.testing.assert_array_equal(mesh.normals, [[0, 0, 1], [1, 0, 0], [0, -1, 0], [0, 0, 1]])
    np.testing.assert_array_equal(mesh.uv, uv)
    np.testing.assert_array_equal(mesh.colours, colours)
    assert mesh.materials == two
    assert mesh.material.tolist() == [0, 1, 1, 0]


def test_faces_without_area_are_dropped_with_their_materials():
    flat = np.array([[0, 1, 1], [0, 2, 1], [3, 3, 3], [1, 2, 3]])
    mesh = tetrahedron(faces=flat, material=np.array([0, 1, 0, 1]), materials=(Material(), Material()))
    assert mesh.faces.tolist() == [[0, 2, 1], [1, 2, 3]]
    assert mesh.material.tolist() == [1, 1]
    line = np.array([[0, 0, 0], [1, 1, 1], [2, 2, 2]], np.float32)
    with pytest.raises(MeshError, match="wire: no face has an area"):
        build_mesh("wire", line, np.array([[0, 1, 2]]))


def not_finite(value):
    corners = CORNERS.copy()
    corners[2, 1] = value
    return corners


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"faces": np.zeros((0, 3), np.int32)}, "no faces"),
        ({"vertices": np.zeros((0, 3), np.float32)}, "no faces"),
        ({"vertices": not_finite(np.nan)}, "vertices hold a number that is not finite"),
        ({"vertices": not_finite(np.inf)}, "vertices hold a number that is not finite"),
        ({"faces": np.array([[0, 1, 4]])}, "a face points beyond the 4 vertices"),
        ({"faces": np.array([[0, 1, -1]])}, "a face points beyond the 4 vertices"),
        ({"normals": np.ones((3, 3), np.float32)}, "one row for each of 4 vertices"),
        ({"uv": np.ones((5, 2), np.float32)}, "one row for each of 4 vertices"),
        ({"colours": np.ones((1, 3), np.float32)}, "one row for each of 4 vertices"),
        ({"normals": not_finite(np.nan)}, "normals hold a number that is not finite"),
        ({"uv": np.full((4, 2), np.nan, np.float32)}, "uv hold a number that is not finite"),
        ({"colours": np.full((4, 3), np.inf, np.float32)}, "colours hold a number that is not finite"),
        ({"material": np.zeros(3, np.int32)}, "3 material indices for 4 faces"),
        ({"material": np.ones(4, np.int32)}, "a face points beyond the 1 materials"),
        ({"material": np.full(4, -1)}, "a face points beyond the 1 materials"),
        ({"materials": ()}, "a face points beyond the 0 materials"),
    ],
)
def test_what_cannot_be_drawn_is_refused(unchecked, parts, message):
    with pytest.raises(MeshError, match=f"tetrahedron: .*{message}"):
        tetrahedron(unchecked.build_mesh, **parts)


def test_a_mesh_made_by_hand_is_checked_too(unchecked):
    good, Mesh = tetrahedron(), unchecked.Mesh  # noqa: N806 a class
    columns = {name: getattr(good, name) for name in Mesh.__dataclass_fields__}
    Mesh(**columns)
    with pytest.raises(MeshError, match="vertices hold a number"):
        Mesh(**columns | {"vertices": not_finite(np.nan)})
    with pytest.raises(MeshError, match="normals hold a number"):
        Mesh(**columns | {"normals": not_finite(np.nan)})
    with pytest.raises(MeshError, match="no faces"):
        Mesh(**columns | {"faces": FACES[:0], "material": good.material[:0]})
    with pytest.raises(MeshError, match="2 material indices for 4 faces"):
        Mesh(**columns | {"material": good.material[:2]})


@given(arrays(np.float32, (6, 3), elements=st.floats(-2, 2, width=16)))
def test_smooth_normals_are_a_loop_over_the_faces(vertices):
    faces = np.array([[0, 1, 2], [2, 1, 3], [3, 4, 5], [0, 4, 2], [5, 1, 0]])
    normals = smooth_normals(vertices, faces)
    with np.errstate(invalid="ignore"):
        expected = normals_by_loop(vertices, faces)
    clear = np.isfinite(expected).all(1)
    np.testing.assert_allclose(normals[clear], expected[clear], atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1, rtol=1e-6)  # a unit vector even where none is clear


def test_smooth_normals_of_a_ball_point_outward():
    ball = trimesh.creation.icosphere(4)
    normals = smooth_normals(np.array(ball.vertices, np.float32), np.array(ball.faces))
    assert (normals * ball.vertices).sum(1).min() > np.cos(np.radians(0.5))


def test_merging_keeps_each_parts_faces_and_materials():
    two = (Material((1, 0, 0)), Material((0, 1, 0)))
    first = tetrahedron(materials=two, material=np.array([0, 1, 1, 0]))
    second = tetrahedron(vertices=CORNERS + np.float32(2), faces=FACES[:2], materials=(Material((0, 0, 1)),))
    mesh = merge_meshes("both", [first, second, first])
    assert mesh.name == "both"
    corners = np.concatenate([CORNERS[FACES], CORNERS[FACES[:2]] + 2, CORNERS[FACES]])
    np.testing.assert_array_equal(mesh.vertices[mesh.faces], corners)
    colours = [mesh.materials[i].colour for i in mesh.material]
    of_first = [(1, 0, 0), (0, 1, 0), (0, 1, 0), (1, 0, 0)]
    assert colours == [*of_first, (0, 0, 1), (0, 0, 1), *of_first]
    for name in ("normals", "uv", "colours"):
        parts = [getattr(part, name) for part in (first, second, first)]
        np.testing.assert_array_equal(getattr(mesh, name), np.concatenate(parts))
    with pytest.raises(MeshError, match="nothing: no parts"):
        merge_meshes("nothing", [])


@given(
    st.tuples(*[st.floats(0.01, 50)] * 3),
    st.tuples(*[st.floats(-100, 100)] * 3),
)
def test_in_a_unit_box_the_longest_side_is_one_about_the_origin(sides, shift):
    vertices = (CORNERS * np.array(sides) + np.array(shift)).astype(np.float32)
    boxed = in_unit_box(tetrahedron(vertices=vertices))
    low, high = boxed.vertices.min(0), boxed.vertices.max(0)
    rounding = 5e-7 * (1 + max(map(abs, shift)) / max(sides))
    np.testing.assert_allclose((high - low).max(), 1, atol=rounding)
    np.testing.assert_allclose(low + high, 0, atol=rounding)
    np.testing.assert_allclose(high - low, np.array(sides) / max(sides), atol=rounding)
    assert boxed.vertices.dtype == np.float32
