"""The residual network: parameters, shortcuts and starting weights."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from synthreal.errors import ConfigError
from synthreal.networks.resnet import Block, ResNet
from tests.networks.training_parts import loss_after


@pytest.mark.parametrize(("classes", "depth", "count"), [(9, 20, 269_657), (10, 20, 269_722), (10, 56, 853_018)])
def test_parameters_are_those_of_the_papers(classes, depth, count):
    # 0.27 M and 0.85 M in He et al., table 6
    assert sum(p.numel() for p in ResNet(classes, depth=depth).parameters()) == count


def test_any_size_and_number_of_channels():
    assert ResNet(3, in_channels=1)(torch.rand(2, 1, 32, 32)).shape == (2, 3)
    assert ResNet(3)(torch.rand(2, 3, 64, 64)).shape == (2, 3)


def test_a_block_without_weights_is_its_shortcut():
    x = torch.randn(2, 4, 6, 6)
    for outward in (4, 8):
        block = Block(4, outward).eval()
        nn.init.zeros_(block.conv2.weight)
        expected = x if outward == 4 else F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 2, 2))
        assert torch.equal(block(x), expected.relu())


def test_glorot_weights():
    network = ResNet(10)
    weight = network.blocks[0].conv1.weight
    assert weight.std().item() == pytest.approx((2 / (16 * 9 + 16 * 9)) ** 0.5, rel=0.1)
    assert bool((network.head.bias == 0).all())


def test_it_learns_two_colours():
    torch.manual_seed(0)
    network, label = ResNet(2, depth=8), torch.arange(32) % 2
    image = 0.1 * torch.rand(32, 3, 16, 16) + 0.8 * label[:, None, None, None]
    optimiser = torch.optim.SGD(network.parameters(), 0.05, 0.9)
    assert loss_after(15, network, optimiser, image, label) < 0.1


@pytest.mark.parametrize("depth", [2, 18, 21])
def test_a_depth_that_does_not_exist(depth):
    with pytest.raises(ConfigError, match="6n"):
        ResNet(depth=depth)
