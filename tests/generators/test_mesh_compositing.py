"""What rendered models are drawn with: backgrounds, occluders, textures, semantic maps, their light."""

import numpy as np
import pytest
import torch

from synthreal.batch import Draws
from synthreal.datasets.pictures import Noise
from synthreal.errors import ConfigError
from synthreal.generators.lighting import BackgroundLight
from synthreal.rendering.palette import class_colours
from tests.generators.mesh_parts import COLOURS, CPU, EVERYTHING, SIZE, WHITE, Plain, draws_of, images_of, make


def test_without_a_background_the_image_is_premultiplied():
    generator = images_of(**EVERYTHING | {"background": None})
    batch = generator.generate(draws_of(generator, 30), CPU)
    assert (batch["image"] <= batch["mask"] + 1e-6).all()
    assert (batch["image"] > 0).any(1).any(1).any(1).all()


def test_a_background_shows_where_the_object_does_not():
    over, bare = images_of(background=Plain(), lighting=WHITE), images_of(lighting=WHITE)
    for label in range(3):
        for place, number in ((0.1, 0), (0.49, 0), (0.51, 1), (1, 1)):
            composed = make(over, **{"class": label, "background": place})
            alone = make(bare, **{"class": label})
            draws = Draws(bucket=composed["bucket"], parameters=composed["parameters"])
            assert over.name(draws)["background"] == [f"plain_{2 * label + number}"]  # the class's own pictures only
            grey = (30 + 40 * (2 * label + number)) / 255
            assert torch.equal(composed["mask"], alone["mask"])
            expected = alone["image"] + (1 - alone["mask"]) * grey
            torch.testing.assert_close(composed["image"], expected, atol=1e-6, rtol=0)


def test_an_occluder_hides_a_square_by_hand():
    generator = images_of(occlusion=0.9, background=Noise(3, 32), outputs=["depth"])
    whole = make(generator, occluder_size=0)
    batch = make(generator, occluder_size=0.25, occluder_right=0.5, occluder_down=0.375)
    patch = torch.zeros(SIZE, SIZE, dtype=torch.bool)
    patch[8:16, 12:20] = True  # a quarter of 32 pixels about column 16 and row 12
    assert torch.equal(batch["mask"][0, 0], whole["mask"][0, 0].masked_fill(patch, 0))
    assert torch.equal(batch["image"][0, :, ~patch], whole["image"][0, :, ~patch])
    assert (batch["image"] - whole["image"])[0, :, patch].abs().max() > 0.05
    assert whole["mask"][0, 0, patch].min() == 1
    assert torch.equal(batch["depth"], whole["depth"])  # that of what is hidden
    assert make(generator, occluder_size=0.9, occluder_right=0.5, occluder_down=0.5)["box"].tolist() == [[0, 0, 0, 0]]


def test_an_occluder_shows_the_mirrored_background():
    # A background that no object stands before: nothing is as small as this one.
    generator = images_of(occlusion=0.9, background=Noise(3, 32), focal_length=(0.01, 0.01), supersampling=1)
    behind = make(generator, occluder_size=0)["image"][0]
    batch = make(generator, occluder_size=0.5, occluder_right=0.25, occluder_down=0.25)
    torch.testing.assert_close(batch["image"][0, :, :16, :15], behind.flip(2)[:, :16, :15])
    assert torch.equal(batch["image"][0, :, 16:], behind[:, 16:])


def test_without_a_background_an_occluder_cuts_a_hole():
    batch = make(images_of(occlusion=0.9), occluder_size=0.5, occluder_right=0.5, occluder_down=0.5)
    assert batch["image"][0, :, 8:24, 8:24].abs().max() == 0
    assert batch["image"].max() > 0


def surface(own_surface, count=1, **given):
    """Colours of the white-lit object in each of some images with plain textures."""
    generator = images_of(texture=Plain(), own_surface=own_surface, lighting=WHITE, vary_model=False)
    u = generator.space.centres()[:1].repeat(count, 1)
    for name, value in given.items():
        u[:, generator.space.columns.index(name)] = value
    draws = Draws(bucket=generator.space.assign(u), parameters=u, seed=torch.arange(count) * 7919)
    batch = generator.generate(draws, CPU)
    return (batch["image"] * (batch["mask"] == 1)).amax((2, 3)).numpy()


@pytest.mark.parametrize(("label", "place", "number"), [(0, 0.2, 0), (1, 0.2, 2), (1, 0.8, 3), (2, 1, 5)])
def test_a_texture_covers_the_object_tinted(label, place, number):
    colour = surface(0, 40, **{"class": label, "texture": place})
    tint = colour / ((30 + 40 * number) / 255)
    assert 0.75 - 1e-4 < tint.min() < 0.8
    assert min(1.2, 0.9 / (30 + 40 * number) * 255) < tint.max() < 1.25 + 1e-4
    assert np.abs(tint[:, 0] - tint[:, 1]).max() > 0.1  # each channel has its own


def test_a_share_keeps_its_own_surface_tinted():
    own = surface(1, 30)
    assert np.abs(own / COLOURS[0, 0] - 1).max() <= 0.25 + 1e-4
    assert (own[:, 0] > 2 * own[:, 1]).all()  # red, where the textures are grey
    mixed = surface(0.3, 400)
    assert 0.23 < np.mean(mixed[:, 0] > 2 * mixed[:, 1]) < 0.37


def test_the_semantic_map_is_the_class_colour_shaded_by_depth():
    generator = images_of(outputs=["semantic"], background=Noise(3, 32))
    for label, colour in enumerate(class_colours(3)):
        batch = make(generator, **{"class": label})
        seen, nothing = batch["mask"][0, 0] == 1, batch["mask"][0, 0] == 0
        strongest = int(colour.argmax())
        shade = batch["semantic"][0, strongest, seen]
        torch.testing.assert_close(batch["semantic"][0, :, seen], shade * colour[:, None], atol=1e-5, rtol=0)
        assert 0.5 < shade.min() < shade.max() < 1
        assert shade.max() - shade.min() > 0.05
        assert batch["semantic"][0, :, nothing].abs().max() == 0


def test_light_from_the_background_needs_one():
    batch = make(images_of(lighting=BackgroundLight(), background=Plain(), vary_model=False), light_strength=1)
    solid = batch["image"][0, :, batch["mask"][0, 0] == 1]
    np.testing.assert_allclose(solid.mean(1), COLOURS[0, 0] * 70 / 255, rtol=0.01)
    with pytest.raises(ConfigError, match="BackgroundLight needs a background"):
        images_of(lighting=BackgroundLight())
