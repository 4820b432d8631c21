"""FCN and DeconvNet: the variational coder's layers without its latent."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from synthreal.errors import ConfigError
from synthreal.networks.pixel_coders import FCN, DeconvNet, decoder, sides
from synthreal.networks.reconstruction import Reconstructor
from synthreal.networks.variational_coder import VariationalCoder

KINDS = [FCN, DeconvNet]
CONVOLUTIONS = [(3, 64), (64, 64), (64, 64), (64, 128), (128, 128)]


def small(kind, **settings):
    torch.manual_seed(0)
    return kind(**{"image_size": 32, "widths": (8, 8, 16), **settings})


def test_parameters_by_hand():
    # kernels, biases and batch norm, there and back
    fcn = sum(2 * 9 * a * b + 3 * (a + b) for a, b in CONVOLUTIONS)
    deconvnet = fcn + 2048 * 128 + 3 * 128 + 128 * 2048 + 3 * 2048
    with torch.device("meta"):
        assert sum(p.numel() for p in FCN().parameters()) == fcn
        assert sum(p.numel() for p in DeconvNet().parameters()) == deconvnet
        latent = 2 * (128 * 32 + 32) + 32 * 128 + 3 * 128
        assert sum(p.numel() for p in VariationalCoder().parameters()) == deconvnet + latent


@pytest.mark.parametrize("kind", KINDS)
def test_convolutions_are_the_variational_coders(kind):
    def convolutions(network):
        return [str(layer) for layer in network.modules() if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d)]

    with torch.device("meta"):
        assert convolutions(kind()) == convolutions(VariationalCoder())
        assert len(convolutions(kind())) == 10


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("size", "channels"), [(112, 3), (32, 6), (45, 1)])
def test_the_output_has_the_size_of_the_input(kind, size, channels):
    result = kind(size, channels).eval()(torch.rand(2, channels, size, size))
    assert result.image.shape == (2, 3, size, size)
    assert result.mean is None
    assert result.log_variance is None


@pytest.mark.parametrize("kind", KINDS)
def test_deterministic_but_for_dropout(kind):
    image = torch.rand(4, 3, 32, 32)
    network = small(kind)
    assert not torch.equal(network(image).image, network(image).image)
    network.eval()
    assert torch.equal(network(image).image, network(image).image)
    network = small(kind, dropout=0.0)
    assert torch.equal(network(image).image, network(image).image)


def test_an_fcn_of_one_layer_against_functional_calls():
    network, image = FCN(5, 2, widths=[4]).double().eval(), torch.rand(2, 2, 5, 5, dtype=torch.float64)
    with torch.no_grad():
        for name, value in network.state_dict().items():
            if value.is_floating_point():
                value.copy_(torch.rand_like(value) + ("var" in name))
    state = list(network.state_dict().values())
    convolution, norm, deconvolution, colours = state[:2], state[2:6], state[7:9], state[9:13]

    def normalised(x, scale, shift, mean, variance):
        x = (x - mean[:, None, None]) / (variance[:, None, None] + 1e-5).sqrt()
        return x * scale[:, None, None] + shift[:, None, None]

    hidden = normalised(F.conv2d(image * 2 - 1, *convolution, stride=2, padding=1), *norm).clamp(min=0)
    output = normalised(F.conv_transpose2d(hidden, *deconvolution, stride=2, padding=1), *colours)
    torch.testing.assert_close(network(image).image, output)


@pytest.mark.parametrize("kind", KINDS)
def test_a_gradient_reaches_every_parameter(kind):
    network = small(kind)
    network(torch.rand(8, 3, 32, 32))
    network.eval()  # biases before batch norm have a gradient only where its statistics are fixed
    network(torch.rand(8, 3, 32, 32)).image.square().sum().backward()
    assert not [name for name, p in network.named_parameters() if not p.grad.abs().max() > 0]


def test_what_a_pixel_sees():
    """An FCN's pixel knows its surroundings, a DeconvNet's the whole image."""
    image = torch.rand(2, 3, 32, 32, requires_grad=True)
    for kind, whole in ((FCN, False), (DeconvNet, True)):
        network = small(kind, widths=(8, 8)).eval()
        (slope,) = torch.autograd.grad(network(image).image[0, :, 0, 0].sum(), image)
        assert bool(slope[0, :, :4, :4].abs().max() > 0)
        assert bool(slope[0, :, -4:, -4:].abs().max() > 0) == whole


@pytest.mark.parametrize("kind", [*KINDS, VariationalCoder])
def test_it_begins_with_little_variance(kind):
    """The classifier's noise is to begin strong: the ratio of variances rises from a small one."""
    image = small(kind)(torch.rand(64, 3, 32, 32)).image
    torch.testing.assert_close(image.var((0, 2, 3)), torch.full((3,), 0.01), rtol=0.02, atol=0)


