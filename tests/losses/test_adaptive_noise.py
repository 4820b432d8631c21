"""Adaptive noise: ratios against NumPy and golden values, and the noise itself by statistics."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq
from torch.autograd import gradcheck

from synthreal.errors import ConfigError
from synthreal.losses import NoiseRatios, add_noise, noise_ratios, variance_ratio

SHAPES = st.tuples(st.integers(1, 5), st.integers(1, 3), st.integers(2, 6), st.integers(2, 6))
SEEDS = st.integers(0, 1000)


def scalar(value):
    return torch.tensor(value, dtype=torch.float64)


def random(shape, seed=0):
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def both(ratio, **settings):
    return tuple(share.item() for share in noise_ratios(scalar(ratio), **settings))


@given(SHAPES, SEEDS, st.floats(1e-6, 10))
def test_the_ratio_is_that_of_variances_over_all_elements_of_the_batch(shape, seed, margin):
    made, target = 2 * random(shape, seed) + 1, random(shape, seed + 1) - 3
    a, b = (np.mean((x - x.mean()) ** 2) for x in (made.numpy(), target.numpy()))
    ratio = variance_ratio(made, target, margin)
    assert ratio.shape == ()
    assert ratio.item() == pytest.approx(a / (b + margin), rel=1e-9)


def test_the_ratio_of_worked_cases():
    target = torch.tensor([0.0, 1]).repeat(8).reshape(2, 2, 2, 2)  # variance 1/4
    assert variance_ratio(target, target, 1e-9).item() == pytest.approx(1)
    assert variance_ratio(target, target).item() == pytest.approx(1, abs=1e-5)  # the default margin is tiny
    assert variance_ratio(3 * target, target, 0.75).item() == pytest.approx(9 / 4)
    assert variance_ratio(torch.full_like(target, 0.7), target).item() == pytest.approx(0, abs=1e-9)
    # each image is flat, but the batch is not: elements of all images count together
    steps = torch.tensor([0.0, 1])[:, None, None, None].expand(2, 2, 2, 2)
    assert variance_ratio(steps, target, 1e-9).item() == pytest.approx(1)
    flat = torch.zeros(2, 2, 2, 2)
    assert variance_ratio(flat, flat).item() == 0
    assert math.isfinite(variance_ratio(target, flat).item())


def test_the_ratio_has_no_gradient():
    made, target = random((2, 3, 4, 4)).requires_grad_(), random((2, 3, 4, 4), 1).requires_grad_()
    ratio = variance_ratio(made, target)
    assert not ratio.requires_grad
    assert not any(share.requires_grad for share in noise_ratios(ratio))
    image = random((2, 3, 4, 4), 2).requires_grad_()
    add_noise(image, noise_ratios(ratio).reconstruction).sum().backward()
    assert made.grad is None
    assert image.grad is not None


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_the_ratio_is_computed_in_full_precision(dtype):
    made, target = (300 * random((8, 3, 64, 64), seed).to(dtype) for seed in range(2))
    ratio = variance_ratio(made, target)
    assert ratio.dtype == torch.float32
    assert torch.equal(ratio, variance_ratio(made.float(), target.float()))


def test_golden_values_of_the_ratios():
    # r = 0: no noise for the reconstruction, tanh(1) for the classification
    assert both(0.0) == pytest.approx((0, 0.7615941559557649), abs=1e-15)
    # r = 1: tanh(0.25) and tanh(1 - tanh(2)) = tanh(0.0359724)
    assert both(1.0) == pytest.approx((0.24491866240370913, 0.0359569117), abs=1e-9)
    assert both(1e9) == pytest.approx((1, 0))
    assert both(0.5, alpha=2.0, beta=1.0) == pytest.approx((math.tanh(1), math.tanh(1 - math.tanh(0.5))))
    assert both(0.7, alpha=0.0, beta=0.0) == pytest.approx((0, math.tanh(1)))


def test_the_ratios_cross_where_scipy_says():
    crossing = brentq(lambda r: np.tanh(0.25 * r) - np.tanh(1 - np.tanh(2 * r)), 0, 5)
    assert crossing == pytest.approx(0.619, abs=5e-4)
    assert both(crossing)[0] == pytest.approx(both(crossing)[1], abs=1e-9)
    before, after = both(crossing - 0.01), both(crossing + 0.01)
    assert before[0] < before[1]
    assert after[0] > after[1]


@given(st.floats(0, 8), st.floats(0.1, 1), st.floats(0.1, 4))
def test_the_ratios_are_coupled_as_in_eq_10(ratio, alpha, beta):
    reconstruction, classification = both(ratio, alpha=alpha, beta=beta)
    coupled = np.tanh(1 - np.tanh(beta / alpha * np.arctanh(reconstruction)))
    assert classification == pytest.approx(coupled, abs=1e-6)


@given(st.floats(0, 5), st.floats(0.01, 1))
def test_one_ratio_grows_and_the_other_falls_within_their_bounds(ratio, more):
    lower, upper = both(ratio), both(ratio + more)
    assert 0 <= lower[0] < upper[0] <= 1
    assert 0 <= upper[1] < lower[1] <= math.tanh(1)


def test_ratios_have_names():
    ratios = noise_ratios(scalar(0.3))
    assert isinstance(ratios, NoiseRatios)
    assert (ratios.reconstruction, ratios.classification) == tuple(ratios)
    assert ratios.reconstruction.item() == pytest.approx(math.tanh(0.075))


@pytest.mark.parametrize("ratio", [0.0, 0.3, 0.762, 1.0])
def test_noise_has_the_mean_and_variance_of_the_mixture(ratio):
    torch.manual_seed(0)
    image = torch.tensor([0.2, 0.9]).reshape(1, 2, 1, 1).expand(50, 2, 40, 40)
    noisy = add_noise(image, torch.tensor(ratio))
    count = noisy[:, 0].numel()
    for channel, value in enumerate((0.2, 0.9)):
        part = noisy[:, channel]
        assert part.mean().item() == pytest.approx((1 - ratio) * value, abs=4 * ratio / math.sqrt(count) + 1e-6)
        assert part.std().item() == pytest.approx(ratio, rel=4 / math.sqrt(2 * count), abs=1e-6)
    # drawn for every element: neither images, channels nor pixels share it
    if ratio:
        noise = noisy - noisy.mean((0, 2, 3), keepdim=True)
        for other in (noise.roll(1, 0), noise.flip(1), noise.roll(1, 3)):
            assert torch.corrcoef(torch.stack([noise.flatten(), other.flatten()]))[0, 1].abs() < 4 / math.sqrt(count)


@given(SHAPES, SEEDS, st.floats(0, 1))
def test_noise_is_the_papers_mixture_of_torchs_next_normal_draws(shape, seed, ratio):
    image = random(shape, seed)
    torch.manual_seed(seed)
    draws = torch.randn(shape, dtype=torch.float64).numpy()
    torch.manual_seed(seed)
    noisy = add_noise(image, scalar(ratio))
    np.testing.assert_allclose(noisy.numpy(), ratio * draws + (1 - ratio) * image.numpy(), rtol=1e-9, atol=1e-12)


def test_no_noise_leaves_the_image_and_nothing_but_noise_forgets_it():
    image = random((2, 3, 4, 4))
    kept = image.clone()
    assert torch.equal(add_noise(image, scalar(0.0)), image)
    torch.manual_seed(0)
    first = add_noise(image, scalar(1.0))
    torch.manual_seed(0)
    assert torch.equal(add_noise(1000 * image, scalar(1.0)), first)
    assert torch.equal(image, kept)


def test_the_images_gradient_is_what_is_left_of_it():
    image = random((1, 2, 3, 3)).requires_grad_()

    def seeded(image):
        """The same noise each time."""
        torch.manual_seed(0)
        return add_noise(image, scalar(0.3))

    assert gradcheck(seeded, image)
    seeded(image).sum().backward()
    torch.testing.assert_close(image.grad, torch.full_like(image, 0.7))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_the_noisy_image_has_the_images_type(dtype):
    noisy = add_noise(torch.zeros(2, 3, 4, 4, dtype=dtype), torch.tensor(0.5))
    assert noisy.dtype == dtype
    assert torch.isfinite(noisy).all()


def test_impossible_settings_are_refused():
    image = random((1, 1, 2, 2))
    for margin in (0.0, -1.0, math.nan):
        with pytest.raises(ConfigError, match=r"margin is above 0, not (0\.0|-1\.0|nan).*0/0"):
            variance_ratio(image, image, margin)
    for settings in ({"alpha": -0.1}, {"beta": -1.0}, {"alpha": math.nan}):
        with pytest.raises(ConfigError, match="alpha and beta are at least 0, not"):
            noise_ratios(scalar(0.5), **settings)
