"""FCN and DeconvNet, the reconstructors without a latent that the GM-CML paper compares with (sec. VIII-A.4).

Their layers are the variational coder's.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

from synthreal.errors import ConfigError
from synthreal.networks.reconstruction import Reconstruction, Reconstructor


class _Layers(Reconstructor):
    """One layer after the other, from images of a fixed size to M'."""

    def __init__(self, image_size: int, layers: nn.Module) -> None:
        super().__init__()
        self.image_size, self.layers = image_size, layers
        self.to(memory_format=torch.channels_last)

    def forward(self, image: Float[Tensor, "b c h w"]) -> Reconstruction:
        """Returns M' for images in [0, 1], or for such images with noise in them.

        Raises:
            ConfigError: If the images are not of the size that the network was built for.
        """
        return Reconstruction(self.layers(prepared(image, self.image_size)).to(image.dtype), None, None)


class FCN(_Layers):
    """The encoder's convolutions and the decoder's deconvolutions, nothing between: no code of the whole image.

    Args:
        image_size: Side of the images, pixels, at least 2 to the number of widths.
        in_channels: Channels of the images.
        widths: Channels of each convolution; the deconvolutions mirror them.
        dropout: Share of units that are dropped after each layer but the last.

    Raises:
        ConfigError: If there are no widths, or too many for the image's size.
    """

    def __init__(
        self,
        image_size: int = 112,
        in_channels: int = 3,
        widths: Sequence[int] = (64, 64, 64, 128, 128),
        dropout: float = 0.2,
    ) -> None:
        layers = (encoder(image_size, in_channels, widths, dropout), decoder(image_size, widths, dropout))
        super().__init__(image_size, nn.Sequential(*layers))


class DeconvNet(_Layers):
    """The variational coder's layers without its latent: the code of the whole image is a hidden layer.

    A training batch has at least 2 images.

    Args:
        image_size: Side of the images, pixels, at least 2 to the number of widths.
        in_channels: Channels of the images.
        widths: Channels of each convolution; the deconvolutions mirror them.
        hidden: Units of the fully connected layer between.
        dropout: Share of units that are dropped after each layer but the last.

    Raises:
        ConfigError: If there are no widths, or too many for the image's size.
    """

    def __init__(
        self,
        image_size: int = 112,
        in_channels: int = 3,
        widths: Sequence[int] = (64, 64, 64, 128, 128),
        hidden: int = 128,
        dropout: float = 0.2,
    ) -> None:
        code = code_of_image(image_size, in_channels, widths, hidden, dropout)
        super().__init__(image_size, nn.Sequential(code, image_of_code(image_size, widths, hidden, dropout)))


def prepared(image: Float[Tensor, "b c h w"], side: int) -> Float[Tensor, "b c h w"]:
    """Returns images in [0, 1] as -1 to 1, in the layout that is faster on CPU and with AMP.

    Raises:
        ConfigError: If they do not have this side.
    """
    if tuple(image.shape[-2:]) != (side, side):
        raise ConfigError(f"This reconstructor has image_size {side}, the images are {list(image.shape[-2:])}.")
    return (image * 2 - 1).contiguous(memory_format=torch.channels_last)


def code_of_image(image_size: int, in_channels: int, widths: Sequence[int], hidden: int, dropout: float) -> nn.Module:
    """Returns the encoder and a fully connected layer, from images (b, in_channels, h, w) to codes (b, hidden)."""
    side = sides(image_size, widths)[-1]
    return nn.Sequential(
        encoder(image_size, in_channels, widths, dropout),
        nn.Flatten(),
        hidden_layer(nn.Linear(widths[-1] * side**2, hidden), nn.BatchNorm1d(hidden), dropout),
    )


def image_of_code(image_size: int, widths: Sequence[int], hidden: int, dropout: float) -> nn.Module:
    """Returns a fully connected layer and the decoder, from codes (b, hidden) to images (b, 3, h, w)."""
    side = sides(image_size, widths)[-1]
    flat = widths[-1] * side**2
    return nn.Sequential(
        hidden_layer(nn.Linear(hidden, flat), nn.BatchNorm1d(flat), dropout),
        nn.Unflatten(1, (widths[-1], side, side)),
        decoder(image_size, widths, dropout),
    )


def encoder(image_size: int, in_channels: int, widths: Sequence[int], dropout: float) -> nn.Module:
    """Returns 3 × 3 convolutions of stride 2, with these channels each.

    Raises:
        ConfigError: If there are no widths, or too many for the image's size.
    """
    sides(image_size, widths)
    return nn.Sequential(
        *(
            hidden_layer(nn.Conv2d(inward, outward, 3, 2, 1), nn.BatchNorm2d(outward), dropout)
            for inward, outward in pairwise([in_channels, *widths])
        )
    )


def decoder(image_size: int, widths: Sequence[int], dropout: float) -> nn.Module:
    """Returns 3 × 3 deconvolutions of stride 2 that undo the encoder's sizes, and end at 3 channels.

    The last one is followed by batch norm alone: the output is linear, as fits a squared error, and its scale and
    shift are the colours' contrast and mean, which the decoder learns first. They cannot follow large outputs soon,
    which is why a sigmoid, whose targets 0 and 1 are far out, learns next to nothing here. The scale begins low, so
    that the variance of M' grows from a small one (Fig. 8f).

    Raises:
        ConfigError: If there are no widths, or too many for the image's size.
    """
    whole = sides(image_size, widths)[:-1]
    channels = list(reversed(widths))
    layers = [
        # A map of an odd side and the even one above it have the same half: this tells which one to return to.
        nn.ConvTranspose2d(inward, outward, 3, 2, 1, output_padding=1 - side % 2)
        for (inward, outward), side in zip(pairwise([*channels, 3]), reversed(whole), strict=True)
    ]
    colours = nn.BatchNorm2d(3)
    nn.init.constant_(colours.weight, 0.1)
    hidden = (
        hidden_layer(layer, nn.BatchNorm2d(outward), dropout)
        for layer, outward in zip(layers[:-1], channels[1:], strict=True)
    )
    return nn.Sequential(*hidden, layers[-1], colours)


def hidden_layer(linear: nn.Module, norm: nn.Module, dropout: float) -> nn.Module:
    """Returns a linear map, then batch norm, ReLU and dropout.

    The map keeps its bias, which batch norm makes idle, for the published size has it.
    """
    return nn.Sequential(linear, norm, nn.ReLU(inplace=True), nn.Dropout(dropout))


def sides(image_size: int, widths: Sequence[int]) -> list[int]:
    """Returns the side of an image, and of its map after each convolution: half of the one before, rounded up.

    Raises:
        ConfigError: If there are no widths, or too many for the image's size.
    """
    if not widths or min(widths) < 1:
        raise ConfigError(f"widths are the channels of each convolution, at least one of them, not {list(widths)}.")
    if image_size < 2 ** len(widths):
        raise ConfigError(
            f"{len(widths)} convolutions of stride 2 need images of at least {2 ** len(widths)} pixels, not "
            f"{image_size}: give fewer widths than {list(widths)}."
        )
    result = [image_size]
    for _ in widths:
        result.append((result[-1] + 1) // 2)
    return result
