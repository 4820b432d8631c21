"""A trained MrGAN behind a generator: refined images wherever a method asks for synthetic ones."""

from typing import Literal

import torch

from synthreal.batch import Batch, Draws, LabelledImages
from synthreal.errors import ConfigError
from synthreal.generators.base import ImageGenerator
from synthreal.networks.refiner import load_refiner


class Refined(ImageGenerator):
    """Makes images with another generator and refines them with an MrGAN, on the device (MrGAN paper, sec. 4.2).

    With `Passthrough`, `GeneratedDataModule` and `DatasetWriter` it writes a refined data set; in front of a
    `MixedDataModule` it refines on the fly. `StoredImages` hands out images that exist already, real ones too.

    Args:
        generator: Makes the images.
        checkpoint: Of a trained `MrGAN`.
        direction: "real" makes synthetic images more real, "synthetic" real ones more synthetic.
        stages: How many of the MrGAN's stages to apply; None for all. 1 of 2 is the CycleGAN that it began with.

    Raises:
        ConfigError: If there is no such checkpoint or stage, or one to be applied is not trained to its end.
    """

    def __init__(
        self,
        generator: ImageGenerator,
        checkpoint: str,
        direction: Literal["real", "synthetic"] = "real",
        stages: int | None = None,
    ) -> None:
        self.generator, self.direction, self.stages = generator, direction, stages
        self.space, self.num_classes = generator.space, generator.num_classes
        self.refiner, finished = load_refiner(checkpoint)
        count = len(self.refiner.stages)
        if stages is not None and not 0 <= stages <= count:
            raise ConfigError(f"{checkpoint} has {count} stages; stages cannot be {stages}.")
        if (count if stages is None else stages) > finished:
            advice = f"set stages to {finished}, or train on" if finished else "train on"
            raise ConfigError(f"{checkpoint}: {finished} of {count} stages are trained: {advice}.")

    @property
    def classes(self) -> tuple[str, ...]:
        """Those of the other generator, which may learn them from its source."""
        return self.generator.classes

    def bind(self, source: LabelledImages) -> None:
        """See `ImageGenerator.bind`."""
        self.generator.bind(source)

    def name(self, draws: Draws) -> dict[str, list[str]]:
        """See `ImageGenerator.name`."""
        return self.generator.name(draws)

    def stored(self) -> Draws | None:
        """See `ImageGenerator.stored`."""
        return self.generator.stored()

    def generate(self, draws: Draws, device: torch.device) -> Batch:
        """See `ImageGenerator.generate`; masks, boxes and the like are those of the image before."""
        made = self.generator.generate(draws, device)
        self.refiner.to(device)
        refine = self.refiner.refine_synthetic if self.direction == "real" else self.refiner.refine_real
        with torch.no_grad():
            return {**made, "image": refine(made["image"], self.stages)}
