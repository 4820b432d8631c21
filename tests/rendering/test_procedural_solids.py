import numpy as np
import pytest

from synthreal.rendering.mesh import Material, merge_meshes
from synthreal.rendering.procedural.placing import both_sides, circled, mirrored, moved, turned
from synthreal.rendering.procedural.rounds import blade, lathe, outline, pillow, rod, torus, tube
from synthreal.rendering.procedural.solids import box, hexahedron, loft

GREY = Material()
CUBE = np.array([[x, y, z] for z in (0, 1) for x, y in ((0, 0), (1, 0), (1, 1), (0, 1))], np.float64)
BOW = np.array([[0, 0, 0], [1, 0, 0.2], [1.5, 0, 1], [1, 0, 1.8]], np.float64)
WAVE = np.array([[x, 0.3 * np.sin(x), z] for z in (0, 1) for x in (0, 1, 2, 3, 4)]).reshape(2, 5, 3)
SHEET = np.concatenate([WAVE, WAVE[:, ::-1] + (0, 0.05, 0)], 1)

SOLIDS = {
    "hexahedron": hexahedron(CUBE, GREY),
    "box": box((2, 3, 4), (1, -1, 5), GREY),
    "tapered box": box((2, 3, 4), (0, 0, 0), GREY, taper=(0.5, 0.4), lean=(0.3, -1.0), tile=0.7),
    "cylinder": lathe([(1, 0), (1, 2)], GREY, 16),
    "ball": lathe([(np.sin(t), -np.cos(t)) for t in np.linspace(0, np.pi, 9)], GREY, 16),
    "bowl": lathe([(0, 0), (1, 0), (1.2, 1), (1.1, 1), (0.9, 0.2), (0, 0.2)], GREY, 16),
    "rod": rod((0, 0, 0), (1, 2, 2), 0.2, GREY),
    "spike": rod((1, 1, 0), (1, 1, -3), 0.5, GREY, end_radius=0.0),
    "handle": tube(BOW, 0.1, GREY, flat=2.0),
    "ring": torus((1, 2, 3), (1, 1, 0), 2.0, 0.3, GREY),
    "pillow": pillow((1, 2, 0.4), (0, 0, 1), GREY),
    "thin pillow": pillow((0.1, 0.8, 1.0), (0, 0, 1), GREY, edge=0.9),
    "wing": blade((0, 0, 0), 2.0, (5, 1, 0.5), 1.0, 0.1, GREY),
    "fin": blade((0, 0, 0), 2.0, (0, 1, 3), 1.0, 0.1, GREY),
    "sail": loft(SHEET, GREY),
}


def corners(mesh):
    return mesh.vertices[mesh.faces].astype(np.float64)


def volume(mesh):
    """By the divergence theorem: positive if the faces look outward."""
    return np.linalg.det(corners(mesh)).sum() / 6


def polygon_area(sides, radius=1.0):
    return sides / 2 * radius**2 * np.sin(2 * np.pi / sides)


@pytest.mark.parametrize("solid", SOLIDS.values(), ids=SOLIDS)
def test_solids_are_closed_and_face_outward(solid):
    places, index = np.unique(solid.vertices.round(4), axis=0, return_inverse=True)
    faces = index.ravel()[solid.faces]
    faces = faces[(faces != np.roll(faces, 1, 1)).all(1)]
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    there, back = edges @ (len(places), 1), edges[:, ::-1] @ (len(places), 1)
    assert len(np.unique(there)) == len(there)  # no edge twice the same way
    assert set(there.tolist()) == set(back.tolist())
    assert volume(solid) > 0


@pytest.mark.parametrize("solid", SOLIDS.values(), ids=SOLIDS)
def test_normals_are_of_unit_length_and_agree_with_the_winding(solid):
    np.testing.assert_allclose(np.linalg.norm(solid.normals, axis=1), 1, atol=1e-5)
    first, second, third = np.moveaxis(corners(solid), 1, 0)
    area = np.cross(second - first, third - first)
    agreement = np.einsum("fi,fi->f", area, solid.normals[solid.faces].mean(1))
    assert agreement[agreement < 0].sum() > -0.01 * agreement.sum()  # the edge of a sail may differ
    assert (agreement > 0).mean() > 0.9


