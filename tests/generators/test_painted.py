"""Painted digits: colours, photos and semantic maps by hand from the grey images."""

import copy
import pickle

import numpy as np
import pytest
import torch

from synthreal.batch import Domain, Draws, LabelledImages, synthetic_batch
from synthreal.datasets import Digits, Noise
from synthreal.errors import ConfigError
from synthreal.generators import Augment, Glyphs, ImageGenerator, Painted, StoredImages
from synthreal.rendering.palette import class_colours
from synthreal.samplers import even_draws
from synthreal.spaces import Categorical, Continuous, Product
from tests.generators.mesh_parts import CPU, Plain, rows, same

SIZE = 12


class Grey(ImageGenerator):
    """Images of one shade each, the last column black; three classes."""

    num_classes = 3

    def __init__(self, channels=1, width=SIZE):
        self.channels, self.width = channels, width
        self.space = Product([Categorical("class", "abc"), Continuous("shade", 0, 1, bins=2)])

    def generate(self, draws, device):
        label, shade = draws["parameters"].unbind(1)
        image = shade[:, None, None, None].repeat(1, self.channels, SIZE, self.width)
        image[..., -1] = 0
        return synthetic_batch(image, label.long(), draws)

    def name(self, draws):
        return {"model": [f"shade_{shade:.1f}" for shade in draws["parameters"][:, 1].tolist()]}


def on_glyphs():
    return Painted(Glyphs(SIZE), Noise(5, 32))


def test_classes_are_those_of_the_images_that_are_painted():
    images = torch.zeros(2, 1, SIZE, SIZE, dtype=torch.uint8)
    generator = Painted(Augment(2))
    assert generator.classes == ("0", "1")
    generator.bind(LabelledImages(images, torch.arange(2), ("cat", "dog")))
    assert generator.classes == ("cat", "dog")


def test_one_colour_times_the_brightness_on_black():
    generator = Painted(Glyphs(20))
    draws = even_draws(generator.space, 60, [0])
    grey, batch = Glyphs(20).generate(draws, CPU), generator.generate(draws, CPU)
    assert torch.equal(batch["mask"], grey["image"])
    for image, brightness in zip(batch["image"].numpy(), grey["image"].numpy(), strict=True):
        middle = np.unravel_index(brightness[0].argmax(), brightness[0].shape)
        colour = image[:, middle[0], middle[1]] / brightness.max()
        np.testing.assert_allclose(image, colour[:, None, None] * brightness, atol=1e-6)
        assert 0.6 - 1e-6 <= colour.max() <= 1 + 1e-6


def test_the_semantic_map_is_the_class_colour_times_the_brightness():
    generator = on_glyphs()
    batch = generator.generate(even_draws(generator.space, 40, [1]), CPU)
    expected = class_colours(10).numpy()[batch["label"]][:, :, None, None] * batch["mask"].numpy()
    np.testing.assert_allclose(batch["semantic"], expected, atol=1e-6)
    assert batch["semantic"].amax((1, 2, 3)).min() > 0.3


