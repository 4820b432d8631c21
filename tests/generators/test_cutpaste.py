"""The benchmark's merge against forward transforms in NumPy and against Pillow, step by step as the paper does it."""

import copy
import pickle

import numpy as np
import pytest
import torch
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from synthreal.batch import Domain, Draws, LabelledImages, synthetic_batch
from synthreal.datasets.by_class import by_class
from synthreal.datasets.meshes import LabelledMeshes, MeshCollection
from synthreal.datasets.pictures import Noise, Pictures, PictureSource, shared
from synthreal.errors import ConfigError
from synthreal.generators import CutPaste, Glyphs, ImageGenerator, MeshImages
from synthreal.generators.cutpaste import affine_matrix, paste_matrix
from synthreal.rendering.mesh import Material, build_mesh
from synthreal.rendering.packing import pack_meshes
from synthreal.spaces import Categorical, Circular, Product, UniformViews

CPU = torch.device("cpu")
SIZE = 48


def numbers(*values):
    return [torch.tensor([float(value)]) for value in values]


def turned(angle):
    """Matrix of a counter-clockwise turn on screen, where y runs down."""
    c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    return np.array([[c, s], [-s, c]])


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


class Stamp(ImageGenerator):
    """Draws one premultiplied picture for each class."""

    def __init__(self, *rgba, views=1):
        self.rgba = torch.stack(rgba)
        self.num_classes = len(rgba)
        classes = Categorical("class", [f"class_{i}" for i in range(len(rgba))])
        self.space = Product([classes, Circular("azimuth", views)])

    def generate(self, draws, device):
        label = draws["parameters"][:, 0].long()
        batch = synthetic_batch(self.rgba[label, :3], label, draws)
        batch["mask"] = self.rgba[label, 3:]
        return batch


class Even(PictureSource):
    """One picture of one colour."""

    def __init__(self, *colour):
        self.colour = colour or (0, 0, 0)

    def load(self, classes):
        colour = torch.tensor(self.colour, dtype=torch.uint8).view(1, 3, 1, 1)
        return shared(colour.repeat(1, 1, 16, 16), ["even"], len(classes))


def blobs(size=SIZE):
    """A smooth object with no symmetry, straight colours and alpha."""
    y, x = torch.meshgrid(*[(torch.arange(size) + 0.5) / size * 2 - 1] * 2, indexing="ij")

    def blob(at, width):
        return torch.exp(-((x - at[0]) ** 2 + (y - at[1]) ** 2) / (2 * width**2))

    alpha = (blob((0.1, -0.35), 0.25) + 0.8 * blob((-0.35, 0.2), 0.18)).clamp(max=1)
    colour = torch.stack([0.5 + 0.4 * x, 0.5 + 0.4 * y, 0.5 - 0.3 * x])
    return colour, alpha[None]


def premultiplied(colour, alpha):
    return torch.cat([colour * alpha, alpha])


def opaque(size=SIZE, seed=0):
    colour = torch.rand(3, size, size, generator=torch.Generator().manual_seed(seed))
    return torch.cat([colour, torch.ones(1, size, size)])


REST = {"angle": 0, "scale": 1, "right": 0.5, "down": 0.5, "background": 0.5}


def make(generator, seed=0, **given):
    """One image; the object as large as fits, upright in the middle, but for what is given."""
    u = generator.space.centres()[:1]
    for name, value in (REST | given).items():
        u[0, generator.space.columns.index(name.replace("_", " "))] = value
    draws = Draws(bucket=generator.space.assign(u), parameters=u, seed=torch.tensor([seed]))
    return generator.generate(draws, CPU)


def cut_paste(rgba, background=None, **changes):
    return CutPaste(Stamp(rgba), background or Even(), SIZE, scale=(0.05, 1), **changes)


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
    # Each border may end half a sample early or late.
    assert float(batch["mask"].sum()) ** 0.5 == pytest.approx(side * SIZE, abs=0.6)
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


