import math
from dataclasses import fields, replace

import numpy as np
import pytest
import torch
import trimesh
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from synthreal.rendering.camera import Camera, field_of_view, orbit
from synthreal.rendering.mesh import build_mesh, merge_meshes

RED, GREEN, BLUE = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)
HERE = (0, 0)


def pascal_rotation(azimuth, elevation, tilt):
    """World to camera as PASCAL3D+ has it, in float64."""
    z = Rotation.from_euler("z", tilt, degrees=True)
    x = Rotation.from_euler("x", elevation - 90, degrees=True)
    return (z * x * Rotation.from_euler("z", -azimuth, degrees=True)).as_matrix()


def pascal_projection(point, azimuth, elevation, tilt, distance, focal, principal, viewport):
    """Pixel, right and down, of a point: the steps of PASCAL3D+'s project_3d.m."""
    a, e, theta = np.radians([azimuth, elevation, tilt])
    centre = distance * np.array([np.cos(e) * np.sin(a), -np.cos(e) * np.cos(a), np.sin(e)])
    a, e = -a, -(np.pi / 2 - e)
    about_z = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    about_x = np.array([[1, 0, 0], [0, np.cos(e), -np.sin(e)], [0, np.sin(e), np.cos(e)]])
    lens = np.diag([viewport * focal, viewport * focal, -1])
    x = (point - centre) @ (lens @ about_x @ about_z).T
    x = x[:2] / x[2]
    turn = np.array([[np.cos(theta), -np.sin(theta)], [np.sin(theta), np.cos(theta)]])
    return x @ turn.T * [1, -1] + principal


def test_rotation_is_that_of_pascal():
    rng = np.random.default_rng(0)
    azimuth, tilt = rng.uniform(-400, 400, (2, 60))
    elevation = np.concatenate([rng.uniform(-90, 90, 50), [90, -90, 90, -90, 89.99, -89.99, 89.99999, 0, 0, 45]])
    camera = orbit(*(torch.from_numpy(angle) for angle in (azimuth, elevation, tilt)))
    expected = [pascal_rotation(*angles) for angles in zip(azimuth, elevation, tilt, strict=True)]
    np.testing.assert_allclose(camera.rotation().numpy(), expected, atol=1e-9)
    single = orbit(*(torch.from_numpy(angle).float() for angle in (azimuth, elevation, tilt)))
    np.testing.assert_allclose(single.rotation().numpy(), expected, atol=5e-5)
    wrong = orbit(*(torch.from_numpy(angle) for angle in (azimuth, elevation, -tilt)))
    assert np.abs(wrong.rotation().numpy() - expected).max() > 1  # the sign of the tilt is seen


def test_position_by_hand(around):
    camera = around([0.0, 90.0, 180.0, 0.0, 0.0, 30.0], [0.0, 0.0, 0.0, 90.0, 30.0, 0.0], distance=2.0)
    root = math.sqrt(3)
    expected = [[0, -2, 0], [2, 0, 0], [0, 2, 0], [0, 0, 2], [0, -root, 1], [1, -root, 0]]
    np.testing.assert_allclose(camera.position().numpy(), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("azimuth", "elevation", "tilt", "red", "green", "blue"),
    [
        (0, 0, 0, (1, 0), HERE, (0, 1)),  # before the front, which faces -y
        (90, 0, 0, HERE, (1, 0), (0, 1)),  # from +x: the back lies to the right
        (180, 0, 0, (-1, 0), HERE, (0, 1)),
        (270, 0, 0, HERE, (-1, 0), (0, 1)),
        (-90, 0, 0, HERE, (-1, 0), (0, 1)),
        (0, 90, 0, (1, 0), (0, 1), HERE),  # from above: the front is below
        (90, 90, 0, (0, -1), (1, 0), HERE),
        (0, -90, 0, (1, 0), (0, -1), HERE),
        (0, 0, 90, (0, 1), HERE, (-1, 0)),  # the picture turns counter-clockwise
        (0, 0, -90, (0, -1), HERE, (1, 0)),
        (0, 90, 90, (0, 1), (-1, 0), HERE),
    ],
)
def test_views_of_three_bars_by_hand(render, around, box, azimuth, elevation, tilt, red, green, blue):
    # from the origin: red to x = 0.45, green to y = 0.35, blue to z = 0.25
    bars = [
        box([0, -0.02, -0.02], [0.45, 0.02, 0.02], RED),
        box([-0.02, 0, -0.02], [0.02, 0.35, 0.02], GREEN),
        box([-0.02, -0.02, 0], [0.02, 0.02, 0.25], BLUE),
    ]
    camera = around([float(azimuth)], [float(elevation)], float(tilt), distance=10.0, focal=10.0)
    picture = render([merge_meshes("bars", bars)], camera, size=64, samples=2)["rgba"][0].numpy()
    middle = (np.arange(64) + 0.5) / 64 - 0.5
    for channel, (direction, length) in enumerate(zip((red, green, blue), (0.45, 0.35, 0.25), strict=True)):
        weight = picture[channel]
        if weight.sum() > 1:  # what points away is hidden
            centre = np.array([(weight.sum(0) @ middle), -(weight.sum(1) @ middle)]) / weight.sum()
            np.testing.assert_allclose(centre, np.array(direction) * length / 2, atol=0.03)
        else:
            assert direction == HERE


