import math

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import stats

from synthreal.errors import ConfigError, DatasetNotFoundError
from synthreal.spaces import Categorical, DensityViews, Product, Union
from synthreal.spaces.view_densities import read_viewpoints

SETTINGS = settings(deadline=None, max_examples=60, database=None, derandomize=True)
LAST = 1 - 2.0**-24  # the largest float32 below 1, which torch.rand can return
HEADER = "azimuth,elevation,tilt,distance\n"


def annotations(count=60, seed=0):
    """Two crowds, one of them across 0 degrees; tilt and distance differ between them."""
    stream = np.random.default_rng(seed)
    front = stream.normal([0, 10, 0, 6], [12, 6, 3, 0.7], (count // 2, 4))
    side = stream.normal([100, 40, 8, 12], [25, 15, 2, 1.5], (count - count // 2, 4))
    rows = np.concatenate([front, side])
    rows[:, 0] %= 360
    return rows


def bandwidth(rows):
    """By hand: the seam at 0 degrees moved to 250, where `annotations` has nothing, then 1.06 s n^-0.2."""
    moved = rows / [1, 1, 1, 3]
    moved[:, 0] = (moved[:, 0] - 250) % 360
    return 1.06 * np.sqrt(((moved - moved.mean(0)) ** 2).sum(0) / (len(rows) - 1)) * len(rows) ** -0.2


def plain_kde(rows, count, seed=1):
    """Draws from the density with no buckets, and drops what lies beyond the poles or the distances."""
    stream = np.random.default_rng(seed)
    draws = rows[stream.integers(0, len(rows), count)] / [1, 1, 1, 3]
    draws = draws + stream.normal(size=(count, 4)) * bandwidth(rows)
    draws[:, 0] %= 360
    return draws[(abs(draws[:, 1]) <= 90) & (draws[:, 3] >= 1) & (draws[:, 3] <= 29)]


def cells(draws):
    """Buckets of the default grid, 20 × 15 degrees."""
    return (draws[:, 0] // 20).astype(int) * 12 + ((draws[:, 1] + 90) // 15).astype(int)


def draw(space, bucket, count, seed=0):
    return space.sample(torch.full((count,), bucket), torch.Generator().manual_seed(seed)).double().numpy()


number = st.floats(0, 1)
spread_out = st.lists(st.tuples(number, number, number, number), min_size=1, max_size=12)


@SETTINGS
@given(spread_out, st.integers(1, 20), st.integers(1, 14), st.integers(0, 99))
@example([(0.0, 0.0, 0.0, 0.0)] * 3, 18, 12, 0)
@example([(1.0, 1.0, 1.0, 1.0), (0.0, 1.0, 1.0, 1.0)], 18, 12, 0)
@example([(0.5, 0.5, 0.5, 0.5), (0.5, 0.5, 0.5, 0.50001)], 18, 12, 0)
def test_assign_inverts_place(rows, azimuth_bins, elevation_bins, seed):
    views = [[360 * a, 180 * e - 90, 360 * t - 180, 3 + 84 * d] for a, e, t, d in rows]
    try:
        space = DensityViews(views, azimuth_bins, elevation_bins)
    except ConfigError as error:  # wide kernels about the nearest and the farthest distance
        assert "of the density lies" in str(error)
        return
    stream = np.random.default_rng(seed)
    edges = [np.zeros((1, 4)), np.full((1, 4), LAST), stream.choice([0.0, LAST], (2, 4)), stream.random((2, 4))]
    uniform = torch.from_numpy(np.concatenate(edges)).float().repeat(space.num_buckets, 1)
    bucket = torch.arange(space.num_buckets).repeat_interleave(6)
    placed = space.place(bucket, uniform)
    assert placed.dtype == torch.float32
    assert bool(placed.isfinite().all())
    assert torch.equal(space.assign(placed), bucket)
    assert 1 <= placed[:, 3].min() <= placed[:, 3].max() <= 29
    assert torch.equal(space.assign(space.centres()), torch.arange(space.num_buckets))
    volume = space.volumes()
    assert volume.shape == (azimuth_bins * elevation_bins,)
    assert bool((volume >= 0).all())
    assert math.isclose(float(volume.sum()), 1, rel_tol=1e-12)


def test_volumes_agree_with_draws_from_the_plain_density():
    rows = annotations()
    draws = plain_kde(rows, 400_000)
    share = np.bincount(cells(draws), minlength=216) / len(draws)
    volume = DensityViews(rows.tolist()).volumes().numpy()
    # five standard deviations, and one draw
    assert (abs(share - volume) < 5 * np.sqrt(volume / len(draws)) + 1 / len(draws)).all()
    assert (volume > 0.02).sum() > 10


def test_volumes_agree_with_numerical_integration():
    rows = annotations(20)
    width = bandwidth(rows)
    # the density on a grid of midpoints, a quarter of a degree wide; azimuth summed over five turns
    azimuth, elevation = np.arange(0.125, 360, 0.25), np.arange(-89.875, 90, 0.25)
    turned = azimuth[:, None, None] + 360 * np.arange(-2, 3)[:, None]
    around = stats.norm.pdf(turned, rows[:, 0], width[0]).sum(1)
    up = stats.norm.pdf(elevation[:, None], rows[:, 1], width[1])
    away = np.linspace(1, 29, 4001)
    near = np.trapezoid(stats.norm.pdf(away[:, None], rows[:, 3] / 3, width[3]), away, axis=0)
    density = np.einsum("an,en,n->ae", around, up, near)
    mass = density.reshape(18, 80, 12, 60).sum((1, 3)).ravel()
    np.testing.assert_allclose(DensityViews(rows.tolist()).volumes().numpy(), mass / mass.sum(), atol=2e-6)


@pytest.mark.parametrize("bucket", [6, 17 * 12 + 6, 4 * 12 + 8, 5 * 12 + 9, 2 * 12 + 6])
def test_place_agrees_with_rejection_sampling(bucket):
    rows = annotations()
    draws = plain_kde(rows, 400_000)
    wanted = draws[cells(draws) == bucket]
    placed = draw(DensityViews(rows.tolist()), bucket, 4000)
    assert len(wanted) > 1500
    # each column, and mixtures that see how the columns hang together
    for weights in [*np.eye(4), (1, 1, 1, 5), (1, -1, 2, 0), (0, 1, -1, 5), (1, 0, 0, -10)]:
        # a right sampler fails one of these in a thousand; the seeds are fixed
        assert stats.ks_2samp(wanted @ weights, placed @ weights).pvalue > 1e-3


def test_place_follows_the_tails():
    views = [[90, 0, 0, 9], [95, 10, 0, 9]]
    space = DensityViews(views, azimuth_bins=72, elevation_bins=1)
    width = 1.06 * 5 / math.sqrt(2) * 2**-0.2
    for low in (70, 80, 90, 105, 110):
        # the tail on the far side, in which nothing cancels
        side = 1 if low >= 90 else -1
        edges = np.array([low, low + 5, *draw(space, low // 5, 2000)[:, 0]])
        tail = side * stats.norm.sf(side * (edges[:, None] - [90, 95]) / width).sum(1)
        assert stats.kstest((tail[0] - tail[2:]) / (tail[0] - tail[1]), "uniform").pvalue > 1e-3
    assert 0 < space.volumes()[70 // 5] < 3e-6  # from 4.6 standard deviations on


def test_place_wraps_wide_kernels():
    views = np.array([[10, 0, 0, 9], [120, 0, 0, 9], [200, 0, 0, 9]])
    # one bucket all round, which each kernel enters from both ends; the widths from the circular mean, 110 degrees
    space = DensityViews(views.tolist(), azimuth_bins=1, elevation_bins=1)
    width = 1.06 * np.std(views[:, 0], ddof=1) * 3**-0.2
    edges = np.array([0, 360, *draw(space, 0, 4000)[:, 0]])
    turned = edges[:, None, None] + 360 * np.arange(-4, 5)[:, None]
    cdf = stats.norm.cdf(turned, views[:, 0], width).sum((1, 2))
    assert stats.kstest((cdf[2:] - cdf[0]) / (cdf[1] - cdf[0]), "uniform").pvalue > 1e-3


def test_place_is_uniform_where_there_is_no_density():
    space = DensityViews(annotations().tolist())
    bucket = 13 * 12 + 1  # azimuth 260 to 280, elevation -75 to -60
    assert space.volumes()[bucket] == 0
    draws = draw(space, bucket, 2000)
    assert stats.kstest((draws[:, 0] - 260) / 20, "uniform").pvalue > 1e-3
    assert stats.kstest((draws[:, 1] + 75) / 15, "uniform").pvalue > 1e-3
    everywhere = plain_kde(annotations(), 20_000)
    for column in (2, 3):
        assert stats.ks_2samp(draws[:, column], everywhere[:, column]).pvalue > 1e-3


@pytest.mark.parametrize("turn", [20, 180, 340])
def test_no_azimuth_is_special(turn):
    rows = annotations()
    moved = np.add(rows, [turn, 0, 0, 0])
    space, other = DensityViews(rows.tolist()), DensityViews(moved.tolist())
    grid = space.volumes().view(18, 12)
    np.testing.assert_allclose(other.volumes().view(18, 12).numpy(), grid.roll(turn // 20, 0).numpy(), atol=1e-9)
    bucket = torch.arange(216)
    u = torch.rand(216, 4, generator=torch.Generator().manual_seed(0))
    there = other.place((bucket + turn // 20 * 12) % 216, u)
    difference = (there - space.place(bucket, u)).double().numpy() - [turn, 0, 0, 0]
    difference[:, 0] = (difference[:, 0] + 180) % 360 - 180
    # the rest of the first number is all that is left of it among many kernels
    assert np.median(abs(difference), 0).max() < 1e-3


def test_a_kernel_at_zero_degrees_reaches_across():
    space = DensityViews([[358, 0, 0, 9], [2, 0, 0, 9]], elevation_bins=1)
    volume = space.volumes().numpy()
    width = 1.06 * 4 / math.sqrt(2) * 2**-0.2
    np.testing.assert_allclose(volume[[0, 17]], 0.5, atol=1e-6)
    assert draw(space, 17, 200)[:, 0].min() > 360 - 2 - 5 * width
    assert draw(space, 0, 200)[:, 0].max() < 2 + 5 * width


@pytest.mark.parametrize("view", [[0, 0, 0, 6], [20, 15, -5, 9], [359.5, 90, 180, 87], [123.4, -90, -180, 3]])
@pytest.mark.parametrize("count", [1, 5])
def test_annotations_of_one_viewpoint_are_that_viewpoint(view, count):
    space = DensityViews([view] * count)
    wanted = np.array(view) / [1, 1, 1, 3]
    bucket = min(int(wanted[0] // 20) * 12 + int((wanted[1] + 90) // 15), int(wanted[0] // 20) * 12 + 11)
    assert space.volumes()[bucket] == 1
    draws = draw(space, bucket, 50)
    draws[:, 2] = np.where(draws[:, 2] - wanted[2] < -300, draws[:, 2] + 360, draws[:, 2])
    np.testing.assert_allclose(draws, np.tile(wanted, (50, 1)), atol=1e-4)


def test_tilt_lives_on_the_circle():
    space = DensityViews([[10, 0, 178, 9], [10, 0, -178, 9]], 1, 1)
    tilt = draw(space, 0, 500)[:, 2]
    assert (abs(tilt) > 160).all()
    assert (tilt < 0).any() and (tilt > 0).any()


def test_rows_at_distance_0_are_dropped_and_distances_divided():
    rows = annotations()
    space = DensityViews([*rows.tolist(), [200, -50, 0, 0]])
    assert torch.equal(space.volumes(), DensityViews(rows.tolist()).volumes())
    whole = DensityViews((rows / [1, 1, 1, 3]).tolist(), distance_divisor=1.0)
    np.testing.assert_allclose(whole.volumes().numpy(), space.volumes().numpy(), atol=1e-12)


def test_classes_of_different_views_make_one_p0():
    plane = DensityViews([[a, -20, 0, 6] for a in range(0, 90, 10)])
    car = DensityViews([[a, 10, 0, 15] for a in range(180, 360, 10)])
    space = Union("class", [plane, car], [1.0, 3.0])
    assert space.num_buckets == 432
    np.testing.assert_allclose(
        space.volumes().numpy(), np.concatenate([plane.volumes() / 4, car.volumes() * 0.75]), rtol=1e-12
    )
    bucket = torch.multinomial(space.volumes(), 3000, replacement=True, generator=torch.Generator().manual_seed(0))
    drawn = space.sample(bucket, torch.Generator().manual_seed(1))
    assert torch.equal(space.assign(drawn), bucket)
    of_car = drawn[:, 0] == 1
    assert 0.7 < float(of_car.float().mean()) < 0.8
    assert float(drawn[of_car, 4].mean()) == pytest.approx(5, abs=0.01)
    assert float(drawn[~of_car, 2].mean()) == pytest.approx(-20, abs=0.5)
    assert space.describe(216) == ("azimuth 0 to 20 degrees, elevation -90 to -75 degrees",)


def test_same_numbers_give_the_same_views_alone_or_in_a_batch():
    space = Product([Categorical("class", ["a", "b"]), DensityViews(annotations().tolist())])
    bucket = torch.arange(0, 432, 7)
    uniform = torch.rand(len(bucket), 5, generator=torch.Generator().manual_seed(0))
    whole = space.place(bucket, uniform)
    alone = torch.cat([space.place(bucket[i : i + 1], uniform[i : i + 1]) for i in range(len(bucket))])
    assert torch.equal(whole, alone)
    assert space.place(bucket[:0], uniform[:0]).shape == (0, 5)


def test_reads_a_table_by_its_column_names(tmp_path):
    path = tmp_path / "views.csv"
    path.write_text("\ufeffname,tilt, distance,azimuth,elevation\nx,1,6,10,-20\ny,2,7.5,350,3e1\n", encoding="utf-8")
    np.testing.assert_array_equal(read_viewpoints(path).numpy(), [[10, -20, 1, 6], [350, 30, 2, 7.5]])
    rows = read_viewpoints(path).tolist()
    assert torch.equal(DensityViews(str(path)).volumes(), DensityViews(rows).volumes())
    assert torch.equal(DensityViews(path).volumes(), DensityViews(rows).volumes())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no column azimuth, elevation, tilt, distance"),
        ("azimuth,elevation,distance\n1,2,3\n", "no column tilt among azimuth, elevation, distance"),
        (HEADER, "views.csv.*There is no viewpoint"),
        (HEADER + "1,2,3,0\n", "all are at distance 0"),
        (HEADER + "1,2,3,4\n1,2,nan,4\n", "views.csv.*Viewpoint 1"),
        (HEADER + "1,2,3\n", "Viewpoint 0"),
        (HEADER + "1,2,,4\n", "Viewpoint 0"),
        (HEADER + "1,2,three,4\n", "views.csv is no table of viewpoints: .*three"),
        (HEADER + "1,95,0,4\n", "Viewpoint 0"),
        (HEADER + "1,2,0,-4\n", "Viewpoint 0"),
        (b"\x89PNG\r\n\xff\x00", "views.csv is no table of viewpoints"),
    ],
)
def test_a_broken_table_is_named(tmp_path, text, words):
    path = tmp_path / "views.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ConfigError, match=words):
        DensityViews(path)


def test_a_missing_table_is_named():
    with pytest.raises(DatasetNotFoundError, match=r"gone/views\.csv.*first line is azimuth,elevation"):
        DensityViews("gone/views.csv")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"distance": (2.0, 2.0)}, "near < far"),
        ({"distance": (0.0, 2.0)}, "distance is above 0"),
        ({"distance_divisor": 0.0}, "divisor is above 0"),
        ({"distance_divisor": 30.0}, "Only 0% of the density lies 1 to 29 units .* distance_divisor"),
        ({"elevation_bins": 0}, "at least one bin"),
    ],
)
def test_refuses_settings_that_make_no_sense(settings, words):
    with pytest.raises(ConfigError, match=words):
        DensityViews(annotations().tolist(), **settings)
