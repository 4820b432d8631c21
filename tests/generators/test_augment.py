import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from synthreal.batch import Domain, LabelledImages
from synthreal.errors import ConfigError
from synthreal.generators import Augment
from synthreal.generators.augment import affine_matrices

CPU = torch.device("cpu")
ROTATION, SCALE_Y, SCALE_X, SHIFT_Y, SHIFT_X, SHEAR_Y, SHEAR_X = range(7)


def warp(image, which, value):
    """The library's matrices, applied to one [H, W] array."""
    height, width = image.shape
    theta = affine_matrices(torch.tensor([which]), torch.tensor([float(value)]), height, width)
    source = torch.from_numpy(np.asarray(image, dtype=np.float32))[None, None]
    grid = F.affine_grid(theta, [1, 1, height, width], align_corners=False)
    return F.grid_sample(source, grid, align_corners=False)[0, 0].numpy()


def forward(which, value):
    """Where a point (x, y) about the centre goes; x to the right, y down."""
    angle = math.radians(value)
    return {
        # y points down, so a turn against the clock has its minus sign below
        ROTATION: np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]]),
        SCALE_Y: np.array([[1, 0], [0, 1 + value]]),
        SCALE_X: np.array([[1 + value, 0], [0, 1]]),
        SHIFT_Y: np.eye(2),
        SHIFT_X: np.eye(2),
        SHEAR_Y: np.array([[1, 0], [value, 1]]),
        SHEAR_X: np.array([[1, value], [0, 1]]),
    }[which], np.array([value * (which == SHIFT_X), value * (which == SHIFT_Y)])


def warp_by_loop(image, which, value):
    """Bilinear interpolation pixel by pixel, zeros outside."""
    height, width = image.shape
    matrix, offset = forward(which, value)
    inverse, centre = np.linalg.inv(matrix), np.array([(width - 1) / 2, (height - 1) / 2])
    out = np.zeros(image.shape)
    for row in range(height):
        for column in range(width):
            x, y = inverse @ (np.array([column, row]) - centre - offset) + centre
            left, top = math.floor(x), math.floor(y)
            for j, wy in ((top, top + 1 - y), (top + 1, y - top)):
                for i, wx in ((left, left + 1 - x), (left + 1, x - left)):
                    if 0 <= j < height and 0 <= i < width:
                        out[row, column] += wx * wy * image[j, i]
    return out


def dot(height, width, row, column):
    image = np.zeros((height, width))
    image[row, column] = 1
    return image


@pytest.mark.parametrize(
    ("angle", "expected"),
    # a dot two pixels right of the centre; against the clock it goes to the top first
    [(0, (2, 4)), (90, (0, 2)), (180, (2, 0)), (270, (4, 2)), (-90, (4, 2))],
)
def test_a_dot_turns_against_the_clock(angle, expected):
    np.testing.assert_allclose(warp(dot(5, 5, 2, 4), ROTATION, angle), dot(5, 5, *expected), atol=1e-5)


def test_a_dot_turns_on_an_image_that_is_not_square():
    # height 5, width 9: pixels stay square
    np.testing.assert_allclose(warp(dot(5, 9, 2, 6), ROTATION, 90), dot(5, 9, 0, 4), atol=1e-5)


@pytest.mark.parametrize(("height", "width"), [(5, 5), (4, 7), (8, 3)])
def test_integer_shifts_move_pixels_exactly(height, width):
    image = np.random.default_rng(0).random((height, width)).astype(np.float32)
    down = np.vstack([np.zeros((2, width)), image[:-2]])
    right = np.hstack([np.zeros((height, 1)), image[:, :-1]])
    left = np.hstack([image[:, 1:], np.zeros((height, 1))])
    np.testing.assert_allclose(warp(image, SHIFT_Y, 2), down, atol=1e-5)
    np.testing.assert_allclose(warp(image, SHIFT_X, 1), right, atol=1e-5)
    np.testing.assert_allclose(warp(image, SHIFT_X, -1), left, atol=1e-5)


@pytest.mark.parametrize("which", range(7))
@pytest.mark.parametrize(("height", "width"), [(6, 6), (5, 8)])
def test_nothing_happens_at_zero(which, height, width):
    image = np.random.default_rng(1).random((height, width))
    np.testing.assert_allclose(warp(image, which, 0), image, atol=1e-5)


