"""LeNet in the form that Caffe ships, which SampleAhead's digit experiment uses (sec. 4.1)."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from synthreal.errors import ConfigError


class LeNet(nn.Module):
    """conv 20@5, pool, conv 50@5, pool, 500, ReLU, classes. No nonlinearity after the convolutions.

    431,080 parameters at 28 × 28 and 10 classes. Weights uniform within ±√(3 / fan_in) (Caffe's "xavier"), biases 0,
    inputs divided by 256. The paper counts three convolutions because the layer of 500 is written as one.

    Args:
        num_classes: Number of outputs.
        in_channels: Channels of the images.
        image_size: Side of the images, pixels, at least 16.

    Raises:
        ConfigError: If the image is too small.
    """

    def __init__(self, num_classes: int = 10, in_channels: int = 1, image_size: int = 28) -> None:
        super().__init__()
        side = ((image_size - 4) // 2 - 4) // 2
        if side < 1:
            raise ConfigError(f"LeNet needs images of at least 16 pixels, not {image_size}.")
        self.image_size = image_size
        self.conv1 = nn.Conv2d(in_channels, 20, 5)
        self.conv2 = nn.Conv2d(20, 50, 5)
        self.fc1 = nn.Linear(50 * side * side, 500)
        self.fc2 = nn.Linear(500, num_classes)
        self.pool = nn.MaxPool2d(2)
        for layer in (self.conv1, self.conv2, self.fc1, self.fc2):
            bound = (3 / layer.weight[0].numel()) ** 0.5
            nn.init.uniform_(layer.weight, -bound, bound)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
        # Twice as fast on CPU; state and results keep their shapes.
        self.to(memory_format=torch.channels_last)

    def forward(self, image: Float[Tensor, "b c h w"]) -> Float[Tensor, "b k"]:
        """Returns logits for images in [0, 1].

        Raises:
            ConfigError: If the images are not of the size that the network was built for.
        """
        if tuple(image.shape[-2:]) != (self.image_size, self.image_size):
            raise ConfigError(f"This LeNet has image_size {self.image_size}, the images are {list(image.shape[-2:])}.")
        x = (image * (255 / 256)).contiguous(memory_format=torch.channels_last)
        x = self.pool(self.conv2(self.pool(self.conv1(x))))
        return self.fc2(self.fc1(x.flatten(1)).relu())
