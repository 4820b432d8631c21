"""Grey images painted: coloured objects on photos, with their semantic maps (GM-CML, sec. III), from digits alone."""

import copy
from functools import cached_property
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from synthreal.batch import Batch, Draws, LabelledImages
from synthreal.datasets.pictures import Pictures, PictureSource
from synthreal.errors import ConfigError
from synthreal.generators.base import ImageGenerator
from synthreal.generators.randomness import uniforms
from synthreal.rendering.compositing import boxes, crops, over
from synthreal.rendering.palette import class_colours
from synthreal.spaces import Continuous, ParameterSpace, Product

_CROP, _COLOUR, _PLACE = range(20, 23)  # purposes of a sample's own random numbers
_DARKEST = 0.6
_DIM = 1 / 255  # brightness that is nothing in 8 bits
_SPREAD = 0x9E3779B97F4A7C15 - 2**64  # 2^64 over the golden ratio, odd


class Painted(ImageGenerator):
    """Colours the light objects on dark ground of another generator, and puts photos behind them.

    An object's brightness is its mask. Its colour has any hue and a strongest channel of 0.6 to 1, and is drawn from
    the seed, so that it says nothing about the class; `semantic` is the class colour times the mask, without shading by
    depth, as these objects are flat. Real images stay real. u is that of the other generator, then (background) if
    there is one. The viewpoint is (0, 0, rotation) if u has a rotation, as that of `Glyphs`.

    Args:
        generator: Makes grey images, values 0 to 1: `Glyphs`, or `StoredImages` of handwritten digits.
        background: Photos; None for black. With photos images must be square.

    Raises:
        ConfigError: If u has a background already.
    """

    def __init__(self, generator: ImageGenerator, background: PictureSource | None = None) -> None:
        if "background" in generator.space.columns:
            raise ConfigError(f"{type(generator).__name__} has a background already: leave that out, paint before it.")
        self.generator, self.background = generator, background
        self.num_classes = generator.num_classes
        own = [Continuous("background", 0, 1)] if background else []
        # One factor a bucket, those of the generator first, so that its buckets are those of the result.
        self.space = Product([*_factors(generator.space), *own])
        self._on_device: dict[torch.device, tuple[Float[Tensor, "c 3"], Pictures | None]] = {}

    def __deepcopy__(self, memo: dict[int, Any]) -> "Painted":
        # The photos never change: copies share them.
        other = copy.copy(self)
        other.generator = copy.deepcopy(self.generator, memo)
        return other

    @property
    def classes(self) -> tuple[str, ...]:
        """Those of the generator that is painted, which may learn them from its source."""
        return self.generator.classes

    def bind(self, source: LabelledImages) -> None:
        """Hands the real images on. See `ImageGenerator.bind`."""
        self.generator.bind(source)

    def stored(self) -> Draws | None:
        """See `ImageGenerator.stored`; each gets a background of its own, always the same."""
        stored = self.generator.stored()
        if stored is None or self.background is None:
            return stored
        place = uniforms(torch.arange(len(stored["bucket"])), _PLACE, 1)
        return {**stored, "parameters": torch.cat([stored["parameters"], place], 1)}

    def generate(self, draws: Draws, device: torch.device) -> Batch:
        """See `ImageGenerator.generate`. Adds semantic, mask, box, and viewpoint if there is a rotation.

        Raises:
            ConfigError: If the images are not grey, or not square although there is a background.
        """
        made = self.generator.generate(self._inner(draws), device)
        mask, label = made["image"], made["label"]
        if device not in self._on_device:
            self._check(mask)
            pictures = self.pictures.to(device) if self.pictures else None
            self._on_device[device] = class_colours(self.num_classes).to(device), pictures
        colours, pictures = self._on_device[device]
        # Stored images count their seeds from 0 in every class: the label tells those apart.
        seed = draws["seed"] + label * _SPREAD
        image = _colours(seed)[:, :, None, None] * mask
        if pictures is not None:
            index = pictures.by_class.choose(label, draws["parameters"][:, -1])
            image = over(image, mask, crops(pictures.images, index, uniforms(seed, _CROP, 4), mask.shape[-1]))
        painted: Batch = {**made, "image": image, "mask": mask, "parameters": draws["parameters"]}
        # Thin strokes nowhere cover half a pixel: the box is of what is half as bright as the brightest point.
        painted["box"] = boxes(mask / mask.amax((2, 3), keepdim=True).clamp(min=_DIM))
        painted["semantic"] = colours[label][:, :, None, None] * mask
        if "rotation" in self.space.columns:
            rotation = draws["parameters"][:, self.space.columns.index("rotation")]
            zero = torch.zeros_like(rotation)
            painted["viewpoint"] = torch.stack([zero, zero, rotation], 1)
        return painted

    def name(self, draws: Draws) -> dict[str, list[str]]:
        """See `ImageGenerator.name`: what the generator names, and the background if there is one."""
        names = self.generator.name(self._inner(draws))
        if self.pictures is not None:
            parameters = draws["parameters"]
            behind = self.pictures.by_class.choose(parameters[:, 0].long(), parameters[:, -1])
            names = {**names, "background": [self.pictures.names[i] for i in behind.tolist()]}
        return names

    @cached_property
    def pictures(self) -> Pictures | None:
        """The backgrounds, read when they are first needed."""
        return self.background.load(self.generator.classes) if self.background else None

    def _inner(self, draws: Draws) -> Draws:
        width = len(self.generator.space.columns)
        return Draws(bucket=draws["bucket"], parameters=draws["parameters"][:, :width], seed=draws["seed"])

    def _check(self, image: Float[Tensor, "b c h w"]) -> None:
        channels, height, width = image.shape[1:]
        name = type(self.generator).__name__
        if channels != 1:
            raise ConfigError(f"{name} makes images of {channels} channels; Painted colours grey ones, of one channel.")
        if self.background is not None and height != width:
            raise ConfigError(f"{name} makes images of {height} × {width} pixels; backgrounds are square.")


def _colours(seed: Int[Tensor, " b"]) -> Float[Tensor, "b 3"]:
    """Colours of any hue, their strongest channel 0.6 to 1."""
    free = uniforms(seed, _COLOUR, 4)
    mixture, strength = free[:, :3] + 2**-24, _DARKEST + (1 - _DARKEST) * free[:, 3:]  # never all 0
    return mixture / mixture.amax(1, keepdim=True) * strength


def _factors(space: ParameterSpace) -> tuple[ParameterSpace, ...]:
    return space.factors if isinstance(space, Product) else (space,)
