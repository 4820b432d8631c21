"""LeNet against torch's own layers, one after another."""

import numpy as np
import pytest
import torch
from torch import nn

from synthreal.errors import ConfigError
from synthreal.networks import LeNet


def by_hand(network, side):
    """The same network from torch's own layers, with its weights."""
    layers = nn.Sequential(
        nn.Conv2d(1, 20, 5),
        nn.MaxPool2d(2, 2),
        nn.Conv2d(20, 50, 5),
        nn.MaxPool2d(2, 2),
        nn.Flatten(),
        nn.Linear(50 * side * side, 500),
        nn.ReLU(),
        nn.Linear(500, 10),
    )
    for ours, theirs in zip(network.parameters(), layers.parameters(), strict=True):
        theirs.data = ours.data.clone().contiguous()
    return layers


def test_the_parameters_of_caffe():
    # 520 + 25,050 + 400,500 + 5,010
    assert sum(p.numel() for p in LeNet().parameters()) == 431_080


@pytest.mark.parametrize(("image_size", "side"), [(28, 4), (16, 1), (17, 1), (32, 5)])
def test_output_is_that_of_the_layers_one_after_another(image_size, side):
    torch.manual_seed(0)
    network = LeNet(image_size=image_size)
    for parameter in network.parameters():
        parameter.data += 0.01  # biases too, which start at 0
    image = torch.rand(6, 1, image_size, image_size)
    # pixels 0 to 255 divided by 256, as Caffe's scale 0.00390625
    expected = by_hand(network, side)(image * 255 / 256)
    assert expected.shape == (6, 10)
    np.testing.assert_allclose(network(image).detach().numpy(), expected.detach().numpy(), atol=1e-5)


def test_gradients_are_those_of_the_layers_one_after_another():
    torch.manual_seed(0)
    network = LeNet(image_size=20).double()
    layers = by_hand(network, 2)
    image, label = torch.rand(4, 1, 20, 20, dtype=torch.float64), torch.tensor([0, 3, 9, 3])
    nn.functional.cross_entropy(network(image), label).backward()
    nn.functional.cross_entropy(layers(image * 255 / 256), label).backward()
    for ours, theirs in zip(network.parameters(), layers.parameters(), strict=True):
        np.testing.assert_allclose(ours.grad.numpy(), theirs.grad.numpy(), atol=1e-12)


def test_weights_are_uniform_within_the_bound_and_biases_zero():
    torch.manual_seed(1)
    network = LeNet()
    for layer, fan_in in ((network.conv1, 25), (network.conv2, 500), (network.fc1, 800), (network.fc2, 500)):
        bound = (3 / fan_in) ** 0.5
        weight = layer.weight.detach().flatten()
        # float32 may round the bound itself up
        assert float(weight.abs().max()) <= bound * (1 + 1e-6)
        assert float(weight.abs().max()) > 0.98 * bound
        # a uniform distribution on ±bound has variance bound²/3 = 1/fan_in; 500 weights tell it within 15 %
        assert float(weight.var()) * fan_in == pytest.approx(1, rel=0.15)
        assert float(layer.bias.detach().abs().max()) == 0


def test_channels_and_classes_are_arguments():
    logits = LeNet(num_classes=7, in_channels=3, image_size=24)(torch.rand(2, 3, 24, 24))
    assert logits.shape == (2, 7)


@pytest.mark.parametrize("image_size", [15, 8, 0])
def test_too_small_images_are_refused(image_size):
    with pytest.raises(ConfigError, match=f"at least 16 pixels, not {image_size}"):
        LeNet(image_size=image_size)


def test_weights_load_into_contiguous_layers_and_back():
    network = LeNet()
    other = LeNet()
    other.load_state_dict({key: value.contiguous() for key, value in network.state_dict().items()})
    image = torch.rand(3, 1, 28, 28)
    np.testing.assert_allclose(other(image).detach().numpy(), network(image).detach().numpy(), atol=1e-6)
