"""The descriptor of an image: the input of a network's last linear layer."""

import copy
import gc
import io
import pickle
import weakref

import pytest
import torch
from torch import nn
from torchvision.models import mobilenet_v3_small, resnet18

from synthreal.errors import ConfigError
from synthreal.networks import AlexNet, LeNet, ResNet
from synthreal.networks.features import expose_features, last_linear, with_features


def lenet_features(network, image):
    x = network.pool(network.conv2(network.pool(network.conv1(image * 255 / 256))))
    return network.fc1(x.flatten(1)).relu()


def resnet_features(network, image):
    return network.blocks(network.norm(network.stem(image * 2 - 1)).relu()).mean((2, 3))


def alexnet_features(network, image):
    return network.head[:-1](network.features(image * 2 - 1).flatten(1))


def torchvision_features(network, image):
    return nn.Sequential(*list(network.children())[:-1])(image).flatten(1)


def mobilenet_features(network, image):
    return network.classifier[:-1](network.avgpool(network.features(image)).flatten(1))


NETWORKS = {
    "LeNet": (lambda: LeNet(4), (1, 28, 28), "fc2", 500, lenet_features),
    "ResNet": (lambda: ResNet(4, depth=8), (3, 16, 16), "head", 64, resnet_features),
    "AlexNet": (lambda: AlexNet(4, image_size=63), (3, 63, 63), "head.6", 4096, alexnet_features),
    "resnet18": (lambda: resnet18(num_classes=4), (3, 32, 32), "fc", 512, torchvision_features),
    "mobilenet": (lambda: mobilenet_v3_small(num_classes=4), (3, 32, 32), "classifier.3", 1024, mobilenet_features),
}


def small():
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3))


IMAGE = torch.rand(6, 1, 2, 2, generator=torch.Generator().manual_seed(1))


def descriptor(network, image=IMAGE):
    """The features of `small`, by hand."""
    weight, bias = network[1].weight, network[1].bias
    return (image.flatten(1) @ weight.T + bias).clamp(min=0)


@pytest.mark.parametrize("kind", NETWORKS)
def test_features_are_the_input_of_the_last_layer(kind):
    make, shape, name, width, by_hand = NETWORKS[kind]
    torch.manual_seed(0)
    network, image = make().eval(), torch.rand(3, *shape)
    expected_logits = network(image)
    logits, features = with_features(network, image)
    assert features.shape == (3, width)
    assert last_linear(network) == (name, network.get_submodule(name))
    assert torch.equal(logits, expected_logits)
    torch.testing.assert_close(features, by_hand(network, image), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(network.get_submodule(name)(features), logits, rtol=1e-4, atol=1e-5)


def test_there_is_one_forward_pass():
    network = nn.Sequential(nn.BatchNorm2d(1), nn.Flatten(), nn.Linear(4, 3))
    with_features(network, IMAGE)
    assert network[0].num_batches_tracked == 1


def test_more_axes_are_flattened():
    class Tokens(nn.Module):
        def __init__(self):
            super().__init__()
            self.head = nn.Linear(2, 3)

        def forward(self, image):
            return self.head(image[:, 0]).mean(1)  # two tokens of two values

    _, features = with_features(Tokens(), IMAGE)
    assert torch.equal(features, IMAGE.flatten(1))


def test_a_gradient_goes_through_the_features_to_the_layers_before():
    network = small()
    _, features = with_features(network, IMAGE)
    (slope,) = torch.autograd.grad(features.square().sum(), network[1].weight)
    (expected,) = torch.autograd.grad(descriptor(network).square().sum(), network[1].weight)
    torch.testing.assert_close(slope, expected)


def test_the_network_stays_as_it_is():
    network, plain = small(), small()
    for _ in range(3):
        with_features(network, IMAGE)
    assert list(network.state_dict()) == list(plain.state_dict())
    assert [name for name, _ in network.named_modules()] == [name for name, _ in plain.named_modules()]
    assert network[3].__dict__.keys() == plain[3].__dict__.keys()
    assert len(network[3]._forward_pre_hooks) == 1  # three passes, one hook
    plain.load_state_dict(network.state_dict())
    assert torch.equal(network(IMAGE), plain(IMAGE))


def test_copies_have_features_of_their_own():
    network = small()
    with_features(network, IMAGE)
    for other in (copy.deepcopy(network), pickle.loads(pickle.dumps(network))):
        nn.init.ones_(other[1].weight)
        torch.testing.assert_close(with_features(other, IMAGE)[1], descriptor(other))
        torch.testing.assert_close(with_features(network, IMAGE)[1], descriptor(network))
        assert not torch.equal(descriptor(other), descriptor(network))


def test_nothing_is_kept_after_a_pass():
    network = small()
    seen = []
    network[2].register_forward_hook(lambda layer, inputs, output: seen.append(weakref.ref(output)))
    with_features(network, IMAGE)
    network(IMAGE)  # a pass that nobody asked features of
    gc.collect()
    assert len(seen) == 2
    assert all(features() is None for features in seen)


def test_a_pass_that_fails_leaves_nothing_behind():
    network = small()
    with pytest.raises(RuntimeError, match="shapes"):
        with_features(network, torch.rand(6, 1, 3, 3))
    torch.testing.assert_close(with_features(network, IMAGE)[1], descriptor(network))
    network[3].bias = None
    with pytest.raises(RuntimeError, match="shapes"):
        with_features(network, torch.rand(6, 1, 3, 3))
    assert "kept_inputs" not in network[3].__dict__
    torch.save(network.state_dict(), io.BytesIO())


@pytest.mark.filterwarnings("ignore")  # the compiler's own
def test_a_compiled_network_has_features_whichever_pass_comes_first():
    network = small()
    expose_features(network)
    network.compile(backend="eager")
    for _ in range(2):
        network(IMAGE)
        torch.testing.assert_close(with_features(network, IMAGE)[1], descriptor(network))
        other = IMAGE + 1
        torch.testing.assert_close(with_features(network, other)[1], descriptor(network, other))


@pytest.mark.parametrize("ask", [last_linear, expose_features, lambda network: with_features(network, IMAGE)])
def test_a_network_without_linear_layers(ask):
    with pytest.raises(ConfigError, match=r"Flatten has no linear layer.*take another network"):
        ask(nn.Flatten())


def test_a_last_layer_that_is_never_called():
    class Spare(nn.Module):
        def __init__(self):
            super().__init__()
            self.head, self.spare = nn.Linear(4, 3), nn.Linear(4, 3)

        def forward(self, image):
            return self.head(image.flatten(1))

    with pytest.raises(ConfigError, match="Spare does not call its last linear layer 'spare'"):
        with_features(Spare(), IMAGE)
