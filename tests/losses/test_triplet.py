"""The triplet losses of GM-CML against NumPy, worked cases, their optimum, the corrected eq. 7 and their symmetries."""

import math

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from torch.autograd import gradcheck

from synthreal.errors import ConfigError
from synthreal.losses import MultiTripletLoss, pair_distance, pair_loss, triplet_loss

SEEDS, MARGINS = st.integers(0, 1000), st.floats(0.01, 100)
SHAPES = st.tuples(st.integers(1, 6), st.integers(3, 7), st.integers(1, 5))


def random_sets(shape=(4, 5, 3), seed=0):
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def numpy_distance(a, b):
    return sum((x - y) ** 2 for x, y in zip(a, b, strict=True))


def numpy_triplet(reference, positive, negative, margin):
    """Eq. 6, as the paper writes it."""
    return np.log(max(1, 2 - numpy_distance(reference, negative) / (numpy_distance(reference, positive) + margin)))


def at_distances(pair, *negatives):
    """One set along a line with D_ij = pair and each D_ik; the negatives lie on both sides."""
    places = [0, math.sqrt(pair), *((-1) ** k * math.sqrt(value) for k, value in enumerate(negatives))]
    return torch.tensor(places, dtype=torch.float64)[None, :, None] + 5


@given(SHAPES, SEEDS, MARGINS)
def test_the_triplet_loss_is_the_papers_formula(shape, seed, margin):
    sets = random_sets(shape, seed)
    expected = np.mean([sum(numpy_triplet(i, j, k, margin) for k in rest) for i, j, *rest in sets.numpy()])
    assert triplet_loss(sets, margin).item() == pytest.approx(expected, rel=1e-9, abs=1e-12)


@given(SHAPES, SEEDS)
def test_the_pair_loss_is_the_mean_squared_distance_of_reference_and_positive(shape, seed):
    sets = random_sets(shape, seed)
    expected = [numpy_distance(i, j) for i, j, *_ in sets.numpy()]
    np.testing.assert_allclose(pair_distance(sets).numpy(), expected, rtol=1e-12)
    assert pair_loss(sets).item() == pytest.approx(np.mean(expected))


def test_worked_cases():
    # D_ij = 3, margin 1: 2 - 0/4 = 2, 2 - 1/4 = 7/4, 2 - 4/4 = 1, and 2 - 9/4 is below 1
    for distance, inside in ((0, 2), (1, 7 / 4), (4, 1), (9, 1)):
        assert triplet_loss(at_distances(3, distance), 1.0).item() == pytest.approx(math.log(inside), abs=1e-12)
    # in a plane: reference (1, 0), positive (1, 2), negatives (2, 1) and (0, 0): D 4, 2, 1
    plane = torch.tensor([[[1.0, 0], [1, 2], [2, 1], [0, 0]]])
    assert triplet_loss(plane, 2.0).item() == pytest.approx(math.log(2 - 2 / 6) + math.log(2 - 1 / 6))
    assert pair_loss(plane).item() == 4
    # the mean over sets, the sum over negatives
    both = torch.cat([at_distances(3, 0, 1), at_distances(0, 9, 9)])
    assert triplet_loss(both, 1.0).item() == pytest.approx((math.log(2) + math.log(7 / 4)) / 2)
    assert pair_loss(both).item() == pytest.approx(1.5)


@given(SEEDS, MARGINS, st.lists(st.floats(1 + 1e-9, 50), min_size=1, max_size=5), st.floats(0, 0.999))
def test_the_loss_is_zero_exactly_if_every_negative_is_a_margin_farther_than_the_positive(seed, margin, far, near):
    stream = np.random.default_rng(seed)
    reference, offset = stream.normal(size=(2, 4))
    pair = numpy_distance(offset, np.zeros(4))

    def sets(shares):
        """Negatives at D_ik = share · (D_ij + margin), in random directions."""
        directions = stream.normal(size=(len(shares), 4))
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        negatives = reference + directions * np.sqrt(np.array(shares) * (pair + margin))[:, None]
        return torch.from_numpy(np.stack([reference, reference + offset, *negatives])[None]).requires_grad_()

    apart = sets([value + 1e-6 for value in far])
    loss = triplet_loss(apart, margin)
    loss.backward()
    assert loss.item() == 0
    assert not apart.grad.any()
    # one negative that is too near costs ln(2 - its share), whatever the others do
    assert triplet_loss(sets([*far, near]), margin).item() == pytest.approx(math.log(2 - near), abs=1e-6)


