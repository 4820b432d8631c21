from pathlib import Path

import matplotlib
import numpy as np
import pytest
import torch
from lightning.pytorch import Trainer
from PIL import Image, ImageDraw, ImageFont
from sklearn.linear_model import LogisticRegression

from synthreal.batch import Domain, Draws
from synthreal.datamodules import BucketDataModule
from synthreal.datasets import Digits
from synthreal.errors import ConfigError
from synthreal.generators import Glyphs
from synthreal.modules import Classifier
from synthreal.rendering.fonts import FONTS, distance_field

CPU = torch.device("cpu")
# ranges that hold every value the tests set
WIDE = {
    "rotation": (-180, 180),
    "scale": (0.1, 1),
    "aspect": (0.2, 2),
    "shear": (-1, 1),
    "shift": (-20, 20),
    "stroke": (-0.1, 0.2),
    "blur": (1, 20),
    "noise": (0, 1),
    "contrast": (0, 1),
}
PLAIN = {"scale": 0.6, "aspect": 1, "blur": 1, "contrast": 1}


def make(size, digit, font="DejaVuSans", seed=0, **given):
    """One digit, plain but for what is given; one pixel is one hundredth of the digit or so."""
    generator = Glyphs(size, [font], **WIDE)
    values = {"class": digit} | PLAIN | given
    u = torch.tensor([[float(values.get(column, 0)) for column in generator.space.columns]])
    draws = Draws(bucket=generator.space.assign(u), parameters=u, seed=torch.tensor([seed]))
    return generator.generate(draws, CPU)


def mask(size, digit, **given):
    return make(size, digit, **given)["mask"][0, 0].double().numpy()


def draws_of(generator, count, seed=0):
    stream = torch.Generator().manual_seed(seed)
    bucket = torch.randint(generator.space.num_buckets, (count,), generator=stream)
    seeds = torch.randint(2**63 - 1, (count,), generator=stream)
    return Draws(bucket=bucket, parameters=generator.space.sample(bucket, stream), seed=seeds)


def moments(image):
    """Centre (x to the right, y down, from the image's) and spread of the ink, pixels."""
    y, x = np.indices(image.shape) - (len(image) - 1) / 2
    share = image / image.sum()
    centre = np.array([(share * x).sum(), (share * y).sum()])
    return centre, np.array([(share * (x - centre[0]) ** 2).sum(), (share * (y - centre[1]) ** 2).sum()]) ** 0.5


def box(image):
    rows, columns = np.nonzero((image > 0.5).any(1))[0], np.nonzero((image > 0.5).any(0))[0]
    return columns[0], rows[0], columns[-1] + 1, rows[-1] + 1


