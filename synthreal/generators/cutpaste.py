"""The benchmark's merge: an object on a transparent background, turned, scaled and pasted on a photo (sec. 5.1)."""

import copy
import math
from functools import cached_property
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from synthreal.batch import Batch, Draws, LabelledImages, synthetic_batch
from synthreal.datasets.pictures import Pictures, PictureSource
from synthreal.errors import ConfigError
from synthreal.generators.base import ImageGenerator
from synthreal.generators.randomness import uniforms
from synthreal.rendering.compositing import affine_grid, boxes, crops, over, turned_square
from synthreal.spaces import Circular, Continuous, ParameterSpace, Product

_CROP = 10  # purpose of a sample's own random numbers
_CACHED_PIXELS = 2**16


class CutPaste(ImageGenerator):
    """Pastes what another generator draws on transparent ground onto backgrounds.

    The object is turned by any angle, scaled to U(0.5, 1) of the largest size at which its turned picture fits wholly
    into the background, and pasted at a random place; all in one `affine_grid` and `grid_sample` pass over the batch,
    with the mask and the box as by-products. u is that of the foreground, then (angle, scale, right, down, background).

    Args:
        foreground: Makes premultiplied images on black, with their masks: `MeshImages` without a background. Draw it
            at the size of the result or below twice that, or it will flicker when it is shrunk.
        background: Photos; `Scenes` for those that suit each class.
        image_size: Side of the result, pixels.
        scale: Least and largest size, as a share of the largest that fits.
        augment: First distort the object within its own picture, as the benchmark's augmentation does: RandomAffine
            with a turn of 0° to 180°, a shift of up to a third, and a scale of 0.1 to 1.
        smallest_crop: Least side of the part of a photo that is used, as a share of the photo's side.

    Raises:
        ConfigError: If a share or the size is out of range.
    """

    def __init__(
        self,
        foreground: ImageGenerator,
        background: PictureSource,
        image_size: int = 64,
        scale: tuple[float, float] = (0.5, 1.0),
        augment: bool = False,
        smallest_crop: float = 0.5,
    ) -> None:
        if not 0 < scale[0] < scale[1] <= 1:
            raise ConfigError(f"scale is least and largest share of the size that fits, not {scale}.")
        if not 0 < smallest_crop <= 1:
            raise ConfigError(f"smallest_crop is a share above 0 and up to 1, not {smallest_crop}.")
        if image_size < 1:
            raise ConfigError(f"image_size is at least 1 pixel, not {image_size}.")
        self.foreground, self.background, self.image_size = foreground, background, image_size
        self.augment, self.smallest_crop = augment, smallest_crop
        self.num_classes = foreground.num_classes
        own: list[ParameterSpace] = [Circular("angle"), Continuous("scale", *scale)]
        own += [Continuous(name, 0, 1) for name in ("right", "down", "background")]
        if augment:
            own += [Continuous("first angle", 0, 180, unit="degrees"), Continuous("first scale", 0.1, 1)]
            own += [Continuous(f"first shift {side}", -1 / 3, 1 / 3) for side in ("right", "down")]
        # One factor a bucket, those of the foreground first, so that its buckets are those of the result.
        self.space = Product([*_factors(foreground.space), *own])
        self._on_device: dict[torch.device, Pictures] = {}

    def __deepcopy__(self, memo: dict[int, Any]) -> "CutPaste":
        # The backgrounds never change: copies share them, and whichever needs them first loads them.
        other = copy.copy(self)
        other.foreground = copy.deepcopy(self.foreground, memo)
        return other

    @property
    def classes(self) -> tuple[str, ...]:
        """Those of the foreground, which may learn them from its source."""
        return self.foreground.classes

    def bind(self, source: LabelledImages) -> None:
        """Hands the real images to the foreground. See `ImageGenerator.bind`."""
        self.foreground.bind(source)

    def generate(self, draws: Draws, device: torch.device) -> Batch:
        """See `ImageGenerator.generate`. Adds mask and box.

        Raises:
            ConfigError: If the foreground makes no colour images with masks, or has a background of its own.
        """
        width = len(self.foreground.space.columns)
        parameters = draws["parameters"]
        made = self.foreground.generate(
            Draws(bucket=draws["bucket"], parameters=parameters[:, :width], seed=draws["seed"]), device
        )
        if device not in self._on_device:
            _check_foreground(made, type(self.foreground).__name__)
            self._on_device[device] = self.pictures.to(device)
        count, side = len(made["label"]), self.image_size
        image = made["image"].new_empty(count, 3, side, side)
        mask = image.new_empty(count, 1, side, side)
        # On a CPU a few images at a time stay in the cache: twice as fast.
        piece = max(1, _CACHED_PIXELS // side**2) if device.type == "cpu" else max(1, count)
        for start in range(0, count, piece):
            rows = slice(start, start + piece)
            columns = dict(zip(self.space.columns[width:], parameters[rows, width:].unbind(1), strict=True))
            pasted = self._pasted(torch.cat([made["image"][rows], made["mask"][rows]], 1), columns)
            pictures, label = self._on_device[device], made["label"][rows]
            behind = self._behind(pictures, label, columns["background"], draws["seed"][rows])
            mask[rows] = pasted[:, 3:]
            image[rows] = over(pasted[:, :3], pasted[:, 3:], behind)
        batch = synthetic_batch(image, made["label"], draws)
        batch["mask"], batch["box"] = mask, boxes(mask)
        return batch

    def name(self, draws: Draws) -> dict[str, list[str]]:
        """See `ImageGenerator.name`: what the foreground names, and the background."""
        width = len(self.foreground.space.columns)
        parameters = draws["parameters"]
        inner = Draws(bucket=draws["bucket"], parameters=parameters[:, :width], seed=draws["seed"])
        place = parameters[:, self.space.columns.index("background")]
        behind = self.pictures.by_class.choose(parameters[:, 0].long(), place)
        return {**self.foreground.name(inner), "background": [self.pictures.names[i] for i in behind.tolist()]}

    @cached_property
    def pictures(self) -> Pictures:
        """The backgrounds, read when they are first needed."""
        return self.background.load(self.foreground.classes)

    def _behind(self, pictures: Pictures, label: Tensor, position: Tensor, seed: Tensor) -> Float[Tensor, "b 3 h w"]:
        index = pictures.by_class.choose(label, position)
        return crops(pictures.images, index, uniforms(seed, _CROP, 4), self.image_size, self.smallest_crop)

    def _pasted(self, rgba: Float[Tensor, "b 4 s s"], columns: dict[str, Tensor]) -> Float[Tensor, "b 4 h w"]:
        matrix = paste_matrix(columns["angle"], columns["scale"], columns["right"], columns["down"])
        grid = affine_grid(matrix, self.image_size, self.image_size)
        if not self.augment:
            return F.grid_sample(rgba, grid, align_corners=False)
        shift = torch.stack([columns["first shift right"], columns["first shift down"]], 1) * 2
        first = affine_matrix(columns["first angle"], columns["first scale"], shift)
        inside = (grid.abs() <= 1).all(3)[:, None]  # what the first distortion pushed out of its picture is lost
        grid = torch.einsum("bhwk,bjk->bhwj", grid, first[:, :, :2]) + first[:, None, None, :, 2]
        return F.grid_sample(rgba, grid, align_corners=False) * inside


def paste_matrix(
    angle: Float[Tensor, " b"], scale: Float[Tensor, " b"], right: Float[Tensor, " b"], down: Float[Tensor, " b"]
) -> Float[Tensor, "b 2 3"]:
    """Returns the matrix from result to object coordinates, both from -1 to 1, for `affine_grid`.

    Args:
        angle: Counter-clockwise, degrees.
        scale: Share of the largest size at which the turned square fits the result.
        right: Place among those where it fits, 0 left to 1 right.
        down: The same, 0 top to 1 bottom.
    """
    side = scale / turned_square(angle)
    centre = (1 - scale)[:, None] * (2 * torch.stack([right, down], 1) - 1)
    return affine_matrix(angle, side, centre)


def affine_matrix(
    angle: Float[Tensor, " b"], scale: Float[Tensor, " b"], shift: Float[Tensor, "b 2"]
) -> Float[Tensor, "b 2 3"]:
    """Returns the matrix from output to input coordinates of a turn, then a scaling, then a shift.

    Args:
        angle: Counter-clockwise, degrees.
        scale: Factor.
        shift: Right and down, in halves of the image's side.
    """
    radian = angle * (math.pi / 180)
    cos, sin = radian.cos() / scale, radian.sin() / scale
    # y runs down: what turns counter-clockwise on screen has this inverse.
    inverse = torch.stack([torch.stack([cos, -sin], 1), torch.stack([sin, cos], 1)], 1)
    return torch.cat([inverse, -inverse @ shift[:, :, None]], 2)


def _check_foreground(made: Batch, name: str) -> None:
    if "mask" not in made or made["image"].shape[1] != 3:
        raise ConfigError(f"{name} makes no colour images with masks, which CutPaste needs to cut the object out.")
    if bool((made["image"] > made["mask"] + 1e-3).any()):
        raise ConfigError(f"{name} draws outside its mask: CutPaste needs the object alone. Leave out its background.")


def _factors(space: ParameterSpace) -> tuple[ParameterSpace, ...]:
    return space.factors if isinstance(space, Product) else (space,)