def pixels_of_dots(render, points, camera, size):
    """Where small balls about points are seen, each by its own camera."""
    ball = trimesh.creation.icosphere(1, 0.03)
    dots = [build_mesh("dot", (point + ball.vertices).astype(np.float32), np.array(ball.faces)) for point in points]
    mask = render(dots, camera, ("mask",), size, 4, mesh=torch.arange(len(dots)))["mask"][:, 0].double().numpy()
    middle = np.arange(size) + 0.5
    return np.stack([mask.sum(1) @ middle, mask.sum(2) @ middle], 1) / mask.sum((1, 2))[:, None]


def test_pictures_are_projections_of_pascal(render, cameras):
    camera = cameras(48, seed=3)
    camera = replace(camera, focus=torch.zeros(48, 3), focal=camera.focal.clamp(max=1.2))
    points = np.random.default_rng(4).uniform(-0.35, 0.35, (48, 3))
    size = 96

    def projections(tilt):
        lenses = (
            camera.azimuth,
            camera.elevation,
            tilt,
            camera.distance,
            camera.focal,
            size * (camera.principal + 0.5),
        )
        rows = zip(points, *(column.double().numpy() for column in lenses), strict=True)
        return np.stack([pascal_projection(point, *lens, size) for point, *lens in rows])

    expected = projections(camera.tilt)
    inside = ((expected > 4) & (expected < size - 4)).all(1)
    assert inside.mean() > 0.7
    seen = pixels_of_dots(render, points, camera, size)
    assert np.linalg.norm(seen - expected, axis=1)[inside].max() < 0.25
    assert np.median(np.linalg.norm(seen - projections(-camera.tilt), axis=1)[inside]) > 5  # the tilt's sign is seen


def test_focus_is_seen_at_the_principal_point(render, cameras):
    camera = cameras(32, seed=5)
    camera = replace(camera, focus=camera.focus * 3)
    q = torch.einsum("bij,bj->bi", camera.rotation(), camera.focus - camera.position())
    assert (q[:, :2].abs() < 1e-5).all()
    assert (q[:, 2] < -1).all()
    seen = pixels_of_dots(render, camera.focus.numpy(), camera, 64)
    np.testing.assert_allclose(seen, 64 * (camera.principal.numpy() + 0.5), atol=0.25)


@given(
    angles=st.tuples(st.floats(-720, 720), st.floats(-90, 90), st.floats(-360, 360)),
    focus=st.tuples(*[st.floats(-0.5, 0.5)] * 3),
    distance=st.floats(1.1, 50),
)
def test_axes_are_orthogonal_and_level(angles, focus, distance):
    camera = orbit(*(torch.tensor([angle], dtype=torch.float64) for angle in angles), distance=distance)
    rotation = replace(camera, focus=torch.tensor([focus], dtype=torch.float64)).rotation()[0].numpy()
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-9)
    assert np.linalg.det(rotation) > 0
    # Without the tilt, right is horizontal and up is not below.
    tilt = np.radians(angles[2])
    right = np.cos(tilt) * rotation[0] + np.sin(tilt) * rotation[1]
    up = np.cos(tilt) * rotation[1] - np.sin(tilt) * rotation[0]
    assert abs(right[2]) < 1e-9
    assert up[2] > -1e-9


def test_framing_by_hand(straight):
    bounds = torch.tensor([[-0.1, 0.0, 0.3, 0.2], [0.0, -0.2, 0.1, 0.0]])
    camera = straight(2).framing(bounds, 0.8)
    torch.testing.assert_close(camera.focal, torch.tensor([2.0, 4.0]))
    # The middle (0.1, 0.1) is 0.2 widths right of and above the axis, which therefore goes left and down.
    torch.testing.assert_close(camera.principal, torch.tensor([[-0.2, 0.2], [-0.2, -0.4]]))
    torch.testing.assert_close(camera.distance, straight(2).distance)


def test_orbit_looks_at_the_origin_with_one_lens():
    camera = orbit(torch.tensor([10.0, 20.0]), torch.tensor([1.0, 2.0]), distance=3.0, focal=1.25)
    assert camera.tilt.tolist() == [0, 0]
    assert camera.distance.tolist() == [3, 3]
    assert camera.focal.tolist() == [1.25, 1.25]
    assert not camera.principal.any()
    assert not camera.focus.any()
    moved = camera.to(torch.device("meta"))
    assert all(getattr(moved, field.name).is_meta for field in fields(Camera))


@pytest.mark.parametrize(("focal", "angle"), [(0.5, 90), (0.5 / math.tan(math.radians(30)), 60)])
def test_field_of_view(focal, angle):
    assert field_of_view(focal) == pytest.approx(angle)
