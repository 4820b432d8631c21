"""Spaces of one parameter: an interval, an angle, a choice, a fixed value."""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from synthreal.errors import ConfigError
from synthreal.spaces.base import ParameterSpace


class Continuous(ParameterSpace):
    """An interval [low, high], cut into bins of equal width.

    Args:
        name: Name of the parameter.
        low: Smallest value, in `unit`.
        high: Largest value, in `unit`.
        bins: Number of buckets.
        unit: Unit of the values, for figures.
    """

    def __init__(self, name: str, low: float, high: float, bins: int = 1, unit: str = "") -> None:
        if not (math.isfinite(low) and math.isfinite(high) and low < high):
            raise ConfigError(f"Axis {name!r} needs finite low < high, not [{low}, {high}].")
        if bins < 1:
            raise ConfigError(f"Axis {name!r} needs at least one bin, not {bins}.")
        self.name, self.low, self.high, self.unit = name, low, high, unit
        self.columns = (name,)
        self.num_buckets = bins
        self._edges = torch.linspace(low, high, bins + 1, dtype=torch.float64).float()
        width = self._edges.diff()
        if not bool(((width > 0) & width.isfinite()).all()):
            raise ConfigError(f"Axis {name!r}: float32 cannot tell {bins} bins over [{low}, {high}] apart.")

    def volumes(self) -> Float[Tensor, " k"]:
        """Equal shares."""
        return torch.full((self.num_buckets,), 1 / self.num_buckets, dtype=torch.float64)

    def place(self, bucket: Int[Tensor, " n"], uniform: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        """Uniform between the edges of each bin; never its upper edge, which belongs to the next."""
        low, high = self._edges[bucket], self._edges[bucket + 1]
        value = low + uniform[:, 0] * (high - low)
        return torch.minimum(value, high.nextafter(low))[:, None]

    def assign(self, parameters: Float[Tensor, "n d"]) -> Int[Tensor, " n"]:
        """Bin of each value; `high` itself is in the last one."""
        value = parameters[:, 0].float().contiguous()
        outside = ~((value >= self._edges[0]) & (value <= self._edges[-1]))
        if bool(outside.any()):
            raise ConfigError(f"{self.name} = {value[outside][0]:g} is outside [{self.low:g}, {self.high:g}].")
        return (torch.searchsorted(self._edges, value, right=True) - 1).clamp(max=self.num_buckets - 1)

    def embed(self, parameters: Float[Tensor, "n d"]) -> Float[Tensor, "n e"]:
        """Position between low and high, 0 to 1."""
        return (parameters - self.low) / (self.high - self.low)

    def describe(self, bucket: int) -> tuple[str, ...]:
        """The bin's interval with its unit."""
        low, high = (float(edge) for edge in self._edges[bucket : bucket + 2])
        return (f"{self.name} {low:.3g} to {high:.3g} {self.unit}".strip(),)


class Circular(Continuous):
    """An angle: [low, low + period), values wrapped into it.

    Args:
        name: Name of the parameter.
        bins: Number of buckets.
        period: Length of a full turn, in `unit`.
        low: Where the first bucket starts.
        unit: Unit of the values, for figures.
    """

    def __init__(
        self, name: str, bins: int = 1, period: float = 360.0, low: float = 0.0, unit: str = "degrees"
    ) -> None:
        super().__init__(name, low, low + period, bins, unit)
        self.period = period

    def assign(self, parameters: Float[Tensor, "n d"]) -> Int[Tensor, " n"]:
        """Bin of each angle after wrapping."""
        inside = (parameters >= self._edges[0]) & (parameters < self._edges[-1])
        turned = self.low + (parameters - self.low).remainder(self.period)
        # Only what lies outside is wrapped: float32 would push a value just below an edge over it.
        return super().assign(torch.where(inside, parameters, turned.clamp(self._edges[0], self._edges[-1])))

    def embed(self, parameters: Float[Tensor, "n d"]) -> Float[Tensor, "n e"]:
        """Point on a circle of circumference 1."""
        turn = (parameters - self.low) * (2 * math.pi / self.period)
        return torch.cat([turn.cos(), turn.sin()], 1) / (2 * math.pi)


class Categorical(ParameterSpace):
    """A choice, one bucket for each category.

    Args:
        name: Name of the parameter.
        categories: Name of each category; u holds its index.
    """

    def __init__(self, name: str, categories: Sequence[str]) -> None:
        if not categories:
            raise ConfigError(f"Axis {name!r} has no categories.")
        self.name, self.categories = name, tuple(categories)
        self.columns = (name,)
        self.num_buckets = len(categories)

    def volumes(self) -> Float[Tensor, " k"]:
        """Equal shares."""
        return torch.full((self.num_buckets,), 1 / self.num_buckets, dtype=torch.float64)

    def place(self, bucket: Int[Tensor, " n"], uniform: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        """The category's index, whatever the uniform number."""
        return bucket[:, None].float()

    def assign(self, parameters: Float[Tensor, "n d"]) -> Int[Tensor, " n"]:
        """The category's index."""
        value = parameters[:, 0]
        wrong = ~((value >= 0) & (value < self.num_buckets) & (value == value.round()))
        if bool(wrong.any()):
            raise ConfigError(f"{self.name} = {value[wrong][0]:g} is not an index 0 to {self.num_buckets - 1}.")
        return value.long()

    def embed(self, parameters: Float[Tensor, "n d"]) -> Float[Tensor, "n e"]:
        """One-hot over √2, so that two categories are 1 apart."""
        return torch.nn.functional.one_hot(parameters[:, 0].long(), self.num_buckets) / math.sqrt(2)

    def describe(self, bucket: int) -> tuple[str, ...]:
        """The category's name."""
        return (self.categories[bucket],)


class Constant(ParameterSpace):
    """One value: a parameter that is not varied, in one bucket.

    Args:
        name: Name of the parameter.
        value: Its value, in `unit`.
        unit: Unit of the value, for figures.
    """

    num_buckets = 1

    def __init__(self, name: str, value: float, unit: str = "") -> None:
        if not math.isfinite(value):
            raise ConfigError(f"Axis {name!r} needs a finite value, not {value}.")
        self.name, self.value, self.unit = name, value, unit
        self.columns = (name,)

    def volumes(self) -> Float[Tensor, " k"]:
        """All of it."""
        return torch.ones(1, dtype=torch.float64)

    def place(self, bucket: Int[Tensor, " n"], uniform: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        """The value, whatever the uniform number."""
        return torch.full((len(bucket), 1), float(self.value))

    def assign(self, parameters: Float[Tensor, "n d"]) -> Int[Tensor, " n"]:
        """Bucket 0; a relative error of 1e-6 is let pass."""
        wrong = ~torch.isclose(parameters, torch.full_like(parameters, self.value), rtol=1e-6, atol=1e-6)
        if bool(wrong.any()):
            raise ConfigError(f"{self.name} = {parameters[wrong][0]:g} is not the fixed value {self.value:g}.")
        return torch.zeros(len(parameters), dtype=torch.int64)

    def embed(self, parameters: Float[Tensor, "n d"]) -> Float[Tensor, "n e"]:
        """No coordinate: nothing to compare."""
        return parameters[:, :0]

    def describe(self, bucket: int) -> tuple[str, ...]:
        """The value with its unit."""
        return (f"{self.name} {self.value:.3g} {self.unit}".strip(),)
