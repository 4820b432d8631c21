"""ZigzagNet: its size, its module by hand, its shapes and its descriptor."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from synthreal.errors import ConfigError
from synthreal.networks.features import last_linear, with_features
from synthreal.networks.zigzag import Zigzag, ZigzagNet
from tests.networks.training_parts import loss_after


def test_parameters_by_hand():
    modules = [(64, 16, 64), (128, 16, 64), (128, 32, 128), (256, 32, 128)]
    modules += [(256, 48, 192), (384, 48, 192), (384, 64, 256), (512, 64, 256)]
    count = 6 * 64 * 9 + 64 + 512 * 12 + 12
    for inward, squeezed, expanded in modules:
        count += (inward + 1) * squeezed + (squeezed + 1) * expanded + (9 * squeezed + 1) * expanded
        count += (inward + 1) * 2 * expanded
    assert count == 1_560_332  # 6.24 MB
    assert sum(p.numel() for p in ZigzagNet().parameters()) == count


def by_hand(x, module):
    """A module's output for one image, in NumPy, pixel by pixel."""
    weights = {name: value.detach().numpy() for name, value in module.named_parameters()}

    def pointwise(name, pixel):
        return weights[f"{name}.weight"][:, :, 0, 0] @ pixel + weights[f"{name}.bias"]

    _, height, width = x.shape
    squeezed = np.zeros((len(weights["squeeze.bias"]), height + 2, width + 2))
    for i in range(height):
        for j in range(width):
            squeezed[:, i + 1, j + 1] = np.maximum(pointwise("squeeze", x[:, i, j]), 0)
    result = np.zeros((len(weights["bypass.bias"]), height, width))
    for i in range(height):
        for j in range(width):
            window = squeezed[:, i : i + 3, j : j + 3]
            one = pointwise("expand1", squeezed[:, i + 1, j + 1])
            three = (weights["expand3.weight"] * window).sum((1, 2, 3)) + weights["expand3.bias"]
            result[:, i, j] = np.maximum(np.concatenate([one, three]) + pointwise("bypass", x[:, i, j]), 0)
    return result


def test_a_module_by_hand():
    torch.manual_seed(0)
    module = Zigzag(5, 3, 4).double()
    for parameter in module.parameters():
        nn.init.normal_(parameter)
    x = torch.randn(2, 5, 6, 7, dtype=torch.float64)
    expected = np.stack([by_hand(image.numpy(), module) for image in x])
    assert (expected > 0).any()
    assert (expected == 0).any()
    np.testing.assert_allclose(module(x).detach().numpy(), expected, rtol=1e-12, atol=1e-12)


def test_negative_expansions_reach_the_sum():
    module = Zigzag(1, 1, 1)
    for name, value in (("squeeze", 1.0), ("expand1", -1.0), ("expand3", 0.0), ("bypass", 3.0)):
        nn.init.constant_(getattr(module, name).weight, value)
    # 3 - 1 in the first channel: 3, had the expansion a ReLU of its own
    assert module(torch.ones(1, 1, 1, 1)).flatten().tolist() == [2.0, 3.0]


def test_a_module_keeps_the_strength_of_its_input():
    torch.manual_seed(0)
    x = torch.randn(4, 256, 16, 16).relu()
    ratio = Zigzag(256, 48, 192)(x).square().mean() / x.square().mean()
    assert 0.6 < ratio < 1.6  # the draw of the weights moves it
    x = torch.rand(4, 6, 112, 112)
    assert 0.2 < ZigzagNet()(x).std() < 5


@pytest.mark.parametrize(
    ("size", "sides"), [(112, [55, 27, 27, 13, 13, 6, 6]), (32, [15, 7, 7, 3, 3, 1, 1]), (17, [8, 4, 4, 2, 2, 1, 1])]
)
def test_shapes_through_the_network(size, sides):
    x, network, shapes = torch.rand(2, 6, size, size), ZigzagNet(), []
    for layer in network.features:
        x = layer(x)
        if isinstance(layer, nn.Conv2d | nn.MaxPool2d | Zigzag):
            shapes.append(tuple(x.shape[1:]))
    a, b, c, d, e, f, g = sides
    assert shapes == [
        *((64, a, a), (64, b, b), (128, c, c), (128, c, c), (128, d, d)),
        *((256, e, e), (256, e, e), (256, f, f), (384, g, g), (384, g, g), (512, g, g), (512, g, g)),
    ]
    assert network(torch.rand(2, 6, size, size)).shape == (2, 12)


def test_other_classes_channels_and_oblong_images():
    assert ZigzagNet(3, in_channels=1)(torch.rand(2, 1, 40, 64)).shape == (2, 3)


def test_the_head_is_a_pointwise_convolution_with_an_average_after_it():
    network, image = ZigzagNet().double(), torch.rand(2, 6, 64, 64, dtype=torch.float64)
    maps = network.features(image * 2 - 1)
    assert maps.shape[-1] > 1
    logits = F.conv2d(maps, network.head.weight[:, :, None, None], network.head.bias).mean((2, 3))
    assert logits.dtype == torch.float64
    torch.testing.assert_close(network(image), logits)


def test_the_descriptor_is_the_average_of_the_last_module():
    network, image = ZigzagNet(), torch.rand(3, 6, 32, 32)
    logits, features = with_features(network, image)
    assert last_linear(network) == ("head", network.head)
    assert features.shape == (3, 512)
    torch.testing.assert_close(features, network.features(image * 2 - 1).mean((2, 3)))
    torch.testing.assert_close(logits, network.head(features))


def test_training_has_no_randomness():
    network, image = ZigzagNet(), torch.rand(2, 6, 32, 32)
    assert torch.equal(network(image), network(image))
    assert torch.equal(network(image), network.eval()(image))


def test_a_gradient_reaches_every_parameter_and_every_channel():
    network, image = ZigzagNet(), torch.rand(4, 6, 64, 64, requires_grad=True)
    network(image).square().sum().backward()
    assert not [name for name, p in network.named_parameters() if not p.grad.abs().max() > 0]
    assert bool((image.grad.abs().amax((0, 2, 3)) > 0).all())


def test_it_learns_two_colours():
    torch.manual_seed(0)
    network, label = ZigzagNet(2, 3), torch.arange(16) % 2
    image = 0.3 * torch.rand(16, 3, 32, 32)
    image[:, 0] += 0.5 * label[:, None, None]
    optimiser = torch.optim.Adam(network.parameters(), 1e-3)
    assert loss_after(20, network, optimiser, image, label) < 0.1


@pytest.mark.parametrize("shape", [(16, 16), (112, 16), (8, 40)])
def test_images_that_would_vanish_are_refused(shape):
    with pytest.raises(ConfigError, match=rf"at least 17 × 17 pixels, not {shape[0]} × {shape[1]}"):
        ZigzagNet()(torch.rand(2, 6, *shape))
