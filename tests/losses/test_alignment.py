"""DeepCORAL and DANN, against NumPy, hand-worked cases and a gap that was planted between two domains."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from synthreal.batch import Domain
from synthreal.errors import ConfigError
from synthreal.losses import DANN, DeepCORAL
from synthreal.losses.alignment import reversal_strength, reverse_gradient

SHAPES = st.tuples(st.integers(2, 7), st.integers(2, 7), st.integers(1, 5), st.integers(0, 1000))


def two_domains(real, synthetic, width=4, seed=0):
    """Features of both domains in mixed order, float64."""
    stream = torch.Generator().manual_seed(seed)
    domain = torch.tensor([Domain.REAL] * real + [Domain.SYNTHETIC] * synthetic)
    domain = domain[torch.randperm(real + synthetic, generator=stream)]
    noise = torch.randn(real + synthetic, width, generator=stream, dtype=torch.float64)
    return (1 + 2 * domain[:, None]) * noise + domain[:, None], domain


def coral(features, domain):
    return DeepCORAL(features.shape[1])(features, domain, math.nan)


def dann(features, domain, progress=0.5, width=6):
    torch.manual_seed(0)
    loss = DANN(features.shape[1], width).double()
    return loss, loss(features, domain, progress)


@given(SHAPES)
def test_coral_is_the_distance_of_numpys_covariances(shape):
    features, domain = two_domains(*shape)
    width = features.shape[1]
    covariance = [np.cov(features[domain == d].numpy(), rowvar=False).reshape(width, width) for d in Domain]
    expected = np.linalg.norm(covariance[1] - covariance[0]) ** 2 / (4 * width**2)
    assert coral(features, domain).item() == pytest.approx(expected, rel=1e-9)


def test_coral_of_two_worked_cases():
    # variances of {0, 4} and {0, 2}: 8 and 2; (8 - 2)² / 4
    domain = torch.tensor([0, 0, 1, 1])
    assert coral(torch.tensor([[0.0], [4], [0], [2]]), domain).item() == pytest.approx(9)
    # along (1, 1) and (1, -1): [[2, 2], [2, 2]] - [[2, -2], [-2, 2]] = [[0, 4], [4, 0]]; 32 / (4 · 4)
    crossed = torch.tensor([[0.0, 0], [2, -2], [0, 0], [2, 2]])
    assert coral(crossed, domain).item() == pytest.approx(2)


@given(SHAPES, st.floats(-50, 50), st.floats(0.1, 10))
def test_coral_ignores_a_shift_and_grows_with_the_fourth_power_of_scale(shape, shift, scale):
    features, domain = two_domains(*shape)
    loss = coral(features, domain).item()
    shifted = features + shift * domain[:, None]
    assert coral(shifted, domain).item() == pytest.approx(loss, rel=1e-6)
    assert coral(scale * features, domain).item() == pytest.approx(scale**4 * loss, rel=1e-9)
    assert coral(features, 1 - domain).item() == pytest.approx(loss, rel=1e-9)


def test_coral_of_the_same_images_in_both_domains_is_zero():
    features, _ = two_domains(5, 4)
    twice, domain = torch.cat([features, features + 3]), torch.arange(18) // 9
    assert coral(twice, domain).item() == pytest.approx(0, abs=1e-20)


def test_corals_gradient_agrees_with_finite_differences():
    features, domain = two_domains(4, 3)
    assert torch.autograd.gradcheck(lambda x: coral(x, domain), features.requires_grad_())


@pytest.mark.parametrize(("real", "synthetic"), [(0, 4), (4, 0), (1, 4), (4, 1), (1, 1), (0, 1)])
def test_coral_of_less_than_two_images_of_a_domain_is_zero_with_a_gradient_of_zero(real, synthetic):
    features, domain = two_domains(real, synthetic)
    loss = coral(features.requires_grad_(), domain)
    loss.backward()
    assert loss.item() == 0
    assert torch.equal(features.grad, torch.zeros_like(features))


def test_coral_is_computed_in_full_precision_whatever_the_network_runs_in():
    features, domain = (value.float() if value.is_floating_point() else value for value in two_domains(8, 8, 16))
    expected = coral(features, domain)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(coral(features, domain), expected)
    half = features.bfloat16()
    assert coral(half, domain).dtype == torch.float32
    assert torch.equal(coral(half, domain), coral(half.float(), domain))


# tanh(5 p): 0, tanh(2.5), tanh(5)
@pytest.mark.parametrize(("progress", "strength"), [(0, 0), (0.5, 0.9866142982), (1, 0.9999092043)])
def test_reversal_grows_as_the_paper_has_it(progress, strength):
    assert reversal_strength(progress) == pytest.approx(strength, abs=1e-10)


@pytest.mark.parametrize("progress", [math.nan, -0.1, 1.1, math.inf])
def test_reversal_needs_to_know_the_progress(progress):
    with pytest.raises(ConfigError, match=r"progress of training, 0 to 1, which is .*set trainer\.max_steps"):
        reversal_strength(progress)


def test_reversal_keeps_the_values_and_turns_the_gradient_around():
    features, _ = two_domains(3, 3)
    features.requires_grad_()
    slope = torch.arange(24.0, dtype=torch.float64).reshape(6, 4)
    reversed_ = reverse_gradient(features, 0.3)
    assert torch.equal(reversed_, features)
    reversed_.backward(slope)
    torch.testing.assert_close(features.grad, -0.3 * slope)


def numpy_dann(loss, features, domain):
    """Mean over domains of the mean of -log p(domain), and no autograd."""
    x = features.detach().numpy()
    for layer in loss.discriminator:
        if isinstance(layer, nn.Linear):
            x = x @ layer.weight.detach().numpy().T + layer.bias.detach().numpy()
        else:
            x = np.maximum(x, 0)
    synthetic = 1 / (1 + np.exp(-x[:, 0]))
    true = np.where(domain.numpy() == 1, synthetic, 1 - synthetic)
    return np.mean([-np.log(true[domain.numpy() == d]).mean() for d in range(2)])


@given(st.integers(1, 7), st.integers(1, 7), st.integers(0, 1000))
def test_dann_is_the_cross_entropy_with_half_the_weight_on_each_domain(real, synthetic, seed):
    features, domain = two_domains(real, synthetic, seed=seed)
    loss, value = dann(features, domain)
    assert value.item() == pytest.approx(numpy_dann(loss, features, domain), rel=1e-9)


def test_a_discriminator_that_knows_nothing_has_log_two():
    features, domain = two_domains(7, 2)
    loss, _ = dann(features, domain)
    nn.init.zeros_(loss.discriminator[-1].weight)
    nn.init.zeros_(loss.discriminator[-1].bias)
    assert loss(features, domain, 0.0).item() == pytest.approx(math.log(2))


def test_danns_discriminator_descends_and_its_features_climb():
    features, domain = two_domains(5, 3)
    features.requires_grad_()
    loss, value = dann(features, domain, progress=0.1)
    value.backward()
    step, by_hand = 1e-6, torch.zeros_like(features)
    for i, j in np.ndindex(*features.shape):
        for sign in (1, -1):
            moved = features.detach().clone()
            moved[i, j] += sign * step
            by_hand[i, j] += sign * numpy_dann(loss, moved, domain) / (2 * step)
    torch.testing.assert_close(features.grad, -math.tanh(0.5) * by_hand, rtol=1e-5, atol=1e-9)
    bias, slope = loss.discriminator[-1].bias, loss.discriminator[-1].bias.grad.item()
    values = []
    for sign in (1, -1):
        with torch.no_grad():
            bias += sign * step
        values.append(numpy_dann(loss, features, domain))
        with torch.no_grad():
            bias -= sign * step
    assert slope == pytest.approx((values[0] - values[1]) / (2 * step), rel=1e-5)


def test_at_the_start_the_features_feel_nothing_of_dann_and_the_discriminator_learns():
    features, domain = two_domains(5, 3)
    features.requires_grad_()
    loss, value = dann(features, domain, progress=0.0)
    value.backward()
    assert not features.grad.any()
    assert all(parameter.grad.any() for parameter in loss.parameters())


@pytest.mark.parametrize(("real", "synthetic"), [(0, 4), (4, 0)])
def test_dann_of_one_domain_is_zero_with_a_gradient_of_zero_for_everything(real, synthetic):
    features, domain = two_domains(real, synthetic)
    features.requires_grad_()
    loss, value = dann(features, domain)
    value.backward()
    assert value.item() == 0
    for tensor in (features, *loss.parameters()):  # not None: a distributed run waits for every weight
        assert torch.equal(tensor.grad, torch.zeros_like(tensor))


def test_the_discriminator_has_two_hidden_layers_of_the_papers_width():
    linear = [layer for layer in DANN(20).discriminator if isinstance(layer, nn.Linear)]
    assert [(layer.in_features, layer.out_features) for layer in linear] == [(20, 1024), (1024, 1024), (1024, 1)]
    assert DANN(20, width=7).discriminator[0].out_features == 7
    with pytest.raises(ConfigError, match="width is at least 1, not 0"):
        DANN(20, width=0)


def planted(kind, count=512):
    """Two signals of the class (-1 or 1). The second is the clearer one, but its domains differ."""
    stream = torch.Generator().manual_seed(0)
    label, domain = torch.arange(count) % 2, torch.arange(count) // 2 % 2
    noise = torch.randn(count, 2, generator=stream)
    first = 2 * label - 1 + 0.8 * noise[:, 0]
    second = 2 * label - 1 + 0.3 * noise[:, 1]
    second = second + 1.5 * domain if kind == "shift" else second * (1 + domain)
    return torch.stack([first, second], 1), label, domain


def train(loss, kind, weight=1, steps=300):
    """Learns one feature, a sum of the two signals; the classifier behind it is fixed. Returns feature and domain."""
    torch.manual_seed(0)
    signals, label, domain = planted(kind)
    encoder = nn.Linear(2, 1)
    optimiser = torch.optim.Adam([*encoder.parameters(), *loss.parameters()], 0.02)
    for step in range(steps):
        feature = encoder(signals)
        cross_entropy = F.cross_entropy(torch.cat([-feature, feature], 1), label)
        aligned = loss(feature, domain, step / steps)
        optimiser.zero_grad()
        (cross_entropy + weight * aligned).backward()
        optimiser.step()
    return encoder(signals).detach()[:, 0], domain


class Unaligned(nn.Module):
    """No alignment at all."""

    def forward(self, features, domain, progress):
        return features.new_zeros(())


def gap_of_means(feature, domain):
    real, synthetic = feature[domain == 0], feature[domain == 1]
    return ((synthetic.mean() - real.mean()).abs() / feature.std()).item()


def gap_of_variances(feature, domain):
    real, synthetic = feature[domain == 0].var(), feature[domain == 1].var()
    return ((synthetic - real).abs() / (synthetic + real)).item()


def test_coral_closes_a_planted_gap_of_variances():
    without = gap_of_variances(*train(Unaligned(), "spread"))
    closed = gap_of_variances(*train(DeepCORAL(1), "spread"))
    assert without > 0.3
    assert closed < without / 3


def test_dann_closes_a_planted_gap_of_means():
    without = gap_of_means(*train(Unaligned(), "shift"))
    torch.manual_seed(0)
    closed = gap_of_means(*train(DANN(1, width=16), "shift", weight=4))
    assert without > 0.3
    assert closed < without / 3
