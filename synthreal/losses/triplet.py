"""Metric learning on sets of triplets (GM-CML, sec. V-B, eq. 5 and 6).

A set's descriptors are those of a reference x_i, of its positive x_j (the nearest pose of the same class, or the same
pose in another light) and of negatives x_k, at least one; the paper has three, the same class in a far pose and two
other classes. D is the squared Euclidean distance. Gradients are autograd's: eq. 7 lacks a factor 2, and L stands there
where e^L belongs.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from synthreal.errors import ConfigError


def pair_distance(sets: Float[Tensor, "n s d"]) -> Float[Tensor, " n"]:
    """Returns D_ij, the squared distance of each set's reference and positive, at least in float32.

    Raises:
        ConfigError: If sets are of fewer than two descriptors.
    """
    if sets.shape[1] < 2:
        raise ConfigError(f"A pair needs a reference and a positive, but sets are of {sets.shape[1]} descriptors.")
    return _from_reference(sets[:, :2])[:, 0]


def pair_loss(sets: Float[Tensor, "n s d"]) -> Float[Tensor, ""]:
    """Returns the mean of D_ij over the sets (L_pair), 0 if there are none.

    Raises:
        ConfigError: If sets are of fewer than two descriptors.
    """
    return pair_distance(sets).sum() / max(len(sets), 1)


def triplet_loss(sets: Float[Tensor, "n s d"], margin: float = 1.0) -> Float[Tensor, ""]:
    """Returns ln(max(1, 2 - D_ik / (D_ij + margin))), summed over negatives, averaged over sets (L_tri, eq. 6).

    A negative costs from 0, where D_ik ≥ D_ij + margin, to ln 2, where D_ik = 0. Without sets the loss is 0.

    Args:
        sets: Descriptors: reference, positive, negatives.
        margin: m_tri, above 0, in squared units of the descriptors. The paper gives no value. With 1 a triplet that
            collapsed to a point has a slope of -1/2 along D_ik, the same order as the 1 of the pair loss along D_ij.

    Raises:
        ConfigError: If sets are of fewer than three descriptors, or the margin is not above 0.
    """
    if sets.shape[1] < 3:
        raise ConfigError(f"A set is a reference, a positive and negatives, not {sets.shape[1]} descriptors.")
    _check_margin(margin)
    distance = _from_reference(sets)
    pair, negatives = distance[:, :1], distance[:, 1:]
    losses = F.relu(1 - negatives / (pair + margin)).log1p()  # ln(max(1, 2 - a)), and exact where that is near 0
    return losses.sum() / max(len(sets), 1)


class MultiTripletLoss(nn.Module):
    """The triplet loss and the weighted pair loss together (eq. 5).

    Args:
        margin: Of the triplet loss; see `triplet_loss`.
        pair_weight: Of the pair loss, 0 or more. The paper has it optional: it is for images without background, which
            come first in training.

    Raises:
        ConfigError: If the margin is not above 0, or the weight below 0.
    """

    def __init__(self, margin: float = 1.0, pair_weight: float = 1.0) -> None:
        super().__init__()
        _check_margin(margin)
        if not pair_weight >= 0:
            raise ConfigError(f"The pair loss's weight is at least 0, not {pair_weight}.")
        self.margin, self.pair_weight = margin, pair_weight

    def forward(self, sets: Float[Tensor, "n s d"]) -> Float[Tensor, ""]:
        """Returns the loss of sets: reference, positive, negatives."""
        return triplet_loss(sets, self.margin) + self.pair_weight * pair_loss(sets)


def _from_reference(sets: Float[Tensor, "n s d"]) -> Float[Tensor, "n s-1"]:
    """Squared distances of each set's first descriptor and the others. No root: it has no gradient at 0."""
    sets = sets.to(torch.promote_types(sets.dtype, torch.float32))  # half precision would lose small differences
    reference, others = sets.split((1, sets.shape[1] - 1), 1)  # each slice would have a gradient of the full size
    return (reference - others).square().sum(2)


def _check_margin(margin: float) -> None:
    if not margin > 0:
        raise ConfigError(f"The triplets' margin is above 0, not {margin}: without one, equal descriptors give 0/0.")
