"""Files of a rendered data set: where an image and its maps lie, in folders or shards, and their pixels."""

import io
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageOps, UnidentifiedImageError

from synthreal.datasets.decoding import in_threads
from synthreal.errors import DatasetError


@dataclass(frozen=True)
class Place:
    """Where a picture is: a file of its own, or some bytes of a shard.

    Attributes:
        file: The picture's file, or the shard.
        offset: First byte.
        size: Number of bytes; -1 is all to the end.
    """

    file: Path
    offset: int = 0
    size: int = -1

    def content(self) -> bytes:
        """The picture's bytes, still encoded."""
        with self.file.open("rb") as file:
            file.seek(self.offset)
            return file.read(self.size)


Sample = tuple[Place, ...]
"""An image and its maps."""


def path_of_map(name: str, image: str, shards: bool) -> str:
    """Where a map lies, as the manifest would say it.

    Args:
        name: The map, such as "semantic".
        image: Path of its image in the manifest.
        shards: Whether the layout is shards, not folders.
    """
    return f"{image.removesuffix('.png')}.{name}.png" if shards else f"{name}/{image.partition('/')[2]}"


def place_of_file(file: Path) -> Place | None:
    """Place of a file of its own; None if there is none."""
    return Place(file) if file.is_file() else None


def members_of(shard: Path) -> list[tuple[str, Place]]:
    """Path in the manifest and place of each file in a shard; none if the shard is missing.

    Raises:
        DatasetError: If it is no whole tar file.
    """
    if not shard.is_file():
        return []
    try:
        with tarfile.open(shard, "r:") as tar:
            return [(f"{shard.name}/{file.name}", Place(shard, file.offset_data, file.size)) for file in tar]
    except tarfile.TarError as error:
        raise DatasetError(
            f"{shard} is no whole tar file ({error}). Delete its record in {shard.parent / 'parts'}, and the same "
            "predict command makes it again."
        ) from error


def decode_all(samples: Sequence[Sample], side: int | None) -> tuple[UInt8[np.ndarray, "n c h w"], dict[int, str]]:
    """Reads images with their maps as further channels.

    Args:
        samples: Places of each image and its maps.
        side: Images become squares of this many pixels: the shorter side is scaled, and the middle is kept. None
            leaves them as they are.

    Returns:
        The images, of the first readable one's shape, and by row why some are none; these are left unfilled.
    """
    first = next((image for image in (_decode(sample, side) for sample in samples) if not isinstance(image, str)), None)
    # Filled in place: a large set would not fit into memory twice.
    images = np.empty((len(samples), *(first.shape if first is not None else (0, 0, 0))), np.uint8)

    def read(row: int) -> str | None:
        """Fills in one image, or says why there is none."""
        image = _decode(samples[row], side)
        if isinstance(image, str):
            return image
        if image.shape != images.shape[1:]:
            return f"its shape [C, H, W] is {list(image.shape)}, not {list(images.shape[1:])}"
        images[row] = image
        return None

    reasons = in_threads(read, range(len(samples)), "Reading images")
    return images, {row: reason for row, reason in enumerate(reasons) if reason is not None}


def _decode(sample: Sample, side: int | None) -> UInt8[np.ndarray, "c h w"] | str:
    """An image with its maps as further channels, or why there is none."""
    pictures: list[Image.Image] = []
    for place in sample:
        whose = "its map: " if pictures else ""
        try:
            with Image.open(io.BytesIO(place.content())) as file:
                pictures.append(_on_black(file))
                pictures[-1].load()
        except UnidentifiedImageError:  # it would name the bytes' address
            return f"{whose}no picture"
        except Exception as error:  # Pillow raises nearly anything on files that only begin well
            return f"{whose}{error}"
    sizes = [picture.size for picture in pictures]
    for width, height in sizes[1:]:
        if (width, height) != sizes[0]:
            return f"its map is {width} × {height} pixels, not {sizes[0][0]} × {sizes[0][1]}"
    if side is not None:
        pictures = [ImageOps.fit(picture, (side, side), Image.Resampling.BILINEAR) for picture in pictures]
    return np.concatenate([np.atleast_3d(np.asarray(picture)) for picture in pictures], 2).transpose(2, 0, 1)


def _on_black(image: Image.Image) -> Image.Image:
    """A picture without alpha: colours are written straight, and generators draw on black."""
    if image.mode in ("L", "RGB"):
        return image
    if image.mode not in ("LA", "RGBA"):
        raise ValueError(f"mode {image.mode} is neither grey nor RGB")
    ground = Image.new(image.mode.removesuffix("A"), image.size)
    ground.paste(image, mask=image.getchannel("A"))
    return ground