@pytest.mark.parametrize("which", range(7))
@pytest.mark.parametrize(("height", "width"), [(9, 9), (7, 12), (10, 6)])
@pytest.mark.parametrize("sign", [-1, 1])
def test_every_transformation_agrees_with_a_bilinear_loop(which, height, width, sign):
    value = sign * (13 if which == ROTATION else 1.3 if which in (SHIFT_X, SHIFT_Y) else 0.23)
    image = np.random.default_rng(which).random((height, width))
    np.testing.assert_allclose(warp(image, which, value), warp_by_loop(image, which, value), atol=2e-5)


def test_directions_in_words():
    # growing makes a shape of 3 rows one of 4.5 rows: the rows beside it get brighter
    bar = np.zeros((9, 9))
    bar[3:6] = 1
    assert warp(bar, SCALE_Y, 0.5).sum() > bar.sum() * 1.4
    np.testing.assert_allclose(warp(bar, SCALE_X, 0.5)[:, 4], bar[:, 4], atol=1e-5)
    # vertical shear moves what is right of the centre down
    np.testing.assert_allclose(warp(dot(5, 5, 2, 4), SHEAR_Y, 1), dot(5, 5, 4, 4), atol=1e-5)
    np.testing.assert_allclose(warp(dot(5, 5, 4, 2), SHEAR_X, 1), dot(5, 5, 4, 4), atol=1e-5)


def some_images(height=8, width=8, per_class=(2, 3, 1), channels=1):
    """Random images, classes mixed."""
    stream = np.random.default_rng(0)
    labels = np.repeat(np.arange(len(per_class)), per_class)
    stream.shuffle(labels)
    images = stream.integers(0, 256, (len(labels), channels, height, width), dtype=np.uint8)
    names = tuple(f"class {i}" for i in range(len(per_class)))
    return LabelledImages(torch.from_numpy(images), torch.from_numpy(labels), names)


def bound(source=None, **settings):
    source = some_images() if source is None else source
    generator = Augment(num_classes=len(source.classes), **settings)
    generator.bind(source)
    return generator


def draws_of(generator, count=64, seed=0):
    stream = torch.Generator().manual_seed(seed)
    bucket = torch.randint(generator.space.num_buckets, (count,), generator=stream)
    return {
        "bucket": bucket,
        "parameters": generator.space.sample(bucket, stream),
        "seed": torch.randint(2**62, (count,), generator=stream),
    }


def still(labels, seeds):
    """Draws that leave the image as it is: a shift of nothing."""
    parameters = torch.tensor([[float(label), SHIFT_X, 0.0] for label in labels])
    return {
        "bucket": torch.zeros(len(labels), dtype=torch.int64),
        "parameters": parameters,
        "seed": torch.tensor(seeds),
    }


def test_sixteen_buckets_a_class_as_in_the_paper():
    space = Augment().space
    assert space.num_buckets == 160
    assert space.shape == (10, 16)
    names = [space.describe(bucket) for bucket in range(16)]
    assert names[0] == ("0", "rotation -15 to -7.5 degrees")
    assert names[3] == ("0", "rotation 7.5 to 15 degrees")
    kinds = [f"{side} {what}" for what in ("scale", "shift", "shear") for side in ("vertical", "horizontal")]
    assert [name[1].split(" -")[0] for name in names[4::2]] == kinds
    np.testing.assert_allclose(space.volumes().numpy(), np.full(160, 1 / 160))


def test_ranges_are_the_arguments():
    space = Augment(num_classes=1, rotation=30.0, scale=0.2, shift=3.0, shear=0.4).space
    bucket = torch.arange(16)
    low = space.place(bucket, torch.zeros(16, 3))[:, 2].numpy()
    high = space.place(bucket, torch.full((16, 3), 1 - 2.0**-24))[:, 2].numpy()
    limits = [0.2, 0.2, 3, 3, 0.4, 0.4]
    np.testing.assert_allclose(low, [-30, -15, 0, 15, *(x for limit in limits for x in (-limit, 0))], atol=1e-6)
    np.testing.assert_allclose(high, [-15, 0, 15, 30, *(x for limit in limits for x in (0, limit))], atol=1e-5)


