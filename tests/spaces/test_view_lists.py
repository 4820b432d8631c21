import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from synthreal.errors import ConfigError
from synthreal.spaces import BenchmarkViews, FixedViews, IcosphereViews

SETTINGS = settings(deadline=None, max_examples=60, database=None, derandomize=True)


def directions(views):
    """Where the cameras are, over their distance."""
    azimuth, elevation = np.radians(views.viewpoints[:, :2].double().numpy()).T
    x, y = np.cos(elevation) * np.sin(azimuth), -np.cos(elevation) * np.cos(azimuth)
    return np.stack([x, y, np.sin(elevation)], 1)


def turn(axis, degrees):
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return np.array([[1, 0, 0], [0, c, -s], [0, s, c]]) if axis == "x" else np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])


@SETTINGS
@given(
    st.lists(
        # on a grid, so that no two are nearly the same
        st.tuples(st.integers(0, 7199), st.integers(-1800, 1800), st.integers(-3599, 3600), st.integers(1, 300)),
        min_size=1,
        max_size=30,
        unique_by=lambda v: (v[0] % 7200, v[1], v[2] % 7200, v[3]),
    ),
    st.sampled_from([0.0, 0.5, 1 - 2.0**-24]),
    st.sampled_from([-360.0, 0.0, 720.0]),
)
def test_assign_finds_the_viewpoint_whatever_the_turn(grid, uniform, turns):
    space = FixedViews([[a / 20, e / 20, t / 20, d / 10] for a, e, t, d in grid])
    bucket = torch.arange(len(grid))
    placed = space.place(bucket, torch.full((len(grid), 4), uniform))
    np.testing.assert_allclose(placed.numpy(), np.array(grid) / [20, 20, 20, 10], rtol=1e-6)
    placed[:, [0, 2]] += turns
    assert torch.equal(space.assign(placed), bucket)
    assert math.isclose(float(space.volumes().sum()), 1, rel_tol=1e-12)
    assert torch.equal(space.assign(space.centres()), bucket)
    assert len({space.describe(k) for k in bucket.tolist()}) == len(grid)


@pytest.mark.parametrize("column", range(4))
@pytest.mark.parametrize("change", [0.01, math.nan, math.inf])
def test_assign_refuses_what_is_not_in_the_list(column, change):
    space = FixedViews([[10.0, 20.0, 0.0, 2.2], [30.0, -20.0, 5.0, 3.0]])
    view = space.viewpoints[:1].clone()
    assert space.assign(view).tolist() == [0]
    view[0, column] += change
    with pytest.raises(ConfigError, match="none of the 2 viewpoints"):
        space.assign(view)


def test_embed_compares_in_turns_and_the_ranges_of_the_list():
    space = FixedViews([[350, -10, 0, 2], [10, 30, 0, 2], [10, 10, 180, 2]])
    where = space.embed(space.viewpoints).double()
    # 20 degrees is a chord of sin(10°) / pi on a circle of circumference 1, half a turn one of 1 / pi
    side, half = math.sin(math.radians(10)) / math.pi, 1 / math.pi
    expected = [math.hypot(side, 1), math.hypot(side, 0.5, half), math.hypot(0.5, half)]
    np.testing.assert_allclose(torch.nn.functional.pdist(where).numpy(), expected, rtol=1e-5)


def test_describe_names_what_varies():
    space = FixedViews([[350, -10, 0, 2], [10, 30, 0, 2.5]])
    assert space.describe(1) == ("azimuth 10, elevation 30, distance 2.5",)
    assert FixedViews([[350, -10, 7, 2]]).describe(0) == ("azimuth 350, elevation -10",)


@pytest.mark.parametrize(
    ("viewpoints", "words"),
    [
        ([], "no viewpoint"),
        ([[0, 0, 0]], "Viewpoint 0 is .*needs azimuth, elevation, tilt, distance"),
        ([[0, 0, 0, 1], [0, 91, 0, 1]], "Viewpoint 1"),
        ([[0, 0, math.nan, 1]], "Viewpoint 0"),
        ([[0, 0, 0, -1]], "Viewpoint 0"),
        ([[0, 0, 0, 0]], "distance 0"),
        ([[0, 0, 0, 1], [5, 0, 0, 1], [360, 0, -360, 1]], "Viewpoints 0 and 2 are the same"),
    ],
)
def test_a_list_must_make_sense(viewpoints, words):
    with pytest.raises(ConfigError, match=words):
        FixedViews(viewpoints)


@pytest.mark.parametrize("subdivisions", range(5))
def test_icosphere_counts_and_evenness(subdivisions):
    views = IcosphereViews(subdivisions, -1.0, 1.0, distance=3.0)
    assert views.num_buckets == 10 * 4**subdivisions + 2
    np.testing.assert_allclose(views.viewpoints[:, 2:].numpy(), np.array([[0, 3.0]] * views.num_buckets))
    points = directions(views)
    gaps = np.sort(np.linalg.norm(points[:, None] - points[None], axis=2), 1)[:, 1:6]
    # every vertex has five or six neighbours; the sides of a geodesic sphere differ by at most 1.175
    assert gaps.max() / gaps.min() < 1.24
    if subdivisions == 0:
        np.testing.assert_allclose(gaps, 1 / math.sin(math.radians(72)), rtol=1e-5)  # the regular icosahedron's edge
    # as many above as below, front as back, left as right
    np.testing.assert_allclose(points.mean(0), 0, atol=1e-6)