@pytest.mark.parametrize("label", range(3))
@pytest.mark.parametrize(("place", "number"), [(0.0, 0), (0.49, 0), (0.51, 1), (1.0, 1)])
def test_a_photo_of_the_class_shows_through_by_hand(label, place, number):
    generator = Painted(Grey(), Plain())
    u = torch.tensor([[label, 0.75, place]])
    draws = Draws(bucket=generator.space.assign(u), parameters=u, seed=torch.tensor([9]))
    behind = (30 + 40 * (2 * label + number)) / 255
    colour = Painted(Grey()).generate({**draws, "parameters": u[:, :2]}, CPU)["image"][0, :, 0, 0] / 0.75
    batch = generator.generate(draws, CPU)
    expected = (0.75 * colour + 0.25 * behind)[:, None, None].expand(-1, SIZE, SIZE - 1)
    torch.testing.assert_close(batch["image"][0, :, :, :-1], expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(batch["image"][0, :, :, -1], torch.full((3, SIZE), behind), atol=1e-5, rtol=0)
    assert batch["box"].tolist() == [[0, 0, SIZE - 1, SIZE]]
    names = {"model": ["shade_0.8"], "background": [f"plain_{2 * label + number}"]}
    assert generator.name(draws) == names
    assert batch["semantic"][..., -1].abs().max() == 0


def test_colours_have_every_hue_and_say_nothing_about_the_class():
    seed = torch.arange(3000)
    u = torch.stack([seed % 3, torch.ones(3000)], 1).float()
    generator = Painted(Grey())
    draws = Draws(bucket=generator.space.assign(u), parameters=u, seed=seed // 3)
    colour = generator.generate(draws, CPU)["image"][:, :, 0, 0].numpy()
    strongest = colour.max(1)
    assert 0.6 <= strongest.min() < 0.61
    assert 0.99 < strongest.max() <= 1
    # By the strongest and the weakest channel: six sixths of the circle of hues. Each has 500; sd 20.
    sixth = np.bincount(3 * colour.argmax(1) + colour.argmin(1), minlength=9)
    assert np.all((sixth == 0) == (np.arange(9) % 4 == 0))
    assert sixth[sixth > 0].min() > 400
    for label in range(3):  # means of 1000: sd 0.009
        np.testing.assert_allclose(colour[label::3].mean(0), colour.mean(0), atol=0.04)
    assert np.abs(colour[0::3] - colour[1::3]).max(1).min() > 1e-4  # the same seed in another class


def test_a_batch_is_its_samples_and_leaves_global_random_numbers_alone():
    generator = on_glyphs()
    draws = even_draws(generator.space, 17, [2])
    torch.manual_seed(3)
    before = torch.get_rng_state()
    batch = generator.generate(draws, CPU)
    assert torch.equal(torch.get_rng_state(), before)
    for i in range(17):
        alone = on_glyphs().generate(rows(draws, slice(i, i + 1)), CPU)
        for key, value in batch.items():
            torch.testing.assert_close(value[i : i + 1], alone[key], atol=1e-6, rtol=0)
    for twin in (copy.deepcopy(generator), pickle.loads(pickle.dumps(generator))):
        assert same(batch, twin.generate(draws, CPU))


def test_the_seed_decides_the_colour_and_the_crop():
    generator = on_glyphs()
    one = even_draws(generator.space, 10, [2])
    made, other = generator.generate(one, CPU), generator.generate({**one, "seed": one["seed"] + 1}, CPU)
    assert (made["image"] - other["image"]).abs().amax((1, 2, 3)).min() > 0.02


def test_what_a_batch_of_glyphs_holds():
    generator = on_glyphs()
    assert generator.space.columns == (*Glyphs().space.columns, "background")
    assert generator.space.num_buckets == Glyphs().space.num_buckets
    assert generator.classes == tuple("0123456789")
    draws = even_draws(generator.space, 30, [4])
    batch = generator.generate(draws, CPU)
    assert batch["image"].shape == batch["semantic"].shape == (30, 3, SIZE, SIZE)
    assert batch["mask"].shape == (30, 1, SIZE, SIZE)
    assert torch.equal(batch["parameters"], draws["parameters"])
    assert torch.equal(batch["bucket"], draws["bucket"])
    rotation = draws["parameters"][:, generator.space.columns.index("rotation")]
    assert torch.equal(batch["viewpoint"], torch.stack([rotation * 0, rotation * 0, rotation], 1))
    assert (batch["domain"] == Domain.SYNTHETIC).all()
    assert generator.stored() is None


@pytest.mark.parametrize("background", [None, Noise(5, 32)])
def test_real_digits_stay_real_and_each_has_its_own_colours(background):
    generator = Painted(StoredImages(Digits(SIZE), "test", domain="real"), background)
    stored, again = generator.stored(), generator.stored()
    assert same(stored, again)
    assert stored["parameters"].shape == (797, 1 if background is None else 2)
    assert torch.equal(generator.space.assign(stored["parameters"]), stored["bucket"])
    batch = generator.generate(stored, CPU)
    digits = Digits(SIZE).load("test")
    assert batch["domain"].tolist() == [Domain.REAL] * 797
    assert batch["label"].tolist() == digits.labels.tolist()
    assert torch.equal(batch["mask"], digits.pixels(torch.arange(797)))
    assert "viewpoint" not in batch
    black = Painted(StoredImages(Digits(SIZE), "test"))
    images = black.generate(black.stored(), CPU)["image"]
    colours = images.amax((2, 3)) / batch["mask"].amax((2, 3))
    assert len(torch.unique((colours * 1e4).round(), dim=0)) > 790
    if background is not None:
        places = stored["parameters"][:, 1]
        assert 0 <= places.min() < 0.02
        assert 0.98 < places.max() < 1


def test_the_box_is_of_what_is_half_as_bright_as_the_object_s_brightest_point():
    generator = Painted(Grey())
    u = torch.tensor([[0.0, 0.3], [1.0, 1.0], [2.0, 0.0]])
    batch = generator.generate(Draws(bucket=generator.space.assign(u), parameters=u, seed=torch.arange(3)), CPU)
    assert batch["box"].tolist() == [[0, 0, SIZE - 1, SIZE]] * 2 + [[0, 0, 0, 0]]


def test_what_it_cannot_paint():
    draws = even_draws(Grey().space, 2, [0])
    with pytest.raises(ConfigError, match=r"Grey makes images of 3 channels; Painted colours grey ones"):
        Painted(Grey(channels=3)).generate(draws, CPU)
    wide = Painted(Grey(width=SIZE + 3))
    assert wide.generate(draws, CPU)["image"].shape == (2, 3, SIZE, SIZE + 3)
    framed = Painted(Grey(width=SIZE + 3), Plain())
    with pytest.raises(ConfigError, match=r"Grey makes images of 12 × 15 pixels; backgrounds are square"):
        framed.generate(even_draws(framed.space, 2, [0]), CPU)
    with pytest.raises(ConfigError, match="Painted has a background already"):
        Painted(on_glyphs(), Plain())


class Listening(Grey):
    """Remembers what it was bound to."""

    def bind(self, source):
        self.source = source


def test_real_images_are_handed_on():
    inner, digits = Listening(), Digits(8).load("train")
    Painted(inner).bind(digits)
    assert inner.source is digits
