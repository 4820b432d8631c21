"""A module that learns nothing: `predict` hands over what the data is."""

from lightning.pytorch import LightningModule

from synthreal.batch import Batch


class Passthrough(LightningModule):
    """Returns each batch as it is, so that `predict` can write what a generator makes. It has nothing to train."""

    def predict_step(self, batch: Batch, batch_idx: int) -> Batch:
        """Returns the batch."""
        return batch
