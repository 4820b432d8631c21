import math

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from synthreal.errors import ConfigError
from synthreal.spaces import Categorical, Circular, Constant, Continuous

SETTINGS = settings(deadline=None, max_examples=60, database=None, derandomize=True)
LAST = 1 - 2.0**-24  # the largest float32 below 1, which torch.rand can return
UNIFORM = [0.0, 2.0**-24, 0.25, 0.5, 0.999, LAST]
number = st.floats(-1000, 1000, width=32)


def every_bucket(space):
    """Each bucket with each of the uniform numbers."""
    bucket = torch.arange(space.num_buckets).repeat_interleave(len(UNIFORM))
    return bucket, torch.tensor(UNIFORM).repeat(space.num_buckets)[:, None]


def make(kind, *args, **kwargs):
    """Not a space if the numbers drawn are too fine for float32."""
    try:
        return kind("x", *args, **kwargs)
    except ConfigError:
        assume(False)


@SETTINGS
@given(number, st.floats(0.01, 1000), st.integers(1, 40))
def test_continuous_place_is_linear_in_the_uniform_number_and_assign_inverts_it(low, span, bins):
    axis = make(Continuous, low, low + span, bins)
    bucket, uniform = every_bucket(axis)
    value = axis.place(bucket, uniform)
    assert value.shape == (len(bucket), 1)
    assert torch.equal(axis.assign(value), bucket)
    expected = low + (bucket.numpy() + uniform[:, 0].double().numpy()) * span / bins
    # float32 holds 24 bits of the largest number on the axis
    np.testing.assert_allclose(value[:, 0].numpy(), expected, atol=4 * 2.0**-24 * max(abs(low), abs(low + span)))
    assert np.float32(low) <= value.min().numpy()
    assert value.max().numpy() <= np.float32(low + span)


@SETTINGS
@given(st.integers(1, 60), st.floats(0.1, 1000), number)
def test_circular_assign_inverts_place(bins, period, low):
    axis = make(Circular, bins, period, low)
    bucket, uniform = every_bucket(axis)
    assert torch.equal(axis.assign(axis.place(bucket, uniform)), bucket)


def test_circular_assign_inverts_place_just_below_zero():
    axis = Circular("azimuth", bins=18, low=-180.0)
    # -1.9e-6: subtracting and adding 180 in float32 would turn it into 0, which is the next bucket
    value = axis.place(torch.tensor([8]), torch.tensor([[LAST]]))
    assert -1e-5 < float(value) < 0
    assert axis.assign(value).tolist() == [8]


@pytest.mark.parametrize("low", [0.0, 0.1, -180.0, 33.3, -0.7])
def test_circular_takes_any_finite_angle(low):
    axis = Circular("azimuth", bins=12, low=low)
    angle = torch.cat([torch.linspace(-2000, 2000, 5001), low + 360 * torch.arange(-5.0, 6.0) - 1e-7])[:, None]
    bucket = axis.assign(angle).numpy()
    turn = (angle[:, 0].double().numpy() - low) % 360 / 30
    sure = abs(turn - turn.round()) > 1e-4  # float32 decides on the very edge
    assert sure.sum() > 4000
    np.testing.assert_array_equal(bucket[sure], np.floor(turn[sure]))
    assert ((bucket >= 0) & (bucket < 12)).all()


def test_circular_wraps():
    axis = Circular("azimuth", bins=4)
    angle = torch.tensor([[0.0], [89.9], [90.0], [359.9], [360.0], [-0.1], [725.0], [-90.0]])
    assert axis.assign(angle).tolist() == [0, 0, 1, 3, 0, 3, 0, 3]
    shifted = Circular("azimuth", bins=4, low=-45.0)
    assert shifted.assign(torch.tensor([[-45.0], [44.0], [46.0], [315.0], [314.0], [-46.0]])).tolist() == [
        0, 0, 1, 0, 3, 3,
    ]  # fmt: skip


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_circular_refuses_what_is_no_angle(value):
    with pytest.raises(ConfigError, match="azimuth"):
        Circular("azimuth", bins=4).assign(torch.tensor([[value]]))


def test_continuous_edges_belong_to_the_bin_above_and_the_last_to_the_last():
    axis = Continuous("x", 0.0, 4.0, 4)
    assert axis.assign(torch.tensor([[0.0], [1.0], [1.999], [3.0], [4.0]])).tolist() == [0, 1, 1, 3, 3]


@pytest.mark.parametrize("value", [-0.01, 4.01, math.nan, math.inf])
def test_continuous_refuses_values_outside(value):
    with pytest.raises(ConfigError, match=r"height = .* is outside \[0, 4\]"):
        Continuous("height", 0.0, 4.0, 4).assign(torch.tensor([[1.0], [value]]))


@pytest.mark.parametrize(
    ("low", "high", "bins"),
    [
        (1.0, 1.0, 1),
        (2.0, 1.0, 1),
        (0.0, math.inf, 1),
        (math.nan, 1.0, 1),
        (0.0, 1.0, 0),
        (0.0, 1.0, -3),
        (1.0, 1 + 1e-6, 1000),  # finer than float32 can tell
        (0.0, 1e39, 1),  # beyond float32
    ],
)
def test_continuous_refuses_impossible_ranges(low, high, bins):
    with pytest.raises(ConfigError, match="height"):
        Continuous("height", low, high, bins)


