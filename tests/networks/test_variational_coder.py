"""The variational coder: its size, its shapes, its sample and its bounds."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from synthreal.errors import ConfigError
from synthreal.networks.variational_coder import VariationalCoder

SMALL = {"image_size": 32, "latent": 5, "widths": (8, 8, 16), "hidden": 12}


def small(seed=0, **settings):
    torch.manual_seed(seed)
    return VariationalCoder(**{**SMALL, **settings})


def moved(network):
    """The network with other weights than those that a new one has, so that no scale of 1 or shift of 0 hides."""
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return network


def test_parameters_by_hand():
    convolutions = [(3, 64), (64, 64), (64, 64), (64, 128), (128, 128)]
    count = sum(9 * a * b + b + 2 * b for a, b in convolutions)  # kernels, biases, batch norm
    count += 2048 * 128 + 3 * 128 + 2 * (128 * 32 + 32)
    count += 32 * 128 + 3 * 128 + 128 * 2048 + 3 * 2048
    count += sum(9 * a * b + a + 2 * a for a, b in convolutions)
    assert count == 1_139_145  # 4.56 MB
    with torch.device("meta"):
        assert sum(p.numel() for p in VariationalCoder().parameters()) == count


def test_shapes_through_the_default_network():
    network, shapes = VariationalCoder().eval(), []
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            layer.register_forward_hook(lambda layer, inputs, output: shapes.append(tuple(output.shape[1:])))
    result = network(torch.rand(2, 3, 112, 112))
    assert shapes == [
        *((64, 56, 56), (64, 28, 28), (64, 14, 14), (128, 7, 7), (128, 4, 4)),
        *((128,), (32,), (32,), (128,), (2048,)),
        *((128, 7, 7), (64, 14, 14), (64, 28, 28), (64, 56, 56), (3, 112, 112)),
    ]
    assert result.image.shape == (2, 3, 112, 112)
    assert result.mean.shape == result.log_variance.shape == (2, 32)


@settings(max_examples=25)
@given(st.integers(1, 4).flatmap(lambda n: st.tuples(st.just(n), st.integers(2**n, 50))), st.sampled_from([1, 3, 6]))
def test_the_output_has_the_size_of_the_input(layers_and_side, channels):
    layers, side = layers_and_side
    network = VariationalCoder(side, channels, latent=3, widths=[4] * layers, hidden=6).eval()
    assert network(torch.rand(2, channels, side, side)).image.shape == (2, 3, side, side)


def test_five_layers_at_32_pixels():
    network = VariationalCoder(32)
    assert network(torch.rand(2, 3, 32, 32)).image.shape == (2, 3, 32, 32)
    assert network.encoder[0](torch.rand(2, 3, 32, 32)).shape == (2, 128, 1, 1)


def test_evaluation_is_deterministic_and_decodes_the_mean():
    network, image = moved(small()).eval(), torch.rand(4, 3, 32, 32)
    first, second = network(image), network(image)
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    assert torch.equal(network.decode(first.mean), first.image)
    assert first.image.std() > 0.01
    assert not torch.equal(network.decode(first.mean + 1), first.image)


def test_training_draws_another_sample_and_drops_other_units_each_time():
    image = torch.rand(4, 3, 32, 32)
    network = small(dropout=0.0)
    first, second = network(image), network(image)
    assert torch.equal(first.mean, second.mean)  # without dropout the latent alone is random
    assert not torch.equal(first.image, second.image)
    network = small(dropout=0.5)
    assert not torch.equal(network(image).mean, network(image).mean)


def test_dropout_follows_each_layer_with_relu():
    layers = [layer for layer in VariationalCoder(dropout=0.3).modules() if not list(layer.children())]
    places = [i for i, layer in enumerate(layers) if isinstance(layer, nn.ReLU)]
    assert len(places) == 5 + 1 + 2 + 4
    for i in places:
        assert isinstance(layers[i - 1], nn.BatchNorm1d | nn.BatchNorm2d)
        assert isinstance(layers[i + 1], nn.Dropout)
        assert layers[i + 1].p == 0.3
    assert isinstance(layers[-1], nn.BatchNorm2d)  # the output is linear


def test_the_sample_has_the_latent_gaussians_mean_and_variance():
    network, seen = small(dropout=0.0), []
    network.decode = lambda latent: seen.append(latent) or torch.zeros(len(latent), 3, 32, 32)
    nn.init.normal_(network.log_variance.bias)  # variances of several sizes
    image = torch.rand(4, 3, 32, 32)
    count = 3000
    with torch.no_grad():
        for _ in range(count):
            result = network(image)
    z = torch.stack(seen).double().numpy()
    mean, sigma = result.mean.double().numpy(), np.exp(result.log_variance.double().numpy() / 2)
    # 20 values, each within 5 standard errors: a false alarm is below 1 in 10⁵, and the seed is fixed.
    assert (abs(z.mean(0) - mean) < 5 * sigma / math.sqrt(count)).all()
    assert (abs(z.std(0) / sigma - 1) < 5 / math.sqrt(2 * count)).all()
    noise = ((z - mean) / sigma).reshape(count, -1)
    correlation = np.corrcoef(noise.T) - np.eye(noise.shape[1])
    assert abs(correlation).max() < 5.5 / math.sqrt(count)  # 190 pairs
    assert sigma.max() / sigma.min() > 2


def test_gradients_pass_through_the_sample():
    network = small(dropout=0.0)
    result = network(torch.rand(4, 3, 32, 32))
    result.image.square().sum().backward()
    for head in (network.mean, network.log_variance):
        assert head.weight.grad.abs().max() > 0


def test_a_gradient_reaches_every_parameter():
    network = moved(small())
    network(torch.rand(8, 3, 32, 32))  # statistics of batch norm
    network.eval()
    # Biases before batch norm have a gradient only where its statistics are fixed.
    result = network(torch.rand(8, 3, 32, 32))
    (result.image.square().sum() + result.mean.square().sum() + result.log_variance.square().sum()).backward()
    idle = [name for name, p in network.named_parameters() if p.grad is None or not p.grad.abs().max() > 0]
    assert not idle


@pytest.mark.parametrize("size", [1e4, 1e30])
def test_extreme_log_variances_end_softly(size):
    network = small()
    nn.init.constant_(network.log_variance.bias, size)
    image = torch.rand(4, 3, 32, 32)
    result = network(image)
    torch.testing.assert_close(result.log_variance, torch.full((4, 5), 10.0))
    nn.init.constant_(network.log_variance.bias, -size)
    torch.testing.assert_close(network(image).log_variance, torch.full((4, 5), -10.0))
    (result.image.sum() + result.log_variance.exp().sum()).backward()
    assert all(value.isfinite().all() for value in result)
    assert all(p.grad is None or p.grad.isfinite().all() for p in network.parameters())


def test_small_log_variances_are_as_the_layer_gives_them():
    network = small().eval()
    nn.init.zeros_(network.log_variance.weight)
    network.log_variance.bias.data = torch.tensor([-1.0, -0.1, 0.0, 0.1, 1.0])
    expected = 10 * np.tanh(np.array([-0.1, -0.01, 0.0, 0.01, 0.1]))
    actual = network(torch.rand(1, 3, 32, 32)).log_variance[0].detach().numpy()
    np.testing.assert_allclose(actual, expected, atol=1e-6)
    np.testing.assert_allclose(actual, network.log_variance.bias.detach().numpy(), atol=4e-3)


def test_double_precision():
    network = moved(small()).eval()
    image = torch.rand(2, 3, 32, 32)
    single, double = network(image), network.double()(image.double())
    for one, other in zip(single, double, strict=True):
        assert other.dtype == torch.float64
        torch.testing.assert_close(one.double(), other, rtol=1e-3, atol=1e-4)
    assert network.train()(image.double()).image.dtype == torch.float64


def test_half_precision_layers_answer_in_the_images_precision():
    network = small()
    with torch.autocast("cpu", torch.bfloat16):
        result = network(torch.rand(4, 3, 32, 32))
    assert {value.dtype for value in result} == {torch.float32}
    assert all(value.isfinite().all() for value in result)


def test_state_fits_another_network_of_the_same_settings():
    network, other = moved(small()).eval(), small(seed=1).eval()
    other.load_state_dict(network.state_dict())
    image = torch.rand(2, 3, 32, 32)
    assert torch.equal(network(image).image, other(image).image)


def test_images_of_another_size_are_refused():
    with pytest.raises(ConfigError, match=r"image_size 32, the images are \[48, 32\]"):
        small()(torch.rand(2, 3, 48, 32))


@pytest.mark.parametrize(
    ("size", "widths", "message"),
    [
        (31, (8,) * 5, r"5 convolutions .* at least 32 pixels, not 31: give fewer widths"),
        (112, (), r"widths .* at least one"),
        (112, (8, 0), r"widths .* not \[8, 0\]"),
    ],
)
def test_layers_that_do_not_fit(size, widths, message):
    with pytest.raises(ConfigError, match=message):
        VariationalCoder(size, widths=widths)
