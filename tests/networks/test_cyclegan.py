"""The networks of MrGAN against torch's functions by hand, their parameters, sizes, notation and errors."""

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from synthreal.errors import ConfigError
from synthreal.networks import CycleGenerator, PatchDiscriminator

SMALL = "c7s1-4,d6,d8,R8x2,u6,u4,c7s1-3"
SETTINGS = settings(deadline=None, max_examples=60, database=None, derandomize=True)


def count(network):
    return sum(p.numel() for p in network.parameters())


def shaken(network, seed=0):
    """The network in evaluation mode with float64 weights, norms and statistics that all matter."""
    torch.manual_seed(seed)
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(module.weight, 0, module.weight[0].numel() ** -0.5)
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.2)
            module.running_var.uniform_(0.5, 2)
        if getattr(module, "bias", None) is not None:
            nn.init.normal_(module.bias, 0, 0.2)
    return network.double().eval()


def normalised(x, layer):
    """Batch norm from its stored statistics, instance norm from the image's own, by the formula."""
    if isinstance(layer, nn.BatchNorm2d):
        mean, var = layer.running_mean[:, None, None], layer.running_var[:, None, None]
    else:
        mean, var = x.mean((2, 3), keepdim=True), x.var((2, 3), keepdim=True, correction=0)
    return (x - mean) / (var + 1e-5).sqrt() * layer.weight[:, None, None] + layer.bias[:, None, None]


def of_type(network, *types):
    return iter([module for module in network.modules() if isinstance(module, types)])


def reflected(x, weight, bias=None):
    side = weight.shape[-1] // 2
    return F.conv2d(F.pad(x, (side,) * 4, "reflect"), weight, bias)


def generated_by_hand(network, image):
    """`SMALL` written out."""
    convolutions, norms = (
        of_type(network, nn.Conv2d, nn.ConvTranspose2d),
        of_type(network, nn.modules.batchnorm._NormBase),
    )
    x = normalised(reflected(2 * image - 1, next(convolutions).weight), next(norms)).relu()
    for _ in range(2):
        x = normalised(F.conv2d(x, next(convolutions).weight, stride=2, padding=1), next(norms)).relu()
    for _ in range(2):
        y = normalised(reflected(x, next(convolutions).weight), next(norms)).relu()
        x = x + normalised(reflected(y, next(convolutions).weight), next(norms))
    for _ in range(2):
        # Stride 1/2: zeros between the pixels, then a convolution with the kernel turned by 180°.
        weight = next(convolutions).weight.transpose(0, 1).flip(2, 3)
        spread = x.new_zeros(*x.shape[:2], 2 * x.shape[2], 2 * x.shape[3])
        spread[..., ::2, ::2] = x
        x = normalised(F.conv2d(spread, weight, padding=1), next(norms)).relu()
    last = next(convolutions)
    return (reflected(x, last.weight, last.bias).tanh() + 1) / 2


def scored_by_hand(network, image):
    """`C4,C6,C8` written out."""
    convolutions, norms = of_type(network, nn.Conv2d), of_type(network, nn.modules.batchnorm._NormBase)
    first = next(convolutions)
    x = F.leaky_relu(F.conv2d(2 * image - 1, first.weight, first.bias, stride=2, padding=1), 0.2)
    for _ in range(2):
        x = F.leaky_relu(normalised(F.conv2d(x, next(convolutions).weight, stride=2, padding=1), next(norms)), 0.2)
    last = next(convolutions)
    return F.conv2d(x, last.weight, last.bias, padding=1)


