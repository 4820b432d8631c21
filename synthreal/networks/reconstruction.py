"""What every network that paints M' from a photo has in common (GM-CML paper, sec. IV)."""

from abc import ABC, abstractmethod
from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor, nn


class Reconstruction(NamedTuple):
    """What a reconstructor returns."""

    image: Float[Tensor, "b 3 h w"]
    """M': the objects in the flat colours of their classes, without background; near [0, 1], where its target is."""
    mean: Float[Tensor, "b l"] | None
    """Means of the latent Gaussians; None where there is no latent."""
    log_variance: Float[Tensor, "b l"] | None
    """Logarithms of their variances; None where there is no latent."""


class Reconstructor(nn.Module, ABC):
    """Maps images O, textured objects in front of backgrounds, to M', of the same size and with 3 channels."""

    @abstractmethod
    def forward(self, image: Float[Tensor, "b c h w"]) -> Reconstruction:
        """Returns M' for images in [0, 1], or for such images with noise in them."""
