"""The benchmark's distortion of an object before it is pasted, as two transforms by hand."""

import numpy as np
import pytest
import torch

from synthreal.generators import CutPaste
from tests.generators.cutpaste_parts import Even, Stamp, blobs, cut_paste, make, premultiplied, turned

FIRST = {"first_angle": 0, "first_scale": 1, "first_shift_right": 0, "first_shift_down": 0}


def spot(x, y, size=96):
    """A small round object at a place from -1 to 1."""
    down, across = torch.meshgrid(*[(torch.arange(size) + 0.5) / size * 2 - 1] * 2, indexing="ij")
    return torch.exp(-((across - x) ** 2 + (down - y) ** 2) / (2 * 0.05**2)).repeat(4, 1, 1)


def place_of(mask):
    """Centre of mass, from -1 to 1."""
    at = (np.arange(mask.shape[1]) + 0.5) / mask.shape[1] * 2 - 1
    return np.array([(mask * at).sum(), (mask * at[:, None]).sum()]) / mask.sum()


@pytest.mark.parametrize("seed", range(6))
def test_a_distorted_object_is_pasted_where_two_transforms_put_it(seed):
    draw = np.random.default_rng(seed)
    point, shift = draw.uniform(-0.4, 0.4, 2), draw.uniform(-1 / 3, 1 / 3, 2) / 2
    first = {"first_angle": draw.uniform(0, 180), "first_scale": draw.uniform(0.5, 1)}
    paste = {
        "angle": draw.uniform(0, 360),
        "scale": draw.uniform(0.6, 1),
        "right": draw.random(),
        "down": draw.random(),
    }
    generator = CutPaste(Stamp(spot(*point)), Even(), 96, augment=True)
    made = make(generator, **first, **paste, first_shift_right=shift[0], first_shift_down=shift[1])
    within = turned(first["first_angle"]) @ point * first["first_scale"] + 2 * shift  # widths to halves
    assert np.abs(within).max() < 0.85  # the whole spot stays in its picture
    side = paste["scale"] / np.abs(turned(paste["angle"])[0]).sum()
    expected = turned(paste["angle"]) @ within * side
    expected += (1 - paste["scale"]) * (2 * np.array([paste["right"], paste["down"]]) - 1)
    np.testing.assert_allclose(place_of(made["mask"][0, 0].double().numpy()), expected, atol=0.01)
    area = (2 * np.pi * 0.05**2) * (first["first_scale"] * side * 48) ** 2
    assert float(made["mask"].sum()) == pytest.approx(area, rel=0.05)


def test_what_the_distortion_pushes_out_of_the_picture_is_lost():
    generator = CutPaste(Stamp(spot(0.6, 0)), Even(), 96, scale=(0.05, 1), augment=True)
    small = {"scale": 0.5, "right": 0.5}  # half of the result is free around it
    assert make(generator, **FIRST | small)["mask"].max() > 0.8
    gone = make(generator, **FIRST | small | {"first_shift_right": 1 / 3})
    assert gone["mask"].max() < 1e-3
    assert gone["box"].tolist() == [[0, 0, 0, 0]]
    # Half of a whole picture shifted by a third is cut off at the frame it was in.
    square = CutPaste(Stamp(torch.ones(4, 96, 96)), Even(), 96, scale=(0.05, 1), augment=True)
    cut = make(square, **FIRST | {"scale": 0.5, "right": 0, "down": 0, "first_shift_right": 1 / 3})
    assert cut["box"].tolist() == [[16, 0, 48, 48]]


def test_a_distortion_at_rest_changes_nothing():
    rgba = premultiplied(*blobs())
    paste = {"angle": 71, "scale": 0.6, "right": 0.2}
    plain, augmented = make(cut_paste(rgba), **paste), make(cut_paste(rgba, augment=True), **FIRST | paste)
    # But for the half pixel in which the object's picture fades out: it ends with the frame.
    torch.testing.assert_close(augmented["image"], plain["image"], atol=0.005, rtol=0)
    torch.testing.assert_close(augmented["mask"], plain["mask"], atol=0.005, rtol=0)
