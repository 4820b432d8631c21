"""The probe set V: fixed synthetic images made from real ones held out of training (SampleAhead, sec. 3.2)."""

from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from synthreal.batch import Batch, Draws
from synthreal.generators import ImageGenerator

_STREAM = 100
_CACHE_BYTES = 2**30


class ProbeSet:
    """M probes, spread evenly over the buckets: M/K in each, or one in M of the K buckets if there are fewer.

    The j-th probe of every bucket has seed j, so a generator that starts from real images uses held-out image j of the
    bucket's class. Parameters are fixed by `seed`. Images are kept between passes if they fit in 1 GiB.

    Args:
        generator: Bound to the held-out images.
        count: M.
        seed: Seed of the parameters.
    """

    def __init__(self, generator: ImageGenerator, count: int, seed: int) -> None:
        self.generator, self.count = generator, count
        self._batches: list[tuple[Tensor, Batch]] | None = None
        space, buckets = generator.space, generator.space.num_buckets
        stream = np.random.default_rng([seed, _STREAM])
        index = torch.arange(count)
        if count >= buckets:
            self._bucket = index * buckets // max(count, 1)
            self._image = index + -(self._bucket * count) // buckets  # floor of the negative: minus the bucket's first
        else:
            jitter = torch.from_numpy(stream.random(count))
            self._bucket = ((index + jitter) * buckets / max(count, 1)).long().clamp(max=buckets - 1)
            self._image = index
        uniform = torch.from_numpy(stream.random((count, len(space.columns)), dtype=np.float32))
        self._parameters = space.place(self._bucket, uniform)

    @property
    def bucket(self) -> Int[Tensor, " m"]:
        """Bucket of each probe."""
        return self._bucket

    @property
    def coordinates(self) -> Float[Tensor, "m e"]:
        """Where each probe lies, for kernel estimation."""
        return self.generator.space.embed(self._parameters)

    def batches(
        self, device: torch.device, size: int, rank: int = 0, world_size: int = 1
    ) -> Iterator[tuple[Int[Tensor, " n"], Batch]]:
        """Yields (indices of probes, their batch on `device`), this process's share, `size` at a time."""
        if self._batches is not None:
            yield from self._batches
            return
        if not self.count:
            return
        kept: list[tuple[Tensor, Batch]] = []
        held = 0
        for index in torch.arange(rank, self.count, world_size).split(size):
            draws = {"bucket": self._bucket, "parameters": self._parameters, "seed": self._image}
            share = Draws(**{key: value[index].to(device) for key, value in draws.items()})  # type: ignore[typeddict-item]
            batch = self.generator.generate(share, device)
            held += batch["image"].nbytes
            if held <= _CACHE_BYTES:
                kept.append((index, batch))
            yield index, batch
        self._batches = kept if held <= _CACHE_BYTES else None
