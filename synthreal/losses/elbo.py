"""The two terms of a variational coder's loss; training minimises their sum (GM-CML, sec. IV-A and VI, eq. 4 and 12).

That is -B, the second line of eq. 4; the first line has the other sign, and eq. 13 is B, to be maximised.
"""

import torch
from jaxtyping import Float
from torch import Tensor


def reconstruction_loss(made: Float[Tensor, "b c h w"], target: Float[Tensor, "b c h w"]) -> Float[Tensor, ""]:
    """Returns the squared error, summed over each image's elements, mean over the batch (L_gen, eq. 4).

    It is -log P(Y|z) without its constant, for a Gaussian of variance 1/2 about the image that was made.

    Args:
        made: What the decoder made of one sample of the latent variables.
        target: Y, the expected images.
    """
    made = made.to(torch.promote_types(made.dtype, torch.float32))  # sums of an image overflow half precision
    return (made - target).square().sum((1, 2, 3)).mean()


def kl_divergence(mean: Float[Tensor, "b k"], log_variance: Float[Tensor, "b k"]) -> Float[Tensor, ""]:
    """Returns the divergence of N(mean, diag(exp(log_variance))) from N(0, I), mean over the batch (L_enc, eq. 12).

    Args:
        mean: μ of each latent variable.
        log_variance: Logarithm of each latent variable's variance, which the encoder gives in place of Σ.
    """
    wide = torch.promote_types(mean.dtype, torch.float32)  # exp overflows half precision from 12 on
    mean, log_variance = mean.to(wide), log_variance.to(wide)
    return 0.5 * (mean.square() + log_variance.expm1() - log_variance).sum(1).mean()
