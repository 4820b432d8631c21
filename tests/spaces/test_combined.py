import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from synthreal.errors import ConfigError
from synthreal.spaces import Categorical, Circular, Continuous, Product, Union

SETTINGS = settings(deadline=None, max_examples=80, database=None, derandomize=True)

bins = st.integers(1, 6)
# Plans, not spaces: a space built inside a strategy would be checked by beartype, whose dice hypothesis forbids.
axis = st.one_of(
    st.tuples(st.just("interval"), st.floats(-50, 50), st.floats(1, 90), bins),
    st.tuples(st.just("circle"), bins, st.sampled_from([1.0, 6.283, 360.0]), st.sampled_from([0.0, -180.0, 0.1])),
    st.tuples(st.just("choice"), bins),
)


def combine(plan):
    weights = st.none() | st.lists(st.floats(0.01, 10), min_size=3, max_size=3)
    members = st.lists(plan, min_size=1, max_size=3)
    return st.tuples(st.just("product"), members) | st.tuples(st.just("union"), members, weights)


plan = st.recursive(axis, combine, max_leaves=6)


def build(plan):
    match plan:
        case "interval", low, span, count:
            return Continuous("x", low, low + span, count)
        case "circle", count, period, low:
            return Circular("angle", count, period, low)
        case "choice", count:
            return Categorical("class", [str(i) for i in range(count)])
        case "product", factors:
            return Product([build(factor) for factor in factors])
        case "union", members, weights:
            return Union("what", [build(member) for member in members], weights and weights[: len(members)])


