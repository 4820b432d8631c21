"""Image classification: the model of SampleAhead, of the mixing ratio and of the benchmark."""

import math
from typing import Any, Literal

import torch
from jaxtyping import Float
from lightning.pytorch import LightningModule
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision import models
from torchvision.models import get_model, list_models

from synthreal.batch import Batch
from synthreal.components import Plain, accepts, build
from synthreal.errors import ConfigError
from synthreal.modules.finite import require_finite, require_finite_weights
from synthreal.modules.logged_steps import is_logged
from synthreal.modules.optimization import build_optimization, require_validation
from synthreal.modules.pretrained import load_pretrained
from synthreal.modules.scores import Predicted, TestScores, classification_metrics, log_scores, predicted
from synthreal.networks.features import expose_features, with_features

_AUXILIARY = ("googlenet", "inception_v3")  # in training they would answer with further logits, which no loss here has
_ADVICE = "Lower the learning rate, or find the operation with --trainer.detect_anomaly=true."


def build_network(network: str, num_classes: int, arguments: dict[str, Plain]) -> nn.Module:
    """Returns a network; torchvision's have no pre-trained weights and no auxiliary logits.

    Args:
        network: Path of a class (`package.module.Class`) or of a function that is annotated to return a network, or is
            timm's (`timm.create_model`); or a torchvision model's name.
        num_classes: Passed on as `num_classes` if the network takes it.
        arguments: Further arguments.

    Raises:
        ConfigError: If there is no such network, or an argument is unknown.
    """
    try:
        if "." in network:
            own = {"num_classes": num_classes} if accepts(network, nn.Module, "num_classes") else {}
            return build(network, nn.Module, {**own, **arguments})
        if network not in list_models(module=models):
            raise ConfigError(f"{network!r} is neither a class path nor one of torchvision's classifiers.")
        more = {"aux_logits": False} if network in _AUXILIARY else {}
        return get_model(network, weights=None, num_classes=num_classes, **{**more, **arguments})
    except TypeError as error:
        if "unexpected keyword argument" not in str(error):  # others come from inside the network
            raise
        raise ConfigError(f"{network}: {error}.") from error


