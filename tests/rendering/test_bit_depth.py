"""Pictures of more than 8 bits a channel: by the high byte, never clipped."""

import numpy as np
import pytest
from PIL import Image

from synthreal.errors import DatasetError
from synthreal.rendering.bit_depth import eight_bits

RAMP = np.arange(2**16).reshape(256, 256)


@pytest.mark.parametrize(("mode", "kind"), [("I;16", "<u2"), ("I;16L", "<u2"), ("I;16B", ">u2"), ("I", "<i4")])
def test_16_bits_keep_their_high_byte(mode, kind):
    image = Image.frombytes(mode, RAMP.shape, RAMP.astype(kind).tobytes())
    grey = eight_bits(image)
    assert grey.mode == "L"
    np.testing.assert_array_equal(np.asarray(grey), RAMP // 256)


@pytest.mark.parametrize("image", [RAMP.astype(np.int32) - 1, RAMP.astype(np.int32) + 1, RAMP.astype(np.float32)])
def test_numbers_without_a_known_white_are_refused(image):
    with pytest.raises(DatasetError, match="save it with 8 or 16 bits"):
        eight_bits(Image.fromarray(image))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK"])
def test_8_bits_stay_as_they_are(mode):
    image = Image.new(mode, (2, 3))
    assert eight_bits(image) is image