def test_one_and_only_one_transformation_a_sample():
    source = some_images(7, 10)
    generator = bound(source)
    draws = draws_of(generator, 80)
    batch = generator.generate(draws, CPU)
    assert set(draws["parameters"][:, 1].int().tolist()) == set(range(7))
    for image, parameters, seed in zip(batch["image"], draws["parameters"], draws["seed"], strict=True):
        label, which, value = int(parameters[0]), int(parameters[1]), float(parameters[2])
        own = source.images[source.labels == label]
        original = own[int(seed) % len(own), 0].double().numpy() / 255
        np.testing.assert_allclose(image[0].numpy(), warp_by_loop(original, which, value), atol=2e-5)


def test_the_batch_says_what_it_holds():
    generator = bound(some_images(8, 8, channels=3))
    draws = draws_of(generator)
    batch = generator.generate(draws, CPU)
    assert batch["image"].shape == (64, 3, 8, 8)
    assert batch["image"].dtype == torch.float32
    assert 0 <= float(batch["image"].min()) <= float(batch["image"].max()) <= 1 + 1e-6
    assert torch.equal(batch["label"], draws["bucket"] // 16)
    assert batch["domain"].tolist() == [Domain.SYNTHETIC] * 64
    assert torch.equal(batch["bucket"], draws["bucket"])
    assert torch.equal(batch["parameters"], draws["parameters"])


def test_a_sample_does_not_depend_on_its_batch_or_on_global_random_state():
    generator = bound()
    draws = draws_of(generator)
    whole = generator.generate(draws, CPU)["image"]
    torch.manual_seed(99)
    single = [generator.generate({key: row[i : i + 1] for key, row in draws.items()}, CPU)["image"] for i in range(64)]
    np.testing.assert_allclose(torch.cat(single).numpy(), whole.numpy(), atol=1e-6)


def test_the_seed_picks_an_image_of_the_class():
    source = some_images(per_class=(2, 3, 1))
    generator = bound(source)
    labels, seeds = [0, 0, 0, 1, 1, 1, 1, 2, 2], [0, 1, 2, 0, 1, 2, 2**62, 0, 5]
    image = generator.generate(still(labels, seeds), CPU)["image"]
    for got, label, seed in zip(image, labels, seeds, strict=True):
        own = source.images[source.labels == label]
        np.testing.assert_allclose(got.numpy(), own[seed % len(own)].numpy() / 255, atol=1e-5)


def test_binding_again_replaces_the_source():
    generator = bound(some_images())
    white = LabelledImages(torch.full((3, 1, 4, 4), 255, dtype=torch.uint8), torch.arange(3), ("a", "b", "c"))
    generator.bind(white)
    image = generator.generate(still([0, 1, 2], [0, 9, 4]), CPU)["image"]
    assert image.shape == (3, 1, 4, 4)
    np.testing.assert_allclose(image.numpy(), 1, atol=1e-5)


@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
def test_padding_fills_what_comes_from_outside(padding):
    white = LabelledImages(torch.full((3, 1, 8, 8), 255, dtype=torch.uint8), torch.arange(3), ("a", "b", "c"))
    generator = bound(white, padding=padding, shift=4.0)
    shifted = {**still([0], [0]), "parameters": torch.tensor([[0.0, SHIFT_Y, 3.0]])}
    image = generator.generate(shifted, CPU)["image"][0, 0]
    np.testing.assert_allclose(image[3:].numpy(), 1, atol=1e-5)
    np.testing.assert_allclose(image[:3].numpy(), 0 if padding == "zeros" else 1, atol=1e-5)


@pytest.mark.parametrize(
    "settings",
    [
        {"scale": 1.0},
        {"scale": 0.0},
        {"rotation": 0.0},
        {"rotation": -5.0},
        {"shift": 0.0},
        {"shear": -0.1},
        {"num_classes": 0},
        {"shift": math.inf},
        {"scale": math.nan},
    ],
)
def test_impossible_ranges_are_refused(settings):
    with pytest.raises(ConfigError):
        Augment(**settings)


def test_a_source_of_other_classes_is_refused():
    with pytest.raises(ConfigError, match="set num_classes to 3"):
        Augment(num_classes=4).bind(some_images())


def test_a_class_without_images_is_named():
    source = some_images(per_class=(2, 0, 1))
    with pytest.raises(ConfigError, match="class 1"):
        Augment(num_classes=3).bind(source)