@pytest.mark.parametrize(
    ("solid", "expected"),
    [
        (box((2, 3, 4), (7, 8, 9), GREY), 24),
        (box((2, 3, 4), (0, 0, 0), GREY, lean=(5, 1)), 24),  # Cavalieri
        (box((2, 3, 4), (0, 0, 0), GREY, taper=(0.5, 0.5)), 4 / 3 * (6 + 1.5 + 3)),
        (box((2, 3, 4), (0, 0, 0), GREY, taper=(0.0, 1.0)), 12),  # a roof: half of the box
        (lathe([(1, 0), (1, 3)], GREY, 12), 3 * polygon_area(12)),
        (lathe([(1, 3), (1, 0)], GREY, 12), 3 * polygon_area(12)),  # either way round
        (lathe([(1, 0), (0, 3)], GREY, 12), polygon_area(12)),
        (lathe([(0, 0), (2, 0), (2, 1), (1, 1), (1, 0.5), (0, 0.5)], GREY, 8), 3.5 * polygon_area(8)),
        (rod((1, 1, 1), (3, 4, 7), 0.5, GREY, sides=9), 7 * polygon_area(9, 0.5)),
        (rod((0, 0, 0), (0, 0, 3), 2.0, GREY, 1.0, sides=6), 3 / 3 * polygon_area(6) * (4 + 1 + 2)),
        (loft(SHEET, GREY), 4 * 0.05),  # 4 long, 1 high, 0.05 thick
    ],
)
def test_volumes_worked_by_hand(solid, expected):
    assert volume(solid) == pytest.approx(expected, rel=1e-5)


def test_a_ring_has_the_volume_of_pappus():
    circumference = 2 * 64 * np.sin(np.pi / 64) * 2.0  # of the 64-gon that its middle line is
    ring = torus((0, 0, 0), (0, 0, 1), 2.0, 0.3, GREY, 64)
    assert volume(ring) == pytest.approx(circumference * polygon_area(8, 0.3), rel=5e-3)
    assert np.ptp(ring.vertices[:, 2]) == pytest.approx(0.6 * np.cos(np.pi / 8), rel=1e-4)  # flat side up


def test_boxes_have_flat_sides_and_upright_textures():
    solid = box((2, 3, 4), (0, 0, 0), GREY)
    assert len(solid.vertices) == 24
    assert set(map(tuple, np.abs(solid.normals).round(6))) == {(1, 0, 0), (0, 1, 0), (0, 0, 1)}
    side = np.abs(solid.normals[:, 2]) < 0.5
    np.testing.assert_array_equal(solid.uv[side, 1], solid.vertices[side, 2] > 0)


def test_a_tiled_texture_covers_the_same_length_everywhere_with_u_along_the_longer_edge():
    solid = box((2, 3, 8), (0, 0, 0), GREY, tile=0.5)
    for face in range(6):
        corner = slice(4 * face, 4 * face + 4)
        sides = np.sort(np.ptp(solid.vertices[corner], axis=0))[1:]
        np.testing.assert_allclose(np.ptp(solid.uv[corner], axis=0), sides[::-1] / 0.5, rtol=1e-5)


def test_ends_of_a_cylinder_have_hard_edges_and_their_own_surface():
    end = Material((1.0, 0.0, 0.0))
    solid = lathe([(1, 0), (1, 2)], GREY, 24, cap=end)
    flat = np.abs(solid.normals[:, 2]) > 0.5
    np.testing.assert_allclose(np.abs(solid.normals[flat, 2]), 1, atol=1e-6)
    np.testing.assert_allclose(solid.normals[~flat, 2], 0, atol=1e-6)
    radial = (solid.normals[~flat, :2] * solid.vertices[~flat, :2]).sum(1)
    assert (radial > np.cos(np.pi / 24)).all()
    assert solid.materials[1] is end
    np.testing.assert_array_equal(flat[solid.faces].all(1), solid.material == 1)


