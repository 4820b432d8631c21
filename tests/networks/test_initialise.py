"""Starting weights have the spread that their papers give."""

import pytest
import torch
from torch import nn

from synthreal.networks.initialise import gaussian


def spread(values, mean, deviation):
    """Whether mean and standard deviation are within 4 standard errors."""
    n = values.numel()
    assert float(values.mean()) == pytest.approx(mean, abs=4 * deviation / n**0.5)
    assert float(values.std()) == pytest.approx(deviation, abs=4 * deviation / (2 * n) ** 0.5)


@pytest.mark.parametrize("kind", [nn.Conv2d, nn.ConvTranspose2d])
def test_gaussian_convolutions(kind):
    torch.manual_seed(0)
    layer = kind(64, 32, 3)
    nn.init.ones_(layer.bias)
    gaussian(nn.Sequential(layer, kind(2, 2, 1, bias=False)))
    spread(layer.weight.detach(), 0, 0.02)
    assert bool((layer.bias == 0).all())


@pytest.mark.parametrize("kind", [nn.BatchNorm2d, nn.InstanceNorm2d])
def test_gaussian_norms(kind):
    torch.manual_seed(0)
    layer = kind(4000, affine=True)
    nn.init.ones_(layer.bias)
    gaussian(nn.Sequential(nn.ReLU(), layer))
    spread(layer.weight.detach(), 1, 0.02)
    assert bool((layer.bias == 0).all())


def test_gaussian_leaves_running_statistics_alone():
    layer = nn.BatchNorm2d(8)
    gaussian(layer)
    assert bool((layer.running_mean == 0).all())
    assert bool((layer.running_var == 1).all())
