"""ZigzagNet, the classifier behind a reconstructor (GM-CML paper, sec. V-A and Fig. 4)."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from synthreal.networks.squeezenet import he, squeezable


class ZigzagNet(nn.Module):
    """SqueezeNet 1.1 with Zigzag modules: C64-3-2, M, 2 modules, M, 2 modules, M, 4 modules, average pool, classes.

    M is a 3 × 3 maximum of stride 2 that keeps what is left at the border. 1,560,332 parameters at 12 classes and 6
    channels, which are those of an image O and its reconstruction M'. There is no dropout.

    Args:
        num_classes: Number of outputs.
        in_channels: Channels of the images.
    """

    def __init__(self, num_classes: int = 12, in_channels: int = 6) -> None:
        super().__init__()
        self.features = nn.Sequential(
            *(he(nn.Conv2d(in_channels, 64, 3, stride=2)), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, ceil_mode=True)),
            *(Zigzag(64, 16, 64), Zigzag(128, 16, 64), nn.MaxPool2d(3, 2, ceil_mode=True)),
            *(Zigzag(128, 32, 128), Zigzag(256, 32, 128), nn.MaxPool2d(3, 2, ceil_mode=True)),
            *(Zigzag(256, 48, 192), Zigzag(384, 48, 192), Zigzag(384, 64, 256), Zigzag(512, 64, 256)),
        )
        self.head = nn.Linear(512, num_classes)
        self.to(memory_format=torch.channels_last)

    def forward(self, image: Float[Tensor, "b c h w"]) -> Float[Tensor, "b k"]:
        """Returns logits for images in [0, 1], shifted and scaled to [-1, 1].

        Raises:
            ConfigError: If the images are smaller than 17 pixels.
        """
        return self.head(self.features(squeezable(image)).mean((2, 3)))


class Zigzag(nn.Module):
    """ReLU(expand(squeeze(x)) + bypass(x)): SqueezeNet's Fire module, whose last ReLU comes after a sum.

    Squeeze and bypass are 1 × 1 convolutions; expand is a 1 × 1 and a 3 × 3 one, whose channels follow each other.
    Squeeze has a ReLU, as in Fire: the paper names the last one alone as moved. He's weights, but half the variance in
    the two parts of the sum, so that a module's output is as strong as its input.

    Args:
        inward: Channels that come in.
        squeezed: Channels between squeeze and expand.
        expanded: Channels of each expanding convolution: half of what goes out.
    """

    def __init__(self, inward: int, squeezed: int, expanded: int) -> None:
        super().__init__()
        self.squeeze = he(nn.Conv2d(inward, squeezed, 1))
        self.expand1 = he(nn.Conv2d(squeezed, expanded, 1), gain=1)
        self.expand3 = he(nn.Conv2d(squeezed, expanded, 3, padding=1), gain=1)
        self.bypass = he(nn.Conv2d(inward, 2 * expanded, 1), gain=1)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d h w"]:
        """Returns 2 · expanded channels of the size that came in."""
        squeezed = self.squeeze(x).relu()
        expanded = torch.cat([self.expand1(squeezed), self.expand3(squeezed)], 1)
        return (expanded + self.bypass(x)).relu()
