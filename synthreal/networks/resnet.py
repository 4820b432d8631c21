"""The residual network for small images that the mixing-ratio paper uses (He et al. 2015, sec. 4.2)."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from synthreal.errors import ConfigError
from synthreal.networks.initialise import glorot


class ResNet(nn.Module):
    """C16, then three groups of blocks with 16, 32 and 64 channels, average pool, classes.

    Shortcuts without weights (option A: every other pixel, padded with zero channels). 20 layers have 269,657
    parameters at 9 classes. Glorot weights, as the paper's appendix has them.

    Args:
        num_classes: Number of outputs.
        in_channels: Channels of the images.
        depth: Layers: 6n + 2; 20, 32, 44, 56, 110 in the literature.

    Raises:
        ConfigError: If the depth is not 6n + 2.
    """

    def __init__(self, num_classes: int = 10, in_channels: int = 3, depth: int = 20) -> None:
        super().__init__()
        if depth < 8 or depth % 6 != 2:
            raise ConfigError(f"depth is 6n + 2 (8, 14, 20, …), not {depth}.")
        widths = [width for width in (16, 32, 64) for _ in range((depth - 2) // 6)]
        self.stem = nn.Conv2d(in_channels, 16, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(16)
        self.blocks = nn.Sequential(*(Block(a, b) for a, b in zip([16, *widths], widths, strict=False)))
        self.head = nn.Linear(64, num_classes)
        glorot(self)
        # Faster on CPU and with AMP; state and results keep their shapes.
        self.to(memory_format=torch.channels_last)

    def forward(self, image: Float[Tensor, "b c h w"]) -> Float[Tensor, "b k"]:
        """Returns logits for images in [0, 1], shifted and scaled to [-1, 1]."""
        x = (image * 2 - 1).contiguous(memory_format=torch.channels_last)
        x = self.blocks(self.norm(self.stem(x)).relu())
        return self.head(x.mean((2, 3)))


class Block(nn.Module):
    """Two 3 × 3 convolutions and a shortcut; where channels double, the first has stride 2.

    Args:
        inward: Channels that come in.
        outward: Channels that go out: as many, or twice as many.
    """

    def __init__(self, inward: int, outward: int) -> None:
        super().__init__()
        self.stride, self.extra = outward // inward, outward - inward
        self.conv1 = nn.Conv2d(inward, outward, 3, self.stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(outward)
        self.conv2 = nn.Conv2d(outward, outward, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(outward)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d i j"]:
        """Returns ReLU(shortcut + convolutions)."""
        y = self.norm2(self.conv2(self.norm1(self.conv1(x)).relu()))
        if self.extra:
            x = F.pad(
                x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, self.extra // 2, self.extra - self.extra // 2)
            )
        return (x + y).relu()