def test_the_space_goes_on_from_the_foregrounds():
    foreground = Stamp(opaque(), opaque(), views=4)
    generator = CutPaste(foreground, Even(), SIZE)
    assert generator.space.columns == ("class", "azimuth", "angle", "scale", "right", "down", "background")
    assert generator.space.num_buckets == foreground.space.num_buckets == 8
    u = generator.space.sample(torch.arange(8))
    assert torch.equal(foreground.space.assign(u[:, :2]), torch.arange(8))
    assert torch.equal(generator.space.assign(u), torch.arange(8))
    assert generator.classes == foreground.classes == ("class_0", "class_1")
    ends = {axis.name: (axis.low, axis.high) for axis in generator.space.factors[2:]}
    assert ends == {"angle": (0, 360), "scale": (0.5, 1), "right": (0, 1), "down": (0, 1), "background": (0, 1)}
    augmented = CutPaste(foreground, Even(), SIZE, augment=True).space
    assert augmented.columns[7:] == ("first angle", "first scale", "first shift right", "first shift down")
    ends = [(axis.low, axis.high) for axis in augmented.factors[-4:]]
    assert ends == [(0, 180), (0.1, 1), (-1 / 3, 1 / 3), (-1 / 3, 1 / 3)]
    assert augmented.num_buckets == 8


def test_a_foreground_of_one_axis():
    foreground = Stamp(opaque(), opaque())
    foreground.space = Categorical("class", ["a", "b"])
    generator = CutPaste(foreground, Even(), SIZE)
    assert generator.space.num_buckets == 2
    assert make(generator, **{"class": 1})["label"].tolist() == [1]


def box_mesh(name, colour):
    corners = np.array(trimesh.creation.box((1, 0.5, 0.7)).triangles, np.float32).reshape(-1, 3)
    return build_mesh(name, corners, np.arange(36).reshape(-1, 3), (Material(colour),))


class Boxes(MeshCollection):
    classes = ("ant", "bee")

    def load(self):
        meshes = [box_mesh("red", (1.0, 0.1, 0.1)), box_mesh("green", (0.1, 1.0, 0.1))]
        return LabelledMeshes(pack_meshes(meshes), torch.arange(2), self.classes)


def rendered(augment=False):
    views = UniformViews(4, 2, elevation=(-5, 45))
    return CutPaste(MeshImages(Boxes(), 40, views, fill=1), Noise(5, 32), 32, augment=augment)


def draws_of(generator, count, seed=0):
    stream = torch.Generator().manual_seed(seed)
    bucket = torch.randint(generator.space.num_buckets, (count,), generator=stream)
    seeds = torch.randint(2**63 - 1, (count,), generator=stream)
    return Draws(bucket=bucket, parameters=generator.space.sample(bucket, stream), seed=seeds)


@pytest.mark.parametrize("augment", [False, True])
def test_a_batch_is_its_samples(augment):
    generator = rendered(augment)
    draws = draws_of(generator, 35)
    batch = generator.generate(draws, CPU)
    for i in range(35):
        alone = generator.generate(Draws(**{key: value[i : i + 1] for key, value in draws.items()}), CPU)
        assert all(torch.equal(value[i : i + 1], alone[key]) for key, value in batch.items())
    for twin in (generator, copy.deepcopy(generator), pickle.loads(pickle.dumps(generator)), rendered(augment)):
        again = twin.generate(draws, CPU)
        assert all(torch.equal(value, again[key]) for key, value in batch.items())


def test_what_a_batch_holds():
    generator = rendered()
    draws = draws_of(generator, 40)
    batch = generator.generate(draws, CPU)
    assert batch["image"].shape == (40, 3, 32, 32)
    assert batch["mask"].shape == (40, 1, 32, 32)
    assert 0 <= batch["image"].min() <= batch["image"].max() <= 1
    assert torch.equal(batch["parameters"], draws["parameters"])
    assert torch.equal(batch["bucket"], generator.space.assign(batch["parameters"]))
    assert torch.equal(batch["label"], draws["parameters"][:, 0].long())
    assert (batch["domain"] == Domain.SYNTHETIC).all()
    names = generator.name(draws)
    assert names["model"] == [("red", "green")[label] for label in batch["label"]]
    assert set(names["background"]) <= {f"noise_0_{i}" for i in range(5)}
    ink = (batch["image"] * (batch["mask"] > 0.9)).sum((2, 3))
    assert torch.equal(ink[:, 1] > ink[:, 0], batch["label"].bool())  # the class that is labelled


