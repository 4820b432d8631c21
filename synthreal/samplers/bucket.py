"""Batches of real images and two-stage synthetic draws (SampleAhead, sec. 3.3)."""

from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor
from torch.utils.data import Sampler

from synthreal.batch import Draws
from synthreal.errors import ConfigError
from synthreal.samplers.distribution import BucketDistribution
from synthreal.spaces import ParameterSpace

# One random stream for each purpose, so that two arms of a study that differ in P see the same real images.
_REAL, _BUCKET, _INSIDE, _POOL, _FROM_POOL = range(5)


class BucketSampler(Sampler[Draws]):
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

    Attributes:
        epoch: Epoch of the current iterator, from 0.
        trained: Batches of that epoch that reached the model; counted by the datamodule, since workers run ahead.
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
        _check_counts(num_real, real_per_batch, synthetic_per_batch, world_size)
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
        self.steps_per_epoch = steps_per_epoch
        self.pool_share, self.seed = pool_share, seed
        self.rank, self.world_size = rank, world_size
        self.epoch = 0
        self.trained = 0
        self._start = 0
        self._pool = self._make_pool(pool_size) if pool_share > 0 else None

    def __len__(self) -> int:
        return self.steps_per_epoch

    @property
    def begun(self) -> bool:
        """True once a batch of this epoch has reached the model."""
        return self.trained > self._start

    def resume(self, epoch: int, batch: int) -> None:
        """Makes the next iterator start at a batch of an epoch, as if all before it had been drawn."""
        self.epoch, self.trained, self._start = epoch, batch, batch

    def __iter__(self) -> Iterator[Draws]:
        # Epochs are counted here and not by the trainer, which makes an iterator too many when it resumes at an epoch's
        # end, as a loader with workers always does: one that gave no batch does not count.
        if self.begun:
            self.resume(self.epoch + 1, 0)
        # The epoch is drawn here, not in a generator: P must be read now, also when the first `next` comes later.
        real, synthetic = self._real_indices(), self._synthetic_draws()
        return (self._batch(real, synthetic, step) for step in range(self._start, self.steps_per_epoch))

    def _stream(self, purpose: int, epoch: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, purpose, epoch])

    def _real_indices(self) -> Int[Tensor, " n"]:
        wanted = self.steps_per_epoch * self.real_per_batch
        stream = self._stream(_REAL, self.epoch)
        passes = -(-wanted // self.num_real) if wanted else 0
        order = [stream.permutation(self.num_real) for _ in range(passes)]
        return torch.from_numpy(np.concatenate([*order, np.zeros(0, dtype=np.int64)])[:wanted].astype(np.int64))

    def _synthetic_draws(self) -> Draws:
        count = self.steps_per_epoch * self.synthetic_per_batch
        bucket = self._bucket_law().draw(count, self._stream(_BUCKET, self.epoch))
        draws = self._fill(bucket, self._stream(_INSIDE, self.epoch))
        return draws if self._pool is None else self._replace_from_pool(draws, self._pool)

    def _bucket_law(self) -> BucketDistribution:
        if self._pool is None or self.pool_share < 1:
            return self.distribution
        held = torch.bincount(self._pool["bucket"], minlength=self.space.num_buckets) > 0
        reachable = self.distribution.probability * held
        if not float(reachable.sum()) > 0:
            raise ConfigError("The pool holds none of the buckets that P draws from: raise pool_size or alpha.")
        return BucketDistribution(reachable)

    def _fill(self, bucket: Int[Tensor, " n"], stream: np.random.Generator) -> Draws:
        uniform = torch.from_numpy(stream.random((len(bucket), len(self.space.columns)), dtype=np.float32))
        seed = torch.from_numpy(stream.integers(0, 2**63 - 1, len(bucket)))
        return {"bucket": bucket, "parameters": self.space.place(bucket, uniform), "seed": seed}

    def _make_pool(self, size: int) -> Draws:
        stream = self._stream(_POOL, 0)
        bucket = BucketDistribution(self.distribution.prior).draw(size, stream).sort().values
        return self._fill(bucket, stream)

    def _replace_from_pool(self, draws: Draws, pool: Draws) -> Draws:
        stream = self._stream(_FROM_POOL, self.epoch)
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
        def share(table: Tensor, size: int) -> Tensor:
            """This process's rows of a batch."""
            # A copy: a view would carry the whole epoch to a worker process.
            return table[step * size + self.rank : (step + 1) * size : self.world_size].clone()

        return {
            "real": share(real, self.real_per_batch),
            "bucket": share(synthetic["bucket"], self.synthetic_per_batch),
            "parameters": share(synthetic["parameters"], self.synthetic_per_batch),
            "seed": share(synthetic["seed"], self.synthetic_per_batch),
        }


def _check_counts(num_real: int, real: int, synthetic: int, world_size: int) -> None:
    if real < 0 or synthetic < 0 or real + synthetic == 0:
        raise ConfigError(f"A batch of {real} real and {synthetic} synthetic images cannot be drawn.")
    if real and not num_real:
        raise ConfigError(f"{real} real images a batch are asked for, but there are no real training images.")
    for name, size in (("real_per_batch", real), ("synthetic_per_batch", synthetic)):
        if size % world_size:
            raise ConfigError(f"{name} counts the images of all processes: {size} does not divide by {world_size}.")