def drawn_by_pillow(font, digit, size, height):
    """Share of each pixel that the font's own digit covers, its box in the middle."""
    fine = 16
    path = Path(matplotlib.get_data_path(), "fonts", "ttf", f"{font}.ttf")
    face = ImageFont.truetype(str(path), 400, layout_engine=ImageFont.Layout.BASIC)
    page = Image.new("L", (800, 800))
    ImageDraw.Draw(page).text((200, 200), str(digit), 255, face)
    ink = page.crop(page.getbbox())
    ink = ink.resize((round(ink.width * height * fine / ink.height), height * fine))
    big = Image.new("L", (size * fine, size * fine))
    big.paste(ink, ((big.width - ink.width) // 2, (big.height - ink.height) // 2))
    return (np.asarray(big) / 255).reshape(size, fine, size, fine).mean((1, 3))


@pytest.mark.parametrize("font", ["DejaVuSans", "DejaVuSerif-BoldItalic", "STIXGeneral", "cmti10"])
@pytest.mark.parametrize("digit", [2, 4, 8])
def test_without_any_change_a_digit_is_the_fonts_own(font, digit):
    expected = drawn_by_pillow(font, digit, 64, 48)
    error = np.abs(mask(64, digit, font=font, scale=0.75) - expected)
    # the edges differ by what a straight ramp leaves of sharp corners and hairlines
    assert error.mean() < 0.01
    assert np.abs(mask(64, digit, font=font, scale=0.75, right=1) - expected).mean() > 3 * error.mean()


@pytest.mark.parametrize(("right", "down"), [(3, 0), (0, 2.5), (-1.25, 4)])
def test_a_shift_moves_the_centre_by_so_many_pixels(right, down):
    (before, _), (after, _) = moments(mask(40, 5)), moments(mask(40, 5, right=right, down=down))
    np.testing.assert_allclose(after - before, [right, down], atol=0.05)


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_quarter_turns_are_those_of_the_pixels(turns):
    turned = mask(32, 4, rotation=[0, 90, 180, -90][turns])
    np.testing.assert_allclose(turned, np.rot90(mask(32, 4), turns), atol=1e-3)


def test_a_positive_angle_turns_against_the_clock():
    # the bar of a 7 is at the top: turned by 45 degrees its middle is on the left
    assert moments(mask(40, 7, rotation=45))[0][0] < moments(mask(40, 7))[0][0] - 2


def test_scale_is_the_longer_side_and_aspect_changes_the_width_alone():
    left, top, right, bottom = box(mask(100, 0, scale=0.6))
    assert (top, bottom) == (20, 80)
    assert left + right == 100
    spread = moments(mask(100, 0, scale=0.6))[1]
    np.testing.assert_allclose(moments(mask(100, 0, scale=0.9))[1], spread * 1.5, rtol=0.01)
    np.testing.assert_allclose(moments(mask(100, 0, aspect=0.5))[1], spread * [0.5, 1], rtol=0.01)


def test_a_row_moves_right_by_shear_times_its_height():
    def row_centres(image):
        return (image * np.arange(64)).sum(1)[18:46] / image.sum(1)[18:46]

    up = 31.5 - np.arange(18, 46)
    np.testing.assert_allclose(row_centres(mask(64, 8, shear=0.4)) - row_centres(mask(64, 8)), 0.4 * up, atol=0.2)


def test_the_outline_moves_by_stroke_times_the_longer_side():
    thin, thick = np.array(box(mask(100, 0))), np.array(box(mask(100, 0, stroke=0.05)))
    # 0.05 of 60 pixels
    np.testing.assert_allclose(thick - thin, [-3, -3, 3, 3], atol=1)
    ink = [mask(100, 3, stroke=stroke).sum() for stroke in (-0.02, 0, 0.02, 0.04)]
    assert ink == sorted(ink)
    assert ink[3] > 1.5 * ink[1]


@pytest.mark.parametrize("blur", [2.0, 4.0])
def test_an_edge_climbs_from_dark_to_light_over_blur_pixels(blur):
    # a thick bar: the foot of a bold 1 is 10 pixels high and more
    image = mask(100, 1, font="DejaVuSans-Bold", scale=0.8, blur=blur)
    assert np.abs(np.diff(image, axis=0)).max() == pytest.approx(1 / blur, rel=0.1)
    assert image.max() == 1


@pytest.mark.parametrize("values", [{"blur": 6}, {"stroke": 0.2, "blur": 3}])
def test_the_ground_is_dark_far_from_a_small_soft_digit(values):
    image = mask(40, 0, scale=0.2, **values)
    assert image[:, [0, 1, -2, -1]].max() == image[[0, 1, -2, -1]].max() == 0
    assert image.max() > 0.5


def test_noise_has_its_standard_deviation_and_contrast_is_the_brightness():
    clean, noisy = (make(100, 8, "DejaVuSans-Bold", contrast=0.5, noise=noise) for noise in (0, 0.1))
    inside = clean["mask"] == 1
    assert inside.sum() > 1000
    assert torch.equal(clean["image"], 0.5 * clean["mask"])
    assert float(noisy["image"][inside].mean()) == pytest.approx(0.5, abs=0.01)
    assert float(noisy["image"][inside].std()) == pytest.approx(0.1, rel=0.08)
    assert torch.equal(noisy["mask"], clean["mask"])
    assert noisy["image"].min() == 0  # clipped on the dark ground
    assert make(100, 8, noise=1)["image"].max() == 1


def test_the_seed_picks_the_noise_and_nothing_else():
    one, other = make(16, 3, noise=0.1, seed=1), make(16, 3, noise=0.1, seed=2**63 - 2)
    assert not torch.equal(one["image"], other["image"])
    assert torch.equal(one["mask"], other["mask"])


def test_a_batch_is_its_samples():
    generator = Glyphs()
    draws = draws_of(generator, 33)
    batch = generator.generate(draws, CPU)
    for i in range(33):
        alone = generator.generate(Draws(**{key: value[i : i + 1] for key, value in draws.items()}), CPU)
        for key, value in batch.items():
            assert torch.equal(value[i : i + 1], alone[key]), key
    empty = generator.generate(Draws(**{key: value[:0] for key, value in draws.items()}), CPU)
    assert empty["image"].shape == (0, 1, 16, 16)


@pytest.mark.parametrize("size", [8, 16, 28])
def test_what_a_batch_holds(size):
    generator = Glyphs(size)
    draws = draws_of(generator, 50)
    batch = generator.generate(draws, CPU)
    assert batch["image"].shape == batch["mask"].shape == (50, 1, size, size)
    assert 0 <= batch["image"].min() <= batch["image"].max() <= 1
    assert torch.equal(batch["label"], draws["parameters"][:, 0].long())
    assert torch.equal(batch["bucket"], generator.space.assign(batch["parameters"]))
    assert (batch["domain"] == Domain.SYNTHETIC).all()
    assert (batch["mask"].amax((1, 2, 3)) > 0.5).all()  # no digit is lost


def test_every_parameter_changes_the_image():
    generator = Glyphs()
    low, high = (generator.space.place(torch.zeros(1, dtype=torch.int64), torch.full((1, 12), x)) for x in (0.1, 0.9))
    high[0, 0] = 1
    u = low.repeat(13, 1)
    u[range(12), range(12)] = high[0]
    images = generator.generate(Draws(bucket=generator.space.assign(u), parameters=u, seed=torch.zeros(13).long()), CPU)
    assert (images["image"][:12] - images["image"][12]).abs().amax((1, 2, 3)).min() > 0.01


def test_the_space():
    space = Glyphs().space
    assert space.shape == (10, 4 * 2 * 3)
    assert space.describe(0)[:3] == ("0", "font 0 to 17", "rotation -15 to -7.5 degrees")
    assert Glyphs(bins={"font": 17, "right": 2, "down": 2}).space.num_buckets == 10 * 17 * 4
    fixed = Glyphs(noise=(0, 0), rotation=(90, 90), bins={}).space
    u = fixed.sample(torch.arange(10))
    assert u[:, fixed.columns.index("noise")].max() <= 1e-6
    np.testing.assert_allclose(u[:, fixed.columns.index("rotation")], 90, atol=1e-4)
    assert fixed.embed(u).isfinite().all()


def test_the_last_end_of_the_font_axis_is_the_last_font():
    generator = Glyphs(fonts=["DejaVuSans", "cmb10"], bins={"font": 2})
    u = generator.space.centres()[:1].repeat(2, 1)
    u[:, 1] = torch.tensor([1.0, 2.0])
    image = generator.generate(Draws(bucket=generator.space.assign(u), parameters=u, seed=u[:, 0].long()), CPU)["image"]
    assert torch.equal(image[0], image[1])


def test_the_digits_of_every_font_are_told_apart_by_those_of_the_others():
    ink = torch.stack([torch.stack([distance_field(font, digit) for digit in "0123456789"]) for font in FONTS]) > 0
    ink = torch.nn.functional.avg_pool2d(ink.float(), 6).flatten(2)
    for i, font in enumerate(FONTS):
        others = torch.cat([ink[:i], ink[i + 1 :]]).mean(0)
        right = torch.cdist(ink[i], others).argmin(1) == torch.arange(10)
        # Computer Modern's italic 4 is a swash
        assert right.sum() >= (9 if font == "cmti10" else 10), font
        assert torch.pdist(ink[i]).min() > 1, font


def test_a_linear_classifier_trained_on_glyphs_reads_real_digits():
    generator = Glyphs(image_size=16)
    batch = generator.generate(draws_of(generator, 1000), CPU)
    model = LogisticRegression(C=0.1, max_iter=200).fit(batch["image"].flatten(1).numpy(), batch["label"].numpy())
    real = Digits(image_size=16).load("test")
    # chance is 0.10; six hundred in a thousand were right when this was written
    assert model.score(real.images.flatten(1).numpy() / 255, real.labels.numpy()) > 0.5


def test_it_trains_with_real_digits():
    data = BucketDataModule(Digits(), Glyphs(), probe_images_per_class=0, num_probes=240, seed=0)
    model = Classifier(network="synthreal.networks.LeNet", network_args={"in_channels": 1, "image_size": 16})
    trainer = Trainer(fast_dev_run=True, accelerator="cpu", logger=False, enable_progress_bar=False)
    trainer.fit(model, data)
    batch = data.preview(100)
    assert batch["image"].shape[1:] == (1, 16, 16)
    assert {int(domain) for domain in batch["domain"]} == {Domain.REAL, Domain.SYNTHETIC}
    assert sum(len(probes["label"]) for _, probes in data.probes.batches(CPU, 100)) == 240


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"image_size": 7}, "image_size is at least 8, not 7"),
        ({"fonts": ["Comic"]}, r"Unknown fonts \['Comic'\].*DejaVuSans, "),
        ({"fonts": []}, "at least one of DejaVuSans"),
        ({"rotation": (5, -5)}, r"rotation = \[5, -5\] must run upward"),
        ({"rotation": (0, float("nan"))}, "rotation"),
        ({"shift": (0, float("inf"))}, "right"),
        ({"scale": (0, 1)}, r"scale = \[0, 1\].*within \[0.01, inf\]"),
        ({"aspect": (-1, 1)}, "aspect"),
        ({"blur": (0, 1)}, "blur"),
        ({"noise": (-0.1, 0)}, "noise"),
        ({"contrast": (0, 1.5)}, r"contrast.*within \[0.0, 1.0\]"),
        ({"bins": {"slant": 2}}, r"unknown axes \['slant'\]: the axes are font, rotation"),
        ({"bins": {"rotation": 0}}, "at least one bin"),
    ],
)
def test_what_it_refuses(arguments, words):
    with pytest.raises(ConfigError, match=words):
        Glyphs(**arguments)