def rows(space, seed, count=40):
    """Buckets, and uniform numbers with both ends among them, where a draw could fall into the next bucket."""
    stream = np.random.default_rng(seed)
    bucket = torch.from_numpy(stream.integers(0, space.num_buckets, count))
    uniform = stream.random((count, len(space.columns)), dtype=np.float32)
    uniform[: count // 4] = 0
    uniform[count // 4 : count // 2] = 1 - 2.0**-24
    return bucket, torch.from_numpy(uniform)


@SETTINGS
@given(plan, st.integers(0, 1000))
@example(("circle", 2, 360.0, -180.0), 0)
def test_assign_inverts_place(plan, seed):
    space = build(plan)
    bucket, uniform = rows(space, seed)
    parameters = space.place(bucket, uniform)
    assert parameters.shape == (len(bucket), len(space.columns))
    assert parameters.dtype == torch.float32
    assert torch.equal(space.assign(parameters), bucket)


@SETTINGS
@given(plan)
def test_volumes_are_one_for_each_bucket_and_sum_to_one(plan):
    space = build(plan)
    volume = space.volumes()
    assert volume.shape == (space.num_buckets,)
    assert volume.dtype == torch.float64
    assert bool((volume > 0).all())
    assert math.isclose(float(volume.sum()), 1, rel_tol=1e-12)
    assert math.prod(space.shape) == space.num_buckets


@SETTINGS
@given(plan)
def test_embed_keeps_the_centres_of_buckets_apart(plan):
    space = build(plan)
    bucket = torch.arange(min(space.num_buckets, 60))
    where = space.embed(space.place(bucket, torch.full((len(bucket), len(space.columns)), 0.5)))
    assert where.shape[0] == len(bucket)
    assert bool(where.isfinite().all())
    distance = torch.cdist(where.double(), where.double()) + torch.eye(len(bucket))
    # six bins on a circle of circumference 1: neighbours are 2 sin(pi/6) / (2 pi) = 0.16 apart
    assert float(distance.min()) > 0.15


@SETTINGS
@given(plan)
def test_every_bucket_of_a_product_has_its_own_name(plan):
    space = Product([Categorical("which", ["a", "b"]), build(plan)])
    names = [space.describe(bucket) for bucket in range(space.num_buckets)]
    assert {name[0] for name in names[: len(names) // 2]} == {"a"}
    assert {name[0] for name in names[len(names) // 2 :]} == {"b"}
    assert all(isinstance(part, str) and part for name in names for part in name)


def seven():
    """A product that holds a weighted union of unequal members."""
    choice = Union(
        "what",
        [Continuous("turn", -15.0, 15.0, 4), Continuous("grow", 0.0, 1.0, 2), Circular("hue", 3)],
        [1.0, 3.0, 2.0],
    )
    return Product([Categorical("class", ["a", "b", "c"]), choice])


def test_volumes_agree_with_monte_carlo():
    space, count = seven(), 60_000
    stream = np.random.default_rng(0)
    # drawn without buckets: class, then member by weight, then its value uniformly over its whole range
    which = stream.choice(3, count, p=[1 / 6, 3 / 6, 2 / 6])
    value = stream.random(count) * np.array([30, 1, 360])[which] + np.array([-15, 0, 0])[which]
    parameters = np.stack([stream.integers(0, 3, count), which, value], 1).astype(np.float32)
    frequency = np.bincount(space.assign(torch.from_numpy(parameters)).numpy(), minlength=27) / count
    volume = space.volumes().numpy()
    assert volume.shape == (27,)
    # five standard deviations
    assert (abs(frequency - volume) < 5 * np.sqrt(volume / count)).all()


def test_product_runs_the_last_factor_fastest():
    space = Product([Categorical("a", list("xyz")), Continuous("b", 0.0, 2.0, 2), Categorical("c", list("pqrs"))])
    assert space.num_buckets == 24
    assert space.shape == (3, 8)
    assert space.columns == ("a", "b", "c")
    for bucket, (a, b, c) in enumerate(itertools.product(range(3), range(2), range(4))):
        parameters = space.place(torch.tensor([bucket]), torch.tensor([[0.0, 0.5, 0.0]]))
        assert parameters.tolist() == [[a, b + 0.5, c]]
        assert space.describe(bucket) == ("xyz"[a], f"b {b} to {b + 1}", "pqrs"[c])


def test_product_volumes_are_products():
    union = Union("what", [Continuous("a", 0.0, 1.0, 1), Continuous("b", 0.0, 1.0, 2)], [1.0, 3.0])
    volume = Product([union, Categorical("class", ["a", "b"])]).volumes()
    np.testing.assert_allclose(volume.numpy(), np.outer([0.25, 0.375, 0.375], [0.5, 0.5]).ravel())


def test_a_million_buckets_are_never_listed():
    space = Product([Continuous(name, 0.0, 1.0, 100) for name in "abc"])
    assert space.num_buckets == 10**6
    bucket = torch.tensor([0, 12_345, 678_910, 999_999])
    middle = space.place(bucket, torch.full((4, 3), 0.5))
    digits = np.stack(np.unravel_index(bucket.numpy(), (100, 100, 100)), 1)
    np.testing.assert_allclose(middle.numpy(), (digits + 0.5) / 100, rtol=1e-5)
    assert torch.equal(space.assign(middle), bucket)
    assert space.describe(12_345) == ("a 0.01 to 0.02", "b 0.23 to 0.24", "c 0.45 to 0.46")
    assert math.isclose(float(space.volumes().sum()), 1, rel_tol=1e-9)


def test_union_holds_one_member_and_zeros_beyond_its_columns():
    pair = Product([Continuous("u", 1.0, 2.0, 2), Continuous("v", 3.0, 4.0, 1)])
    space = Union("what", [Continuous("w", 5.0, 6.0, 3), pair])
    assert space.columns == ("what", "what value 1", "what value 2")
    assert space.num_buckets == 5
    parameters = space.place(torch.tensor([0, 2, 3, 4]), torch.full((4, 3), 0.5))
    expected = [[0, 5 + 1 / 6, 0], [0, 5 + 5 / 6, 0], [1, 1.25, 3.5], [1, 1.75, 3.5]]
    np.testing.assert_allclose(parameters.numpy(), expected, rtol=1e-6)
    assert space.describe(1) == ("w 5.33 to 5.67",)
    assert space.describe(4) == ("u 1.5 to 2, v 3 to 4",)


def test_union_without_weights_makes_equal_buckets():
    members = [Continuous("a", 0.0, 1.0, 4), Continuous("b", 0.0, 1.0, 2), Categorical("c", ["x"])]
    np.testing.assert_allclose(Union("what", members).volumes().numpy(), np.full(7, 1 / 7))


def test_union_member_of_weight_zero_has_no_volume():
    union = Union("what", [Continuous("a", 0.0, 1.0, 2), Continuous("b", 0.0, 1.0, 2)], [0.0, 2.0])
    assert union.volumes().tolist() == [0, 0, 0.5, 0.5]


@pytest.mark.parametrize("weights", [[1.0], [1.0, 2.0, 3.0], [-1.0, 2.0], [0.0, 0.0], [math.nan, 1.0], [math.inf, 1.0]])
def test_union_refuses_weights_that_are_no_shares(weights):
    with pytest.raises(ConfigError, match="2 finite weights"):
        Union("what", [Continuous("a", 0.0, 1.0), Continuous("b", 0.0, 1.0)], weights)


def test_union_embeds_the_choice_and_the_chosen_coordinates():
    space = Union("what", [Continuous("a", 0.0, 10.0), Continuous("b", -4.0, 4.0)])
    where = space.embed(torch.tensor([[0.0, 5.0], [1.0, -2.0], [0.0, 10.0]]))
    half = 1 / math.sqrt(2)
    expected = [[half, 0, 0.5, 0], [0, half, 0, 0.25], [half, 0, 1, 0]]
    np.testing.assert_allclose(where.numpy(), expected, rtol=1e-6)


@pytest.mark.parametrize(
    "other", [Categorical("c", ["x", "y"]), Union("c", [Continuous("d", 0.0, 1.0), Continuous("e", 0.0, 1.0)])]
)
def test_union_embeds_only_the_member_that_was_chosen(other):
    # -7 is no category: the other member must not look at it
    where = Union("what", [Continuous("a", -10.0, 10.0), other]).embed(torch.tensor([[0.0, -7.0, 0.0]]))
    np.testing.assert_allclose(where[0, :3].numpy(), [1 / math.sqrt(2), 0, 0.15], rtol=1e-6)
    assert float(where[0, 3:].abs().sum()) == 0


def test_union_refuses_an_unknown_member():
    with pytest.raises(ConfigError, match="what = 2"):
        Union("what", [Continuous("a", 0.0, 1.0), Continuous("b", 0.0, 1.0)]).assign(torch.tensor([[2.0, 0.5]]))


def test_product_and_union_refuse_values_outside_a_factor():
    with pytest.raises(ConfigError, match=r"grow = 1\.5"):
        seven().assign(torch.tensor([[0.0, 1.0, 1.5]]))


def test_nothing_to_combine():
    with pytest.raises(ConfigError, match="at least one factor"):
        Product([])
    with pytest.raises(ConfigError, match="at least one member"):
        Union("what", [])