@pytest.mark.parametrize("axis", [Continuous("x", -3.0, 7.0, 5), Circular("x", 5), Categorical("x", list("abcde"))])
def test_volumes_are_equal_shares(axis):
    volume = axis.volumes()
    assert volume.dtype == torch.float64
    np.testing.assert_allclose(volume.numpy(), np.full(5, 0.2))
    assert axis.shape == (1, 5)


def test_embed_compares_on_one_scale():
    line = Continuous("x", 10.0, 30.0).embed(torch.tensor([[10.0], [30.0], [15.0]]))
    np.testing.assert_allclose(line[:, 0].numpy(), [0, 1, 0.25])
    circle = Circular("x", low=20.0).embed(torch.tensor([[0.0], [180.0], [359.5], [0.5]]))
    # a circle of circumference 1: antipodes are a diameter apart, and a degree is 1/360 also across 0
    assert math.isclose(float((circle[0] - circle[1]).norm()), 1 / math.pi, rel_tol=1e-5)
    assert math.isclose(float((circle[2] - circle[3]).norm()), 1 / 360, rel_tol=1e-3)
    choice = Categorical("x", ["a", "b", "c"]).embed(torch.tensor([[0.0], [1.0], [2.0]]))
    np.testing.assert_allclose(torch.cdist(choice, choice).numpy(), 1 - np.eye(3), atol=1e-6)


def test_categorical_place_and_assign_are_the_index():
    axis = Categorical("class", ["cat", "dog", "cow"])
    bucket, uniform = every_bucket(axis)
    value = axis.place(bucket, uniform)
    np.testing.assert_array_equal(value[:, 0].numpy(), bucket.numpy())
    assert torch.equal(axis.assign(value), bucket)


@pytest.mark.parametrize("value", [-1.0, 3.0, 0.5, math.nan])
def test_categorical_refuses_what_is_no_index(value):
    with pytest.raises(ConfigError, match=r"class = .* is not an index 0 to 2"):
        Categorical("class", ["cat", "dog", "cow"]).assign(torch.tensor([[1.0], [value]]))


def test_categorical_needs_categories():
    with pytest.raises(ConfigError, match="no categories"):
        Categorical("class", [])


def test_describe_names_interval_unit_and_category():
    assert Continuous("tilt", -15.0, 15.0, 4, "degrees").describe(1) == ("tilt -7.5 to 0 degrees",)
    assert Continuous("scale", 0.0, 1.0, 2).describe(1) == ("scale 0.5 to 1",)
    assert Circular("azimuth", 18).describe(17) == ("azimuth 340 to 360 degrees",)
    assert Categorical("class", ["cat", "dog"]).describe(1) == ("dog",)


@pytest.mark.parametrize("bucket", [[-1, 0], [0, 5]])
def test_sample_refuses_an_unknown_bucket(bucket):
    with pytest.raises(ConfigError, match="buckets 0 to 4"):
        Continuous("x", 0.0, 1.0, 5).sample(torch.tensor(bucket))


def test_sample_is_reproducible_and_inside_its_bucket():
    axis = Continuous("x", 0.0, 1.0, 5)
    bucket = torch.arange(5).repeat(200)
    value = axis.sample(bucket, torch.Generator().manual_seed(3))
    assert torch.equal(value, axis.sample(bucket, torch.Generator().manual_seed(3)))
    assert not torch.equal(value, axis.sample(bucket, torch.Generator().manual_seed(4)))
    np.testing.assert_array_equal(np.floor(value[:, 0].double().numpy() * 5), bucket.numpy())
    assert axis.sample(torch.zeros(0, dtype=torch.int64)).shape == (0, 1)


def test_centres_are_in_the_middle_of_their_buckets():
    axis = Continuous("x", -2.0, 2.0, bins=4)
    assert axis.centres().flatten().tolist() == [-1.5, -0.5, 0.5, 1.5]


@pytest.mark.parametrize("value", [0.0, 2.2, -15.0, 1e6])
def test_a_constant_is_one_bucket_of_one_value(value):
    axis = Constant("tilt", value, "degrees")
    bucket, uniform = every_bucket(axis)
    placed = axis.place(bucket, uniform)
    assert placed.tolist() == [[float(np.float32(value))]] * len(UNIFORM)
    assert placed.dtype == torch.float32
    assert axis.assign(placed).tolist() == [0] * len(UNIFORM)
    assert (axis.num_buckets, axis.volumes().tolist(), axis.columns) == (1, [1.0], ("tilt",))
    assert axis.embed(placed).shape == (len(UNIFORM), 0)


def test_a_constant_has_a_finite_value_and_no_other():
    with pytest.raises(ConfigError, match="tilt = 3 is not the fixed value 2"):
        Constant("tilt", 2.0).assign(torch.tensor([[2.0], [3.0]]))
    with pytest.raises(ConfigError, match="not the fixed value"):
        Constant("tilt", 2.0).assign(torch.tensor([[math.nan]]))
    with pytest.raises(ConfigError, match="finite value"):
        Constant("tilt", math.inf)
    assert Constant("tilt", 2.5, "degrees").describe(0) == ("tilt 2.5 degrees",)
