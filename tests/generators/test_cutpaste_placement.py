"""Where the benchmark's merge puts an object, against forward transforms in NumPy and against Pillow."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from synthreal.generators import CutPaste
from synthreal.generators.cutpaste import affine_matrix, paste_matrix
from tests.generators.cutpaste_parts import SIZE, Even, Stamp, blobs, cut_paste, make, opaque, premultiplied, turned


def numbers(*values):
    return [torch.tensor([float(value)]) for value in values]


def forward(matrix):
    """Object to result coordinates: the other way round than `affine_grid` has it."""
    square = np.concatenate([matrix[0].double().numpy(), [[0, 0, 1]]])
    return np.linalg.inv(square)


def corners_of(matrix):
    corners = np.array([[-1, -1, 1], [1, -1, 1], [1, 1, 1], [-1, 1, 1]])
    return (corners @ forward(matrix).T)[:, :2]


share = st.floats(0, 1)
angles = st.floats(0, 360) | st.sampled_from([0, 45, 90, 135, 180, 270, 360])


@settings(max_examples=60)
@given(angles, st.floats(0.05, 1), share, share)
def test_every_turned_object_lies_wholly_within_the_result(angle, scale, right, down):
    corners = corners_of(paste_matrix(*numbers(angle, scale, right, down)))
    side = scale / (abs(np.cos(np.radians(angle))) + abs(np.sin(np.radians(angle))))
    free = 1 - scale  # on each side, in halves of the picture
    expected = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) @ turned(angle).T * side
    expected += free * (2 * np.array([right, down]) - 1)
    np.testing.assert_allclose(corners, expected, atol=2e-5)
    assert np.abs(corners).max() <= 1 + 2e-5
    np.testing.assert_allclose(np.ptp(corners, axis=0), 2 * scale, atol=5e-5)  # its upright box
    np.testing.assert_allclose(np.linalg.norm(corners[1] - corners[0]), 2 * side, atol=5e-5)


@given(angles, share, share)
@settings(max_examples=20)
def test_the_largest_object_touches_all_borders_and_a_small_one_reaches_each(angle, right, down):
    np.testing.assert_allclose(corners_of(paste_matrix(*numbers(angle, 1, right, down))).min(0), -1, atol=2e-5)
    np.testing.assert_allclose(corners_of(paste_matrix(*numbers(angle, 1, right, down))).max(0), 1, atol=2e-5)
    first = corners_of(paste_matrix(*numbers(angle, 0.5, 0, 0)))
    last = corners_of(paste_matrix(*numbers(angle, 0.5, 1, 1)))
    np.testing.assert_allclose([first.min(0), last.max(0)], [[-1, -1], [1, 1]], atol=2e-5)


@settings(max_examples=40)
@given(angles, st.floats(0.1, 2), st.tuples(st.floats(-1, 1), st.floats(-1, 1)), st.integers(0, 1000))
def test_an_affine_matrix_turns_scales_and_shifts(angle, scale, shift, seed):
    matrix = affine_matrix(*numbers(angle, scale), torch.tensor([shift], dtype=torch.float32))
    point = np.random.default_rng(seed).uniform(-1, 1, 2)
    out = turned(angle) @ point * scale + shift
    np.testing.assert_allclose(matrix[0].double().numpy() @ [*out, 1], point, atol=5e-5 / scale)


def test_at_rest_the_object_lies_over_the_background():
    colour, alpha = blobs()
    generator = cut_paste(premultiplied(colour, alpha), Even(200, 100, 50))
    batch = make(generator)
    expected = colour * alpha + (1 - alpha) * torch.tensor([200, 100, 50]).view(3, 1, 1) / 255
    torch.testing.assert_close(batch["image"][0], expected, atol=1e-6, rtol=0)
    torch.testing.assert_close(batch["mask"][0], alpha, atol=1e-6, rtol=0)


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_quarter_turns_are_those_of_the_pixels(turns):
    rgba = premultiplied(*blobs())
    batch = make(cut_paste(rgba), angle=90 * turns)
    expected = rgba.rot90(turns, (1, 2))  # torch's, too, turns counter-clockwise
    torch.testing.assert_close(batch["image"][0], expected[:3], atol=1e-5, rtol=0)
    torch.testing.assert_close(batch["mask"][0], expected[3:], atol=1e-5, rtol=0)


def test_half_the_size_in_a_corner_by_hand():
    rgba = opaque()
    batch = make(cut_paste(rgba), scale=0.5, right=1, down=0)
    # Two by two pixels become one: their mean, exactly.
    expected = rgba[:3].reshape(3, SIZE // 2, 2, SIZE // 2, 2).mean((2, 4))
    torch.testing.assert_close(batch["image"][0, :, : SIZE // 2, SIZE // 2 :], expected, atol=1e-5, rtol=0)
    assert batch["box"].tolist() == [[24, 0, 48, 24]]
    assert batch["mask"].sum() == pytest.approx(24 * 24, abs=1e-3)


@settings(max_examples=15)
@given(angles, st.floats(0.3, 1), share, share)
def test_mask_and_box_are_those_of_the_turned_square(angle, scale, right, down):
    batch = make(cut_paste(torch.ones(4, SIZE, SIZE)), angle=angle, scale=scale, right=right, down=down)
    side = scale / (abs(np.cos(np.radians(angle))) + abs(np.sin(np.radians(angle))))
    # Each border may end half a sample early or late; 0.6 itself occurs.
    assert float(batch["mask"].sum()) ** 0.5 == pytest.approx(side * SIZE, abs=0.61)
    y, x = np.nonzero(batch["mask"][0, 0].numpy() >= 0.5)
    assert batch["box"][0].tolist() == [x.min(), y.min(), x.max() + 1, y.max() + 1]
    # Corners of a turned square are thinner than half a pixel where they end.
    left, top = (1 - scale) * right * SIZE, (1 - scale) * down * SIZE
    around = [left, top, left + scale * SIZE, top + scale * SIZE]
    np.testing.assert_allclose(batch["box"][0], around, atol=1.6)


def by_pillow(colour, alpha, angle, scale, right, down, size, background):
    """The paper's merge, sec. 5.1: rotate with a larger canvas, scale by a share of what fits, paste with alpha."""
    pixels = torch.cat([colour, alpha]).permute(1, 2, 0).mul(255).round().byte().numpy()
    turned = Image.fromarray(pixels, "RGBA").rotate(angle, Image.Resampling.BICUBIC, expand=True)
    largest = min(size / turned.width, size / turned.height)
    side = round(turned.width * largest * scale), round(turned.height * largest * scale)
    small = turned.resize(side, Image.Resampling.BILINEAR)
    result = Image.new("RGB", (size, size), background)
    result.paste(small, (round((size - side[0]) * right), round((size - side[1]) * down)), small)
    return np.asarray(result, np.float32).transpose(2, 0, 1) / 255


