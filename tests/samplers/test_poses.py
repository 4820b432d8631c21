"""Quaternions and geodesic distances against scipy's rotations; near and far poses against a look at all pairs."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats
from scipy.spatial.transform import Rotation

from synthreal.rendering.camera import orbit
from synthreal.samplers.poses import PoseNeighbours, geodesic_distance, pose_keys, quaternions

angles = arrays(np.float64, (6, 3), elements=st.floats(-360, 360))


def scipy_rotations(viewpoint):
    """Rz(tilt) · Rx(elevation - 90°) · Rz(-azimuth)."""
    azimuth, elevation, tilt = np.asarray(viewpoint, dtype=np.float64).T
    return Rotation.from_euler("ZXZ", np.stack([tilt, elevation - 90, -azimuth], 1), degrees=True)


def random_views(count, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).uniform([0, -90, -180], [360, 90, 180], (count, 3)))


# Quaternions and distances


@given(angles)
def test_quaternions_are_the_rotation_that_the_angles_name(viewpoint):
    made = quaternions(torch.from_numpy(viewpoint)).numpy()
    assert np.allclose(np.linalg.norm(made, axis=1), 1, atol=1e-12)
    own = Rotation.from_quat(made[:, [1, 2, 3, 0]]).as_matrix()
    assert np.allclose(own, scipy_rotations(viewpoint).as_matrix(), atol=1e-12)


def test_quaternions_are_the_cameras_rotation():
    view = random_views(200)
    made = quaternions(view).numpy()
    assert np.allclose(Rotation.from_quat(made[:, [1, 2, 3, 0]]).as_matrix(), orbit(*view.T).rotation(), atol=1e-10)


@given(angles, angles)
def test_distance_of_all_pairs_is_the_angle_of_the_relative_rotation(a, b):
    got = geodesic_distance(quaternions(torch.from_numpy(a))[:, None], quaternions(torch.from_numpy(b))[None]).numpy()
    assert got.shape == (6, 6)
    for i, rotation in enumerate(scipy_rotations(a)):
        assert np.allclose(got[i], np.degrees((scipy_rotations(b) * rotation.inv()).magnitude()), atol=1e-6)


@pytest.mark.parametrize(
    ("a", "b", "degrees"),
    [
        ((0, 0, 0), (40, 0, 0), 40),
        ((350, 0, 0), (20, 0, 0), 30),
        ((10, -20, 0), (10, 50, 0), 70),
        ((77, 12, -170), (77, 12, 170), 20),
        ((0, 90, 0), (35, 90, 35), 0),  # over the pole a turn and a tilt undo each other
        ((30, 10, 5), (390, 10, -355), 0),
        ((0, 0, 0), (180, 0, 0), 180),
        ((0, 0, 0), (0, 0, 180), 180),
        ((0, 0, 0), (90, 0, 90), 120),  # two quarter turns about different axes
    ],
)
def test_distances_by_hand(a, b, degrees):
    a, b = (quaternions(torch.tensor(view, dtype=torch.float64)) for view in (a, b))
    for first in (a, -a):
        assert geodesic_distance(first, b).item() == pytest.approx(degrees, abs=1e-6)


@pytest.mark.parametrize("apart", [1e-9, 1e-6, 1e-3, 179.999999, 180 - 1e-9])
def test_distances_near_the_ends_keep_their_digits(apart):
    a, b = (quaternions(torch.tensor([[20.0, 0.0, 10.0 + turn]], dtype=torch.float64)) for turn in (0, apart))
    assert geodesic_distance(a, b).item() == pytest.approx(apart, abs=2e-13)


def test_float32_distances_of_equal_poses_are_nought_and_never_nan():
    each = quaternions(random_views(5000).float())
    assert geodesic_distance(each, each).eq(0).all()
    assert geodesic_distance(each[:, None], each[None, :50]).isfinite().all()


def test_equal_poses_and_no_others_have_the_same_keys():
    view = torch.tensor(
        [[0.0, 0, 0], [360, 0, 0], [0, 0, -360], [720, 0, 360], [90, 90, 0], [0, 90, -90], [1e-3, 0, 0]]
    )
    one, *rest = pose_keys(quaternions(view.double()).numpy()).tolist()
    assert rest[:3] == [one] * 3
    assert rest[3] == rest[4]
    assert rest[5] != one
    ends = np.array([[0, 1, 0, 0], [1e-6, -1, 0, 0], [1e-6, 3e-6, 0, 0], [2e-6, 0, 0, 0], [1e-6, 0, 0, 0]])
    assert len(np.unique(pose_keys(ends), axis=0)) == 5
    assert len(np.unique(pose_keys(quaternions(random_views(5000)).numpy()), axis=0)) == 5000


# Neighbours


@st.composite
def classes_of_poses(draw):
    """Different poses of up to three classes, some of them on a grid, and whether they have one sample each."""
    step = draw(st.sampled_from([None, 15, 45, 90]))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    views, labels = [], []
    for label in range(draw(st.integers(1, 3))):
        view = random.uniform([0, -90, -180], [360, 90, 180], (draw(st.integers(1, 25)), 3)) * draw(
            st.sampled_from([1, 0.1])
        )
        view = view if step is None else np.round(view / step) * step
        _, kept = np.unique(np.round(scipy_rotations(view).as_matrix(), 6) + 0.0, axis=0, return_index=True)
        views.append(view[kept])
        labels += [3 * label] * len(kept)  # classes may be missing between
    alone = random.random(len(labels)) < 0.7
    return np.concatenate(views), np.array(labels), alone, draw(st.sampled_from([20.0, 45.0, 90.0, 180.0]))


def distances(view, label):
    """Of all pairs; infinite to other classes and to itself."""
    rotations = scipy_rotations(view)
    table = np.stack([np.degrees((rotations * each.inv()).magnitude()) for each in rotations], 1)
    table[(label[:, None] != label) | np.eye(len(label), dtype=bool)] = np.inf
    return table


@given(classes_of_poses(), st.integers(0, 2**32))
def test_neighbours_are_the_nearest_and_the_far_ones(poses, seed):
    view, label, alone, far = poses
    made = PoseNeighbours(quaternions(torch.from_numpy(view)).numpy(), label, alone, far)
    table, random = distances(view, label), np.random.default_rng(seed)
    farthest = np.where(np.isinf(table), -np.inf, table).max(1)
    nearest = np.where(alone, table.min(1), 0)
    ties = (table <= table.min(1)[:, None] + 1e-4).sum(1)
    expected = np.isinf(table.min(1)) | (alone & (farthest <= nearest + 1e-4) & (ties <= 8))
    assert made.stuck.tolist() == expected.tolist()
    pose = np.flatnonzero(~np.isinf(table.min(1))).repeat(5)
    assert (table[pose, made.nearest(pose, random)] <= table.min(1)[pose] + 2e-4).all()
    got = table[pose, made.far(pose, random)]
    assert np.isfinite(got).all()  # of the class, and not itself
    enough = (got >= far - 2e-4) & (got > nearest[pose])
    assert (enough | (got >= farthest[pose] - 1e-5)).all()


def test_every_far_pose_is_as_likely_even_where_candidates_seldom_are_far():
    # of 400 poses, 3 are far from the first
    view = torch.zeros(400, 3, dtype=torch.float64)
    view[:, 0] = torch.cat([torch.linspace(0, 10, 397, dtype=torch.float64), torch.tensor([60.0, 120.0, 180.0])])
    made = PoseNeighbours(quaternions(view).numpy(), np.zeros(400, int), np.ones(400, bool), 45.0)
    count = np.bincount(made.far(np.zeros(6000, int), np.random.default_rng(0)), minlength=400)
    assert count[:397].sum() == 0
    assert stats.chisquare(count[397:]).pvalue > 1e-4


def test_every_equally_near_pose_is_as_likely():
    view = torch.zeros(12, 3, dtype=torch.float64)
    view[:, 0] = 30.0 * torch.arange(12)
    made = PoseNeighbours(quaternions(view).numpy(), np.zeros(12, int), np.ones(12, bool), 45.0)
    count = np.bincount(made.nearest(np.full(4000, 5), np.random.default_rng(0)), minlength=12)
    assert count[[4, 6]].sum() == 4000
    assert stats.chisquare(count[[4, 6]]).pvalue > 1e-4


def test_poses_almost_opposite_are_not_taken_for_nearer_ones():
    # Both signs of a quaternion are about as far from the first one's. The second and the third tie.
    view = torch.tensor([[0.0, 0, 0], [170, 0, 0], [-170, 0, 0], [0, 0, 175]]).double()
    made = PoseNeighbours(quaternions(view).numpy(), np.zeros(4, int), np.ones(4, bool), 45.0)
    assert set(made.nearest(np.zeros(200, int), np.random.default_rng(0))) == {1, 2}
    assert (made.far(np.zeros(200, int), np.random.default_rng(0)) == 3).all()


def test_a_far_pose_is_never_the_pose_itself():
    # so near one another that the cosines of their distances are 1
    view = torch.tensor([[0.0, 0, 0], [1e-7, 0, 0], [2e-7, 0, 0]]).double()
    made = PoseNeighbours(quaternions(view).numpy(), np.zeros(3, int), np.zeros(3, bool), 45.0)
    assert not made.stuck.any()
    assert (made.far(np.arange(3), np.random.default_rng(0)) != np.arange(3)).all()


def test_a_large_class_is_searched_in_parts(monkeypatch):
    # all within 20 degrees: the farthest of each
    view = random_views(150) * torch.tensor([0.02, 0.02, 0.02])
    made = PoseNeighbours(quaternions(view).numpy(), np.zeros(150, int), np.ones(150, bool), 45.0)
    pose = np.arange(150)
    table = distances(view.numpy(), np.zeros(150, int))
    table[np.isinf(table)] = 0
    monkeypatch.setattr("synthreal.samplers.poses._PAIRS", 1000)
    assert made.far(pose, np.random.default_rng(0)).tolist() == table.argmax(1).tolist()
