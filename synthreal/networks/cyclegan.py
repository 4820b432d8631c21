"""Generator and discriminator of CycleGAN (Zhu et al. 2017, appendix 7.2), which MrGAN stacks (its appendix 6.1)."""

import re
from itertools import pairwise
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from synthreal.errors import ConfigError
from synthreal.networks.initialise import gaussian

Norm = Literal["batch", "instance"]
"""What each layer is normalised over: the batch, as MrGAN has it, or each image, as CycleGAN has it."""

_TOKEN = re.compile(r"(c7s1-|[dRuC])([1-9][0-9]*)(?:[x×]([1-9][0-9]*))?")


class CycleGenerator(nn.Module):
    """Maps images of one domain to images of the other, of the same size.

    Layers, k channels each: `c7s1-k` a 7 × 7 convolution; `dk` a 3 × 3 convolution of stride 2; `Rk` a residual block,
    `Rkxn` n of them; `uk` a fractionally strided 3 × 3 convolution that doubles the size. Norm and ReLU follow each
    but the last, which ends in tanh. Weights as `gaussian` draws them. The layers of MrGAN have 2,853,187 parameters.

    Args:
        layers: `c7s1-k`, then any number of `dk`, of `Rk` and as many `uk` as `dk`, then `c7s1-` and `in_channels`.
        in_channels: Channels of the images.
        norm: Normalisation after each layer but the last, with a scale and a shift to learn.

    Raises:
        ConfigError: If the layers are written differently, or do not fit together.
    """

    def __init__(
        self,
        layers: str = "c7s1-32,d64,d128,R128x9,u64,u32,c7s1-3",
        in_channels: int = 3,
        norm: Norm = "batch",
    ) -> None:
        super().__init__()
        parsed = _parse(layers, ("c7s1-", "d", "R", "u"))
        order = "".join(kind[0] for kind, _ in parsed)
        if not re.fullmatch("cd*R*u*c", order) or order.count("d") != order.count("u") or parsed[-1][1] != in_channels:
            raise ConfigError(
                f"{layers!r} are no layers of a generator: write c7s1-k, then any number of dk, Rk and uk, in order, "
                f"as many u as d, then c7s1-{in_channels} for the {in_channels} channels of the images."
            )
        self.multiple = 2 ** order.count("d")
        widths = [in_channels, *(width for _, width in parsed)]
        self.layers = nn.Sequential(
            *(_layer(kind, widths[i], width, norm) for i, (kind, width) in enumerate(parsed[:-1])),
            ToImage(widths[-2], in_channels),
        )
        gaussian(self)
        # Faster on CPU; state and results keep their shapes.
        self.to(memory_format=torch.channels_last)

    def forward(self, image: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Returns images in [0, 1] for images in [0, 1] of any size, which the layers see as -1 to 1."""
        height, width = image.shape[-2:]
        x = _padded(image * 2 - 1, self.multiple).contiguous(memory_format=torch.channels_last)
        # Under AMP the layers answer in half precision, but an image stays what it was.
        refined = self.layers(x).to(image.dtype).tanh()
        return (refined[..., :height, :width] + 1) / 2


class PatchDiscriminator(nn.Module):
    """Scores overlapping patches of an image: high where it looks like the target domain (PatchGAN).

    `Ck` is a 4 × 4 convolution of stride 2 to k channels with norm (but for the first) and LeakyReLU of slope 0.2;
    after them a 4 × 4 convolution of stride 1 scores patches, of 94 pixels at four layers, 22 at two. No sigmoid.
    Weights as `gaussian` draws them.

    Args:
        layers: `Ck`, at least once; MrGAN has `C64,C128,C256,C512` for 256 pixels and `C64,C128` for 32.
        in_channels: Channels of the images.
        norm: Normalisation after each layer but the first and the last, with a scale and a shift to learn.

    Raises:
        ConfigError: If the layers are written differently.
    """

    def __init__(self, layers: str = "C64,C128,C256,C512", in_channels: int = 3, norm: Norm = "batch") -> None:
        super().__init__()
        widths = [width for _, width in _parse(layers, ("C",))]
        self.least = 2 ** (len(widths) + 1)
        self.layers = nn.Sequential(nn.Conv2d(in_channels, widths[0], 4, 2, 1), nn.LeakyReLU(0.2, inplace=True))
        for inward, outward in pairwise(widths):
            self.layers.append(nn.Conv2d(inward, outward, 4, 2, 1, bias=False))
            self.layers.append(_norm(norm, outward))
            self.layers.append(nn.LeakyReLU(0.2, inplace=True))
        self.layers.append(nn.Conv2d(widths[-1], 1, 4, 1, 1))
        gaussian(self)
        self.to(memory_format=torch.channels_last)

    def forward(self, image: Float[Tensor, "b c h w"]) -> Float[Tensor, "b 1 i j"]:
        """Returns a score for each patch of images in [0, 1].

        Raises:
            ConfigError: If the images are too small for the layers.
        """
        if min(image.shape[-2:]) < self.least:
            raise ConfigError(
                f"The discriminator's layers need images of at least {self.least} × {self.least} pixels, not "
                f"{' × '.join(map(str, image.shape[-2:]))}: give it fewer layers."
            )
        return self.layers((image * 2 - 1).contiguous(memory_format=torch.channels_last))


class Residual(nn.Module):
    """Two 3 × 3 convolutions, added to what came in; no ReLU after the sum.

    Args:
        channels: Channels that come in and go out.
        norm: Normalisation after each convolution.
    """

    def __init__(self, channels: int, norm: Norm) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *(nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect", bias=False), _norm(norm, channels)),
            nn.ReLU(inplace=True),
            *(nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect", bias=False), _norm(norm, channels)),
        )

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Returns the input + convolutions; sides are at least 2."""
        return x + self.layers(x)


class ToImage(nn.Conv2d):
    """7 × 7 convolution to the channels of an image, with reflected edges.

    A CPU computes 16 channels at once, so that 12 take little longer than 3. On images of even sides the four pixels of
    each 2 × 2 block are therefore channels of one convolution of stride 2, whose 8 × 8 kernels hold the 7 × 7 one in
    each corner: the same sums.

    Args:
        inward: Channels that come in.
        outward: Channels of the image.
    """

    def __init__(self, inward: int, outward: int) -> None:
        super().__init__(inward, outward, 7, padding=3, padding_mode="reflect")

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b o h w"]:
        """Returns images of the size that came in, which is at least 4."""
        if not x.is_cpu or any(side % 2 for side in x.shape[-2:]):
            return super().forward(x)
        assert self.bias is not None  # Conv2d's default
        corners = [F.pad(self.weight, (right, 1 - right, down, 1 - down)) for down in (0, 1) for right in (0, 1)]
        kernels = torch.stack(corners, 1).flatten(0, 1)
        blocks = F.conv2d(F.pad(x, (3, 3, 3, 3), "reflect"), kernels, self.bias.repeat_interleave(4), stride=2)
        return F.pixel_shuffle(blocks, 2)


def _parse(layers: str, kinds: tuple[str, ...]) -> list[tuple[str, int]]:
    """Returns kind and channels of each layer; blanks do not matter."""
    parsed = []
    for token in "".join(layers.split()).split(","):
        match = _TOKEN.fullmatch(token)
        if match is None or match[1] not in kinds:
            allowed = ", ".join(f"{kind}k" for kind in kinds)
            raise ConfigError(
                f"{token!r} in {layers!r} is no layer: write {allowed}, where k is a number of channels, and kxn for n "
                "of them, with commas between."
            )
        parsed += [(match[1], int(match[2]))] * int(match[3] or 1)
    return parsed


def _layer(kind: str, inward: int, outward: int, norm: Norm) -> nn.Module:
    convolution: nn.Module
    match kind:
        case "R":
            if inward != outward:
                raise ConfigError(f"R{outward} follows {inward} channels, which it has to keep: write R{inward}.")
            return Residual(inward, norm)
        case "c7s1-":
            convolution = nn.Conv2d(inward, outward, 7, padding=3, padding_mode="reflect", bias=False)
        case "d":
            convolution = nn.Conv2d(inward, outward, 3, 2, 1, bias=False)
        case _:
            convolution = nn.ConvTranspose2d(inward, outward, 3, 2, 1, 1, bias=False)
    return nn.Sequential(convolution, _norm(norm, outward), nn.ReLU(inplace=True))


def _norm(norm: Norm, channels: int) -> nn.Module:
    return nn.BatchNorm2d(channels) if norm == "batch" else nn.InstanceNorm2d(channels, affine=True)


def _padded(image: Float[Tensor, "b c h w"], multiple: int) -> Float[Tensor, "b c i j"]:
    """Pads right and below up to the multiple, and so far that the layers can reflect 3 pixels, and 1 of the least."""
    whole = [max(side, 4, 2 * multiple) for side in image.shape[-2:]]
    down, right = (size + -size % multiple - side for size, side in zip(whole, image.shape[-2:], strict=True))
    mirrored = down < image.shape[-2] and right < image.shape[-1]
    return F.pad(image, (0, right, 0, down), "reflect" if mirrored else "replicate")
