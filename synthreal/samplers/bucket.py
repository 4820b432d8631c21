"""Batches of real images and two-stage synthetic draws (SampleAhead, sec. 3.3)."""

from collections.abc import Callable

import torch
from jaxtyping import Int
from torch import Tensor

from synthreal.batch import Draws
from synthreal.errors import ConfigError
from synthreal.samplers.distribution import BucketDistribution
from synthreal.samplers.epochs import EpochSampler, check_counts, copies, passes
from synthreal.samplers.even import draws_inside
from synthreal.spaces import ParameterSpace

# One random stream for each purpose, so that two arms of a study that differ in P see the same real images.
_REAL, _BUCKET, _INSIDE, _POOL, _FROM_POOL = range(5)


class BucketSampler(EpochSampler):
    """Yields one global batch of draws after another: real indices, and buckets k ~ P with u uniform inside B_k.

    A pure function of (seed, epoch, P): P is read when an epoch's iterator is made, and every rank draws the global
    batch and takes its share. Real images are visited in seeded permutations.

    Args:
        space: The generator's parameter space.
        distribution: P over its buckets.
        num_real: Number of real training images.
        real_per_batch: Real images in each global batch.
        synthetic_per_batch: Synthetic images in each global batch.
        steps_per_epoch: Batches in an epoch; None for one pass over the real images.
        pool_size: Size of a fixed set of draws from P0 that stands for an existing synthetic data set.
        pool_share: Share of synthetic draws taken from the pool instead of made anew: 0 fresh, 1 pool only (a bucket
            that the pool leaves empty is then never drawn). In between, empty buckets are made anew.
        seed: Seed of everything.
        rank: This process.
        world_size: Number of processes.

    Raises:
        ConfigError: If counts are negative, do not divide by `world_size`, or leave nothing to draw.
    """

    def __init__(
        self,
        space: ParameterSpace,
        distribution: BucketDistribution,
        num_real: int,
        real_per_batch: int,
        synthetic_per_batch: int,
        steps_per_epoch: int | None = None,
        pool_size: int = 0,
        pool_share: float = 0.0,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        check_counts(num_real, real_per_batch, synthetic_per_batch, world_size)
        if not 0 <= pool_share <= 1 or (pool_share > 0 and pool_size < 1):
            raise ConfigError(f"pool_share {pool_share} with pool_size {pool_size}: give a share in [0, 1] and a pool.")
        if steps_per_epoch is None:
            if real_per_batch == 0:
                raise ConfigError("Without real images an epoch has no natural length: set steps_per_epoch.")
            steps_per_epoch = num_real // real_per_batch
        if steps_per_epoch < 1:
            raise ConfigError(f"{num_real} real images make no batch of {real_per_batch}: set steps_per_epoch.")
        self.space, self.distribution = space, distribution
        self.num_real, self.real_per_batch, self.synthetic_per_batch = (
            num_real,
            real_per_batch,
            synthetic_per_batch,
        )
        super().__init__(steps_per_epoch, seed)
        self.pool_share = pool_share
        self.rank, self.world_size = rank, world_size
        self._pool = self._make_pool(pool_size) if pool_share > 0 else None

    def draw_epoch(self) -> Callable[[int], Draws]:
        """See `EpochSampler.draw_epoch`: P is read here."""
        wanted = self.steps_per_epoch * self.real_per_batch
        real = passes(self.num_real, wanted, self.stream(_REAL, self.epoch))
        synthetic = self._synthetic_draws()
        return lambda step: self._batch(real, synthetic, step)

    def _synthetic_draws(self) -> Draws:
        count = self.steps_per_epoch * self.synthetic_per_batch
        bucket = self._bucket_law().draw(count, self.stream(_BUCKET, self.epoch))
        draws = draws_inside(self.space, bucket, self.stream(_INSIDE, self.epoch))
        return draws if self._pool is None else self._replace_from_pool(draws, self._pool)

    def _bucket_law(self) -> BucketDistribution:
        if self._pool is None or self.pool_share < 1:
            return self.distribution
        held = torch.bincount(self._pool["bucket"], minlength=self.space.num_buckets) > 0
        reachable = self.distribution.probability * held
        if not float(reachable.sum()) > 0:
            raise ConfigError("The pool holds none of the buckets that P draws from: raise pool_size or alpha.")
        return BucketDistribution(reachable)

    def _make_pool(self, size: int) -> Draws:
        stream = self.stream(_POOL, 0)
        bucket = BucketDistribution(self.distribution.prior).draw(size, stream).sort().values
        return draws_inside(self.space, bucket, stream)

    def _replace_from_pool(self, draws: Draws, pool: Draws) -> Draws:
        stream = self.stream(_FROM_POOL, self.epoch)
        count = len(draws["bucket"])
        reuse = torch.from_numpy(stream.random(count)) < self.pool_share
        pick = torch.from_numpy(stream.random(count))
        first = torch.searchsorted(pool["bucket"], draws["bucket"])
        held = torch.searchsorted(pool["bucket"], draws["bucket"], right=True) - first
        row = (first + (pick * held).long()).clamp(max=len(pool["bucket"]) - 1)
        reuse &= held > 0
        return {
            "bucket": draws["bucket"],
            "parameters": torch.where(reuse[:, None], pool["parameters"][row], draws["parameters"]),
            "seed": torch.where(reuse, pool["seed"][row], draws["seed"]),
        }

    def _batch(self, real: Int[Tensor, " n"], synthetic: Draws, step: int) -> Draws:
        def share(draws: Draws, size: int) -> Draws:
            """This process's rows of a batch."""
            return copies(draws, slice(step * size + self.rank, (step + 1) * size, self.world_size))

        return {**share({"real": real}, self.real_per_batch), **share(synthetic, self.synthetic_per_batch)}
