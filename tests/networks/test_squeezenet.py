"""SqueezeNet against torchvision's, whose weights fit it."""

import pytest
import torch
from torch import nn
from torchvision.models import squeezenet1_1

from synthreal.errors import ConfigError
from synthreal.networks.features import last_linear, with_features
from synthreal.networks.squeezenet import SqueezeNet


def test_parameters_are_torchvisions():
    # 1,235,496 in torchvision's table, of 1000 classes and 3 channels
    assert sum(p.numel() for p in SqueezeNet(1000).parameters()) == 1_235_496
    assert sum(p.numel() for p in SqueezeNet(12, 6).parameters()) == 1_235_496 - 513 * 988 + 3 * 64 * 9


def test_torchvisions_weights_give_its_logits_where_they_are_positive():
    torch.manual_seed(0)
    theirs, ours = squeezenet1_1(num_classes=5).double().eval(), SqueezeNet(5).double().eval()
    ours.features.load_state_dict(theirs.features.state_dict())
    weight, bias = theirs.classifier[1].weight, theirs.classifier[1].bias
    nn.init.constant_(bias, 3.0)  # so far from 0 that no ReLU acts
    nn.init.normal_(weight, std=0.001)
    ours.head.load_state_dict({"weight": weight[:, :, 0, 0], "bias": bias})
    image = torch.rand(2, 3, 64, 64, dtype=torch.float64)
    torch.testing.assert_close(ours(image), theirs(image * 2 - 1))
    nn.init.constant_(ours.head.bias, -3.0)
    assert bool((ours(image) < 0).all())


@pytest.mark.parametrize("size", [112, 32, 17])
def test_sizes_and_channels(size):
    network = SqueezeNet(12, 6).eval()
    assert network(torch.rand(2, 6, size, size)).shape == (2, 12)
    assert network.features(torch.rand(2, 6, size, size)).shape[-1] == {112: 6, 32: 1, 17: 1}[size]


def test_new_weights_are_spread_as_torchvisions():
    torch.manual_seed(0)
    network = SqueezeNet(12, 6)
    stem = network.features[0]
    assert stem.weight.std().item() == pytest.approx((2 / (6 * 9)) ** 0.5, rel=0.05)
    assert network.head.weight.std().item() == pytest.approx(0.01, rel=0.05)
    assert not stem.bias.any()
    assert not network.head.bias.any()


def test_the_descriptor_is_the_average_of_the_last_module():
    network, image = SqueezeNet(4, 6).eval(), torch.rand(3, 6, 64, 64)
    logits, features = with_features(network, image)
    assert last_linear(network) == ("head", network.head)
    torch.testing.assert_close(features, network.features(image * 2 - 1).mean((2, 3)))
    torch.testing.assert_close(logits, network.head(features))


def test_dropout_while_training_alone():
    network, image = SqueezeNet(4), torch.rand(2, 3, 32, 32)
    assert not torch.equal(network(image), network(image))
    network.eval()
    assert torch.equal(network(image), network(image))


def test_a_gradient_reaches_every_parameter_and_every_channel():
    network, image = SqueezeNet(12, 6), torch.rand(4, 6, 64, 64, requires_grad=True)
    network(image).square().sum().backward()
    assert not [name for name, p in network.named_parameters() if not p.grad.abs().max() > 0]
    assert bool((image.grad.abs().amax((0, 2, 3)) > 0).all())


def test_images_that_would_vanish_are_refused():
    with pytest.raises(ConfigError, match="at least 17 × 17 pixels, not 16 × 20"):
        SqueezeNet()(torch.rand(2, 3, 16, 20))
