"""Losses that draw the features of real and synthetic images together.

All have one form, so that a config can name any: the constructor takes the number of features first, and `forward` the
features [B, D], the `Domain` of each image [B] and the progress of training (0 to 1; NaN if nobody knows when it ends).
A batch that lacks a domain has a loss of 0.
"""

import math
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from synthreal.batch import Domain
from synthreal.errors import ConfigError

_GAMMA = 10  # Ganin et al. 2016, sec. 5.2


class DeepCORAL(nn.Module):
    """Squared distance of the two domains' covariances (Sun and Saenko 2016, eq. 1 to 3).

    ‖C_S - C_T‖²_F / (4 D²). It is 0 if a domain has fewer than 2 images in the batch.

    Args:
        num_features: Number of features D.
    """

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.num_features = num_features

    def forward(self, features: Float[Tensor, "b d"], domain: Int[Tensor, " b"], progress: float) -> Float[Tensor, ""]:
        """Returns the loss; the progress of training changes nothing."""
        real, synthetic = domain == Domain.REAL, domain == Domain.SYNTHETIC
        with torch.autocast(features.device.type, enabled=False):  # half precision would lose small differences
            features = features.to(torch.promote_types(features.dtype, torch.float32))
            difference = _covariance(features, synthetic) - _covariance(features, real)
            loss = difference.square().sum() / (4 * self.num_features**2)
        return loss * ((real.sum() >= 2) & (synthetic.sum() >= 2))


def _covariance(features: Float[Tensor, "b d"], chosen: Bool[Tensor, " b"]) -> Float[Tensor, "d d"]:
    """Covariance of the chosen rows, divided by their number - 1. Weights leave out the others: shapes stay fixed."""
    weight, count = chosen[:, None].to(features.dtype), chosen.sum()
    mean = (weight * features).sum(0) / count.clamp(min=1)
    centred = weight * (features - mean)
    return centred.T @ centred / (count - 1).clamp(min=1)


class DANN(nn.Module):
    """Cross-entropy of a discriminator that tells the domains apart; its gradient reaches the features reversed.

    Ganin et al. 2016, "Domain-Adversarial Training of Neural Networks", sec. 4.2. So the network learns features
    that hide the domain, while the discriminator, trained by the same optimiser, looks for it. Both domains count
    half, however many images each has. A discriminator that knows nothing has ln 2.

    Args:
        num_features: Number of features.
        width: Units of each of the discriminator's two hidden layers.

    Raises:
        ConfigError: If the width is below 1.
    """

    def __init__(self, num_features: int, width: int = 1024) -> None:
        super().__init__()
        if width < 1:
            raise ConfigError(f"The discriminator's width is at least 1, not {width}.")
        self.discriminator = nn.Sequential(
            *(nn.Linear(num_features, width), nn.ReLU()),
            *(nn.Linear(width, width), nn.ReLU()),
            nn.Linear(width, 1),
        )

    def forward(self, features: Float[Tensor, "b d"], domain: Int[Tensor, " b"], progress: float) -> Float[Tensor, ""]:
        """Returns the loss, with the gradient of the features reversed and scaled for this moment of training.

        Raises:
            ConfigError: If the progress is unknown.
        """
        logit = self.discriminator(reverse_gradient(features, reversal_strength(progress)))[:, 0]
        losses = F.binary_cross_entropy_with_logits(logit, domain.to(logit.dtype), reduction="none")
        real, synthetic = domain == Domain.REAL, domain == Domain.SYNTHETIC
        loss = (_mean(losses, real) + _mean(losses, synthetic)) / 2
        # Multiplied, not skipped: every process of a distributed run has a gradient for every weight.
        return loss * (real.any() & synthetic.any())


def _mean(values: Float[Tensor, " b"], chosen: Bool[Tensor, " b"]) -> Float[Tensor, ""]:
    return (values * chosen).sum() / chosen.sum().clamp(min=1)


def reversal_strength(progress: float) -> float:
    """Returns λ_p = 2 / (1 + exp(-10 p)) - 1 for progress p in [0, 1] (Ganin et al. 2016, sec. 5.2).

    Raises:
        ConfigError: If p is not in [0, 1].
    """
    if not 0 <= progress <= 1:
        raise ConfigError(
            f"DANN's reversal grows with the progress of training, 0 to 1, which is {progress}. If the training has no "
            "known end, set trainer.max_steps or max_epochs."
        )
    return 2 / (1 + math.exp(-_GAMMA * progress)) - 1


def reverse_gradient(features: Float[Tensor, "b d"], strength: float) -> Float[Tensor, "b d"]:
    """Returns the features as they are; their gradient is multiplied by -strength (Ganin et al. 2016, sec. 4.2)."""
    reversed_: Tensor = _Reversal.apply(features, strength)
    return reversed_


class _Reversal(torch.autograd.Function):
    """The identity, whose gradient is turned round."""

    @staticmethod
    def forward(ctx: Any, features: Tensor, strength: float) -> Tensor:
        """Returns the features as they are."""
        ctx.strength = strength
        return features.view_as(features)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[Tensor, None]:
        """Returns -strength times the gradient, and none for the strength."""
        return -ctx.strength * gradients[0], None