class Classifier(LightningModule):
    """Cross-entropy on every image, real and synthetic alike, and on request the alignment of their features.

    Every argument is plain, so `load_from_checkpoint` needs nothing else. Logs `train/loss`, all of it, and
    `train/alignment`, unweighted; `val/…` and `test/…` with loss, error (%), top1, top3, top5, precision, recall
    (0 to 1); and `test/accuracy_<class index>`. A dict of test loaders gives each set scores of its own,
    `test/<name>/…`.

    Args:
        num_classes: Number of classes, at least 2.
        network: Path of an `nn.Module` or of a function that returns one, or the name of a torchvision model.
        network_args: Its arguments.
        optimizer: Class path of an optimiser.
        optimizer_args: Its arguments.
        schedule: Class path of a learning-rate schedule, or None.
        schedule_args: Its arguments.
        schedule_interval: When the schedule steps. A ReduceLROnPlateau follows `val/loss` each epoch; Lightning
            saves before it steps, so a resumed run is an epoch of patience behind.
        bias_rate: Factor on the learning rate of biases (Caffe's LeNet has 2).
        pretrained: Checkpoint of an earlier run whose network training starts from: pre-train on one domain, fine-tune
            on the other (benchmark, sec. 7.4). A last layer for other classes is made anew. Only `fit` reads it.
        alignment: Class path of a loss between the features of real and synthetic images, such as
            `synthreal.losses.DeepCORAL`, or None. Features are the input of the network's last linear layer. Batches of
            one domain alone are not aligned.
        alignment_args: Its arguments, after the number of features.
        alignment_weight: Its factor beside the cross-entropy, at least 0.

    Raises:
        ConfigError: If a class path or an argument does not exist, or the weight is negative.
    """

    def __init__(
        self,
        num_classes: int = 10,
        network: str = "synthreal.networks.LeNet",
        network_args: dict[str, Plain] | None = None,
        optimizer: str = "torch.optim.SGD",
        optimizer_args: dict[str, Plain] | None = None,
        schedule: str | None = None,
        schedule_args: dict[str, Plain] | None = None,
        schedule_interval: Literal["step", "epoch"] = "step",
        bias_rate: float = 1.0,
        pretrained: str | None = None,
        alignment: str | None = None,
        alignment_args: dict[str, Plain] | None = None,
        alignment_weight: float = 1.0,
    ) -> None:
        super().__init__()
        if num_classes < 2:
            raise ConfigError(f"A classifier needs at least 2 classes, not {num_classes}.")
        if not alignment_weight >= 0:
            raise ConfigError(f"alignment_weight is at least 0, not {alignment_weight}.")
        self.save_hyperparameters()
        self.network = build_network(network, num_classes, network_args or {})
        self.alignment: nn.Module | None = None
        if alignment is not None:
            num_features = expose_features(self.network).in_features
            self.alignment = build(alignment, nn.Module, alignment_args or {}, num_features)
        self._num_steps = math.nan
        self.val_metrics = classification_metrics(num_classes, "val/")
        self._test_scores = TestScores(num_classes)
        self._unread = pretrained
        self._last_loss = torch.zeros(())
        self.configure_optimizers()  # a typo in the optimiser fails here, before any data is read

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Stops before a broken model is saved.

        Raises:
            TrainingError: If the last batch's loss or a weight is no number.
        """
        self._check_loss(checkpoint["global_step"])
        require_finite_weights(self, f"at step {checkpoint['global_step']}", _ADVICE)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Leaves `pretrained` alone from now on: the checkpoint has weights that came after it."""
        self._unread = None

    def on_fit_start(self) -> None:
        """Takes over the weights of `pretrained`, once, unless training goes on from a checkpoint.

        Not in `setup`: there the trainer does not know yet whether it does.

        Raises:
            ConfigError: If there is no such checkpoint, or it holds another network.
        """
        if self._unread is not None:
            load_pretrained(self.network, self._unread)
            self._unread = None

    def on_train_start(self) -> None:
        """Reads how many steps this training will have.

        Raises:
            ConfigError: If the schedule follows a validation that there is not.
        """
        require_validation(self.trainer)
        steps = math.nan if self.alignment is None else self.trainer.estimated_stepping_batches
        self._num_steps = steps if 0 < steps < math.inf else math.nan  # inf or -1: it has no known end

    def forward(self, image: Float[Tensor, "b c h w"]) -> Float[Tensor, "b k"]:
        """Returns logits for images in [0, 1]."""
        logits: Tensor = self.network(image)
        return logits

    def training_step(self, batch: Batch, batch_idx: int) -> dict[str, Tensor]:
        """Returns the whole loss, and the cross-entropy of each sample, detached, for whoever feeds difficulty back."""
        logits, alignment = self._logits_and_alignment(batch)
        sample_loss = F.cross_entropy(logits, batch["label"], reduction="none")
        loss = sample_loss.mean()
        if alignment is not None:
            loss = loss + self.hparams["alignment_weight"] * alignment
        self._last_loss = loss.detach()
        # Each self.log costs 0.3 ms, and each look at a value waits for the device: only when it will be written.
        if is_logged(self.trainer):
            self._check_loss(self.trainer.global_step)
            self.log("train/loss", self._last_loss)
            if alignment is not None:
                self.log("train/alignment", alignment.detach())
        return {"loss": loss, "sample_loss": sample_loss.detach()}

    def _logits_and_alignment(self, batch: Batch) -> tuple[Tensor, Tensor | None]:
        if self.alignment is None:
            return self(batch["image"]), None
        logits, features = with_features(self.network, batch["image"])
        # NaN stays NaN; loaders that grow longer may pass the estimated end
        progress = min(self.trainer.global_step / self._num_steps, 1.0)
        return logits, self.alignment(features, batch["domain"], progress)

    def _check_loss(self, step: int) -> None:
        require_finite({"training": self._last_loss}, f"at step {step}", _ADVICE)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Updates the `val/…` scores."""
        self.val_metrics.update(self(batch["image"]), batch["label"])

    def on_validation_epoch_end(self) -> None:
        """Logs the `val/…` scores."""
        log_scores(self, self.val_metrics)

    def on_test_start(self) -> None:
        """Makes scores for each test set."""
        self._test_scores.start(self)

    def test_step(self, batch: Batch, batch_idx: int, dataloader_idx: int = 0) -> Predicted:
        """Updates the scores of a test set, and returns what is predicted for each image."""
        logits = self(batch["image"])
        self._test_scores.update(dataloader_idx, logits, batch["label"])
        return predicted(logits)

    def on_test_epoch_end(self) -> None:
        """Logs the scores of every test set, class by class too."""
        self._test_scores.log(self)

    def predict_step(self, batch: Batch, batch_idx: int) -> dict[str, Tensor]:
        """Returns the probability of each class [B, K] and the label [B]."""
        return {"probability": self(batch["image"]).softmax(1), "label": batch["label"]}

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Builds optimiser and schedule from their class paths."""
        return build_optimization(self, self.hparams, self.hparams["bias_rate"])
