"""What to show next: bucket probabilities, and the batches drawn from them."""

from synthreal.samplers.bucket import BucketSampler
from synthreal.samplers.distribution import BucketDistribution, UpdateRule

__all__ = ["BucketDistribution", "BucketSampler", "UpdateRule"]
