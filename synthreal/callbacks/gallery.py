"""What a GM-CML network says about the gallery."""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from lightning.fabric.utilities.apply_func import move_data_to_device
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor

from synthreal.datamodules import ForegroundDataModule
from synthreal.errors import ConfigError
from synthreal.modules import GMCML
from synthreal.networks.modes import evaluating


class Gallery(NamedTuple):
    """The gallery's images as a network sees them, on its device."""

    label: Int[Tensor, " n"]
    descriptor: Float[Tensor, "n d"]
    """Input of the classifier's last linear layer."""
    latent: Float[Tensor, "n l"] | None
    """Means of the latent Gaussians; None where there is no latent."""
    viewpoint: Float[Tensor, "n 3"] | None
    """Azimuth, elevation and in-plane tilt, degrees; None where they are unknown."""


def foreground_run(callback: Callback, trainer: Trainer, module: LightningModule) -> tuple[GMCML, ForegroundDataModule]:
    """Returns module and datamodule as what they are.

    Raises:
        ConfigError: If the module is no GMCML or the datamodule no ForegroundDataModule.
    """
    data: object = getattr(trainer, "datamodule", None)
    if not isinstance(module, GMCML) or not isinstance(data, ForegroundDataModule):
        raise ConfigError(
            f"{type(callback).__name__} follows a GMCML on a ForegroundDataModule, not a {type(module).__name__} on a "
            f"{type(data).__name__}."
        )
    return module, data


def recognise_gallery(trainer: Trainer, module: GMCML, data: ForegroundDataModule) -> Gallery:
    """Passes the whole gallery through a network as a test would: in evaluation mode, in the trainer's precision."""
    held, parts = data.gallery, []
    with evaluating(module), torch.no_grad():
        for draws in held.loader(data.eval_batch_size, 0, None):  # no trainer: the whole gallery, on every process
            batch = held.batch(move_data_to_device(draws, module.device))
            with trainer.precision_plugin.forward_context():
                seen = module.network.recognise(batch["image"], batch["image"])
            latent = None if seen.reconstruction is None else seen.reconstruction.mean
            parts.append(Gallery(batch["label"], seen.descriptor.float(), latent, batch.get("viewpoint")))
    latents = [part.latent for part in parts if part.latent is not None]
    viewpoints = [part.viewpoint for part in parts if part.viewpoint is not None]
    return Gallery(
        torch.cat([part.label for part in parts]),
        torch.cat([part.descriptor for part in parts]),
        torch.cat(latents) if latents else None,
        torch.cat(viewpoints) if viewpoints else None,
    )
