"""GM-CML: foreground reconstruction and metric learning, trained together."""

import math
from typing import Any, Literal

import torch
from jaxtyping import Float
from lightning.pytorch import LightningModule
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor
from torch.nn import functional as F

from synthreal.batch import SET_SIZE, Batch
from synthreal.components import Plain, build
from synthreal.errors import ConfigError
from synthreal.losses.adaptive_noise import add_noise, noise_ratios, variance_ratio
from synthreal.losses.elbo import kl_divergence, reconstruction_loss
from synthreal.losses.triplet import pair_loss, triplet_loss
from synthreal.modules.classifier import build_network
from synthreal.modules.finite import require_finite, require_finite_weights
from synthreal.modules.logged_steps import is_logged
from synthreal.modules.optimization import build_optimization, require_validation
from synthreal.modules.pretrained import load_pretrained
from synthreal.modules.scores import Predicted, TestScores, classification_metrics, log_scores, predicted
from synthreal.modules.unused_parameters import require_unused_parameters
from synthreal.networks.foreground import ForegroundNetwork, Recognition
from synthreal.networks.modes import evaluating
from synthreal.networks.reconstruction import Reconstructor

_ADVICE = "Lower the learning rate."


class Described(Predicted):
    """What a test step returns."""

    descriptor: Float[Tensor, "b d"]
    """Input of the classifier's last linear layer."""


