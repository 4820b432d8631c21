"""Colours that tell classes apart."""

import colorsys

import numpy as np
import pytest

from synthreal.rendering.palette import class_colours


def test_by_hand():
    expected = [[1, 0, 0], [0.725, 1, 0.45], [0, 1, 1], [0.725, 0.45, 1]]
    np.testing.assert_allclose(class_colours(4).numpy(), expected, atol=1e-6)
    assert class_colours(1).tolist() == [[1, 0, 0]]


@pytest.mark.parametrize("count", [2, 3, 9, 12, 20])
def test_hues_go_round_evenly_and_no_two_colours_are_near(count):
    colours = class_colours(count).numpy()
    hue, strength, value = np.array([colorsys.rgb_to_hsv(*row) for row in colours.tolist()]).T
    np.testing.assert_allclose(hue * count, np.arange(count), atol=1e-4)
    np.testing.assert_allclose(value, 1)
    assert set(strength.round(4)) == {1, 0.55}
    apart = np.abs(colours[:, None] - colours).sum(2)[~np.eye(count, dtype=bool)]
    assert apart.min() > 0.25
