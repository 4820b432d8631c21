"""What a classifier is scored by."""

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

import torch
from jaxtyping import Float, Int
from lightning.pytorch import LightningModule
from torch import Tensor
from torch.nn import functional as F
from torchmetrics import Metric, MetricCollection
from torchmetrics.classification import MulticlassAccuracy, MulticlassPrecision, MulticlassRecall
from torchmetrics.wrappers import ClasswiseWrapper


class CrossEntropy(Metric):
    """Mean cross-entropy of all images."""

    full_state_update = False
    total: Tensor
    count: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("total", torch.zeros(()), dist_reduce_fx="sum")
        self.add_state("count", torch.zeros(()), dist_reduce_fx="sum")

    def update(self, preds: Float[Tensor, "b k"], target: Int[Tensor, " b"]) -> None:
        """Adds a batch: logits and labels."""
        self.total += F.cross_entropy(preds, target, reduction="sum")
        self.count += len(target)

    def compute(self) -> Float[Tensor, ""]:
        """Returns the mean."""
        return self.total / self.count


def classification_metrics(num_classes: int, prefix: str = "", each_class: bool = False) -> MetricCollection:
    """Returns the scores of one set of images, updated with logits [B, K] and labels [B], summed over processes.

    loss; top1, top3 and top5 as far as there are so many classes; macro precision and recall, all 0 to 1.

    Args:
        num_classes: Number of classes K.
        prefix: Goes before each name.
        each_class: Add the accuracy of each class, `accuracy_<class index>`.
    """
    metrics: dict[str, Any] = {
        f"top{k}": MulticlassAccuracy(num_classes, top_k=k, average="micro") for k in (1, 3, 5) if k <= num_classes
    }
    metrics["loss"] = CrossEntropy()
    if each_class:
        metrics["accuracy"] = ClasswiseWrapper(MulticlassAccuracy(num_classes, average="none"), prefix="accuracy_")
    macro = {
        "precision": MulticlassPrecision(num_classes, average="macro"),
        "recall": MulticlassRecall(num_classes, average="macro"),
    }
    # Which of them share their counts is said here: torchmetrics would tie together, for good, those whose counts agree
    # after the first batch, top-3 and top-5 for example.
    groups = [[name] for name in metrics] + [list(macro)]
    return MetricCollection({**metrics, **macro}, prefix=prefix, compute_groups=groups)


def set_names(loaders: object) -> list[str]:
    """Returns the name of each test set: a dict's keys, numbers for a list of several loaders, "" for a single one."""
    if isinstance(loaders, Mapping):
        return [str(name) for name in loaders]
    several = isinstance(loaders, Sequence) and len(loaders) > 1
    return [str(number) for number in range(len(loaders))] if several else [""]  # type: ignore[arg-type]


class Predicted(TypedDict):
    """What a classifier makes of a batch."""

    prediction: Int[Tensor, " b"]
    """The most probable class."""
    confidence: Float[Tensor, " b"]
    """Its probability."""


def predicted(logits: Float[Tensor, "b k"]) -> Predicted:
    """Returns what logits say about each image."""
    confidence, prediction = logits.softmax(1).max(1)
    return {"prediction": prediction, "confidence": confidence}


def log_scores(module: LightningModule, metrics: MetricCollection) -> None:
    """Logs the scores that were gathered, and the error in %, and begins anew."""
    scores = metrics.compute()
    metrics.reset()
    error = 100 * (1 - scores[f"{metrics.prefix}top1"])
    # The same on every process already; without sync_dist Lightning warns about each of them.
    module.log_dict({**scores, f"{metrics.prefix}error": error}, sync_dist=True)


class TestScores:
    """Scores of each set that a module is tested on, class by class too: `test/…`, or `test/<name>/…` of several.

    Args:
        num_classes: Number of classes.
    """

    __test__ = False  # no test case of pytest's

    def __init__(self, num_classes: int) -> None:
        self.num_classes = num_classes
        self._sets: list[MetricCollection] = []

    def start(self, module: LightningModule) -> None:
        """Forgets an earlier test, and reads the names of the sets."""
        names = set_names(module.trainer.test_dataloaders)
        prefixes = [f"test/{name}/" if name else "test/" for name in names]
        self._sets = [classification_metrics(self.num_classes, p, each_class=True).to(module.device) for p in prefixes]

    def update(self, number: int, logits: Float[Tensor, "b k"], label: Int[Tensor, " b"]) -> None:
        """Adds a batch of a set."""
        self._sets[number].update(logits, label)

    def log(self, module: LightningModule) -> None:
        """Logs the scores of every set."""
        for metrics in self._sets:
            log_scores(module, metrics)
