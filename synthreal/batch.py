"""What travels: draws from sampler to device, images and labels from device to model."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import TypedDict

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from synthreal.errors import ConfigError


class Domain(IntEnum):
    """Where an image comes from."""

    REAL = 0
    SYNTHETIC = 1


SET_SIZE = 5
"""Rows of a triplet set: reference, positive, far pose and two of other classes, see `role`."""


class Draws(TypedDict, total=False):
    """What a loader hands over: which real images, and which synthetic ones to make.

    A synthetic image is a pure function of its row (bucket, parameters, seed).
    """

    real: Int[Tensor, " r"]
    """Indices into the real images."""
    pixels: UInt8[Tensor, "r c h w"]
    """The real images themselves, if they stay on disk and a worker has read them."""
    bucket: Int[Tensor, " s"]
    """Bucket of each synthetic image, 0 to K - 1."""
    parameters: Float[Tensor, "s d"]
    """Generator parameters u; units and ranges are those of the generator's space."""
    seed: Int[Tensor, " s"]
    """Seed of everything that the parameters leave open, 0 to 2^63 - 2."""
    index: Int[Tensor, " s"]
    """Number of each synthetic sample in the data set that it belongs to."""
    role: Int[Tensor, " s"]
    """Place of each synthetic sample in its triplet set: 0 reference, 1 positive, 2 far pose, 3 and 4 other classes."""
    phase: int
    """Which of several fixed sets the samples are of."""


class Batch(TypedDict, total=False):
    """What a model sees. Real rows come first; `bucket` is -1 for them."""

    image: Float[Tensor, "b c h w"]
    """Values in [0, 1]."""
    label: Int[Tensor, " b"]
    domain: Int[Tensor, " b"]
    """`Domain` of each image."""
    bucket: Int[Tensor, " b"]
    parameters: Float[Tensor, "b d"]
    mask: Float[Tensor, "b 1 h w"]
    """Share of each pixel that the object covers, 0 to 1."""
    box: Float[Tensor, "b 4"]
    """Left, top, right, bottom of the object, pixels; right and bottom are exclusive. All 0 where nothing shows."""
    depth: Float[Tensor, "b 1 h w"]
    """Distance from the camera's plane, units of the mesh; 0 where there is nothing."""
    normals: Float[Tensor, "b 3 h w"]
    """Unit normals in camera axes (right, up, towards the camera); 0 where there is nothing."""
    semantic: Float[Tensor, "b 3 h w"]
    """Class colour shaded by depth, no background (GM-CML, sec. III)."""
    viewpoint: Float[Tensor, "b 3"]
    """Azimuth, elevation and in-plane tilt, degrees."""
    index: Int[Tensor, " b"]
    """Number of each sample in the data set that it belongs to."""
    role: Int[Tensor, " b"]
    """Place of each sample in its triplet set; see `Draws`."""


@dataclass(frozen=True)
class LabelledImages:
    """Images in memory with their labels.

    Args:
        images: uint8 [N, C, H, W].
        labels: int64 [N], values 0 to len(classes) - 1.
        classes: Name of each class.

    Raises:
        ConfigError: If shapes, types or labels do not fit together.
    """

    images: UInt8[Tensor, "n c h w"]
    labels: Int[Tensor, " n"]
    classes: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.images.dtype != torch.uint8 or self.images.ndim != 4:
            raise ConfigError(f"images must be uint8 [N, C, H, W], not {self.images.dtype} {list(self.images.shape)}.")
        if self.labels.dtype != torch.int64:
            raise ConfigError(f"labels must be int64, not {self.labels.dtype}.")
        if self.labels.shape != self.images.shape[:1]:
            raise ConfigError(f"{len(self.images)} images but labels of shape {list(self.labels.shape)}.")
        if len(self.labels) and not 0 <= int(self.labels.min()) <= int(self.labels.max()) < len(self.classes):
            raise ConfigError(
                f"labels run from {int(self.labels.min())} to {int(self.labels.max())}, "
                f"but there are {len(self.classes)} classes (0 to {len(self.classes) - 1})."
            )

    def __len__(self) -> int:
        return len(self.images)

    def select(self, index: Int[Tensor, " k"]) -> "LabelledImages":
        """Returns the images at `index`, in that order."""
        return LabelledImages(self.images[index], self.labels[index], self.classes)

    def to(self, device: torch.device) -> "LabelledImages":
        """Returns the same images on `device` (itself if they are there)."""
        if self.images.device == device:
            return self
        return LabelledImages(self.images.to(device), self.labels.to(device), self.classes)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of an image."""
        channels, height, width = self.images.shape[1:]
        return channels, height, width

    def pixels(self, index: Int[Tensor, " k"]) -> Float[Tensor, "k c h w"]:
        """Returns the images at `index`, values in [0, 1]."""
        # On CPU index_select copies whole images; indexing with [] goes pixel by pixel and takes three times as long.
        return self.images.index_select(0, index).div(255)

    def batch(self, index: Int[Tensor, " k"]) -> Batch:
        """Returns the images at `index` as a batch of real images, values in [0, 1]."""
        return real_batch(self.pixels(index), self.labels[index])

    def digests(self) -> list[str]:
        """Returns the SHA-256 of each image's pixels."""
        return [hashlib.sha256(image.data).hexdigest() for image in self.images.cpu().contiguous().numpy()]

    def fingerprint(self) -> str:
        """Returns the SHA-256 of shape, pixels, labels and class names."""
        digest = hashlib.sha256(repr((tuple(self.images.shape), self.classes)).encode())
        digest.update(self.images.cpu().contiguous().numpy().data)
        digest.update(self.labels.cpu().contiguous().numpy().data)
        return digest.hexdigest()


def select_draws(draws: Draws, index: Int[Tensor, " n"]) -> Draws:
    """Returns the rows of synthetic draws at `index`, in that order."""
    return {"bucket": draws["bucket"][index], "parameters": draws["parameters"][index], "seed": draws["seed"][index]}


def numbered(draws: Draws, index: Int[Tensor, " n"]) -> Draws:
    """Returns the rows of a fixed set's draws at `index`, with it."""
    return {**select_draws(draws, index), "index": index}


def real_batch(image: Float[Tensor, "r c h w"], label: Int[Tensor, " r"]) -> Batch:
    """Returns the batch of real images, values in [0, 1]."""
    return {
        "image": image,
        "label": label,
        "domain": torch.full_like(label, Domain.REAL),
        "bucket": torch.full_like(label, -1),
    }


def synthetic_batch(image: Float[Tensor, "s c h w"], label: Int[Tensor, " s"], draws: Draws) -> Batch:
    """Returns the batch of synthetic images, values in [0, 1], that were made from draws."""
    return {
        "image": image,
        "label": label,
        "domain": torch.full_like(label, Domain.SYNTHETIC),
        "bucket": draws["bucket"],
        "parameters": draws["parameters"],
    }


def join(batches: Sequence[Batch]) -> Batch:
    """Returns one batch after the other as one, with the keys that all of them have.

    If only some have `parameters`, they are NaN for the others.
    """
    widths = [batch["parameters"].shape[1] for batch in batches if "parameters" in batch]
    if widths:
        batches = [_with_parameters(batch, widths[0]) for batch in batches]
    keys = [key for key in batches[0] if all(key in batch for batch in batches)]
    return Batch(**{key: torch.cat([batch[key] for batch in batches]) for key in keys})  # type: ignore


def _with_parameters(batch: Batch, width: int) -> Batch:
    if "parameters" in batch:
        return batch
    none = torch.full((len(batch["label"]), width), float("nan"), device=batch["label"].device)
    return {**batch, "parameters": none}
