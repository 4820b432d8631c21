"""Light: from everywhere, from a direction, from a point, or from a picture of the surroundings."""

import math
from dataclasses import dataclass
from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor

from synthreal.errors import ConfigError


@dataclass(frozen=True)
class Lights:
    """What shines on each object of a batch. Colours are RGB; 1 lights a white surface that faces it fully.

    Args:
        irradiance: Light from everywhere, as coefficients of the polynomials 1, y, z, x, xy, yz, 3z² - 1, xz, x² - y²
            in the normal: all nine (`environment_irradiance`), or the first alone (`ambient`).
        position: Homogeneous: (direction towards the light, 0), or (place, 1) of a point light.
        colour: Of each light; a point light's is that at distance 1 and falls with the square of the distance.

    Raises:
        ConfigError: If there are neither 1 nor 9 coefficients.
    """

    irradiance: Float[Tensor, "b k 3"]
    position: Float[Tensor, "b l 4"]
    colour: Float[Tensor, "b l 3"]

    def __post_init__(self) -> None:
        if self.irradiance.shape[1] not in (1, 9):
            raise ConfigError(f"irradiance has 1 coefficient or all 9, not {self.irradiance.shape[1]}.")

    def to(self, device: torch.device) -> "Lights":
        """Returns the same lights on `device`."""
        return Lights(self.irradiance.to(device), self.position.to(device), self.colour.to(device))


def ambient(colour: Float[Tensor, "b 3"]) -> Lights:
    """Returns light that comes equally from everywhere."""
    none = colour.new_zeros(len(colour), 0, 4)
    return Lights(colour[:, None], none, none[..., :3])


def direction(azimuth: Float[Tensor, " b"], elevation: Float[Tensor, " b"]) -> Float[Tensor, "b 4"]:
    """Returns the homogeneous position of a light as far away as the sun; angles in degrees, as a camera's."""
    a, e = azimuth.deg2rad(), elevation.deg2rad()
    return torch.stack([e.cos() * a.sin(), -e.cos() * a.cos(), e.sin(), torch.zeros_like(a)], 1)


def environment_irradiance(panorama: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n 9 3"]:
    """Returns the light that equirectangular pictures throw on a surface (Ramamoorthi and Hanrahan 2001, Eq. 11-13).

    Row 0 is straight up; the columns run once round from azimuth -180° to 180°, so that the middle column shines on an
    object's front. A plain photo may stand in for a panorama. A picture of constant colour c gives an ambient light c.

    Args:
        panorama: Radiance; 1 everywhere lights a white surface fully.
    """
    height, width = panorama.shape[-2:]
    # Sums, not a matrix product: its last bits would depend on the batch.
    return (panorama[:, None] * _weights(height, width, panorama.device)[:, None]).sum((3, 4))


# A few sizes are in use at a time.
@lru_cache(maxsize=8)
def _weights(height: int, width: int, device: torch.device) -> Float[Tensor, "9 h w"]:
    """What each pixel of a panorama adds to each coefficient."""
    e = (0.5 - (torch.arange(height, device=device) + 0.5) / height) * math.pi
    a = ((torch.arange(width, device=device) + 0.5) / width - 0.5) * (2 * math.pi)
    x, y = e.cos()[:, None] * a.sin(), -e.cos()[:, None] * a.cos()
    z = e.sin()[:, None].expand_as(x)
    basis = torch.stack([torch.ones_like(x), y, z, x, x * y, y * z, 3 * z * z - 1, x * z, x * x - y * y])
    solid_angle = (e.cos() * 2 * math.sin(math.pi / 2 / height) * (2 * math.pi / width))[:, None]
    # Squared normalisation of each polynomial × the cosine lobe's factor (π, 2π/3, π/4) / π of its degree.
    pi = math.pi
    first, second = 3 / (4 * pi) * (2 / 3), 15 / (4 * pi) / 4
    scale = [1 / (4 * pi), first, first, first, second, second, second / 12, second, second / 4]
    return basis * solid_angle * basis.new_tensor(scale)[:, None, None]
