"""Pictures of what an MrGAN makes, while it trains."""

from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from synthreal.batch import Batch
from synthreal.callbacks.records import kept_folder, log_figure
from synthreal.datamodules import UnpairedDataModule
from synthreal.errors import ConfigError
from synthreal.modules import MrGAN
from synthreal.modules.pairs import pair_of
from synthreal.networks.modes import evaluating
from synthreal.plots import image_rows


class RefinedImages(Callback):
    """Draws fixed examples of both domains: as they are, after each stage, and mapped back by the last.

    The figure `refined_<batches>` goes to the run's folder and to every logger that takes images.

    Args:
        every: Training batches between two figures; there is one when training ends, too.

    Raises:
        ConfigError: If `every` is below 1, the module is no MrGAN or the datamodule no UnpairedDataModule.
    """

    def __init__(self, every: int = 1000) -> None:
        if every < 1:
            raise ConfigError(f"every is at least 1, not {every}.")
        self.every = every

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Checks module and datamodule."""
        data: object = getattr(trainer, "datamodule", None)
        if not isinstance(pl_module, MrGAN) or not isinstance(data, UnpairedDataModule):
            raise ConfigError(
                "RefinedImages draws what an MrGAN makes of an UnpairedDataModule's images, not a "
                f"{type(pl_module).__name__} of a {type(data).__name__}'s."
            )

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Batch, batch_idx: int
    ) -> None:
        """Draws when it is time to."""
        if isinstance(pl_module, MrGAN) and pl_module.batches % self.every == 0:
            self._draw(trainer, pl_module)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draws the last figure."""
        if isinstance(pl_module, MrGAN) and pl_module.batches % self.every:
            self._draw(trainer, pl_module)

    def _draw(self, trainer: Trainer, module: MrGAN) -> None:
        folder = kept_folder(trainer)
        if folder is None:
            return
        examples: Batch = trainer.datamodule.examples  # type: ignore[attr-defined]
        real, synthetic = pair_of(examples)
        refiner, count = module.refiner, module.stage + 1
        stage = refiner.stage(count - 1)
        with evaluating(module), torch.no_grad():
            real, synthetic = real.to(module.device), synthetic.to(module.device)
            rows_real = [refiner.refine_real(real, k) for k in range(count + 1)]
            rows_synthetic = [refiner.refine_synthetic(synthetic, k) for k in range(count + 1)]
            rows_real.append(stage.to_real(rows_real[-1]))
            rows_synthetic.append(stage.to_synthetic(rows_synthetic[-1]))
        names = ["input", *(f"stage {k}" for k in range(1, count + 1)), "back"]
        panels = {
            "synthetic to real": dict(zip(names, rows_synthetic, strict=True)),
            "real to synthetic": dict(zip(names, rows_real, strict=True)),
        }
        log_figure(image_rows(panels), f"refined_{module.batches:06d}", folder, trainer.loggers)