@pytest.mark.parametrize("norm", ["batch", "instance"])
def test_parameters_of_the_generator_by_hand(norm):
    layers = [
        7 * 7 * 3 * 32 + 2 * 32,  # no bias, but scale and shift
        3 * 3 * 32 * 64 + 2 * 64,
        3 * 3 * 64 * 128 + 2 * 128,
        9 * 2 * (3 * 3 * 128 * 128 + 2 * 128),
        3 * 3 * 128 * 64 + 2 * 64,
        3 * 3 * 64 * 32 + 2 * 32,
        7 * 7 * 32 * 3 + 3,  # bias, no norm
    ]
    assert sum(layers) == 2_853_187
    network = CycleGenerator(norm=norm)
    assert count(network) == 2_853_187
    blocks = [count(block) for block in network.layers]
    assert blocks == [*layers[:3], *[layers[3] // 9] * 9, *layers[4:]]


@pytest.mark.parametrize("norm", ["batch", "instance"])
def test_parameters_of_the_discriminators_by_hand(norm):
    first = 4 * 4 * 3 * 64 + 64
    second, third, fourth = (4 * 4 * k * 2 * k + 2 * 2 * k for k in (64, 128, 256))
    assert count(PatchDiscriminator(norm=norm)) == first + second + third + fourth + 4 * 4 * 512 + 1 == 2_765_633
    assert count(PatchDiscriminator("C64,C128", norm=norm)) == first + second + 4 * 4 * 128 + 1


@pytest.mark.parametrize("norm", ["batch", "instance"])
def test_generated_images_are_those_of_the_layers_one_after_another(norm):
    network, image = shaken(CycleGenerator(SMALL, norm=norm)), torch.rand(2, 3, 16, 24, dtype=torch.float64)
    expected = generated_by_hand(network, image)
    assert expected.std() > 0.05
    np.testing.assert_allclose(network(image).detach().numpy(), expected.detach().numpy(), atol=1e-10)


@pytest.mark.parametrize("norm", ["batch", "instance"])
def test_scores_are_those_of_the_layers_one_after_another(norm):
    network, image = shaken(PatchDiscriminator("C4,C6,C8", norm=norm)), torch.rand(2, 3, 32, 40, dtype=torch.float64)
    scores = network(image)
    assert scores.shape == (2, 1, 3, 4)
    np.testing.assert_allclose(scores.detach().numpy(), scored_by_hand(network, image).detach().numpy(), atol=1e-10)


def test_gradients_are_those_of_the_layers_one_after_another():
    image = torch.rand(2, 3, 16, 16, dtype=torch.float64)
    generator, discriminator = shaken(CycleGenerator(SMALL)), shaken(PatchDiscriminator("C4,C6,C8"))
    for network, by_hand in ((generator, generated_by_hand), (discriminator, scored_by_hand)):
        parameters = list(network.parameters())
        ours = torch.autograd.grad(network(image).square().sum(), parameters)
        theirs = torch.autograd.grad(by_hand(network, image).square().sum(), parameters)
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-8, atol=1e-8)


@SETTINGS
@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 3), st.sampled_from(["batch", "instance"]))
@example(1, 1, 0, "instance")
@example(1, 40, 3, "batch")
@example(4, 9, 2, "instance")
def test_any_size_comes_out_as_it_went_in(height, width, downsamplings, norm):
    layers = ["c7s1-2", *["d2"] * downsamplings, "R2", *["u2"] * downsamplings, "c7s1-1"]
    network = CycleGenerator(",".join(layers), 1, norm)
    # in training, where norms refuse single values
    out = network(torch.rand(1, 1, height, width)).detach()
    assert out.shape == (1, 1, height, width)
    assert 0 <= float(out.min()) <= float(out.max()) <= 1


@pytest.mark.parametrize(
    ("side", "padded", "mode"), [(16, 16, "reflect"), (17, 20, "reflect"), (15, 16, "reflect"), (3, 8, "edge")]
)
def test_other_sizes_are_mirrored_and_cropped(side, padded, mode):
    network, image = shaken(CycleGenerator(SMALL)), torch.rand(1, 3, side, 16, dtype=torch.float64)
    whole = torch.from_numpy(np.pad(image.numpy(), ((0, 0), (0, 0), (0, padded - side), (0, 0)), mode))
    expected = generated_by_hand(network, whole)[:, :, :side]
    np.testing.assert_allclose(network(image).detach().numpy(), expected.detach().numpy(), atol=1e-10)


@pytest.mark.parametrize(
    "layers",
    [
        "c7s1-4, d6, d8, R8×2, u6, u4, c7s1-3",
        " c7s1-4,d6,d8,R8,R8,u6,u4,c7s1-3\n",
        "c7s1-4,d6,d8,R8 x 2,u6,u4,c7s1-3",
        "c7s1-4,d6,d8,R8x1,R8x1,u6,u4,c7s1-3",
    ],
)
def test_the_same_network_written_in_other_ways(layers):
    state = CycleGenerator(SMALL).state_dict()
    other = CycleGenerator(layers).state_dict()
    assert {k: v.shape for k, v in other.items()} == {k: v.shape for k, v in state.items()}


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ("c7s1-4,e8,c7s1-3", "'e8'.* is no layer: write c7s1-k, dk, Rk, uk"),
        ("c7s1-4,d,u4,c7s1-3", "'d'.* is no layer"),
        ("c7s1-4,R0,c7s1-3", "'R0'.* is no layer"),
        ("c7s1-4,R4x0,c7s1-3", "'R4x0'.* is no layer"),
        ("c7s1-4,C4,c7s1-3", "'C4'.* is no layer"),
        ("c7s1-4,c7s1-3,", "'' in .* is no layer"),
        ("", "'' in '' is no layer"),
        ("c7s1-4,d128,R64,u4,c7s1-3", "R64 follows 128 channels.*write R128"),
        ("c7s1-4,d8,d8,u4,c7s1-3", "as many u as d"),
        ("c7s1-4,u4,c7s1-3", "as many u as d"),
        ("c7s1-3", "no layers of a generator: write c7s1-k"),
        ("c7s1-4,d8,R8,u4", "no layers of a generator: write c7s1-k"),
        ("d8,u4,c7s1-3", "no layers of a generator: write c7s1-k"),
        ("c7s1-4,u8,d4,c7s1-3", "in order"),
        ("c7s1-4,R4,c7s1-1", "c7s1-3 for the 3 channels"),
    ],
)
def test_a_generator_that_makes_no_sense_is_refused(layers, message):
    with pytest.raises(ConfigError, match=message):
        CycleGenerator(layers)


