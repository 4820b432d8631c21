"""AlexNet: parameters by hand, sizes and dropout."""

import pytest
import torch

from synthreal.errors import ConfigError
from synthreal.networks.alexnet import AlexNet
from synthreal.networks.features import with_features


def test_parameters_by_hand():
    convolutions = [(3, 64, 11), (64, 192, 5), (192, 384, 3), (384, 256, 3), (256, 256, 3)]
    count = sum(a * b * k * k + b for a, b, k in convolutions)
    count += (256 * 6 * 6 + 1) * 4096 + 4097 * 4096 + 4097 * 2
    with torch.device("meta"):
        assert sum(p.numel() for p in AlexNet(2).parameters()) == count


@pytest.mark.parametrize("size", [63, 96])
def test_shapes_and_the_size_that_it_was_built_for(size):
    network = AlexNet(3, image_size=size).eval()
    assert network(torch.rand(2, 3, size, size)).shape == (2, 3)
    with pytest.raises(ConfigError, match=f"image_size {size}"):
        network(torch.rand(1, 3, size + 8, size + 8))


def test_an_image_and_its_reconstruction_at_112_pixels():
    network, image = AlexNet(12, in_channels=6, image_size=112).eval(), torch.rand(2, 6, 112, 112)
    assert network.features(image).shape == (2, 256, 2, 2)
    logits, features = with_features(network, image)
    assert logits.shape == (2, 12)
    assert features.shape == (2, 4096)


def test_dropout_while_training_alone():
    network, image = AlexNet(2, image_size=63), torch.rand(1, 3, 63, 63)
    assert not torch.equal(network(image), network(image))
    network.eval()
    assert torch.equal(network(image), network(image))


def test_too_small():
    with pytest.raises(ConfigError, match="63"):
        AlexNet(image_size=62)
