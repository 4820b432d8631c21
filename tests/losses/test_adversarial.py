"""The losses of MrGAN against NumPy, at their optimum, by finite differences, and their labels by statistics."""

import numpy as np
import pytest
import torch
from torch.autograd import gradcheck

from synthreal.losses.adversarial import (
    cycle_loss,
    discriminator_loss,
    generator_loss,
    identity_loss,
    least_squares,
    soft_labels,
)

CPU = torch.device("cpu")
N = 40_000


def scores(seed, count=5):
    return torch.randn(count, 1, 3, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def images(seed):
    return torch.rand(3, 3, 5, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("real", "flip"), [(True, 0.0), (False, 1.0)])
def test_labels_of_the_target_domain_are_uniform_from_0_7_to_1_2(real, flip):
    torch.manual_seed(0)
    labels = soft_labels(N, real, flip, CPU)
    assert labels.shape == (N, 1, 1, 1)
    assert 0.7 <= float(labels.min()) < 0.701
    assert 1.199 < float(labels.max()) <= 1.2 + 1e-6
    # a uniform distribution of width w has variance w² / 12
    assert float(labels.mean()) == pytest.approx(0.95, abs=4 * 0.5 / (12 * N) ** 0.5)
    assert float(labels.var()) == pytest.approx(0.25 / 12, rel=0.05)


@pytest.mark.parametrize(("real", "flip"), [(False, 0.0), (True, 1.0)])
def test_labels_of_generated_images_are_uniform_from_0_to_0_3(real, flip):
    torch.manual_seed(0)
    labels = soft_labels(N, real, flip, CPU)
    assert 0 <= float(labels.min()) < 0.001
    assert 0.299 < float(labels.max()) <= 0.3 + 1e-6
    assert float(labels.mean()) == pytest.approx(0.15, abs=4 * 0.3 / (12 * N) ** 0.5)
    assert float(labels.var()) == pytest.approx(0.09 / 12, rel=0.05)


@pytest.mark.parametrize("real", [True, False])
@pytest.mark.parametrize("flip", [0.1, 0.9])
def test_labels_are_flipped_as_often_as_asked_and_whatever_their_value(real, flip):
    torch.manual_seed(0)
    labels = soft_labels(N, real, flip, CPU)
    flipped = labels < 0.5 if real else labels > 0.5
    assert abs(int(flipped.sum()) - flip * N) < 4 * (N * flip * (1 - flip)) ** 0.5
    # either kind keeps its own mean
    for kind, mean, width in ((labels[labels > 0.5], 0.95, 0.5), (labels[labels < 0.5], 0.15, 0.3)):
        assert float(kind.mean()) == pytest.approx(mean, abs=4 * width / (12 * len(kind)) ** 0.5)


def test_least_squares_as_numpy_has_it():
    s, labels = scores(0), torch.rand(5, 1, 1, 1, dtype=torch.float64)
    expected = np.mean([(s[i].numpy() - labels[i].item()) ** 2 for i in range(5)])
    assert least_squares(s, labels).item() == pytest.approx(expected, rel=1e-12)
    assert least_squares(s, labels[:1]).item() == pytest.approx(np.mean((s.numpy() - labels[0].item()) ** 2), rel=1e-12)
    assert least_squares(s, 0.3).item() == pytest.approx(np.mean((s.numpy() - 0.3) ** 2), rel=1e-12)


def test_least_squares_has_its_optimum_at_the_labels():
    labels = torch.rand(5, 1, 1, 1)
    at_labels = labels.expand(5, 1, 3, 4).clone().requires_grad_()
    loss = least_squares(at_labels, labels)
    loss.backward()
    assert loss.item() == 0
    assert bool((at_labels.grad == 0).all())


def test_discriminator_loss_as_numpy_has_it_with_the_labels_of_both():
    real, generated = scores(1), scores(2, 7)
    torch.manual_seed(3)
    loss = discriminator_loss(real, generated, 0.2)
    torch.manual_seed(3)
    high, low = soft_labels(5, True, 0.2, CPU).numpy(), soft_labels(7, False, 0.2, CPU).numpy()
    expected = (np.mean((real.numpy() - high) ** 2) + np.mean((generated.numpy() - low) ** 2)) / 2
    assert loss.item() == pytest.approx(expected, rel=1e-6)


def test_discriminator_loss_is_least_where_real_scores_high_and_generated_low():
    torch.manual_seed(0)
    high, low = torch.full((N, 1, 1, 1), 0.95), torch.full((N, 1, 1, 1), 0.15)
    # what is left is the variance of the labels: (0.5² + 0.3²) / 12, halved
    assert discriminator_loss(high, low, 0.0).item() == pytest.approx((0.25 + 0.09) / 24, rel=0.05)
    # the wrong way round the difference of the means, 0.8, comes on top
    assert discriminator_loss(low, high, 0.0).item() == pytest.approx((0.25 + 0.09) / 24 + 0.64, rel=0.05)
    # always flipped, wrong is right: the discriminator is trained backwards
    assert discriminator_loss(low, high, 1.0).item() == pytest.approx((0.25 + 0.09) / 24, rel=0.05)


def test_generator_loss_is_least_where_the_discriminator_is_fooled():
    s = scores(4)
    assert generator_loss(s).item() == pytest.approx(np.mean((s.numpy() - 1) ** 2), rel=1e-12)
    assert generator_loss(torch.ones(2, 1, 3, 3)).item() == 0
    assert generator_loss(torch.zeros(2, 1, 3, 3)).item() == 1


@pytest.mark.parametrize("loss", [cycle_loss, identity_loss])
def test_differences_of_images_as_numpy_has_them(loss):
    a, b = images(0), images(1)
    assert loss(a, b).item() == pytest.approx(np.abs(a.numpy() - b.numpy()).mean(), rel=1e-12)
    assert loss(a, a).item() == 0
    assert loss(a, a + 0.25).item() == pytest.approx(0.25)


def test_gradients_by_finite_differences():
    labels = torch.rand(5, 1, 1, 1, dtype=torch.float64)

    def judged(real, generated):
        torch.manual_seed(0)
        return discriminator_loss(real, generated, 0.3)

    first, second = scores(5).requires_grad_(), scores(6).requires_grad_()
    assert gradcheck(least_squares, (first, labels))
    assert gradcheck(generator_loss, (first,))
    assert gradcheck(judged, (first, second))
    assert gradcheck(cycle_loss, (images(0), images(1).requires_grad_()))
    assert gradcheck(identity_loss, (images(2), images(3).requires_grad_()))
