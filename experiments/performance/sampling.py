"""A million draws over 10^6 buckets against torch.multinomial over 10^4. One thread."""

import numpy as np
import torch
from measure import Row, alternate, parse_output, report, speed_row
from torch import Tensor

from synthreal.samplers import BucketDistribution

DRAWS = 1_000_000
BUCKETS, PEER_BUCKETS = 1_000_000, 10_000
REPEATS = 15


def dirichlet(count: int, stream: np.random.Generator) -> Tensor:
    """Returns uneven probabilities: uniform on the simplex."""
    return torch.from_numpy(stream.dirichlet(np.ones(count)))


def spiky(count: int, stream: np.random.Generator) -> Tensor:
    """Returns probabilities of which ten buckets hold 99.9 %."""
    probability = np.full(count, 0.001 / count)
    probability[stream.choice(count, 10, replace=False)] += 0.0999
    return torch.from_numpy(probability / probability.sum())


def compare(case: str, probability: Tensor, peer: Tensor) -> Row:
    """Times draws from `probability`, its table built anew each time, against draws from `peer`."""
    distribution = BucketDistribution(torch.ones(len(probability)))
    distribution.probability = probability
    stream = np.random.default_rng(1)
    generator = torch.Generator().manual_seed(1)
    ours, theirs = alternate(
        lambda: distribution.draw(DRAWS, stream),
        lambda: torch.multinomial(peer, DRAWS, replacement=True, generator=generator),
        REPEATS,
    )
    return speed_row("sampling", case, "draws/s", DRAWS, ours, theirs, "torch.multinomial over 10^4", ">= 1")


def main() -> None:
    """Runs both cases."""
    output = parse_output()
    torch.set_num_threads(1)
    rows = []
    for case, make in (("Dirichlet P over 10^6", dirichlet), ("spiky P over 10^6", spiky)):
        stream = np.random.default_rng(0)
        rows.append(compare(case, make(BUCKETS, stream), make(PEER_BUCKETS, stream)))
    report(rows, output)


if __name__ == "__main__":
    main()
