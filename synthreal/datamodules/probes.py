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

    With M >= K the j-th probe of every bucket has seed j, so a generator that starts from real images uses held-out
    image j of the bucket's class; with fewer, the seed is the probe's index. Parameters are fixed by `seed`. Images are
    kept from pass to pass if they fit in 1 GiB.

    Args:
        generator: Bound to the held-out images.
        count: M.
        seed: Seed of the parameters.
    """

    def __init__(self, generator: ImageGenerator, count: int, seed: int) -> None:
        self.generator, self.count = generator, count
        self._kept: dict[tuple[torch.device, int, int, int], list[tuple[Tensor, Batch]]] = {}
        space, buckets = generator.space, generator.space.num_buckets
        stream = np.random.default_rng([seed, _STREAM])
        index = torch.arange(count)
        if count >= buckets:
            self._bucket = index * buckets // count
            self._image = index + -(self._bucket * count) // buckets  # floor of the negative: minus the bucket's first
        else:
            first, end = index * buckets // max(count, 1), (index + 1) * buckets // max(count, 1)
            self._bucket = first + (torch.from_numpy(stream.random(count)) * (end - first)).long()
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
        share = (device, size, rank, world_size)
        if share in self._kept:
            yield from self._kept[share]
            return
        made: list[tuple[Tensor, Batch]] = []
        held = 0
        for index in torch.arange(self.count)[rank::world_size].split(size):
            if not len(index):
                return
            draws = {"bucket": self._bucket, "parameters": self._parameters, "seed": self._image}
            rows = Draws(**{key: value[index].to(device) for key, value in draws.items()})  # type: ignore[typeddict-item]
            batch = self.generator.generate(rows, device)
            held += batch["image"].nbytes
            if held <= _CACHE_BYTES:
                made.append((index, batch))
            yield index, batch
        if held <= _CACHE_BYTES:
            self._kept = {share: made}
