"""The variational coder's loss against NumPy, the full-matrix eq. 12, torch's distributions, optima and differences."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.autograd import gradcheck
from torch.distributions import Normal

from synthreal.losses import kl_divergence, reconstruction_loss

SHAPES = st.tuples(st.integers(1, 5), st.integers(1, 3), st.integers(1, 6), st.integers(1, 6))
SIZES, SEEDS = st.tuples(st.integers(1, 6), st.integers(1, 8)), st.integers(0, 1000)


def random(shape, seed=0):
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@given(SHAPES, SEEDS)
def test_reconstruction_is_the_squared_error_of_each_image_averaged_over_images(shape, seed):
    made, target = random(shape, seed), random(shape, seed + 1)
    rows = (images.reshape(shape[0], -1).tolist() for images in (made, target))
    each = [sum((a - b) ** 2 for a, b in zip(*images, strict=True)) for images in zip(*rows, strict=True)]
    assert reconstruction_loss(made, target).item() == pytest.approx(sum(each) / len(each))


def test_reconstruction_of_worked_cases():
    target = torch.zeros(2, 3, 4, 5)
    assert reconstruction_loss(target, target).item() == 0
    assert reconstruction_loss(target + 0.5, target).item() == pytest.approx(60 / 4)
    one = target.clone()
    one[0, 0, 0, 0] = 3
    assert reconstruction_loss(one, target).item() == pytest.approx(9 / 2)


def test_reconstruction_is_the_negative_log_likelihood_of_variance_one_half_up_to_a_constant():
    made, target, other = random((3, 2, 4, 4)), random((3, 2, 4, 4), 1), random((3, 2, 4, 4), 2)

    def negative_log_likelihood(images):
        """Mean over the batch."""
        return -Normal(images, math.sqrt(0.5)).log_prob(target).sum((1, 2, 3)).mean()

    difference = reconstruction_loss(made, target) - reconstruction_loss(other, target)
    torch.testing.assert_close(difference, negative_log_likelihood(made) - negative_log_likelihood(other))


@given(SHAPES, SEEDS, st.floats(0.1, 10))
def test_reconstruction_is_symmetric_and_never_negative_and_grows_with_the_square_of_the_error(shape, seed, scale):
    made, target = random(shape, seed), random(shape, seed + 1)
    loss = reconstruction_loss(made, target).item()
    assert loss > 0
    assert reconstruction_loss(target, made).item() == loss
    assert reconstruction_loss(target + scale * (made - target), target).item() == pytest.approx(scale**2 * loss)


def numpy_eq_12(mean, log_variance):
    """Eq. 12 with Σ as a matrix."""
    values = []
    for m, v in zip(mean.numpy(), np.exp(log_variance.numpy()), strict=True):
        sigma = np.diag(v)
        values.append(0.5 * (np.trace(sigma) + m @ m - len(m) - np.log(np.linalg.det(sigma))))
    return np.mean(values)


@given(SIZES, SEEDS)
def test_divergence_is_the_papers_formula_with_a_covariance_matrix(size, seed):
    mean, log_variance = random(size, seed), random(size, seed + 1)
    assert kl_divergence(mean, log_variance).item() == pytest.approx(numpy_eq_12(mean, log_variance), rel=1e-9)
    latent = Normal(mean, (log_variance / 2).exp())
    theirs = torch.distributions.kl_divergence(latent, Normal(0.0, 1.0)).sum(1).mean()
    torch.testing.assert_close(kl_divergence(mean, log_variance), theirs)


def test_divergence_of_worked_cases():
    zero = torch.zeros(4, 3)
    assert kl_divergence(zero, zero).item() == 0
    assert kl_divergence(zero + 2, zero).item() == pytest.approx(3 * 4 / 2)
    # variance 4: (4 - 1 - ln 4) / 2 for each of 3
    assert kl_divergence(zero, zero + math.log(4)).item() == pytest.approx(3 * (3 - math.log(4)) / 2)
    # one sample of four
    mean = zero.clone()
    mean[1, 2] = 6
    assert kl_divergence(mean, zero).item() == pytest.approx(36 / 2 / 4)


def test_divergence_is_the_expectation_that_it_stands_for():
    mean, log_variance = torch.tensor([[0.5, -1]], dtype=torch.float64), torch.tensor([[0.3, -0.8]]).double()
    latent = Normal(mean, (log_variance / 2).exp())
    torch.manual_seed(0)
    z = latent.sample((200_000,))
    draws = (latent.log_prob(z) - Normal(0.0, 1.0).log_prob(z)).sum((1, 2))
    error = draws.std().item() / math.sqrt(len(draws))
    assert kl_divergence(mean, log_variance).item() == pytest.approx(draws.mean().item(), abs=4 * error)


@given(SIZES, SEEDS, st.floats(-8, 8))
def test_divergence_is_zero_only_at_the_standard_normal(size, seed, log_variance):
    zero, mean = torch.zeros(size, dtype=torch.float64), random(size, seed)
    assert kl_divergence(mean, zero + log_variance).item() > 0
    assert kl_divergence(zero, zero + log_variance).item() >= 0
    if abs(log_variance) > 1e-6:
        assert kl_divergence(zero, zero + log_variance).item() > 0


def test_divergence_is_exact_near_its_optimum():
    log_variance = torch.full((1, 1), 1e-3)
    # (e^x - 1 - x) / 2 = x² / 4 + x³ / 12 + …, 2.5e-7, of which the naive sum keeps one digit in float32
    assert kl_divergence(torch.zeros(1, 1), log_variance).item() == pytest.approx(2.5008e-7, rel=1e-3)


def test_gradients_agree_with_finite_differences():
    made, target = random((2, 3, 4, 3)).requires_grad_(), random((2, 3, 4, 3), 1)
    assert gradcheck(reconstruction_loss, (made, target))
    assert gradcheck(reconstruction_loss, (target.clone().requires_grad_(), target))
    mean, log_variance = random((3, 4)).requires_grad_(), random((3, 4), 1).requires_grad_()
    assert gradcheck(kl_divergence, (mean, log_variance))
    zero = torch.zeros(2, 3, dtype=torch.float64)
    assert gradcheck(kl_divergence, (zero.clone().requires_grad_(), zero.clone().requires_grad_()))


def test_descending_the_divergence_ends_at_the_standard_normal():
    mean, log_variance = random((3, 4)).requires_grad_(), random((3, 4), 1).requires_grad_()
    optimiser = torch.optim.SGD([mean, log_variance], 1.0)
    for _ in range(200):
        optimiser.zero_grad()
        kl_divergence(mean, log_variance).backward()
        optimiser.step()
    for parameter in (mean, log_variance):
        torch.testing.assert_close(parameter.detach(), torch.zeros_like(parameter), rtol=0, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_losses_are_computed_in_full_precision_whatever_the_network_runs_in(dtype):
    made, target = torch.full((2, 3, 64, 64), 3.0), torch.full((2, 3, 64, 64), -3.0)
    # 12,288 times 36 is beyond half precision's 65,504
    assert reconstruction_loss(made.to(dtype), target.to(dtype)).item() == 36 * 12_288
    mean, log_variance = torch.zeros(2, 4, dtype=dtype), torch.full((2, 4), 12.0, dtype=dtype)
    assert kl_divergence(mean, log_variance).item() == pytest.approx(2 * (math.exp(12) - 13), rel=1e-6)
    with torch.autocast("cpu", torch.bfloat16):
        assert reconstruction_loss(made, target + 0.001).item() == pytest.approx(5.999**2 * 12_288, rel=1e-5)
        assert kl_divergence(mean.float() + 0.001, mean.float()).item() == pytest.approx(2e-6, rel=1e-4)