@pytest.mark.parametrize("angle", [0, 20, 45, 100, 163, 250, 340])
@pytest.mark.parametrize(("scale", "right", "down"), [(1, 0.5, 0.5), (0.75, 0, 0.8)])
@pytest.mark.filterwarnings("ignore:'mode' parameter is deprecated")
def test_it_agrees_with_pillow(angle, scale, right, down):
    size = 96
    colour, alpha = blobs(size)
    generator = CutPaste(Stamp(premultiplied(colour, alpha)), Even(30, 200, 90), size)
    made = make(generator, angle=angle, scale=scale, right=right, down=down)["image"][0].numpy()
    expected = by_pillow(colour, alpha, angle, scale, right, down, size, (30, 200, 90))
    error = np.abs(made - expected).mean()
    assert error < 0.008
    if angle:
        wrong = by_pillow(colour, alpha, -angle, scale, right, down, size, (30, 200, 90))
        assert np.abs(made - wrong).mean() > 4 * error


@pytest.mark.parametrize("angle", [0, 33, 90, 211])
def test_a_white_object_on_white_has_no_dark_fringe(angle):
    _, alpha = blobs()
    hard = (alpha > 0.5).float()
    for mask in (alpha, hard, torch.ones_like(alpha)):
        generator = cut_paste(mask.repeat(4, 1, 1), Even(255, 255, 255), augment=True)
        image = make(generator, angle=angle, scale=0.61, **{"first angle": 50, "first scale": 0.7})["image"]
        torch.testing.assert_close(image, torch.ones_like(image), atol=1e-5, rtol=0)
