"""What to show next: bucket probabilities, batches drawn from them, batches that mix domains, and triplet sets."""

from synthreal.samplers.aligned import AlignedSampler, class_draws
from synthreal.samplers.bucket import BucketSampler
from synthreal.samplers.distribution import BucketDistribution, UpdateRule
from synthreal.samplers.even import even_draws
from synthreal.samplers.mixing import ConcatenationSampler, MixingSampler, split_batch
from synthreal.samplers.phases import PhasedSampler
from synthreal.samplers.poses import geodesic_distance, quaternions
from synthreal.samplers.triplet import TripletSampler, TripletTable

__all__ = [
    "AlignedSampler",
    "BucketDistribution",
    "BucketSampler",
    "ConcatenationSampler",
    "MixingSampler",
    "PhasedSampler",
    "TripletSampler",
    "TripletTable",
    "UpdateRule",
    "class_draws",
    "even_draws",
    "geodesic_distance",
    "quaternions",
    "split_batch",
]
