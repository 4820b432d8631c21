"""How far apart two domains of images are, before and after refinement."""

from typing import Any

import torch
from jaxtyping import Float
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor, nn
from torchmetrics.image.fid import FrechetInceptionDistance

from synthreal.batch import Batch, Domain
from synthreal.errors import ConfigError
from synthreal.modules import MrGAN
from synthreal.modules.scores import set_names
from synthreal.networks.pooled_pixels import PooledPixels


class _Given(nn.Module):
    """Stands for the feature network where features come in: each image goes through the real one only once."""

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.num_features = num_features

    def forward(self, features: Float[Tensor, "b d"]) -> Float[Tensor, "b d"]:
        """Returns the features."""
        return features


class FrechetDistance(Callback):
    """Fréchet distances between the domains' features, after each number of an MrGAN's stages (Heusel et al. 2017).

    Validation and test log `…/frechet/to_real_<k>`, from synthetic images that k stages have refined to real images,
    and `…/frechet/to_synthetic_<k>`, from real images that k stages have refined to synthetic ones; k = 0 is the gap as
    it was. A test compares the sets `real` and `synthetic`, whatever others there are. Values of different feature
    networks, or of different numbers of images, must not be compared.

    Args:
        features: Maps images [B, C, H, W] in [0, 1] to features [B, D]. `PooledPixels` has no weights;
            `ClassifierFeatures` takes those of a classifier that you have trained. None for PooledPixels.

    Raises:
        ConfigError: If the module is no MrGAN.
    """

    def __init__(self, features: nn.Module | None = None) -> None:
        self.features = (features or PooledPixels()).eval().requires_grad_(False)
        self._distances: dict[str, FrechetInceptionDistance] = {}

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Checks the module."""
        _mrgan(pl_module)

    def on_validation_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Forgets the last validation."""
        self._distances = {}

    def on_test_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Forgets the last test."""
        self._distances = {}

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Batch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Adds the features of a batch."""
        self._add(_mrgan(pl_module), batch)

    def on_test_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Batch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Adds the features of a batch, unless it is of a further test set."""
        if set_names(trainer.test_dataloaders)[dataloader_idx] in ("", "real", "synthetic"):
            self._add(_mrgan(pl_module), batch)

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Logs `val/frechet/…`."""
        self._log(trainer, pl_module, "val")

    def on_test_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Logs `test/frechet/…`."""
        self._log(trainer, pl_module, "test")

    @torch.no_grad()
    def _add(self, module: MrGAN, batch: Batch) -> None:
        self.features.to(module.device)
        from_real = bool(batch["domain"][0] == Domain.REAL)
        own, other = ("to_real", "to_synthetic") if from_real else ("to_synthetic", "to_real")
        refine = module.refiner.refine_real if from_real else module.refiner.refine_synthetic
        counts = range(module.stage + 2)
        for stages in counts:
            found = self.features(refine(batch["image"], stages).float()).flatten(1)
            self._distance(f"{other}_{stages}", found).update(found, real=False)
            if stages == 0:  # the images as they are: what the other domain is measured against
                for number in counts:
                    self._distance(f"{own}_{number}", found).update(found, real=True)

    def _distance(self, name: str, features: Float[Tensor, "b d"]) -> FrechetInceptionDistance:
        if name not in self._distances:
            self._distances[name] = FrechetInceptionDistance(_Given(features.shape[1])).to(features.device)
        return self._distances[name]

    def _log(self, trainer: Trainer, module: LightningModule, prefix: str) -> None:
        # By name: processes may have met the domains in another order, and compute together.
        for name, distance in sorted(self._distances.items()):
            counts = torch.stack([distance.real_features_num_samples, distance.fake_features_num_samples])
            # Of all processes: one that has a single image would leave the others waiting.
            if int(trainer.strategy.reduce(counts, reduce_op="sum").min()) > 1:
                module.log(f"{prefix}/frechet/{name}", distance.compute(), sync_dist=True)


def _mrgan(module: LightningModule) -> MrGAN:
    if not isinstance(module, MrGAN):
        raise ConfigError(f"FrechetDistance follows an MrGAN, not a {type(module).__name__}.")
    return module
