"""Noise on the photos that two coupled networks see, as much as the reconstruction is ready for (GM-CML, sec. VI-A).

As reconstructions M' gain variance, the classifier's photos become clearer and the reconstruction network's noisier.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from synthreal.errors import ConfigError


class NoiseRatios(NamedTuple):
    """Shares of noise in the photos."""

    reconstruction: Float[Tensor, ""]
    """R_rec, for the input of the reconstruction network, 0 to 1."""
    classification: Float[Tensor, ""]
    """R_cls, for the photo channels of the classifier's input, 0 to tanh(1) = 0.762."""


def variance_ratio(
    made: Float[Tensor, "b c h w"], target: Float[Tensor, "b c h w"], margin: float = 1e-6
) -> Float[Tensor, ""]:
    """Returns r = Var(M') / (Var(M) + margin) over all elements of the batch, without a gradient (eq. 9).

    Each process of a distributed run has the r of its own part of the batch, as batch normalisation has.

    Args:
        made: M', what the reconstruction network made of photos without noise.
        target: M, what it should make.
        margin: m_noise, above 0; the paper gives no value. It only keeps r finite where the targets are all one colour:
            pictures with values in 0 to 1 have variances of about 0.01 to 0.1.

    Raises:
        ConfigError: If the margin is not above 0.
    """
    if not margin > 0:
        raise ConfigError(f"The variance ratio's margin is above 0, not {margin}: without one, flat targets give 0/0.")
    made, target = (images.detach().to(torch.promote_types(images.dtype, torch.float32)) for images in (made, target))
    return made.var(correction=0) / (target.var(correction=0) + margin)


def noise_ratios(ratio: Float[Tensor, ""], alpha: float = 0.25, beta: float = 2.0) -> NoiseRatios:
    """Returns R_rec = tanh(α r), which grows with r, and R_cls = tanh(1 - tanh(β r)), which falls (eq. 9).

    Args:
        ratio: r, 0 or more.
        alpha: How fast the reconstruction's noise grows, 0 or more.
        beta: How fast the classification's noise falls, 0 or more.

    Raises:
        ConfigError: If alpha or beta is below 0.
    """
    if not (alpha >= 0 and beta >= 0):
        raise ConfigError(f"The noise ratios' alpha and beta are at least 0, not {alpha} and {beta}.")
    return NoiseRatios(torch.tanh(alpha * ratio), torch.tanh(1 - torch.tanh(beta * ratio)))


def add_noise(image: Float[Tensor, "b c h w"], ratio: Float[Tensor, ""]) -> Float[Tensor, "b c h w"]:
    """Returns R·N(0, 1) + (1 - R)·image, noise for each element from torch's global generator, nothing clipped (eq. 8).

    Only for training. The paper's classifier gets it on the photo channels, not on the reconstruction.

    Args:
        image: Photos.
        ratio: R, 0 (the image itself) to 1 (nothing but noise).
    """
    return torch.lerp(image, torch.randn_like(image), ratio.to(image.dtype))