def test_a_section_given_twice_is_a_hard_edge():
    smooth = lathe([(0, 0), (1, 0), (1, 1), (0, 1)], GREY, 24)
    hard = lathe([(0, 0), (1, 0), (1, 0), (1, 1), (1, 1), (0, 1)], GREY, 24)
    assert volume(smooth) == pytest.approx(volume(hard))
    at_edge = np.abs(hard.vertices[:, :2]).sum(1) > 0.5
    slant = np.abs(hard.normals[at_edge, 2])
    assert ((slant < 1e-5) | (slant > 1 - 1e-5)).all()
    assert ((np.abs(smooth.normals[:, 2]) > 0.1) & (np.abs(smooth.normals[:, 2]) < 0.95)).any()


def test_u_runs_once_around_and_v_from_end_to_end_without_a_seam_in_the_shading():
    solid = lathe([(1, 0), (1, 1), (1, 3)], GREY, 20, repeat=(2, 1))
    skin = solid.vertices[: 3 * 21].reshape(3, 21, 3)
    uv = solid.uv[: 3 * 21].reshape(3, 21, 2)
    np.testing.assert_allclose(uv[0, :, 0], np.linspace(0, 2, 21), atol=1e-6)
    np.testing.assert_allclose(uv[:, 0, 1], [0, 1 / 3, 1], atol=1e-6)
    normals = solid.normals[: 3 * 21].reshape(3, 21, 3)
    np.testing.assert_array_equal(skin[:, 0], skin[:, -1])
    np.testing.assert_array_equal(normals[:, 0], normals[:, -1])


def test_outlines_go_from_ellipse_to_rectangle():
    ellipse, square = outline(2, 4, 2.0, 64), outline(2, 4, 40.0, 64)
    np.testing.assert_allclose(ellipse[:, 0] ** 2 + (ellipse[:, 1] / 2) ** 2, 1)
    assert np.abs(square / (1, 2)).max(1) == pytest.approx(1, abs=0.02)
    np.testing.assert_allclose(np.abs(square).max(0), [1, 2])


def test_a_pillow_keeps_its_size_and_is_rounded():
    solid = pillow((1, 2, 0.4), (3, 4, 5), GREY)
    np.testing.assert_allclose(solid.vertices.min(0), [2.5, 3, 4.8], atol=1e-5)
    np.testing.assert_allclose(solid.vertices.max(0), [3.5, 5, 5.2], atol=1e-5)
    assert 0.6 * 0.8 < volume(solid) < 0.8


def test_a_wing_has_the_stated_thickness():
    wing = blade((0, 0, 0), 2.0, (5, 1, 0.5), 1.0, 0.1, GREY)
    root = wing.vertices[wing.vertices[:, 0] == 0]
    assert np.ptp(root[:, 2]) == pytest.approx(0.2)
    assert np.ptp(root[:, 1]) == pytest.approx(2.0)


def test_turning_is_counter_clockwise_from_the_tip_of_the_axis():
    arrow = rod((0, 0, 0), (1, 0, 0), 0.01, GREY)
    assert turned(arrow, "z", 90).vertices.max(0)[1] == pytest.approx(1)
    assert turned(arrow, "y", 90).vertices.min(0)[2] == pytest.approx(-1)
    up = rod((0, 0, 0), (0, 0, 1), 0.01, GREY)
    assert turned(up, "x", 90).vertices.min(0)[1] == pytest.approx(-1)
    np.testing.assert_allclose(turned(arrow, "z", 90).normals[:, 1], arrow.normals[:, 0], atol=1e-6)


def test_mirror_images_and_copies_still_face_outward():
    part = moved(box((1, 2, 3), (0, 0, 0), GREY), (2, 1, 0))
    left = mirrored(part)
    assert volume(left) == pytest.approx(6)
    np.testing.assert_allclose(left.vertices.max(0), [-1.5, 2, 1.5])
    assert volume(merge_meshes("pair", both_sides(part))) == pytest.approx(12)
    ring = circled(part, "z", 5, start=10)
    assert volume(ring) == pytest.approx(30, rel=1e-5)
    np.testing.assert_allclose(ring.vertices[:24], turned(part, "z", 10).vertices, atol=1e-6)
    np.testing.assert_allclose(ring.vertices[24:48], turned(part, "z", 82).vertices, atol=1e-6)