class Greys(PictureSource):
    """Two greys for the first class, another for the second."""

    loaded = 0

    def load(self, classes):
        self.loaded += 1
        images = torch.tensor([20, 120, 220], dtype=torch.uint8).view(3, 1, 1, 1).expand(3, 3, 16, 16).contiguous()
        return Pictures(images, ("a", "b", "c"), by_class([[0, 1], [2]]))


def test_a_class_gets_its_own_backgrounds():
    clear = torch.zeros(4, SIZE, SIZE)
    generator = CutPaste(Stamp(clear, clear), Greys(), SIZE)
    for label, place, grey, name in ((0, 0.2, 20, "a"), (0, 0.7, 120, "b"), (1, 0.2, 220, "c"), (1, 1, 220, "c")):
        batch = make(generator, **{"class": label, "background": place})
        torch.testing.assert_close(batch["image"], torch.full_like(batch["image"], grey / 255))
        draws = Draws(bucket=batch["bucket"], parameters=batch["parameters"], seed=batch["bucket"])
        assert generator.name(draws) == {"background": [name]}


def test_the_seed_picks_the_part_of_the_background_alone():
    generator = cut_paste(premultiplied(*blobs()), Noise(1, 64))
    one, other = make(generator, 1), make(generator, 2)
    assert torch.equal(one["mask"], other["mask"])
    assert (one["image"] - other["image"]).abs().max() > 0.05
    whole = cut_paste(torch.zeros(4, SIZE, SIZE), Noise(1, 64), smallest_crop=1)
    first = make(whole, 0)["image"]
    mirrored = [torch.allclose(first, make(whole, seed)["image"].flip(3), atol=1e-4) for seed in range(9)]
    assert set(mirrored) == {True, False}


def test_copies_share_the_backgrounds_but_not_a_foreground_that_is_bound():
    class Bound(Stamp):
        source = None

        def bind(self, source):
            self.source = source

    generator = CutPaste(Bound(opaque()), Greys(), SIZE)
    twin = copy.deepcopy(generator)
    make(generator), make(twin)
    assert generator.background.loaded == 1
    few, many = (LabelledImages(torch.zeros(n, 3, 2, 2).byte(), torch.zeros(n).long(), ("a",)) for n in (1, 9))
    twin.bind(few)
    generator.bind(many)
    assert (generator.foreground.source, twin.foreground.source) == (many, few)


def test_a_foreground_without_mask_or_colours_is_refused():
    class Maskless(Stamp):
        def generate(self, draws, device):
            batch = super().generate(draws, device)
            del batch["mask"]
            return batch

    with pytest.raises(ConfigError, match="Maskless makes no colour images with masks"):
        make(CutPaste(Maskless(opaque()), Even(), SIZE))
    with pytest.raises(ConfigError, match="Glyphs makes no colour images with masks"):
        CutPaste(Glyphs(), Even(), SIZE).generate(draws_of(CutPaste(Glyphs(), Even(), SIZE), 2), CPU)


def test_a_foreground_with_a_background_of_its_own_is_refused():
    with pytest.raises(ConfigError, match=r"MeshImages draws outside its mask.*background"):
        make(CutPaste(MeshImages(Boxes(), 32, background=Noise(2, 16)), Even(), 32))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"scale": (0, 1)}, "scale is least and largest share"),
        ({"scale": (0.9, 0.5)}, "scale is least and largest share"),
        ({"scale": (0.5, 1.1)}, "scale is least and largest share"),
        ({"smallest_crop": 0}, "smallest_crop is a share"),
        ({"smallest_crop": 1.1}, "smallest_crop is a share"),
        ({"image_size": 0}, "image_size is at least 1"),
    ],
)
def test_what_it_refuses(changes, words):
    with pytest.raises(ConfigError, match=words):
        CutPaste(Stamp(opaque()), Even(), **changes)
