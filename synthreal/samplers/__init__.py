"""What to show next: bucket probabilities, the batches drawn from them, and batches that mix domains."""

from synthreal.samplers.bucket import BucketSampler
from synthreal.samplers.distribution import BucketDistribution, UpdateRule
from synthreal.samplers.even import even_draws
from synthreal.samplers.mixing import ConcatenationSampler, MixingSampler, split_batch

__all__ = [
    "BucketDistribution",
    "BucketSampler",
    "ConcatenationSampler",
    "MixingSampler",
    "UpdateRule",
    "even_draws",
    "split_batch",
]
