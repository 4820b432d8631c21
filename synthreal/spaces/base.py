"""What every parameter space can do."""

from abc import ABC, abstractmethod

import torch
from jaxtyping import Float, Int
from torch import Tensor

from synthreal.errors import ConfigError


class ParameterSpace(ABC):
    """A set of generator parameters u, cut into disjoint buckets that cover it.

    Attributes:
        columns: Name of each column of u.
        num_buckets: K.
        shape: K as a grid, for heat maps: the first factor by all the rest.
    """

    columns: tuple[str, ...]
    num_buckets: int

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of a heat map over the buckets; bucket k is at (k // columns, k % columns)."""
        return 1, self.num_buckets

    @abstractmethod
    def volumes(self) -> Float[Tensor, " k"]:
        """Returns the share of the space that each bucket holds (float64, sums to 1): the paper's P0."""

    @abstractmethod
    def place(self, bucket: Int[Tensor, " n"], uniform: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        """Maps numbers in [0, 1) to parameters, uniformly inside each row's bucket.

        Args:
            bucket: Bucket of each row, 0 to K - 1.
            uniform: One number for each column of u.
        """

    @abstractmethod
    def assign(self, parameters: Float[Tensor, "n d"]) -> Int[Tensor, " n"]:
        """Returns the bucket that each row of parameters lies in.

        Raises:
            ConfigError: If a row lies outside the space.
        """

    @abstractmethod
    def embed(self, parameters: Float[Tensor, "n d"]) -> Float[Tensor, "n e"]:
        """Maps parameters to coordinates whose L2 distance compares them (Eq. 1).

        An axis of the line has length 1, a circle circumference 1, and two categories are 1 apart.
        """

    @abstractmethod
    def describe(self, bucket: int) -> tuple[str, ...]:
        """Returns the name of a bucket, one part for each factor of a product."""

    def check_bucket(self, bucket: Int[Tensor, " n"]) -> None:
        """Raises ConfigError if an index is not a bucket of this space."""
        if len(bucket) and not 0 <= int(bucket.min()) <= int(bucket.max()) < self.num_buckets:
            raise ConfigError(
                f"Bucket index {int(bucket.min())} to {int(bucket.max())} asked for; "
                f"this space has buckets 0 to {self.num_buckets - 1}."
            )

    def sample(self, bucket: Int[Tensor, " n"], generator: torch.Generator | None = None) -> Float[Tensor, "n d"]:
        """Draws one u uniformly inside each row's bucket.

        Raises:
            ConfigError: If a bucket index is out of range.
        """
        self.check_bucket(bucket)
        return self.place(bucket, torch.rand(len(bucket), len(self.columns), generator=generator))

    def centres(self) -> Float[Tensor, "k d"]:
        """Returns the parameters in the middle of every bucket."""
        bucket = torch.arange(self.num_buckets)
        return self.place(bucket, torch.full((self.num_buckets, len(self.columns)), 0.5))
