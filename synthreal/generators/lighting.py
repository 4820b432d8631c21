"""How rendered objects are lit: a latent variation of its own."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from synthreal.datasets.panoramas import load_panoramas
from synthreal.errors import ConfigError
from synthreal.rendering.lights import Lights, direction, environment_irradiance
from synthreal.spaces import Circular, Continuous, ParameterSpace

LIGHT_COLUMNS = (
    "light azimuth",
    "light elevation",
    "light strength",
    "ambient",
    "warmth",
    "panorama",
    "panorama azimuth",
)
"""Columns of parameters that say how an object is lit, whichever `Lighting` takes them."""

_CELLS = (16, 32)  # rows and columns of a background that lights: its nine numbers change slowly over it


class Lighting(ABC):
    """Makes lights from parameters.

    Attributes:
        axes: Parameters that it takes; their bins become buckets.
    """

    axes: tuple[ParameterSpace, ...] = ()

    @abstractmethod
    def lights(self, parameters: Mapping[str, Tensor], background: Float[Tensor, "b 3 h w"]) -> Lights:
        """Returns the lights of each image.

        Args:
            parameters: A column [B] for each axis, by name.
            background: What is behind the objects, values in [0, 1].
        """


class FixedLight(Lighting):
    """The same light for every image: a white one from the upper left of the front, and some from everywhere.

    Args:
        ambient: Light from everywhere; 1 alone shows surfaces in their own colours (the benchmark's white light).
        strength: Of the directional light.

    Raises:
        ConfigError: If one is below 0.
    """

    def __init__(self, ambient: float = 0.45, strength: float = 0.55) -> None:
        _check_amounts(ambient, strength)
        self.ambient, self.strength = ambient, strength

    def lights(self, parameters: Mapping[str, Tensor], background: Float[Tensor, "b 3 h w"]) -> Lights:
        """See `Lighting.lights`."""
        column = background.new_ones(len(background))
        position = direction(-40 * column, 50 * column)[:, None]
        white = column[:, None, None].expand(-1, 1, 3)
        return Lights(self.ambient * white, position, self.strength * white)


class RandomLight(Lighting):
    """A white to warm or cold light from a random side, and a random light from everywhere.

    Args:
        elevation: Lowest and highest elevation of the light, degrees.
        strength: Least and most of the directional light.
        ambient: Least and most light from everywhere.
        warmth: Most that red grows and blue falls, or the other way round, as a share.
        azimuth_bins: Buckets of its azimuth.
        elevation_bins: Buckets of its elevation.

    Raises:
        ConfigError: If a range is empty or an amount below 0.
    """

    def __init__(
        self,
        elevation: tuple[float, float] = (10, 80),
        strength: tuple[float, float] = (0.2, 0.9),
        ambient: tuple[float, float] = (0.2, 0.6),
        warmth: float = 0.2,
        azimuth_bins: int = 1,
        elevation_bins: int = 1,
    ) -> None:
        _check_amounts(*strength, *ambient)
        if not 0 < warmth < 1:
            raise ConfigError(f"warmth is between 0 and 1, not {warmth}.")
        self.axes = (
            Circular("light azimuth", azimuth_bins),
            Continuous("light elevation", *elevation, elevation_bins, "degrees"),
            Continuous("light strength", *strength),
            Continuous("ambient", *ambient),
            Continuous("warmth", -warmth, warmth),
        )

    def lights(self, parameters: Mapping[str, Tensor], background: Float[Tensor, "b 3 h w"]) -> Lights:
        """See `Lighting.lights`."""
        warmth, one = parameters["warmth"], torch.ones_like(parameters["warmth"])
        colour = torch.stack([1 + warmth, one, 1 - warmth], 1) * parameters["light strength"][:, None]
        position = direction(parameters["light azimuth"], parameters["light elevation"])
        everywhere = parameters["ambient"][:, None, None].expand(-1, 1, 3)
        return Lights(everywhere, position[:, None], colour[:, None])


class BackgroundLight(Lighting):
    """The background lights the object, as if it went on all around it.

    Args:
        strength: Least and most light on an object whose background is white.

    Raises:
        ConfigError: If the range is empty or below 0.
    """

    def __init__(self, strength: tuple[float, float] = (0.9, 1.6)) -> None:
        _check_amounts(*strength)
        self.axes = (Continuous("light strength", *strength),)

    def lights(self, parameters: Mapping[str, Tensor], background: Float[Tensor, "b 3 h w"]) -> Lights:
        """See `Lighting.lights`."""
        cells = F.interpolate(background, _CELLS, mode="area")
        irradiance = environment_irradiance(cells) * parameters["light strength"][:, None, None]
        none = background.new_zeros(len(background), 0, 4)
        return Lights(irradiance, none, none[..., :3])


class PanoramaLight(Lighting):
    """Radiance panoramas (HDRI) light the object, turned by a random angle.

    Args:
        root: Folder of equirectangular .hdr files.
        strength: Least and most light of a panorama, as a mean over all directions.
        azimuths: How many angles each panorama is turned by.

    Raises:
        ConfigError: If there is no angle, or the range of the strength is empty or below 0.
    """

    def __init__(self, root: str, strength: tuple[float, float] = (0.6, 1.2), azimuths: int = 24) -> None:
        _check_amounts(*strength)
        if azimuths < 1:
            raise ConfigError(f"A panorama is turned by at least 1 angle, not {azimuths}.")
        self.root, self.azimuths = root, azimuths
        self.axes = (
            Continuous("panorama", 0, 1),
            Circular("panorama azimuth"),
            Continuous("light strength", *strength),
        )
        self._on_device: dict[torch.device, Float[Tensor, "n a 9 3"]] = {}

    def __getstate__(self) -> dict[str, Any]:
        # A device's memory belongs to one process.
        return self.__dict__ | {"_on_device": {}}

    @cached_property
    def _irradiance(self) -> Float[Tensor, "n a 9 3"]:
        """Light of each panorama at each angle, its mean 1."""
        pictures, _ = load_panoramas(Path(self.root))
        steps = [round(pictures.shape[3] * i / self.azimuths) for i in range(self.azimuths)]
        turned = torch.stack([environment_irradiance(pictures.roll(step, 3)) for step in steps], 1)
        return turned / turned[:, :, :1].mean(3, keepdim=True).clamp(min=1e-6)

    def lights(self, parameters: Mapping[str, Tensor], background: Float[Tensor, "b 3 h w"]) -> Lights:
        """See `Lighting.lights`."""
        device = background.device
        if device not in self._on_device:
            self._on_device[device] = self._irradiance.to(device)
        table = self._on_device[device]
        which = (parameters["panorama"] * len(table)).long().clamp(max=len(table) - 1)
        turn = (parameters["panorama azimuth"] / 360 * self.azimuths).long() % self.azimuths
        irradiance = table[which, turn] * parameters["light strength"][:, None, None]
        none = background.new_zeros(len(background), 0, 4)
        return Lights(irradiance, none, none[..., :3])


def _check_amounts(*light: float) -> None:
    if min(light) < 0:
        raise ConfigError(f"Light is at least 0, not {min(light):g}.")
