"""AlexNet as the mixing-ratio paper's appendix (sec. 2.1) has it."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from synthreal.errors import ConfigError
from synthreal.networks.initialise import glorot


class AlexNet(nn.Module):
    """C64-11-4-2, M, C192-5-1-2, M, C384-3-1-1, C256-3-1-1, C256-3-1-1, M, 4096, dropout, 4096, dropout, classes.

    Every C is followed by ReLU, M is a 3 × 3 maximum of stride 2. Glorot weights.

    Args:
        num_classes: Number of outputs.
        in_channels: Channels of the images.
        image_size: Side of the images, pixels, at least 63.
        dropout: Share of units that are dropped after each layer of 4096.

    Raises:
        ConfigError: If the image is too small.
    """

    def __init__(
        self, num_classes: int = 10, in_channels: int = 3, image_size: int = 224, dropout: float = 0.5
    ) -> None:
        super().__init__()
        side = (((((image_size - 7) // 4 + 1) - 3) // 2 + 1 - 3) // 2 + 1 - 3) // 2 + 1
        if side < 1:
            raise ConfigError(f"AlexNet needs images of at least 63 pixels, not {image_size}.")
        self.image_size = image_size
        self.features = nn.Sequential(
            *(nn.Conv2d(in_channels, 64, 11, 4, 2), nn.ReLU(), nn.MaxPool2d(3, 2)),
            *(nn.Conv2d(64, 192, 5, 1, 2), nn.ReLU(), nn.MaxPool2d(3, 2)),
            *(nn.Conv2d(192, 384, 3, 1, 1), nn.ReLU(), nn.Conv2d(384, 256, 3, 1, 1), nn.ReLU()),
            *(nn.Conv2d(256, 256, 3, 1, 1), nn.ReLU(), nn.MaxPool2d(3, 2)),
        )
        self.head = nn.Sequential(
            *(nn.Linear(256 * side * side, 4096), nn.ReLU(), nn.Dropout(dropout)),
            *(nn.Linear(4096, 4096), nn.ReLU(), nn.Dropout(dropout)),
            nn.Linear(4096, num_classes),
        )
        glorot(self)
        self.to(memory_format=torch.channels_last)

    def forward(self, image: Float[Tensor, "b c h w"]) -> Float[Tensor, "b k"]:
        """Returns logits for images in [0, 1], shifted and scaled to [-1, 1].

        Raises:
            ConfigError: If the images are not of the size that the network was built for.
        """
        if tuple(image.shape[-2:]) != (self.image_size, self.image_size):
            raise ConfigError(
                f"This AlexNet has image_size {self.image_size}, the images are {list(image.shape[-2:])}."
            )
        x = (image * 2 - 1).contiguous(memory_format=torch.channels_last)
        return self.head(self.features(x).flatten(1))
