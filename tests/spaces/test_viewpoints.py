import math

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from jsonargparse import ArgumentParser

from synthreal.errors import ConfigError
from synthreal.spaces import (
    BenchmarkViews,
    Categorical,
    DensityViews,
    FixedViews,
    IcosphereViews,
    ParameterSpace,
    Product,
    UniformViews,
)

SETTINGS = settings(deadline=None, max_examples=60, database=None, derandomize=True)
LAST = 1 - 2.0**-24  # the largest float32 below 1, which torch.rand can return
COLUMNS = ("azimuth", "elevation", "tilt", "distance")
bins = st.integers(1, 24)


def ends(low, high):
    """A range, or a fixed value."""
    pair = st.tuples(st.floats(low, high, width=16), st.floats(low, high, width=16)).map(sorted).map(tuple)
    return pair.filter(lambda p: p[0] == p[1] or p[1] - p[0] > 0.1) | st.floats(low, high).map(lambda x: (x, x))


def every_bucket(space, seed=0):
    """Each bucket with the first and last uniform numbers, and with some between."""
    stream = np.random.default_rng(seed)
    uniform = np.concatenate(
        [np.full((1, 4), 0.0), np.full((1, 4), LAST), stream.choice([0.0, 0.5, LAST], (3, 4)), stream.random((3, 4))]
    )
    bucket = torch.arange(space.num_buckets).repeat_interleave(len(uniform))
    return bucket, torch.from_numpy(uniform).float().repeat(space.num_buckets, 1)


@SETTINGS
@given(bins, bins, ends(-200, 150), ends(-90, 90), ends(-180, 180), ends(0.5, 30), st.integers(0, 99))
@example(18, 12, (0.0, 360.0), (-90.0, 90.0), (-180.0, 180.0), (1.0, 29.0), 0)
@example(18, 12, (-180.0, 180.0), (90.0, 90.0), (0.0, 0.0), (2.2, 2.2), 0)
def test_assign_inverts_place(azimuth_bins, elevation_bins, azimuth, elevation, tilt, distance, seed):
    space = UniformViews(azimuth_bins, elevation_bins, azimuth, elevation, tilt, distance)
    assert space.columns == COLUMNS
    bucket, uniform = every_bucket(space, seed)
    placed = space.place(bucket, uniform)
    assert placed.dtype == torch.float32
    assert torch.equal(space.assign(placed), bucket)
    for column, (low, high) in enumerate([azimuth, elevation, tilt, distance]):
        assert np.float32(low) <= placed[:, column].min().numpy() <= placed[:, column].max().numpy() <= np.float32(high)
    fixed = [azimuth[0] == azimuth[1], elevation[0] == elevation[1]]
    assert space.shape == (1 if fixed[0] else azimuth_bins, 1 if fixed[1] else elevation_bins)
    assert math.isclose(float(space.volumes().sum()), 1, rel_tol=1e-12)
    assert torch.equal(space.assign(space.centres()), torch.arange(space.num_buckets))


def test_the_default_is_the_papers_grid():
    space = UniformViews()
    assert space.num_buckets == 216
    # bucket 12 a + e: azimuth 20 a to 20 (a + 1), elevation 15 e - 90 to 15 (e + 1) - 90
    angles = torch.tensor([[0.0, -90.0], [359.9, 89.9], [20.0, 0.0], [19.9, -0.1], [-1.0, 90.0]])
    views = torch.cat([angles, torch.tensor([0.0, 2.2]).repeat(5, 1)], 1)
    assert space.assign(views).tolist() == [0, 17 * 12 + 11, 12 + 6, 5, 17 * 12 + 11]
    assert space.describe(18) == ("azimuth 20 to 40 degrees", "elevation 0 to 15 degrees")
    np.testing.assert_allclose(space.volumes().numpy(), np.full(216, 1 / 216))


def test_embed_compares_in_turns_and_ranges():
    space = UniformViews(elevation=(-10.0, 30.0), distance=(2.0, 4.0))
    where = space.embed(torch.tensor([[350.0, 0.0, 0.0, 2.0], [10.0, 20.0, 0.0, 3.0]]))
    # a chord of 20 degrees on a circle of circumference 1; half of each range
    expected = math.sqrt((math.sin(math.radians(10)) / math.pi) ** 2 + 0.5**2 + 0.5**2)
    np.testing.assert_allclose(float((where[0] - where[1]).norm()), expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"elevation": (-91.0, 0.0)}, "elevation lies in -90 to 90"),
        ({"distance": (0.0, 2.0)}, "distance is above 0"),
        ({"azimuth": (0.0, 361.0)}, "azimuth spans at most 360"),
        ({"tilt": (-200.0, 200.0)}, "tilt spans at most 360"),
        ({"azimuth": (10.0, 0.0)}, "low < high"),
        ({"tilt": (math.nan, math.nan)}, "finite"),
        ({"elevation": (math.nan, 3.0)}, "finite"),
        ({"azimuth_bins": 0}, "at least one bin"),
    ],
)
def test_refuses_ranges_that_make_no_sense(settings, words):
    with pytest.raises(ConfigError, match=words):
        UniformViews(**settings)


ALL = {
    "uniform": UniformViews(4, 3),
    "fixed": FixedViews([[0, 0, 0, 2], [0, 10, 0, 2], [0, 10, 5, 3]]),
    "icosphere": IcosphereViews(1),
    "benchmark": BenchmarkViews(),
    "density": DensityViews([[10, 20, 0, 6], [100, -20, 5, 9]], 4, 3),
}


@pytest.mark.parametrize("views", ALL.values(), ids=ALL)
def test_every_set_is_a_factor_of_a_generators_space(views):
    space = Product([Categorical("class", ["cup", "ship"]), views])
    assert space.columns == ("class", *COLUMNS)
    assert space.shape == (2, views.num_buckets)
    bucket = torch.arange(space.num_buckets)
    placed = space.sample(bucket, torch.Generator().manual_seed(0))
    assert torch.equal(space.assign(placed), bucket)
    assert torch.equal(space.assign(space.centres()), bucket)
    np.testing.assert_allclose(space.volumes()[views.num_buckets :].numpy(), views.volumes().numpy() / 2)
    assert space.describe(views.num_buckets) == ("ship", *views.describe(0))
    assert len({space.describe(k) for k in bucket.tolist()}) == space.num_buckets
    assert bool(space.embed(placed).isfinite().all())


@pytest.mark.parametrize(
    "config",
    [
        {"class_path": "synthreal.spaces.UniformViews", "init_args": {"azimuth": [0, 90], "tilt": [-5, 5]}},
        {"class_path": "synthreal.spaces.FixedViews", "init_args": {"viewpoints": [[0, 0, 0, 2], [90, 0, 0, 2.5]]}},
        {"class_path": "synthreal.spaces.IcosphereViews", "init_args": {"subdivisions": 1}},
        {"class_path": "synthreal.spaces.BenchmarkViews", "init_args": {"excluded": [90, 250]}},
        {"class_path": "synthreal.spaces.DensityViews", "init_args": {"viewpoints": [[10, 20, 0, 6]]}},
        {"class_path": "synthreal.spaces.DensityViews", "init_args": {"viewpoints": "views.csv"}},
    ],
)
def test_every_set_can_be_named_in_a_config(config, tmp_path):
    (tmp_path / "views.csv").write_text("azimuth,elevation,tilt,distance\n10,20,0,6\n")
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--views", type=ParameterSpace)
    views = parser.instantiate_classes(parser.parse_object({"views": config})).views
    assert type(views).__name__ == config["class_path"].split(".")[-1]
    assert views.columns == COLUMNS