def eq_7(i, j, k, margin):
    """The gradients of L_tri by x_i, x_j and x_k as the paper prints them, and the loss L."""
    pair, negative = numpy_distance(i, j), numpy_distance(i, k)
    loss = numpy_triplet(i, j, k, margin)
    below = loss * (pair + margin) ** 2
    by_i = (negative * (i - j) - (pair + margin) * (i - k)) / below
    by_j = negative * (j - i) / below
    by_k = (i - k) / (loss * (pair + margin))
    return (by_i, by_j, by_k), loss


@given(SEEDS, st.floats(1, 100))
def test_the_gradient_is_eq_7_times_two_with_e_to_the_loss_in_place_of_the_loss(seed, margin):
    sets = random_sets((1, 3, 4), seed)
    sets[:, 2] = sets[:, 0] + 0.4 * (sets[:, 2] - sets[:, 0])  # near the reference, so that it costs
    assume(numpy_triplet(*sets[0].numpy(), margin) > 1e-6)
    printed, loss = eq_7(*sets[0].numpy(), margin)
    sets.requires_grad_()
    triplet_loss(sets, margin).backward()
    for gradient, paper in zip(sets.grad[0].numpy(), printed, strict=True):
        np.testing.assert_allclose(gradient, 2 * paper * loss / np.exp(loss), rtol=1e-7, atol=1e-12)


def test_the_printed_eq_7_is_not_the_gradient():
    i, j, k = np.array([0.0, 0]), np.array([1.0, 0]), np.array([0.0, 1])
    (by_i, *_), loss = eq_7(i, j, k, 1.0)
    step = 1e-6
    pairs = [(numpy_triplet(i + e, j, k, 1.0), numpy_triplet(i - e, j, k, 1.0)) for e in step * np.eye(2)]
    slopes = [(after - before) / (2 * step) for after, before in pairs]
    # D_ij = D_ik = 1: L = ln 1.5, and eq. 7 is off by 2 ln 1.5 / 1.5 = 0.54
    assert loss == pytest.approx(math.log(1.5))
    np.testing.assert_allclose(slopes, 0.5406 * by_i, rtol=1e-3)


@pytest.mark.parametrize("negatives", [1, 3, 4])
@pytest.mark.parametrize("weight", [0.0, 1.0, 0.3])
def test_gradients_agree_with_finite_differences(negatives, weight):
    sets = random_sets((3, 2 + negatives, 4)).requires_grad_()
    assert triplet_loss(sets, 8.0) > 0.1 * negatives  # negatives cost, and none is at the kink
    assert gradcheck(MultiTripletLoss(8.0, weight), sets)


def test_gradients_are_right_where_distances_are_zero():
    sets = random_sets((2, 5, 3))
    for same in ([0, 1], [0, 2], [0, 3, 4], [0, 1, 2, 3, 4]):
        sets[:, same] = sets[:, :1]
        assert gradcheck(MultiTripletLoss(5.0), sets.clone().requires_grad_())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("place", [0.0, 100.0])
def test_a_collapsed_network_has_the_largest_loss_and_a_gradient_of_zero(dtype, place):
    sets = torch.full((3, 5, 4), place, dtype=dtype, requires_grad=True)
    loss = triplet_loss(sets, 1e-3)
    (loss + pair_loss(sets)).backward()
    assert loss.item() == pytest.approx(3 * math.log(2))
    assert torch.equal(sets.grad, torch.zeros_like(sets))


@given(SHAPES, SEEDS, MARGINS)
def test_a_loss_is_at_least_zero_and_at_most_log_two_a_negative(shape, seed, margin):
    sets = random_sets(shape, seed)
    assert 0 <= triplet_loss(sets, margin).item() <= (shape[1] - 2) * math.log(2)
    assert pair_loss(sets).item() >= 0


@given(SHAPES, SEEDS, st.floats(-10, 10))
def test_losses_ignore_where_descriptors_lie_and_how_they_are_turned(shape, seed, shift):
    sets = random_sets(shape, seed)
    turn = torch.linalg.qr(random_sets((shape[2], shape[2]), seed + 1)).Q
    for loss in (MultiTripletLoss(3.0), pair_loss):
        assert loss(sets @ turn + shift).item() == pytest.approx(loss(sets).item(), rel=1e-9, abs=1e-9)


@given(SHAPES, SEEDS, st.floats(0.1, 10))
def test_the_margin_has_the_units_of_squared_descriptors(shape, seed, scale):
    sets = random_sets(shape, seed)
    scaled = triplet_loss(scale * sets, 2 * scale**2)
    assert scaled.item() == pytest.approx(triplet_loss(sets, 2.0).item(), rel=1e-9, abs=1e-12)