@pytest.mark.parametrize("layers", ["d64", "C64,,C128", "", "C64,c7s1-3"])
def test_a_discriminator_that_makes_no_sense_is_refused(layers):
    with pytest.raises(ConfigError, match="is no layer: write Ck"):
        PatchDiscriminator(layers)


@pytest.mark.parametrize(("layers", "least"), [("C2", 4), ("C2,C2", 8), ("C2x4", 32)])
def test_the_least_image_of_a_discriminator(layers, least):
    network = PatchDiscriminator(layers)
    assert network(torch.rand(2, 3, least, least)).shape == (2, 1, 1, 1)
    for height, width in ((least - 1, least + 8), (least + 8, least - 1)):
        with pytest.raises(ConfigError, match=f"at least {least} × {least} pixels, not {height} × {width}"):
            network(torch.rand(2, 3, height, width))


@pytest.mark.parametrize(("layers", "patch"), [("C4,C4", 22), ("C4,C4,C4,C4", 94)])
def test_a_score_sees_one_patch(layers, patch):
    # 4 pixels of the last but one layer; each stride 2 makes n into 2 n + 2
    network, image = shaken(PatchDiscriminator(layers)), torch.rand(1, 3, 160, 160, dtype=torch.float64)
    image.requires_grad_()
    scores = network(image)
    scores[0, 0, scores.shape[2] // 2, scores.shape[3] // 2].backward()
    seen = image.grad.abs().amax((0, 1)) > 0
    rows, columns = (torch.where(seen.any(side))[0] for side in (1, 0))
    assert int(rows[-1] - rows[0]) + 1 == patch
    assert int(columns[-1] - columns[0]) + 1 == patch


def test_other_channels():
    assert CycleGenerator("c7s1-4,R4,c7s1-1", in_channels=1)(torch.rand(2, 1, 9, 9)).shape == (2, 1, 9, 9)
    assert PatchDiscriminator("C4", in_channels=1)(torch.rand(2, 1, 9, 9)).shape == (2, 1, 3, 3)


@pytest.mark.parametrize("norm", ["batch", "instance"])
@pytest.mark.parametrize(("kind", "layers"), [(CycleGenerator, SMALL), (PatchDiscriminator, "C8,C16")])
def test_weights_start_as_gaussians(kind, layers, norm):
    torch.manual_seed(0)
    network = kind(layers, norm=norm).requires_grad_(False)
    for module in of_type(network, nn.modules.batchnorm._NormBase):
        assert 0.8 < float(module.weight.min()) < float(module.weight.max()) < 1.2
    weights = torch.cat([m.weight.flatten() for m in of_type(network, nn.Conv2d, nn.ConvTranspose2d)])
    # the standard deviation of n samples is off by sigma / √(2 n)
    assert float(weights.std()) == pytest.approx(0.02, abs=4 * 0.02 / (2 * len(weights)) ** 0.5)


def test_images_keep_their_type_under_mixed_precision():
    network, image = CycleGenerator(SMALL), torch.rand(2, 3, 16, 16)
    with torch.autocast("cpu", torch.bfloat16):
        assert network.layers(image).dtype == torch.bfloat16
        assert network(image).dtype == torch.float32


def test_the_discriminator_learns_two_colours_and_the_generator_to_fool_it():
    torch.manual_seed(0)
    generator, discriminator = CycleGenerator("c7s1-8,R8,c7s1-3"), PatchDiscriminator("C8,C16")
    dark, bright = (0.1 * torch.rand(16, 3, 16, 16) + base for base in (0.1, 0.7))
    optimiser = torch.optim.Adam(discriminator.parameters(), 0.01)
    for _ in range(20):
        loss = (discriminator(bright) - 1).square().mean() + discriminator(dark).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert loss.item() < 0.1
    discriminator.eval().requires_grad_(False)
    before = discriminator(generator(dark)).mean().item()
    optimiser = torch.optim.Adam(generator.parameters(), 0.01)
    for _ in range(20):
        optimiser.zero_grad()
        (discriminator(generator(dark)) - 1).square().mean().backward()
        optimiser.step()
    assert abs(discriminator(generator(dark)).mean().item() - 1) < 0.5 * abs(before - 1)
