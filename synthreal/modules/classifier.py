"""Image classification: the model of SampleAhead, of the mixing ratio and of the benchmark."""

import math
from typing import Any, Literal

import torch
from jaxtyping import Float
from lightning.pytorch import LightningModule
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau
from torchmetrics import MetricCollection
from torchmetrics.classification import MulticlassAccuracy, MulticlassPrecision, MulticlassRecall
from torchvision import models
from torchvision.models import get_model, list_models

from synthreal.batch import Batch
from synthreal.components import Plain, accepts, build
from synthreal.errors import ConfigError, TrainingError


def build_network(network: str, num_classes: int, arguments: dict[str, Plain]) -> nn.Module:
    """Returns a network without pre-trained weights.

    Args:
        network: Class path (`package.module.Class`), or a torchvision model's name.
        num_classes: Passed on as `num_classes` if the network takes it.
        arguments: Further arguments.

    Raises:
        ConfigError: If there is no such network, or an argument is unknown.
    """
    if "." not in network:
        if network not in list_models(module=models):
            raise ConfigError(f"{network!r} is neither a class path nor one of torchvision's classifiers.")
        try:
            return get_model(network, weights=None, num_classes=num_classes, **arguments)
        except TypeError as error:
            raise ConfigError(f"{network}: {error}.") from error
    if accepts(network, nn.Module, "num_classes"):
        arguments = {"num_classes": num_classes, **arguments}
    return build(network, nn.Module, arguments)


def classification_metrics(num_classes: int) -> MetricCollection:
    """Returns top-1, top-3 and top-5 accuracy (as far as there are classes), macro precision and macro recall."""
    metrics: dict[str, Any] = {
        f"top{k}": MulticlassAccuracy(num_classes, top_k=k, average="micro") for k in (1, 3, 5) if k <= num_classes
    }
    metrics["precision"] = MulticlassPrecision(num_classes, average="macro")
    metrics["recall"] = MulticlassRecall(num_classes, average="macro")
    return MetricCollection(metrics)


class Classifier(LightningModule):
    """Cross-entropy on every image of the batch, real and synthetic alike.

    Every argument is plain, so `load_from_checkpoint` needs nothing else. Logs `train/loss`; `val/…` and `test/…` with
    loss, error (%), top1, top3, top5, precision, recall (0 to 1); and `test/accuracy_<class index>`.

    Args:
        num_classes: Number of classes, at least 2.
        network: Class path of an `nn.Module`, or the name of a torchvision model.
        network_args: Its arguments.
        optimizer: Class path of an optimiser.
        optimizer_args: Its arguments.
        schedule: Class path of a learning-rate schedule, or None.
        schedule_args: Its arguments.
        schedule_interval: When the schedule steps. A ReduceLROnPlateau follows `val/loss` each epoch.
        bias_rate: Factor on the learning rate of biases (Caffe's LeNet has 2).

    Raises:
        ConfigError: If a class path or an argument does not exist.
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
    ) -> None:
        super().__init__()
        if num_classes < 2:
            raise ConfigError(f"A classifier needs at least 2 classes, not {num_classes}.")
        self.save_hyperparameters()
        self.network = build_network(network, num_classes, network_args or {})
        self.val_metrics = classification_metrics(num_classes).clone(prefix="val/")
        self.test_metrics = classification_metrics(num_classes).clone(prefix="test/")
        self.test_class_accuracy = MulticlassAccuracy(num_classes, average="none")
        self._last_loss = torch.zeros(())
        self.configure_optimizers()  # a typo in the optimiser fails here, before any data is read

    def forward(self, image: Float[Tensor, "b c h w"]) -> Float[Tensor, "b k"]:
        """Returns logits for images in [0, 1]."""
        logits: Tensor = self.network(image)
        return logits

    def training_step(self, batch: Batch, batch_idx: int) -> dict[str, Tensor]:
        """Returns the mean loss, and the loss of each sample, detached, for whoever feeds difficulty back."""
        sample_loss = F.cross_entropy(self(batch["image"]), batch["label"], reduction="none")
        loss = sample_loss.mean()
        self._last_loss = loss.detach()
        # Each self.log costs 0.3 ms, and each look at a value waits for the device: only when it will be written.
        if (self.trainer.global_step + 1) % self.trainer.log_every_n_steps == 0:  # type: ignore[attr-defined]
            self._check_loss()
            self.log("train/loss", self._last_loss)
        return {"loss": loss, "sample_loss": sample_loss.detach()}

    def on_train_epoch_end(self) -> None:
        """Stops before a broken model is checkpointed."""
        self._check_loss()

    def _check_loss(self) -> None:
        if not math.isfinite(float(self._last_loss)):
            raise TrainingError(
                f"The training loss is {float(self._last_loss)} at step {self.trainer.global_step}. Lower the learning "
                "rate, or find the operation with --trainer.detect_anomaly=true. The last checkpoint is sound."
            )

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Updates the `val/…` scores."""
        self._score(batch, self.val_metrics, "val")

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """Updates the `test/…` scores."""
        logits = self._score(batch, self.test_metrics, "test")
        self.test_class_accuracy.update(logits, batch["label"])

    def predict_step(self, batch: Batch, batch_idx: int) -> dict[str, Tensor]:
        """Returns the probability of each class [B, K] and the label [B]."""
        return {"probability": self(batch["image"]).softmax(1), "label": batch["label"]}

    def _score(self, batch: Batch, metrics: MetricCollection, stage: str) -> Tensor:
        logits = self(batch["image"])
        metrics.update(logits, batch["label"])
        loss = F.cross_entropy(logits, batch["label"])
        self.log(f"{stage}/loss", loss, on_step=False, on_epoch=True, sync_dist=True, batch_size=len(logits))
        return logits

    def on_validation_epoch_end(self) -> None:
        """Logs the `val/…` scores."""
        self._log_scores(self.val_metrics, "val")

    def on_test_epoch_end(self) -> None:
        """Logs the `test/…` scores, class by class too."""
        self._log_scores(self.test_metrics, "test")
        accuracy = self.test_class_accuracy.compute()
        self.log_dict({f"test/accuracy_{i}": value for i, value in enumerate(accuracy)})
        self.test_class_accuracy.reset()

    def _log_scores(self, metrics: MetricCollection, stage: str) -> None:
        scores = metrics.compute()
        metrics.reset()
        self.log_dict({**scores, f"{stage}/error": 100 * (1 - scores[f"{stage}/top1"])})

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Builds optimiser and schedule from their class paths."""
        settings = self.hparams
        biases = [p for name, p in self.network.named_parameters() if name.endswith("bias")]
        others = [p for name, p in self.network.named_parameters() if not name.endswith("bias")]
        optimizer = build(settings["optimizer"], Optimizer, settings["optimizer_args"] or {}, [{"params": others}])
        optimizer.add_param_group({"params": biases, "lr": optimizer.defaults["lr"] * settings["bias_rate"]})
        if settings["schedule"] is None:
            return optimizer
        schedule = build(settings["schedule"], LRScheduler, settings["schedule_args"] or {}, optimizer)
        if isinstance(schedule, ReduceLROnPlateau):
            return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "monitor": "val/loss"}}
        interval = settings["schedule_interval"]
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": interval}}
