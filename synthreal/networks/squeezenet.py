"""SqueezeNet 1.1 (Iandola et al. 2016), a baseline of the GM-CML paper."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torchvision.models import squeezenet1_1

from synthreal.errors import ConfigError


class SqueezeNet(nn.Module):
    """torchvision's SqueezeNet 1.1 for images of any number of channels.

    What differs: the last 1 × 1 convolution comes after the average pool, as a linear layer, which is the same map and
    has a descriptor as its input; no ReLU follows it, so that logits may be negative.

    Args:
        num_classes: Number of outputs.
        in_channels: Channels of the images.
    """

    def __init__(self, num_classes: int = 10, in_channels: int = 3) -> None:
        super().__init__()
        self.features = nn.Sequential(he(nn.Conv2d(in_channels, 64, 3, stride=2)), *squeezenet1_1().features[1:])
        self.dropout = nn.Dropout(0.5)
        self.head = nn.Linear(512, num_classes)
        nn.init.normal_(self.head.weight, std=0.01)  # as torchvision's
        nn.init.zeros_(self.head.bias)
        self.to(memory_format=torch.channels_last)

    def forward(self, image: Float[Tensor, "b c h w"]) -> Float[Tensor, "b k"]:
        """Returns logits for images in [0, 1], shifted and scaled to [-1, 1].

        Raises:
            ConfigError: If the images are smaller than 17 pixels.
        """
        return self.head(self.dropout(self.features(squeezable(image))).mean((2, 3)))


def squeezable(image: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
    """Returns images in [0, 1] as -1 to 1, in the layout that is faster on CPU and with AMP.

    Raises:
        ConfigError: If they are too small for a convolution and three pools of stride 2.
    """
    if min(image.shape[-2:]) < 17:
        raise ConfigError(
            "SqueezeNet and ZigzagNet need images of at least 17 × 17 pixels, not "
            f"{' × '.join(map(str, image.shape[-2:]))}."
        )
    return (image * 2 - 1).contiguous(memory_format=torch.channels_last)


def he(layer: nn.Conv2d, gain: float = 2**0.5) -> nn.Conv2d:
    """Sets a convolution to He's uniform weights, of variance gain² / fan_in, and biases of 0, and returns it."""
    bound = gain * (3 / layer.weight[0].numel()) ** 0.5
    nn.init.uniform_(layer.weight, -bound, bound)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer
