"""Spaces made of spaces: every combination, or one and only one."""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from synthreal.errors import ConfigError
from synthreal.spaces.axes import Categorical
from synthreal.spaces.base import ParameterSpace


class Product(ParameterSpace):
    """Every combination of its factors: columns side by side, the last factor's bucket runs fastest.

    Args:
        factors: Spaces to combine, at least one.
    """

    def __init__(self, factors: Sequence[ParameterSpace]) -> None:
        if not factors:
            raise ConfigError("A product of spaces needs at least one factor.")
        self.factors = tuple(factors)
        self.columns = tuple(column for factor in factors for column in factor.columns)
        self.num_buckets = math.prod(factor.num_buckets for factor in factors)

    @property
    def shape(self) -> tuple[int, int]:
        """Buckets of the first factor by those of the others."""
        rows = self.factors[0].num_buckets
        return rows, self.num_buckets // rows

    def _digits(self, bucket: Int[Tensor, " n"]) -> list[Int[Tensor, " n"]]:
        digits = []
        for factor in reversed(self.factors):
            digits.append(bucket % factor.num_buckets)
            bucket = bucket // factor.num_buckets
        return digits[::-1]

    def _split(self, table: Float[Tensor, "n d"]) -> tuple[Tensor, ...]:
        return table.split([len(factor.columns) for factor in self.factors], dim=1)

    def volumes(self) -> Float[Tensor, " k"]:
        """Products of the factors' shares."""
        volume = torch.ones(1, dtype=torch.float64)
        for factor in self.factors:
            volume = (volume[:, None] * factor.volumes()).flatten()
        return volume

    def place(self, bucket: Int[Tensor, " n"], uniform: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        """Each factor places its own columns."""
        parts = zip(self.factors, self._digits(bucket), self._split(uniform), strict=True)
        return torch.cat([factor.place(digit, part) for factor, digit, part in parts], 1)

    def assign(self, parameters: Float[Tensor, "n d"]) -> Int[Tensor, " n"]:
        """Combines the factors' buckets."""
        bucket = torch.zeros(len(parameters), dtype=torch.int64)
        for factor, part in zip(self.factors, self._split(parameters), strict=True):
            bucket = bucket * factor.num_buckets + factor.assign(part)
        return bucket

    def embed(self, parameters: Float[Tensor, "n d"]) -> Float[Tensor, "n e"]:
        """The factors' coordinates side by side."""
        parts = zip(self.factors, self._split(parameters), strict=True)
        return torch.cat([factor.embed(part) for factor, part in parts], 1)

    def describe(self, bucket: int) -> tuple[str, ...]:
        """The factors' names, one after another."""
        digits = self._digits(torch.tensor([bucket]))
        parts = zip(self.factors, digits, strict=True)
        return tuple(name for factor, digit in parts for name in factor.describe(int(digit)))


class Union(ParameterSpace):
    """One and only one of its members; buckets are numbered member after member.

    u holds the member's index, then the member's own parameters (0 beyond its last column).

    Args:
        name: Name of the choice.
        members: Spaces to choose from, at least one.
        weights: Share of the space that each member holds; by default proportional to its number of buckets, so
            that members of equal buckets make buckets of equal volume.
    """

    def __init__(self, name: str, members: Sequence[ParameterSpace], weights: Sequence[float] | None = None) -> None:
        if not members:
            raise ConfigError(f"Union {name!r} needs at least one member.")
        self.name, self.members = name, tuple(members)
        sizes = [member.num_buckets for member in members]
        share = torch.tensor(sizes if weights is None else weights, dtype=torch.float64)
        if len(share) != len(members) or not bool(((share >= 0) & share.isfinite()).all()) or float(share.sum()) <= 0:
            raise ConfigError(f"Union {name!r} needs {len(members)} finite weights of at least 0, not {weights}.")
        self._share = share / share.sum()
        self._start = torch.tensor([0, *sizes]).cumsum(0)
        self._width = max(len(member.columns) for member in members)
        self.columns = (name, *(f"{name} value {i + 1}" for i in range(self._width)))
        self.num_buckets = sum(sizes)

    def volumes(self) -> Float[Tensor, " k"]:
        """Each member's volumes times its weight."""
        return torch.cat([m.volumes() * w for m, w in zip(self.members, self._share, strict=True)])

    def place(self, bucket: Int[Tensor, " n"], uniform: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        """The chosen member places its columns."""
        choice = torch.searchsorted(self._start, bucket, right=True) - 1
        out = torch.zeros(len(bucket), 1 + self._width)
        out[:, 0] = choice
        for i, member in enumerate(self.members):
            row = (choice == i).nonzero()[:, 0]
            width = len(member.columns)
            out[row, 1 : 1 + width] = member.place(bucket[row] - self._start[i], uniform[row, 1 : 1 + width])
        return out

    def assign(self, parameters: Float[Tensor, "n d"]) -> Int[Tensor, " n"]:
        """The chosen member's bucket after those of the members before it."""
        choice = Categorical(self.name, [str(i) for i in range(len(self.members))]).assign(parameters[:, :1])
        bucket = self._start[choice]
        for i, member in enumerate(self.members):
            row = (choice == i).nonzero()[:, 0]
            bucket[row] += member.assign(parameters[row, 1 : 1 + len(member.columns)])
        return bucket

    def embed(self, parameters: Float[Tensor, "n d"]) -> Float[Tensor, "n e"]:
        """One-hot choice, then each member's coordinates, 0 for the members not chosen."""
        choice = parameters[:, 0].long()
        onehot = torch.nn.functional.one_hot(choice, len(self.members))
        parts = [onehot / math.sqrt(2)]
        for i, member in enumerate(self.members):
            row = (choice == i).nonzero()[:, 0]
            own = member.embed(parameters[row, 1 : 1 + len(member.columns)])
            parts.append(own.new_zeros(len(choice), own.shape[1]).index_copy(0, row, own))
        return torch.cat(parts, 1)

    def describe(self, bucket: int) -> tuple[str, ...]:
        """The member's own name of the bucket."""
        member = int(torch.searchsorted(self._start, torch.tensor(bucket), right=True)) - 1
        return (", ".join(self.members[member].describe(bucket - int(self._start[member]))),)
