"""Pictures of more than 8 bits a channel."""

import numpy as np
from PIL import Image

from synthreal.errors import DatasetError


def eight_bits(image: Image.Image) -> Image.Image:
    """Returns a picture with 8 bits a channel; 16 bits of grey keep their high byte, where Pillow would clip them.

    Pillow's modes I and F do not say which number is white. Older releases open PNGs of 16 bits as I, so that mode is
    taken for 16 bits as long as its numbers are.

    Raises:
        DatasetError: If its numbers are not those of 16 bits.
    """
    if image.mode != "F" and not image.mode.startswith("I"):
        return image
    grey = np.asarray(image)
    if image.mode == "F" or not 0 <= grey.min() <= grey.max() < 2**16:
        raise DatasetError(f"its numbers (mode {image.mode}) have no known white: save it with 8 or 16 bits a channel")
    return Image.fromarray((grey >> 8).astype(np.uint8))
