import numpy as np
import pytest

from synthreal.rendering.procedural import textures

RED, BLUE = (1.0, 0.0, 0.0), (0.0, 0.0, 1.0)


def rng():
    return np.random.default_rng(3)


TEXTURES = {
    "stripes": textures.stripes(RED, BLUE, 4),
    "upright": textures.stripes(RED, BLUE, 4, upright=True),
    "checker": textures.checker(RED, BLUE, 4),
    "dots": textures.dots(RED, BLUE, 3),
    "bands": textures.bands([(0.25, RED), (1.0, BLUE)]),
    "panels": textures.panels(RED, BLUE, 4, 2),
    "windows": textures.windows(RED, BLUE, 4),
    "spokes": textures.spokes(5, RED, BLUE),
    "noise": textures.noise(rng(), RED, BLUE),
    "camouflage": textures.noise(rng(), RED, BLUE, steps=2),
    "wood": textures.wood(rng(), (0.6, 0.4, 0.2)),
}


def share(image, colour):
    return (image == np.round(np.array(colour) * 255)).all(2).mean()


@pytest.mark.parametrize("image", TEXTURES.values(), ids=TEXTURES)
def test_textures_are_small_and_show_both_colours(image):
    assert image.dtype == np.uint8
    assert image.shape == (textures.SIZE, textures.SIZE, 3)
    assert 64 <= textures.SIZE <= 128
    assert len(np.unique(image.reshape(-1, 3), axis=0)) >= 2


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (textures.stripes(RED, BLUE, 4, 0.25), 0.25),
        (textures.stripes(RED, BLUE, 3, 0.5, upright=True), 0.5),
        (textures.checker(RED, BLUE, 4), 0.5),
        (textures.dots(RED, BLUE, 3, 0.3), np.pi * 0.09),
        (textures.bands([(0.25, RED), (1.0, BLUE)]), 0.75),
        (textures.panels(RED, BLUE, 4, 2, 0.05), 1 - (1 - 4 * 0.05) * (1 - 2 * 0.05)),
        (textures.windows(RED, BLUE, 4, (0.6, 0.5)), 0.3),
    ],
)
def test_the_second_colour_has_its_share(image, expected):
    assert share(image, RED) + share(image, BLUE) == 1
    assert share(image, BLUE) == pytest.approx(expected, abs=0.03)


def test_row_0_is_the_top():
    image = textures.bands([(0.25, RED), (1.0, BLUE)])
    assert tuple(image[0, 0]) == (0, 0, 255)
    assert tuple(image[-1, 0]) == (255, 0, 0)
    upright = textures.bands([(0.25, RED), (1.0, BLUE)], upright=True)
    assert tuple(upright[0, 0]) == (255, 0, 0)


def test_stripes_are_level_or_upright():
    assert (np.ptp(TEXTURES["stripes"], axis=1) == 0).all()
    assert (np.ptp(TEXTURES["upright"], axis=0) == 0).all()


def test_a_framed_texture_lies_between_two_values_of_v():
    image = textures.framed(np.full((60, 8, 3), 255, np.uint8), 0.2, 0.5, (0.0, 0.0, 0.0))
    v = 1 - (np.arange(len(image)) + 0.5) / len(image)
    np.testing.assert_array_equal(image[:, 0, 0] == 255, (v > 0.2) & (v < 0.5))


def test_noise_has_no_seam_and_as_many_tones_as_steps():
    image = TEXTURES["noise"].astype(int)
    for axis in (0, 1):
        inside = np.abs(np.diff(image, axis=axis)).max()
        seam = np.abs(image.take(0, axis) - image.take(-1, axis)).max()
        assert seam <= 1.2 * inside
    assert len(np.unique(TEXTURES["camouflage"].reshape(-1, 3), axis=0)) == 2


def test_grain_runs_along_u():
    image = TEXTURES["wood"][..., 0].astype(float)
    assert np.abs(np.diff(image, axis=1)).mean() < 0.5 * np.abs(np.diff(image, axis=0)).mean()
    assert image.max() <= 153