class GMCML(LightningModule):
    """Reconstructs the object in a photo and recognises it from both (GM-CML paper).

    The loss is the weighted sum of `reconstruction` (squared error) and `kl`, where a batch has targets (`semantic`)
    and there is a reconstruction network; `pair` and `triplet`, where its rows are triplet sets (`role`); and
    `softmax`. Real photos, which have neither, fine-tune all of it by softmax alone. Logs `train/loss` and
    `train/<term>`, NaN where a batch has no such term; with adaptive noise `train/variance_ratio`,
    `train/noise_reconstruction` and `train/noise_classification`; `val/…` and `test/…` as `Classifier` does, and
    `val/reconstruction` where there are targets.

    The paper's variants are switches: GM-ML has `adaptive_noise: false`, the AlexNet head another `classifier`, FCN
    and DeconvNet another `reconstructor`, the plain classifiers `reconstructor: null` and no pair and triplet weights.

    Args:
        num_classes: Number of classes, at least 2.
        reconstructor: Class path of a `Reconstructor`, or None.
        reconstructor_args: Its arguments.
        classifier: Class path of a network that takes `in_channels`, or a torchvision model's name if there is no
            reconstruction. Its descriptor is the input of its last linear layer.
        classifier_args: Its arguments.
        adaptive_noise: Noise on the photos that either network sees in training, as much as the variance of the
            reconstructions calls for (sec. VI-A).
        alpha: How fast the reconstruction network's noise grows with that variance.
        beta: How fast the classifier's noise falls with it.
        reconstruction_weight: Factor of the squared error and of the divergence, at least 0.
        pair_weight: Factor of the pair term. The paper's is 1, at a scale of descriptors that it does not tell; with
            ZigzagNet's, distances of hundreds, 1 collapses all of them into a point.
        triplet_weight: Factor of the triplet term.
        softmax_weight: Factor of the cross-entropy.
        softmax_on_sets: Whether triplet sets count in the cross-entropy. False is the paper's first stage, where metric
            learning is alone.
        margin: m_tri; the paper gives none.
        optimizer: Class path of an optimiser.
        optimizer_args: Its arguments.
        schedule: Class path of a learning-rate schedule, or None.
        schedule_args: Its arguments.
        schedule_interval: When the schedule steps.
        pretrained: Checkpoint of an earlier run whose weights training starts from: synthetic images first, then real
            ones. A last layer for other classes is made anew.

    Raises:
        ConfigError: If a class path or an argument does not exist, or a number is out of range.
    """

    def __init__(
        self,
        num_classes: int = 12,
        reconstructor: str | None = "synthreal.networks.VariationalCoder",
        reconstructor_args: dict[str, Plain] | None = None,
        classifier: str = "synthreal.networks.ZigzagNet",
        classifier_args: dict[str, Plain] | None = None,
        adaptive_noise: bool = True,
        alpha: float = 0.25,
        beta: float = 2.0,
        reconstruction_weight: float = 1.0,
        pair_weight: float = 0.01,
        triplet_weight: float = 1.0,
        softmax_weight: float = 1.0,
        softmax_on_sets: bool = True,
        margin: float = 1.0,
        optimizer: str = "torch.optim.Adam",
        optimizer_args: dict[str, Plain] | None = None,
        schedule: str | None = None,
        schedule_args: dict[str, Plain] | None = None,
        schedule_interval: Literal["step", "epoch"] = "step",
        pretrained: str | None = None,
    ) -> None:
        super().__init__()
        if num_classes < 2:
            raise ConfigError(f"A classifier needs at least 2 classes, not {num_classes}.")
        self.weights = {
            "reconstruction": reconstruction_weight,
            "kl": reconstruction_weight,
            "pair": pair_weight,
            "triplet": triplet_weight,
            "softmax": softmax_weight,
        }
        if not all(weight >= 0 for weight in self.weights.values()):
            raise ConfigError(f"Weights of losses are at least 0, not {self.weights}.")
        # What is out of range fails here, before any data is read.
        noise_ratios(torch.zeros(()), alpha, beta)
        triplet_loss(torch.zeros(0, SET_SIZE, 1), margin)
        self.save_hyperparameters()
        self.adaptive_noise, self.alpha, self.beta = adaptive_noise and reconstructor is not None, alpha, beta
        self.softmax_on_sets, self.margin = softmax_on_sets, margin
        coder: Reconstructor | None = None
        if reconstructor is not None:
            coder = build(reconstructor, Reconstructor, reconstructor_args or {})  # type: ignore[type-abstract]
        channels: dict[str, Plain] = {} if coder is None else {"in_channels": 6}
        head = build_network(classifier, num_classes, {**channels, **(classifier_args or {})})
        self.network = ForegroundNetwork(coder, head)
        self.val_metrics = classification_metrics(num_classes, "val/")
        self._test_scores = TestScores(num_classes)
        self._unread = pretrained
        self._last_losses: dict[str, Tensor] = {}
        self.configure_optimizers()  # a typo in the optimiser fails here, before any data is read

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Stops before a broken model is saved.

        Raises:
            TrainingError: If a loss of the last batch or a weight is no number.
        """
        self._check_losses(checkpoint["global_step"])
        require_finite_weights(self, f"at step {checkpoint['global_step']}", _ADVICE)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Leaves `pretrained` alone from now on: the checkpoint has weights that came after it."""
        self._unread = None

    def on_fit_start(self) -> None:
        """Takes over the weights of `pretrained`, once, unless training goes on from a checkpoint.

        Raises:
            ConfigError: If there is no such checkpoint, it holds another network, or the strategy would wait for
                gradients that never come.
        """
        if not self.softmax_on_sets:
            why = "Without softmax_on_sets triplet sets leave the last layer out"
            require_unused_parameters(self.trainer.strategy, why)
        if self._unread is not None:
            load_pretrained(self.network, self._unread)
            self._unread = None

    def on_train_start(self) -> None:
        """Checks the schedule.

        Raises:
            ConfigError: If it follows a validation that there is not.
        """
        require_validation(self.trainer)

    def forward(self, image: Float[Tensor, "b c h w"]) -> Float[Tensor, "b k"]:
        """Returns logits for photos in [0, 1], without noise."""
        logits: Tensor = self.network(image)
        return logits

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Returns the weighted sum of the losses that the batch has."""
        image, noise = batch["image"], self._noise(batch)
        if noise is None:
            found = self.network.recognise(image, image)
        else:
            ratios = noise_ratios(noise, self.alpha, self.beta)
            found = self.network.recognise(
                add_noise(image, ratios.reconstruction), add_noise(image, ratios.classification)
            )
        losses = self._losses(batch, found)
        total = torch.stack([self.weights[name] * loss for name, loss in losses.items()]).sum()
        self._last_losses = {name: loss.detach() for name, loss in {**losses, "training": total}.items()}
        # Each look at a value waits for the device: only when it will be written.
        if is_logged(self.trainer):
            self._report(noise)
        return total

    def _noise(self, batch: Batch) -> Float[Tensor, ""] | None:
        """R of the batch, from a pass without noise, dropout and sampling, as `validate` would see it."""
        coder = self.network.reconstructor
        if not self.adaptive_noise or coder is None or "semantic" not in batch:
            return None
        with evaluating(coder), torch.no_grad():
            return variance_ratio(coder(batch["image"]).image, batch["semantic"])

    def _losses(self, batch: Batch, found: Recognition) -> dict[str, Tensor]:
        losses: dict[str, Tensor] = {}
        made, sets = found.reconstruction, "role" in batch
        if made is not None and "semantic" in batch:
            losses["reconstruction"] = reconstruction_loss(made.image, batch["semantic"])
            if made.mean is not None and made.log_variance is not None:
                losses["kl"] = kl_divergence(made.mean, made.log_variance)
        if sets:
            descriptors = found.descriptor.unflatten(0, (-1, SET_SIZE))
            losses["pair"] = pair_loss(descriptors)
            losses["triplet"] = triplet_loss(descriptors, self.margin)
        if self.softmax_on_sets or not sets:
            losses["softmax"] = F.cross_entropy(found.logits, batch["label"])
        return losses

    def _check_losses(self, step: int) -> None:
        require_finite(self._last_losses, f"at step {step}", _ADVICE)

    def _report(self, noise: Tensor | None) -> None:
        self._check_losses(self.trainer.global_step)
        losses = self._last_losses
        self.log("train/loss", losses["training"])
        for name in self.weights:  # all of them: Lightning would write the last value of one that is not logged again
            self.log(f"train/{name}", losses.get(name, math.nan))
        if self.adaptive_noise:
            ratio = losses["training"].new_tensor(math.nan) if noise is None else noise
            ratios = noise_ratios(ratio, self.alpha, self.beta)
            self.log("train/variance_ratio", ratio)
            self.log("train/noise_reconstruction", ratios.reconstruction)
            self.log("train/noise_classification", ratios.classification)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Updates the `val/…` scores."""
        found = self.network.recognise(batch["image"], batch["image"])
        self.val_metrics.update(found.logits, batch["label"])
        if found.reconstruction is not None and "semantic" in batch:
            error = reconstruction_loss(found.reconstruction.image, batch["semantic"])
            self.log("val/reconstruction", error, batch_size=len(batch["label"]), on_epoch=True, sync_dist=True)

    def on_validation_epoch_end(self) -> None:
        """Logs the `val/…` scores."""
        log_scores(self, self.val_metrics)

    def on_test_start(self) -> None:
        """Makes scores for each test set."""
        self._test_scores.start(self)

    def test_step(self, batch: Batch, batch_idx: int, dataloader_idx: int = 0) -> Described:
        """Updates the scores of a test set; returns what is predicted for each image, and its descriptor."""
        found = self.network.recognise(batch["image"], batch["image"])
        self._test_scores.update(dataloader_idx, found.logits, batch["label"])
        return {**predicted(found.logits), "descriptor": found.descriptor}

    def on_test_epoch_end(self) -> None:
        """Logs the scores of every test set, class by class too."""
        self._test_scores.log(self)

    def predict_step(self, batch: Batch, batch_idx: int, dataloader_idx: int = 0) -> dict[str, Tensor]:
        """Returns probability of each class [B, K], label [B], descriptor [B, D], and reconstruction [B, 3, H, W]."""
        found = self.network.recognise(batch["image"], batch["image"])
        painted = {} if found.reconstruction is None else {"reconstruction": found.reconstruction.image}
        return {
            "probability": found.logits.softmax(1),
            "label": batch["label"],
            "descriptor": found.descriptor,
            **painted,
        }

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Builds optimiser and schedule from their class paths."""
        return build_optimization(self.network, self.hparams)
