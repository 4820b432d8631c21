"""What to show next: bucket probabilities, the batches drawn from them, and batches that mix domains."""

from synthreal.samplers.aligned import AlignedSampler, class_draws
from synthreal.samplers.bucket import BucketSampler
from synthreal.samplers.distribution import BucketDistribution, UpdateRule
from synthreal.samplers.even import even_draws
from synthreal.samplers.mixing import ConcatenationSampler, MixingSampler, split_batch

__all__ = [
    "AlignedSampler",
    "BucketDistribution",
    "BucketSampler",
    "ConcatenationSampler",
    "MixingSampler",
    "UpdateRule",
    "class_draws",
    "even_draws",
    "split_batch",
]
