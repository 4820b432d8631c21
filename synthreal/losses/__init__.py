"""Loss functions, each with its equation."""

from synthreal.losses.adaptive_noise import NoiseRatios, add_noise, noise_ratios, variance_ratio
from synthreal.losses.alignment import DANN, DeepCORAL
from synthreal.losses.elbo import kl_divergence, reconstruction_loss
from synthreal.losses.triplet import MultiTripletLoss, pair_distance, pair_loss, triplet_loss

__all__ = [
    "DANN",
    "DeepCORAL",
    "MultiTripletLoss",
    "NoiseRatios",
    "add_noise",
    "kl_divergence",
    "noise_ratios",
    "pair_distance",
    "pair_loss",
    "reconstruction_loss",
    "triplet_loss",
    "variance_ratio",
]
