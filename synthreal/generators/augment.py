"""The seven transformations of SampleAhead's digit experiment (sec. 4.1), one and only one a sample."""

import math
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from synthreal.batch import Batch, Draws, LabelledImages, synthetic_batch
from synthreal.errors import ConfigError
from synthreal.generators.base import ImageGenerator
from synthreal.rendering.compositing import affine_grid
from synthreal.spaces import Categorical, Continuous, Product, Union


def affine_matrices(
    which: Int[Tensor, " n"], value: Float[Tensor, " n"], height: int, width: int
) -> Float[Tensor, "n 2 3"]:
    """Returns the matrix of each sample, from output to input pixels, in pixels about the image's centre.

    Args:
        which: 0 rotation (degrees, counter-clockwise), 1 and 2 vertical and horizontal scaling (relative change),
            3 and 4 vertical and horizontal shift (pixels, down and right), 5 and 6 vertical and horizontal shear
            (pixels along the axis for each pixel across it).
        value: Value of that transformation.
        height: Image height.
        width: Image width.
    """
    # One row for each transformation: its value where it is the chosen one, else 0.
    chosen = value * (which == torch.arange(7, device=value.device)[:, None])
    angle = chosen[0] * (math.pi / 180)
    cos, sin = angle.cos(), angle.sin()
    down, right = cos / (1 + chosen[1]), cos / (1 + chosen[2])
    shift_y, shift_x = chosen[3] * (-2 / height), chosen[4] * (-2 / width)
    across_x, across_y = (sin + chosen[6]) * (-height / width), (sin - chosen[5]) * (width / height)
    return torch.stack([right, across_x, shift_x, across_y, down, shift_y], 1).view(-1, 2, 3)


class Augment(ImageGenerator):
    """Transforms a random real image of the drawn class, in one `affine_grid` and `grid_sample` pass over the batch.

    u is (class, transformation, value); the draw's seed picks the image. Buckets: class × (4 bins of rotation, 2 of
    each of the six others) = 16 a class.

    Args:
        num_classes: Number of classes of the real images.
        rotation: Largest angle, degrees. The paper's is 15.
        scale: Largest relative change of height or width. Not given in the paper, as the next two.
        shift: Largest shift, pixels.
        shear: Largest shear, pixels for each pixel.
        padding: What lies beyond the border.

    Raises:
        ConfigError: If a range is not positive, or scale is 1 or more.
    """

    def __init__(
        self,
        num_classes: int = 10,
        rotation: float = 15.0,
        scale: float = 0.15,
        shift: float = 2.0,
        shear: float = 0.15,
        padding: Literal["zeros", "border", "reflection"] = "zeros",
    ) -> None:
        if scale >= 1:
            raise ConfigError(f"scale is a relative change below 1, not {scale}.")
        axes = [Continuous("rotation", -rotation, rotation, 4, "degrees")]
        for name, limit, unit in (("scale", scale, ""), ("shift", shift, "px"), ("shear", shear, "")):
            axes += [Continuous(f"{side} {name}", -limit, limit, 2, unit) for side in ("vertical", "horizontal")]
        self.num_classes = num_classes
        self.padding = padding
        self.space = Product(
            [Categorical("class", [str(i) for i in range(num_classes)]), Union("transformation", axes)]
        )

    def bind(self, source: LabelledImages) -> None:
        """Keeps the images to transform, sorted by class.

        Raises:
            ConfigError: If the classes differ in number, or a class has no image.
        """
        if len(source.classes) != self.num_classes:
            raise ConfigError(
                f"Augment was set up for {self.num_classes} classes, but the real images have "
                f"{len(source.classes)}: set num_classes to {len(source.classes)}."
            )
        self.classes = source.classes
        count = torch.bincount(source.labels, minlength=self.num_classes)
        if not bool((count > 0).all()):
            empty = [source.classes[i] for i in (count == 0).nonzero()[:, 0].tolist()]
            raise ConfigError(f"No real image to transform for the classes {empty}: give more training images.")
        self._source = source.select(source.labels.argsort(stable=True))
        self._count, self._first = count, count.cumsum(0) - count

    def generate(self, draws: Draws, device: torch.device) -> Batch:
        """See `ImageGenerator.generate`.

        Raises:
            ConfigError: If it was not given real images.
        """
        if not hasattr(self, "_source"):
            raise ConfigError("Augment transforms real images: set the data's `source`, or call `bind` first.")
        self._source = self._source.to(device)
        self._count, self._first = self._count.to(device), self._first.to(device)
        parameters = draws["parameters"]
        label, which = parameters[:, 0].long(), parameters[:, 1].long()
        image = self._source.pixels(self._first[label] + draws["seed"] % self._count[label])
        theta = affine_matrices(which, parameters[:, 2], image.shape[-2], image.shape[-1])
        grid = affine_grid(theta, image.shape[-2], image.shape[-1])
        image = F.grid_sample(image, grid, padding_mode=self.padding, align_corners=False)
        return synthetic_batch(image, label, draws)
