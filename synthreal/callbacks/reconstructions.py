"""Pictures of the objects that a GM-CML network finds in photos, while it trains, and of its latent space."""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor

from synthreal.batch import Batch, select_draws
from synthreal.callbacks.gallery import Gallery, foreground_run, recognise_gallery
from synthreal.callbacks.records import kept_folder, log_figure
from synthreal.datamodules import ForegroundDataModule
from synthreal.datamodules.transforms import transform
from synthreal.datasets.by_class import by_label
from synthreal.errors import ConfigError
from synthreal.modules import GMCML
from synthreal.networks import VariationalCoder
from synthreal.networks.modes import evaluating
from synthreal.plots import image_rows

_DIMENSIONS = 2  # of the latent, those that vary most
_FARTHEST = 3  # standard deviations


class Reconstructions(Callback):
    """Draws photos, what the network makes of them and what it should, while it trains (GM-CML, Fig. 6 and 9).

    The figure `reconstructions_<step>` has training images of the last phase, of all classes and always the same ones.
    When training ends, `latent_traversals` shows what a `VariationalCoder` decodes about the centre of each class
    (Fig. 6c and 7): a row a class, a panel for each of the two latent dimensions that vary most over the gallery, along
    which the code moves from -3 to 3 of its standard deviations. Figures go to the run's folder and to every logger
    that takes images. A network without reconstruction draws nothing, and warns of it.

    Args:
        every: Steps between two figures; there is one when training ends, too.
        examples: Images in a figure; as many as there are classes show all of them.

    Raises:
        ConfigError: If a number is below 1, the module is no GMCML or the datamodule no ForegroundDataModule.
    """

    def __init__(self, every: int = 500, examples: int = 16) -> None:
        if every < 1 or examples < 1:
            raise ConfigError(f"every and examples are at least 1, not {every} and {examples}.")
        self.every, self.examples = every, examples
        self._shown: Batch | None = None
        self._drawn = 0

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Checks module and datamodule."""
        module, _ = foreground_run(self, trainer, pl_module)
        self._shown = None
        if module.network.reconstructor is None and stage == "fit":
            rank_zero_warn("This GMCML has no reconstructor: Reconstructions draws nothing.")

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Notes where training starts: there is nothing new to draw before the next step."""
        self._drawn = trainer.global_step

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Batch, batch_idx: int
    ) -> None:
        """Draws when it is time to; batches whose gradients accumulate are one step."""
        if trainer.global_step % self.every == 0 and trainer.global_step > self._drawn:
            self._draw(trainer, *foreground_run(self, trainer, pl_module))

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draws the last figure, and the latent space."""
        module, data = foreground_run(self, trainer, pl_module)
        if trainer.global_step > self._drawn:
            self._draw(trainer, module, data)
        folder, coder = kept_folder(trainer), module.network.reconstructor
        if folder is None or not isinstance(coder, VariationalCoder):
            return
        gallery = recognise_gallery(trainer, module, data)
        with evaluating(coder), torch.no_grad():
            panels = traversals(coder, gallery, data.classes)
        log_figure(image_rows(panels), "latent_traversals", folder, trainer.loggers)

    def _draw(self, trainer: Trainer, module: GMCML, data: ForegroundDataModule) -> None:
        self._drawn = trainer.global_step
        folder, coder = kept_folder(trainer), module.network.reconstructor
        if folder is None or coder is None:
            return
        if self._shown is None:
            self._shown = _examples(data, self.examples)
        image, target = self._shown["image"], self._shown["semantic"]
        with evaluating(coder), torch.no_grad():
            made = coder(image.to(module.device)).image
        rows = {"input": image, "reconstruction": made, "target": target}
        figure = image_rows({f"step {trainer.global_step}": rows})
        log_figure(figure, f"reconstructions_{trainer.global_step:06d}", folder, trainer.loggers)


def traversals(
    coder: VariationalCoder, gallery: Gallery, classes: Sequence[str]
) -> dict[str, dict[str, Float[Tensor, "s c h w"]]]:
    """Returns what a coder decodes about the mean code of each class, moved along the dimensions that vary most.

    Args:
        coder: The network, in evaluation mode.
        gallery: Codes and classes of images; a class without images is left out.
        classes: Name of each class.

    Returns:
        A panel for each dimension → a row for each class → images at -3, -2, …, 3 standard deviations of all codes.
    """
    assert gallery.latent is not None  # a variational coder's
    deviation = gallery.latent.std(0, correction=0)
    present = gallery.label.unique().tolist()
    centres = torch.stack([gallery.latent[gallery.label == label].mean(0) for label in present])
    moves = torch.arange(-_FARTHEST, _FARTHEST + 1, device=centres.device)
    panels = {}
    for dimension in deviation.topk(min(_DIMENSIONS, len(deviation))).indices.tolist():
        codes = centres[:, None].repeat(1, len(moves), 1)  # class, step, latent
        codes[:, :, dimension] += moves * deviation[dimension]
        rows = coder.decode(codes.flatten(0, 1)).unflatten(0, (len(present), -1))
        title = f"latent {dimension}, -{_FARTHEST} to {_FARTHEST} standard deviations"
        panels[title] = {classes[label]: row for label, row in zip(present, rows, strict=True)}
    return panels


def _examples(data: ForegroundDataModule, count: int) -> Batch:
    """Samples of the last phase, on the CPU, as validation would see them: sorted by class and evenly spread in it."""
    last = len(data.phases) - 1
    generator, draws = data.phases[last].generator, data.draws(last)
    each = generator.space.num_buckets // generator.num_classes  # buckets of a class, which is the first factor
    place = torch.arange(count).double() * generator.num_classes / count
    members = by_label(draws["bucket"] // each, generator.num_classes)
    made = generator.generate(select_draws(draws, members.choose(place.long(), place.frac())), torch.device("cpu"))
    return {**made, "image": transform(made["image"], data.evaluation_transform)}