@pytest.mark.parametrize("kind", [*KINDS, VariationalCoder])
def test_it_learns_a_colour_behind_a_texture(kind):
    """A square's colour depends on whether its texture is bright; the background turns black."""
    torch.manual_seed(0)
    bright = (torch.arange(32) % 2).float()[:, None, None, None]
    inside = torch.zeros(1, 1, 16, 16)
    inside[..., 4:12, 4:12] = 1
    colour = torch.tensor([0.8, 0.5, 0.2])[None, :, None, None]
    target = inside * (bright * colour + (1 - bright) * colour.flip(1))
    network = kind(16, widths=(8, 16), dropout=0.0, **({} if kind is FCN else {"hidden": 16}))
    optimiser = torch.optim.Adam(network.parameters(), 0.01)

    def draw():
        texture = 0.4 * torch.rand(32, 3, 16, 16)
        return inside * (texture + 0.6 * bright) + (1 - inside) * torch.rand(32, 3, 16, 16)

    for _ in range(120):
        loss = (network(draw()).image - target).square().sum((1, 2, 3)).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    network.eval()
    with torch.no_grad():
        error = (network(draw()).image - target).square().sum((1, 2, 3)).mean()
    mean_image = (target - target.mean(0)).square().sum((1, 2, 3)).mean()
    assert error < 0.5 * mean_image  # better than the average of all targets


@pytest.mark.parametrize("kind", KINDS)
def test_double_precision(kind):
    network, image = small(kind).eval(), torch.rand(2, 3, 32, 32)
    single = network(image).image
    double = network.double()(image.double()).image
    assert double.dtype == torch.float64
    torch.testing.assert_close(single.double(), double, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_half_precision_layers_answer_in_the_images_precision(kind):
    with torch.autocast("cpu", torch.bfloat16):
        assert small(kind)(torch.rand(4, 3, 32, 32)).image.dtype == torch.float32


def test_sides_are_halved_upward():
    assert sides(112, [1] * 5) == [112, 56, 28, 14, 7, 4]
    assert sides(33, [1] * 5) == [33, 17, 9, 5, 3, 2]


def test_the_decoder_goes_back_through_the_same_sides():
    x, seen = torch.rand(2, 4, 2, 2), []
    for layer in decoder(33, [4] * 5, 0.0):
        x = layer(x)
        seen.append(x.shape[-1])
    assert seen == [3, 5, 9, 17, 33, 33]  # the last is batch norm


@pytest.mark.parametrize("kind", KINDS)
def test_what_does_not_fit_is_refused(kind):
    with pytest.raises(ConfigError, match="3 convolutions of stride 2 need images of at least 8 pixels, not 7"):
        kind(7, widths=(4, 4, 4))
    with pytest.raises(ConfigError, match="at least one"):
        kind(widths=())
    with pytest.raises(ConfigError, match=r"image_size 32, the images are \[16, 16\]"):
        small(kind)(torch.rand(2, 3, 16, 16))


def test_the_interface_cannot_be_built():
    with pytest.raises(TypeError, match="abstract"):
        Reconstructor()
