"""The features of a classifier that an earlier run has trained."""

from jaxtyping import Float
from torch import Tensor, nn

from synthreal.checkpoints import read_checkpoint
from synthreal.errors import ConfigError
from synthreal.modules.classifier import Classifier
from synthreal.networks.features import with_features


class ClassifierFeatures(nn.Module):
    """Maps images to what the last linear layer of a trained `Classifier` sees, fixed: features for a Fréchet distance.

    Args:
        checkpoint: Of the classifier; train it on real images of the classes at hand.

    Raises:
        ConfigError: If there is no such checkpoint, or it is not one of a Classifier.
    """

    def __init__(self, checkpoint: str) -> None:
        super().__init__()
        settings = read_checkpoint(checkpoint, "checkpoint").get("hyper_parameters", {})
        if not {"num_classes", "network"} <= settings.keys():  # other modules count classes, too
            raise ConfigError(f"{checkpoint} is no checkpoint of a Classifier.")
        self.network = Classifier.load_from_checkpoint(checkpoint, map_location="cpu").network
        self.eval().requires_grad_(False)

    def forward(self, image: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d"]:
        """Returns the features of images in [0, 1]."""
        return with_features(self.network, image)[1]