def test_icosphere_agrees_with_midpoints_of_a_regular_icosahedron():
    golden = (1 + math.sqrt(5)) / 2
    corners = [np.roll([0, a, b * golden], k) for k in range(3) for a in (-1, 1) for b in (-1, 1)]
    edges = [(p + q) / 2 for p, q in itertools.combinations(corners, 2) if np.linalg.norm(p - q) < 2.001]
    assert len(edges) == 30
    expected = np.array([p / np.linalg.norm(p) for p in [*corners, *edges]])
    points = directions(IcosphereViews(1, -1.0, 1.0))
    # trimesh may have the same solid turned by 90 degrees about z
    turned = expected @ turn("z", 90)
    distance = [np.linalg.norm(points[:, None] - e[None], axis=2).min(1).max() for e in (expected, turned)]
    assert min(distance) < 1e-5
    for low, high in [(-0.1, 0.6), (0.0, 0.0), (-1.0, -0.5), (0.0, 1.0)]:
        wanted = ((expected[:, 2] >= low - 1e-6) & (expected[:, 2] <= high + 1e-6)).sum()
        assert IcosphereViews(1, low, high).num_buckets == wanted > 0


def test_icosphere_height_cut_keeps_vertices_at_the_bound():
    height = np.unique(directions(IcosphereViews(2, -1.0, 1.0))[:, 2].round(5))
    low, high = 0.0, float(math.sin(math.radians(30)))
    assert {0.0, 0.5} <= set(height.tolist())
    kept = directions(IcosphereViews(2, low, high))[:, 2]
    assert (kept.min().round(5), kept.max().round(5)) == (0.0, 0.5)
    default = directions(IcosphereViews())[:, 2]
    assert default.min() >= -0.1
    assert 0.5 < default.max() <= 0.6


def test_icosphere_poles_have_azimuth_zero_and_views_run_from_low_to_high():
    views = IcosphereViews(1, -1.0, 1.0).viewpoints
    assert views[0].tolist()[:2] == [0, -90]
    assert views[-1].tolist()[:2] == [0, 90]
    assert bool((views[:, 1].diff() >= 0).all())
    assert bool(((views[:, 0] >= 0) & (views[:, 0] < 360)).all())


@pytest.mark.parametrize("settings", [{"subdivisions": -1}, {"subdivisions": 7}, {"low": 0.5, "high": 0.4}])
def test_icosphere_refuses(settings):
    with pytest.raises(ConfigError, match=r"subdivisions is 0 to 6|No vertex"):
        IcosphereViews(**settings)


def test_benchmark_has_26_views_as_read_from_the_paper():
    views = BenchmarkViews(distance=2.0).viewpoints.numpy()
    assert views.shape == (26, 4)
    assert len(np.unique(views, axis=0)) == 26
    assert (views[:, 3] == 2).all()
    # eight rotations about x (no rotation among them), seven more about y, all multiples of 25 degrees
    assert views[:8, :3].tolist() == [[0, e, 0] for e in (0, -25, -50, -75, 85, 60, 35, 10)]
    assert views[8:15, :3].tolist() == [[a, 0, 0] for a in (25, 50, 75, 275, 300, 325, 350)]
    joint = views[15:]
    assert (abs(joint[:, :2] % 25) > 1e-3).all()


@pytest.mark.parametrize("seed", range(20))
def test_benchmark_leaves_the_excluded_range_out(seed):
    views = BenchmarkViews(seed=seed).viewpoints.double().numpy()
    upside_down = views[:, 2] == 180
    assert (upside_down | (views[:, 2] == 0)).all()
    yaw = np.where(upside_down, views[:, 0] + 180, views[:, 0]) % 360
    pitch = np.where(upside_down, 180 + views[:, 1], -views[:, 1]) % 360
    for angle in (yaw, pitch):
        assert not ((angle >= 90) & (angle <= 250)).any()
    assert (views[:, 1] > -90).all()
    assert (upside_down <= (views[:, 1] > 0)).all()  # past the top only


def test_benchmark_joint_views_are_uniform_and_seeded():
    views = BenchmarkViews(count=4000, excluded=(90.0, 115.0)).viewpoints.double().numpy()[27:]
    upside_down = views[:, 2] == 180
    pitch = np.where(upside_down, 180 + views[:, 1], -views[:, 1]) % 360
    inside = np.histogram(pitch, [0, 90, 115, 200, 285, 360])[0]
    expected = len(views) * np.array([90, 0, 85, 85, 75]) / 335
    assert (abs(inside - expected) < 5 * np.sqrt(expected + 1e-9) + 1e-6).all()
    assert torch.equal(BenchmarkViews(seed=3).viewpoints, BenchmarkViews(seed=3).viewpoints)
    assert not torch.equal(BenchmarkViews(seed=3).viewpoints, BenchmarkViews(seed=4).viewpoints)


def test_benchmark_past_a_pole_is_the_same_camera():
    """The camera's rotation, written with an elevation beyond 90 degrees, against the viewpoint's own."""

    def rotation(azimuth, elevation, tilt):
        return turn("z", tilt) @ turn("x", elevation - 90) @ turn("z", -azimuth)

    views = BenchmarkViews(step=30.0, excluded=(90.0, 90.0), count=60, seed=1).viewpoints.double().numpy()
    pitches = [p for p in range(0, 360, 30) if p != 90]
    for pitch, (azimuth, elevation, tilt, _) in zip(pitches, views, strict=False):
        np.testing.assert_allclose(rotation(azimuth, elevation, tilt), rotation(0, -pitch, 0), atol=1e-6)
    assert (views[:, 2] == 180).sum() > 10


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"count": 14}, "15 views about one axis"),
        ({"step": 0.0}, "step is above 0"),
        ({"excluded": (250.0, 90.0)}, "excluded is a range"),
        ({"excluded": (0.0, 360.0)}, "excluded is a range"),
        ({"distance": 0.0}, "distance 0"),
    ],
)
def test_benchmark_refuses(settings, words):
    with pytest.raises(ConfigError, match=words):
        BenchmarkViews(**settings)
