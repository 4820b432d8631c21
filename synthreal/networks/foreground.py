"""A classifier that sees a photo and the object that another network finds in it."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from synthreal.networks.features import with_features
from synthreal.networks.reconstruction import Reconstruction, Reconstructor


class Recognition(NamedTuple):
    """What a `ForegroundNetwork` makes of photos."""

    logits: Float[Tensor, "b k"]
    descriptor: Float[Tensor, "b d"]
    """Input of the classifier's last linear layer."""
    reconstruction: Reconstruction | None


class ForegroundNetwork(nn.Module):
    """Reconstruction network and classifier one after the other (GM-CML, sec. VI, Fig. 1).

    Args:
        reconstructor: Makes the object channels M' of photos; None for a classifier of photos alone.
        classifier: Takes [O, M'], photo channels first; it has a linear layer at its end.
    """

    def __init__(self, reconstructor: Reconstructor | None, classifier: nn.Module) -> None:
        super().__init__()
        self.reconstructor, self.classifier = reconstructor, classifier

    def forward(self, image: Float[Tensor, "b c h w"]) -> Float[Tensor, "b k"]:
        """Returns logits for photos in [0, 1]."""
        return self.recognise(image, image).logits

    def recognise(self, coded: Float[Tensor, "b c h w"], classified: Float[Tensor, "b c h w"]) -> Recognition:
        """Returns logits, descriptors and reconstructions of photos.

        Args:
            coded: Photos as the reconstruction network is given them.
            classified: The same photos as the classifier is given them.
        """
        if self.reconstructor is None:
            return Recognition(*with_features(self.classifier, classified), None)
        made = self.reconstructor(coded)
        return Recognition(*with_features(self.classifier, torch.cat([classified, made.image], 1)), made)
