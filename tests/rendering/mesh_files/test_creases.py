import numpy as np
import pytest
import trimesh

from synthreal.rendering.mesh_files.creases import split_at_creases


def test_a_box_gets_a_corner_for_each_side():
    box = trimesh.creation.box()
    old, faces, normals = split_at_creases(box.vertices, box.faces)
    assert len(old) == 24
    np.testing.assert_array_equal(old[faces], box.faces)
    np.testing.assert_allclose(normals[faces], np.repeat(box.face_normals[:, None], 3, axis=1), atol=1e-12)


def test_a_ball_stays_smooth():
    ball = trimesh.creation.icosphere(subdivisions=3)
    old, faces, normals = split_at_creases(ball.vertices, ball.faces)
    assert len(old) == len(ball.vertices)
    np.testing.assert_array_equal(old[faces], ball.faces)
    np.testing.assert_allclose(normals, ball.vertices[old], atol=0.02)


def roof(bend):
    """Two squares that meet on the y axis at a bend, cut apart there as a texture's seam does."""
    run, rise = np.cos(np.radians(bend)), -np.sin(np.radians(bend))
    flat = [[-1, 0, 0], [0, 0, 0], [0, 1, 0], [-1, 1, 0]]
    bent = [[0, 0, 0], [run, 0, rise], [run, 1, rise], [0, 1, 0]]
    faces = np.array([[0, 1, 2], [0, 2, 3]])
    return np.array(flat + bent), np.concatenate([faces, faces + 4])


@pytest.mark.parametrize(("bend", "sharp"), [(29, False), (31, True)])
def test_the_angle_decides_and_a_seam_is_no_crease(bend, sharp):
    vertices, faces = roof(bend)
    old, _, normals = split_at_creases(vertices, faces)
    assert sorted(old.tolist()) == list(range(8))
    left, right = normals[old == 1][0], normals[old == 4][0]
    if sharp:
        np.testing.assert_allclose(left, [0, 0, 1], atol=1e-12)
    else:
        np.testing.assert_allclose(left, right, atol=1e-12)
    # The triangles at (0, 0, 0): both of the bent square, one of the flat one, equal in area.
    tilted = np.array([np.sin(np.radians(bend)), 0, np.cos(np.radians(bend))])
    expected = tilted if sharp else (np.array([0, 0, 1]) + 2 * tilted) / np.linalg.norm([0, 0, 1] + 2 * tilted)
    np.testing.assert_allclose(right, expected, atol=1e-12)


def test_vertices_without_a_face_are_dropped():
    vertices = np.array([[5, 5, 5], [0, 0, 0], [1, 0, 0], [0, 1, 0.0]])
    old, faces, _ = split_at_creases(vertices, np.array([[1, 2, 3]]))
    assert old.tolist() == [1, 2, 3]
    assert faces.tolist() == [[0, 1, 2]]
