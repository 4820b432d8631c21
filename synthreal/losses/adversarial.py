"""Losses of CycleGAN and MrGAN: least squares against soft labels, cycle, identity (MrGAN, sec. 4.1, appendix 6, 7)."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F


def soft_labels(count: int, real: bool, flip_probability: float, device: torch.device) -> Float[Tensor, "n 1 1 1"]:
    """Draws what a discriminator should say of images: about 1 for real ones, about 0 for generated ones.

    U(0.7, 1.2) for the target domain, U(0, 0.3) for generated images (appendix 6.2).

    Args:
        count: How many images.
        real: Whether they are of the target domain.
        flip_probability: How probably an image gets a label of the other kind, 0 to 1.
        device: Where to put them.
    """
    uniform, dice = torch.rand(2, count, 1, 1, 1, device=device)
    flipped = dice < flip_probability
    return torch.where(flipped != real, 0.7 + 0.5 * uniform, 0.3 * uniform)


def least_squares(scores: Float[Tensor, "b 1 i j"], labels: Float[Tensor, "#b 1 1 1"] | float) -> Float[Tensor, ""]:
    """Returns the mean of (score - label)² over images and patches (Mao et al. 2017, eq. 2)."""
    return ((scores - labels) ** 2).mean()


def discriminator_loss(
    real_scores: Float[Tensor, "b 1 i j"], generated_scores: Float[Tensor, "n 1 k l"], flip_probability: float
) -> Float[Tensor, ""]:
    """Returns half the least squares of scores of real and of generated images against soft labels (CycleGAN, sec. 4).

    Args:
        real_scores: Of images of the target domain.
        generated_scores: Of images that the generator made.
        flip_probability: How probably an image gets a label of the other kind, 0 to 1.
    """
    real = soft_labels(len(real_scores), True, flip_probability, real_scores.device)
    generated = soft_labels(len(generated_scores), False, flip_probability, generated_scores.device)
    return (least_squares(real_scores, real) + least_squares(generated_scores, generated)) / 2


def generator_loss(scores: Float[Tensor, "b 1 i j"]) -> Float[Tensor, ""]:
    """Returns the least squares of scores of generated images against 1, the label of the target domain."""
    return least_squares(scores, 1.0)


def cycle_loss(image: Float[Tensor, "b c h w"], restored: Float[Tensor, "b c h w"]) -> Float[Tensor, ""]:
    """Returns the mean absolute difference of images and what both generators in turn made of them (sec. 4.1)."""
    return F.l1_loss(restored, image)


def identity_loss(image: Float[Tensor, "b c h w"], refined: Float[Tensor, "b c h w"]) -> Float[Tensor, ""]:
    """Returns the mean absolute difference of images and what one generator made of them (appendix 6.2 and 7)."""
    return F.l1_loss(refined, image)