@given(st.floats(0, 10), st.floats(0, 10), st.floats(0.01, 5), MARGINS)
def test_the_loss_grows_with_the_positives_distance_and_falls_with_the_negatives(pair, far, more, margin):
    before = triplet_loss(at_distances(pair, far), margin).item()
    active = 0.1 < far < 0.99 * (pair + margin)
    nearer_pair = triplet_loss(at_distances(pair + more, far), margin).item()
    wider = triplet_loss(at_distances(pair, far), margin + more).item()
    farther = triplet_loss(at_distances(pair, far + more), margin).item()
    assert min(nearer_pair, wider) >= before - 1e-12
    assert farther <= before + 1e-12
    if active:
        assert min(nearer_pair, wider) > before
        assert farther < before
    assert pair_loss(at_distances(pair + more, far)) > pair_loss(at_distances(pair, far))


def test_the_order_of_sets_and_of_negatives_does_not_matter():
    sets = random_sets()
    mixed = sets[[2, 0, 3, 1]][:, [0, 1, 4, 2, 3]]
    assert triplet_loss(mixed, 4.0).item() == pytest.approx(triplet_loss(sets, 4.0).item())
    assert triplet_loss(sets[:, [1, 0, 2, 3, 4]], 4.0).item() != pytest.approx(triplet_loss(sets, 4.0).item())


def test_no_sets_have_a_loss_of_zero_with_a_gradient():
    sets = torch.zeros(0, 5, 4, requires_grad=True)
    loss = MultiTripletLoss()(sets)
    loss.backward()
    assert loss.item() == 0
    assert sets.grad.shape == (0, 5, 4)


@pytest.mark.parametrize("loss", [triplet_loss, pair_loss])
def test_losses_are_computed_in_full_precision_whatever_the_network_runs_in(loss):
    sets = 300 + random_sets((8, 5, 16)).float()
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(loss(sets), loss(sets.clone()))
        assert loss(sets).item() == pytest.approx(loss(sets.double()).item(), rel=1e-5)
    for half in (sets.half(), sets.bfloat16(), (100 * sets).half()):  # the last one's squares overflow
        assert loss(half).dtype == torch.float32
        assert torch.isfinite(loss(half))
        assert torch.equal(loss(half), loss(half.float()))


@pytest.mark.parametrize("weight", [0.0, 1.0, 2.5])
def test_the_module_is_the_triplet_loss_and_the_weighted_pair_loss(weight):
    sets = random_sets()
    expected = triplet_loss(sets, 2.0) + weight * pair_loss(sets)
    assert torch.equal(MultiTripletLoss(2.0, weight)(sets), expected)
    assert not list(MultiTripletLoss().parameters())


def test_by_default_the_margin_and_the_pairs_weight_are_one():
    sets = random_sets()
    assert torch.equal(MultiTripletLoss()(sets), triplet_loss(sets, 1.0) + pair_loss(sets))
    assert torch.equal(triplet_loss(sets), triplet_loss(sets, 1.0))


def test_gradient_descent_finds_descriptors_without_loss():
    sets = random_sets().requires_grad_()
    optimiser = torch.optim.SGD([sets], 0.1)
    for _ in range(1000):
        optimiser.zero_grad()
        MultiTripletLoss()(sets).backward()
        optimiser.step()
    assert triplet_loss(sets).item() < 1e-3
    distance = (sets[:, :1] - sets[:, 1:]).square().sum(2)
    assert (distance[:, 1:] >= distance[:, :1] + 0.99).all()
    assert pair_loss(sets).item() < 1e-3


@pytest.mark.parametrize("margin", [0.0, -1.0, math.nan])
def test_a_margin_that_is_not_above_zero_is_refused(margin):
    for use in (lambda: triplet_loss(random_sets(), margin), lambda: MultiTripletLoss(margin)):
        with pytest.raises(ConfigError, match=r"margin is above 0, not (0\.0|-1\.0|nan).*0/0"):
            use()


def test_sets_that_are_too_small_and_negative_weights_are_refused():
    with pytest.raises(ConfigError, match="a reference, a positive and negatives, not 2 descriptors"):
        triplet_loss(random_sets((3, 2, 4)))
    assert pair_loss(random_sets((3, 2, 4))) > 0  # a pair is enough here
    with pytest.raises(ConfigError, match="needs a reference and a positive, but sets are of 1 descriptors"):
        pair_loss(random_sets((3, 1, 4)))
    for weight in (-0.1, math.nan):
        with pytest.raises(ConfigError, match="weight is at least 0, not"):
            MultiTripletLoss(1.0, weight)
