"""GM-CML's second score: the class of the nearest training image."""

from typing import Any

import torch
from jaxtyping import Float, Int
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor
from torchmetrics.classification import MulticlassAccuracy

from synthreal.batch import Batch
from synthreal.callbacks.gallery import Gallery, foreground_run, recognise_gallery
from synthreal.errors import ConfigError
from synthreal.modules.scores import set_names


class NearestNeighbour(Callback):
    """Logs `test/<set>/nn_error`, in %: the error of a nearest-neighbour classifier on descriptors, over all processes.

    The neighbours are training images of the last phase, `gallery` of the datamodule; distances are squared Euclidean,
    as in the triplet loss.

    Args:
        neighbours: How many of them vote, at least 1; of classes with as many votes, that of the nearest wins.

    Raises:
        ConfigError: If `neighbours` is below 1 or more than the gallery has, the module is no GMCML or the datamodule
            no ForegroundDataModule.
    """

    def __init__(self, neighbours: int = 1) -> None:
        if neighbours < 1:
            raise ConfigError(f"neighbours is at least 1, not {neighbours}.")
        self.neighbours = neighbours
        self._gallery: Gallery | None = None
        self._scores: list[MulticlassAccuracy] = []

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Checks module and datamodule."""
        foreground_run(self, trainer, pl_module)

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Passes the gallery through the network, and forgets an earlier test.

        Raises:
            ConfigError: If the gallery has too few images.
        """
        module, data = foreground_run(self, trainer, pl_module)
        self._gallery = recognise_gallery(trainer, module, data)
        if len(self._gallery.label) < self.neighbours:
            raise ConfigError(
                f"neighbours is {self.neighbours}, but the gallery has {len(self._gallery.label)} images: raise "
                "gallery_size, or the size of the last phase."
            )
        names = set_names(trainer.test_dataloaders)
        self._scores = [MulticlassAccuracy(len(data.classes), average="micro").to(module.device) for _ in names]

    def on_test_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Batch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Looks for the neighbours of a batch's images."""
        if self._gallery is not None:
            descriptor, known = outputs["descriptor"].float(), self._gallery
            found = vote_of_nearest(descriptor, known.descriptor, known.label, self.neighbours)
            self._scores[dataloader_idx].update(found, batch["label"])

    def on_test_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Logs the error of every test set, and lets the gallery go."""
        for name, score in zip(set_names(trainer.test_dataloaders), self._scores, strict=True):
            error = 100 * (1 - score.compute())
            # The same on every process already; without sync_dist Lightning warns about it.
            pl_module.log(f"test/{name}/nn_error" if name else "test/nn_error", error, sync_dist=True)
        self._gallery = None


def vote_of_nearest(
    descriptor: Float[Tensor, "b d"], known: Float[Tensor, "n d"], label: Int[Tensor, " n"], neighbours: int
) -> Int[Tensor, " b"]:
    """Returns the class that most of the nearest known descriptors have; of several such classes, the nearest one's.

    Args:
        descriptor: What to classify.
        known: Descriptors whose classes are known.
        label: Their classes.
        neighbours: How many vote, at most N.
    """
    # The fast way by a matrix product is too coarse where descriptors are close to each other and far from 0.
    distance = torch.cdist(descriptor, known, compute_mode="donot_use_mm_for_euclid_dist")
    nearest = label[distance.topk(neighbours, largest=False).indices]  # nearest first
    votes = (nearest[:, :, None] == nearest[:, None, :]).sum(2)
    return nearest.gather(1, votes.argmax(1, keepdim=True)).squeeze(1)  # the first of equal maxima
