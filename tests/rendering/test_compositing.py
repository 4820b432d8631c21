"""Pictures over pictures, by hand and by NumPy loops."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from synthreal.rendering.compositing import boxes, crops, over, turned_square


def test_over_by_hand():
    # Half of a pixel is full red, premultiplied: half of what is behind shows through.
    image = torch.tensor([0.5, 0, 0]).view(1, 3, 1, 1)
    behind = torch.tensor([0.2, 0.4, 1.0]).view(1, 3, 1, 1)
    for mask, expected in ((0.5, [0.6, 0.2, 0.5]), (1.0, [0.5, 0, 0]), (0.0, [0.7, 0.4, 1.0])):
        made = over(image, torch.full((1, 1, 1, 1), mask), behind)
        torch.testing.assert_close(made.flatten(), torch.tensor(expected))


def test_over_is_porter_and_duffs():
    draw = np.random.default_rng(0)
    mask, colour, behind = draw.random((4, 1, 5, 6)), draw.random((4, 3, 5, 6)), draw.random((4, 3, 5, 6))
    expected = np.empty_like(colour)
    for place in np.ndindex(4, 3, 5, 6):
        alpha = mask[place[0], 0, place[2], place[3]]
        expected[place] = alpha * colour[place] + (1 - alpha) * behind[place]
    made = over(*(torch.from_numpy(table) for table in (colour * mask, mask, behind)))
    np.testing.assert_allclose(made.numpy(), expected, atol=1e-12)
    assert made.min() >= 0
    assert made.max() <= 1


@settings(max_examples=60)
@given(arrays(np.float32, array_shapes(min_dims=3, max_dims=3, max_side=9), elements=st.sampled_from([0, 0.3, 0.5, 1])))
def test_boxes_are_those_of_a_loop(mask):
    expected = np.zeros((len(mask), 4))
    for i, image in enumerate(mask):
        seen = [(x, y) for y, row in enumerate(image) for x, value in enumerate(row) if value >= 0.5]
        if seen:
            (left, top), (right, bottom) = np.min(seen, 0), np.max(seen, 0)
            expected[i] = left, top, right + 1, bottom + 1
    assert boxes(torch.from_numpy(mask)[:, None]).tolist() == expected.tolist()


def test_a_mask_of_nothing_has_no_box():
    assert boxes(torch.full((2, 1, 4, 5), 0.49)).tolist() == [[0, 0, 0, 0], [0, 0, 0, 0]]
    assert boxes(torch.ones(1, 1, 4, 5)).tolist() == [[0, 0, 5, 4]]


SIDE = 64


def slopes():
    """A picture whose red grows to the right and whose green grows downward, 3/255 a pixel; and an even one."""
    step = torch.arange(SIDE, dtype=torch.uint8) * 3
    red, green = step.expand(SIDE, SIDE), step[:, None].expand(SIDE, SIDE)
    picture = torch.stack([red, green, torch.full((SIDE, SIDE), 77, dtype=torch.uint8)])
    return torch.stack([picture, torch.full_like(picture, 200)])


def cut(*place, size=8, smallest=0.5, index=0):
    return crops(slopes(), torch.tensor([index]), torch.tensor([place], dtype=torch.float32), size, smallest)[0]


def expected_slope(left, side, size):
    """Values along an axis of a part that starts at `left` and is `side` wide, picture widths."""
    pixel = (left + side * (np.arange(size) + 0.5) / size) * SIDE - 0.5
    return 3 * pixel.clip(0, SIDE - 1) / 255


@settings(max_examples=40)
@given(*[st.floats(0, 1 - 2**-24, width=32)] * 4, st.sampled_from([0.2, 0.5, 1.0]))
def test_a_part_is_where_its_numbers_say(scale, column, row, mirror, smallest):
    made = cut(scale, column, row, mirror, smallest=smallest).numpy()
    side = smallest + (1 - smallest) * scale
    across, down = expected_slope((1 - side) * column, side, 8), expected_slope((1 - side) * row, side, 8)
    across = across if mirror < 0.5 else across[::-1]
    np.testing.assert_allclose(made[0], np.tile(across, (8, 1)), atol=2e-5)
    np.testing.assert_allclose(made[1], np.tile(down[:, None], (1, 8)), atol=2e-5)
    np.testing.assert_allclose(made[2], 77 / 255, atol=1e-6)


def test_the_corners_of_half_a_picture():
    # 32 of 64 pixels in 32: each is itself. Left of the top, then right of the bottom.
    np.testing.assert_allclose(cut(0, 0, 0, 0, size=32)[0, 0] * 255, np.arange(32) * 3, atol=1e-3)
    last = cut(0, 1, 1, 0, size=32) * 255
    np.testing.assert_allclose(last[0, 5], np.arange(32, 64) * 3, atol=1e-3)
    np.testing.assert_allclose(last[1, :, 5], np.arange(32, 64) * 3, atol=1e-3)


def test_the_whole_picture_and_its_mirror_image():
    whole = slopes()[0] / 255
    torch.testing.assert_close(cut(0.7, 0.2, 0.9, 0, size=SIDE, smallest=1), whole, atol=1e-5, rtol=0)
    torch.testing.assert_close(cut(1 - 2**-24, 0.2, 0.9, 0, size=SIDE), whole, atol=1e-5, rtol=0)
    torch.testing.assert_close(cut(0, 0, 0, 0.5, size=SIDE, smallest=1), whole.flip(2), atol=1e-5, rtol=0)


def test_a_part_finer_than_the_picture_has_no_dark_border():
    even = cut(0.3, 0, 1, 0, size=2 * SIDE, smallest=0.9, index=1)
    torch.testing.assert_close(even, torch.full_like(even, 200 / 255))


def test_each_sample_has_its_own_picture():
    place = torch.rand(3, 4, generator=torch.Generator().manual_seed(0))
    made = crops(slopes(), torch.tensor([1, 0, 1]), place, 8)
    torch.testing.assert_close(made[[0, 2]], torch.full((2, 3, 8, 8), 200 / 255))
    assert torch.equal(made[1], crops(slopes(), torch.tensor([0]), place[1:2], 8)[0])


@pytest.mark.parametrize("angle", [0.0, 30.0, 45.0, 90.0, 135.0, 222.0, 359.0])
def test_the_square_around_a_turned_square(angle):
    a = np.radians(angle)
    corners = np.array([[x, y] for x in (-0.5, 0.5) for y in (-0.5, 0.5)]) @ [
        [np.cos(a), np.sin(a)],
        [-np.sin(a), np.cos(a)],
    ]
    assert float(turned_square(torch.tensor([angle]))) == pytest.approx(np.ptp(corners[:, 0]), abs=1e-6)
