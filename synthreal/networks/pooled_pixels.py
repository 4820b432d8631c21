"""Features of images that need no weights."""

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from synthreal.errors import ConfigError


class PooledPixels(nn.Module):
    """The mean colours of a grid of cells: features for a first Fréchet distance, with nothing to download.

    They see brightness, colours and coarse shape, but no texture: a trained network's features see more.

    Args:
        cells: Cells along each side, at least 1.

    Raises:
        ConfigError: If there is no cell.
    """

    def __init__(self, cells: int = 4) -> None:
        super().__init__()
        if cells < 1:
            raise ConfigError(f"cells is at least 1, not {cells}.")
        self.cells = cells

    def forward(self, image: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d"]:
        """Returns the features of images, cells² for each channel."""
        return F.adaptive_avg_pool2d(image, self.cells).flatten(1)
