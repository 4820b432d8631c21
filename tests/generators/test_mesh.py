"""Rendered models: each variation is a switch, and boxes of plain colours show what it does."""

import copy
import pickle

import numpy as np
import pytest
import torch
import trimesh
import yaml
from lightning.pytorch import Trainer
from PIL import Image

from synthreal.batch import Domain, Draws, LabelledImages
from synthreal.callbacks import SampleAhead
from synthreal.cli import main
from synthreal.datamodules import BucketDataModule
from synthreal.datasets import ImageDataset
from synthreal.datasets.by_class import by_class
from synthreal.datasets.meshes import LabelledMeshes, MeshCollection
from synthreal.datasets.pictures import Noise, Pictures, PictureSource
from synthreal.errors import ConfigError
from synthreal.generators import MeshImages
from synthreal.generators.lighting import BackgroundLight, FixedLight, RandomLight
from synthreal.modules import Classifier
from synthreal.rendering.mesh import Material, build_mesh
from synthreal.rendering.packing import pack_meshes
from synthreal.rendering.palette import class_colours
from synthreal.spaces import Continuous, Product, UniformViews

CPU = torch.device("cpu")
SIZE = 32
WHITE = FixedLight(ambient=1, strength=0)  # surfaces in their own colours
CLASSES = ("ant", "bee", "cow")
COLOURS = np.array([[[0.8, 0.2, 0.2], [0.4, 0, 0]], [[0.2, 0.8, 0.2], [0, 0.4, 0]], [[0.2, 0.2, 0.8], [0, 0, 0.4]]])
EXTENTS = (1.0, 0.5, 0.6)


def box(name, colour):
    solid = trimesh.creation.box(EXTENTS)
    corners = np.array(solid.triangles, np.float32).reshape(-1, 3)  # of their own for each face: sharp edges
    return build_mesh(name, corners, np.arange(36).reshape(-1, 3), (Material(tuple(colour)),))


class Boxes(MeshCollection):
    """Two boxes a class, a light one and a dark one."""

    classes = CLASSES
    loaded = 0

    def load(self):
        self.loaded += 1
        meshes = [box(f"{CLASSES[i]}_{j}", COLOURS[i, j]) for i in range(3) for j in range(2)]
        return LabelledMeshes(pack_meshes(meshes), torch.arange(6) // 2, self.classes)


class Plain(PictureSource):
    """Pictures of one grey each; each class may have its own two."""

    def load(self, classes):
        grey = torch.arange(2 * len(classes), dtype=torch.uint8) * 40 + 30
        images = grey.view(-1, 1, 1, 1).expand(-1, 3, 16, 16).contiguous()
        members = [[2 * i, 2 * i + 1] for i in range(len(classes))]
        return Pictures(images, tuple(f"plain_{i}" for i in range(len(grey))), by_class(members))


AROUND = UniformViews(4, 2, elevation=(-5, 45), tilt=(-10, 10), distance=(1.8, 2.4))
EVERYTHING = {
    "views": AROUND,
    "lighting": RandomLight(),
    "background": Noise(5, 32),
    "texture": Noise(5, 32, seed=1),
    "focal_length": (1.2, 1.7),
    "shift": 0.1,
    "focal_point": 0.1,
    "occlusion": 0.3,
    "outputs": ["depth", "normals", "semantic"],
}


def images_of(size=SIZE, **settings):
    return MeshImages(Boxes(), size, **settings)


def draws_of(generator, count, seed=0):
    stream = torch.Generator().manual_seed(seed)
    bucket = torch.randint(generator.space.num_buckets, (count,), generator=stream)
    seeds = torch.randint(2**63 - 1, (count,), generator=stream)
    return Draws(bucket=bucket, parameters=generator.space.sample(bucket, stream), seed=seeds)


def rows(draws, index):
    return Draws(**{key: value[index] for key, value in draws.items()})


def make(generator, seed=0, **given):
    """One image: the middle of the first bucket, but for what is given."""
    u = generator.space.centres()[:1]
    for name, value in given.items():
        u[0, generator.space.columns.index(name.replace("_", " "))] = value
    return generator.generate(Draws(bucket=generator.space.assign(u), parameters=u, seed=torch.tensor([seed])), CPU)


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


VARIANTS = {
    "plain": {},
    "everything": EVERYTHING,
    "background light": {"background": Noise(5, 32), "lighting": BackgroundLight(), "views": AROUND},
    "filling": {"views": AROUND, "fill": 0.9, "flat": True},
}


@pytest.mark.parametrize("variant", ["plain", "everything", "filling", "background light"])
def test_a_batch_is_its_samples_whoever_makes_them(variant):
    generator = images_of(**VARIANTS[variant])
    draws = draws_of(generator, 37)
    batch = generator.generate(draws, CPU)
    for i in range(37):
        alone = generator.generate(rows(draws, slice(i, i + 1)), CPU)
        for key, value in batch.items():
            assert torch.equal(value[i : i + 1], alone[key]), key
    for rank in range(2):
        share = generator.generate(rows(draws, slice(rank, None, 2)), CPU)
        assert all(torch.equal(value[rank::2], share[key]) for key, value in batch.items())
    assert same(batch, generator.generate(draws, CPU))


def test_copies_make_the_same_images_and_load_the_models_once():
    generator = images_of(**EVERYTHING)
    twin = copy.deepcopy(generator)
    draws = draws_of(generator, 5)
    expected = generator.generate(draws, CPU)
    assert same(expected, twin.generate(draws, CPU))
    assert same(expected, copy.deepcopy(generator).generate(draws, CPU))
    assert generator.name(draws) == twin.name(draws)
    assert generator.meshes.loaded == 1
    assert same(expected, pickle.loads(pickle.dumps(generator)).generate(draws, CPU))


def test_what_a_batch_holds():
    generator = images_of(**EVERYTHING)
    draws = draws_of(generator, 50)
    batch = generator.generate(draws, CPU)
    assert set(batch) == {
        *("image", "label", "domain", "bucket", "parameters", "mask", "box", "viewpoint"),
        *("depth", "normals", "semantic"),
    }
    assert batch["image"].shape == batch["normals"].shape == batch["semantic"].shape == (50, 3, SIZE, SIZE)
    assert batch["mask"].shape == batch["depth"].shape == (50, 1, SIZE, SIZE)
    assert 0 <= batch["image"].min() <= batch["image"].max() <= 1
    assert torch.equal(batch["label"], draws["parameters"][:, 0].long())
    assert torch.equal(batch["bucket"], generator.space.assign(batch["parameters"]))
    assert torch.equal(batch["viewpoint"], draws["parameters"][:, 1:4])
    assert (batch["domain"] == Domain.SYNTHETIC).all()


def test_maps_come_only_when_asked_for():
    settings = {"views": AROUND, "vary_model": False}
    everything = images_of(outputs=["semantic", "depth", "normals"], **settings)
    draws = draws_of(everything, 3)
    maps = everything.generate(draws, CPU)
    plain = images_of(**settings).generate(draws, CPU)
    assert maps.keys() - plain.keys() == {"depth", "normals", "semantic"}
    for name in ("depth", "normals", "semantic"):
        alone = images_of(outputs=[name], **settings).generate(draws, CPU)
        assert alone.keys() - plain.keys() == {name}
        assert torch.equal(alone[name], maps[name])
        assert torch.equal(alone["image"], plain["image"])


ONE_VIEW = ("class", "azimuth", "elevation", "tilt", "distance")
LIGHT = ("light azimuth", "light elevation", "light strength", "ambient", "warmth")
SWITCHES = [
    ({"vary_model": True}, ("model",)),
    ({"texture": Noise(5, 32)}, ("texture",)),
    ({"background": Noise(5, 32)}, ("background",)),
    ({"focal_length": (1.2, 1.7)}, ("focal length",)),
    ({"shift": 0.2}, ("shift right", "shift down")),
    ({"focal_point": 0.3}, ("focal point x", "focal point y", "focal point z")),
    ({"close_shot": 0.1}, ()),
    ({"occlusion": 0.7}, ("occluder size", "occluder right", "occluder down")),
    ({"lighting": RandomLight()}, LIGHT),
    ({"views": AROUND}, ()),
    ({"fill": 0.8}, ()),
    ({"flat": True, "supersampling": 1, "own_surface": 0.5, "outputs": ["depth"]}, ()),
]


@pytest.mark.parametrize(("settings", "columns"), SWITCHES, ids=lambda x: ",".join(x))
def test_a_switch_adds_its_columns_and_each_changes_the_image(settings, columns):
    generator = images_of(**{"vary_model": False, "own_surface": 0.0} | settings)
    assert generator.space.columns == ONE_VIEW + columns
    width = len(generator.space.columns)
    low, high = (generator.space.place(torch.zeros(1).long(), torch.full((1, width), x)) for x in (0.3, 1.0))
    varied = [(i, column) for i, column in enumerate(generator.space.columns) if low[0, i] != high[0, i]]
    assert {column for _, column in varied} == {*columns, *(ONE_VIEW[1:] if "views" in settings else ())}
    for i, column in varied:
        u = low.repeat(2, 1)
        u[1, i] = high[0, i]
        draws = Draws(bucket=generator.space.assign(u), parameters=u, seed=torch.zeros(2).long())
        image = generator.generate(draws, CPU)["image"]
        assert (image[0] - image[1]).abs().max() > 0.02, column


def test_everything_at_once_in_order():
    generator = images_of(**EVERYTHING)
    variations = ("model", "texture", "background", "focal length", "shift right", "shift down")
    focus = ("focal point x", "focal point y", "focal point z")
    occluder = ("occluder size", "occluder right", "occluder down")
    assert generator.space.columns == ONE_VIEW + variations + focus + occluder + LIGHT
    assert generator.space.shape == (3, 4 * 2)
    assert generator.classes == CLASSES
    assert generator.num_classes == 3


@pytest.mark.parametrize(
    ("settings", "neutral"),
    [
        ({"vary_model": True}, {"model": 0}),
        ({"focal_length": (1.2, 1.6)}, {"focal_length": 1.6}),
        ({"shift": 0.2}, {"shift_right": 0, "shift_down": 0}),
        ({"focal_point": 0.2}, {"focal_point_x": 0, "focal_point_y": 0, "focal_point_z": 0}),
        ({"occlusion": 0.5}, {"occluder_size": 0}),
        (
            {"lighting": RandomLight((0, 80), (0, 1), (0, 1))},
            {"light_azimuth": 320, "light_elevation": 50, "light_strength": 0.55, "ambient": 0.45, "warmth": 0},
        ),
    ],
    ids=lambda x: ",".join(x),
)
def test_a_variation_at_rest_is_one_that_is_off(settings, neutral):
    off, on = make(images_of(vary_model=False)), make(images_of(**{"vary_model": False} | settings), **neutral)
    assert torch.equal(off["mask"], on["mask"])
    torch.testing.assert_close(on["image"], off["image"], atol=1e-5, rtol=0)


def test_the_seed_decides_only_what_parameters_leave_open():
    for settings in ({}, {"occlusion": 0.5, "shift": 0.1, "lighting": RandomLight()}, {"fill": 1}):
        assert same(make(images_of(**settings), 1), make(images_of(**settings), 2**63 - 2))
    for settings in ({"background": Noise(5, 32)}, {"texture": Noise(5, 32)}):
        one, other = make(images_of(**settings), 1), make(images_of(**settings), 2)
        assert torch.equal(one["mask"], other["mask"])
        assert (one["image"] - other["image"]).abs().max() > 0.05


@pytest.mark.parametrize("label", range(3))
@pytest.mark.parametrize(("place", "model"), [(0, 0), (0.49, 0), (0.5, 1), (0.999, 1), (1, 1)])
def test_the_model_of_the_class_is_drawn(label, place, model):
    generator = images_of(lighting=WHITE)
    batch = make(generator, **{"class": label, "model": place})
    draws = Draws(bucket=batch["bucket"], parameters=batch["parameters"])
    assert batch["label"].tolist() == [label]
    assert generator.name(draws) == {"model": [f"{CLASSES[label]}_{model}"]}
    solid = batch["image"][0, :, batch["mask"][0, 0] == 1]
    np.testing.assert_allclose(solid, np.tile(COLOURS[label, model][:, None], solid.shape[1]), atol=1e-5)


def test_the_first_model_alone():
    generator = images_of(vary_model=False, lighting=WHITE)
    draws = draws_of(generator, 20)
    names = [f"{CLASSES[label]}_0" for label in draws["parameters"][:, 0].int()]
    assert generator.name(draws) == {"model": names}


def straight(**settings):
    """Sees the front, 1 wide and 0.6 high, at depth 2 - 0.25."""
    views = UniformViews(1, 1, azimuth=(0.0, 0.0), elevation=(0.0, 0.0), distance=(2.0, 2.0))
    plain = {"size": 70, "views": views, "vary_model": False, "lighting": WHITE, "supersampling": 4}
    return images_of(**plain | settings)


def extent(batch):
    left, top, right, bottom = batch["box"][0].tolist()
    return right - left, bottom - top


@pytest.mark.parametrize("focal", [1.0, 1.25, 1.6])
def test_size_and_depth_from_the_front_by_hand(focal):
    batch = make(straight(focal_length=(focal, focal), outputs=["depth", "normals"]))
    expected = [70 * focal * side / 1.75 for side in (1, 0.6)]
    np.testing.assert_allclose(extent(batch), expected, atol=1)
    assert float(batch["mask"].sum()) == pytest.approx(expected[0] * expected[1], rel=0.01)
    seen = batch["mask"][0, 0] == 1
    np.testing.assert_allclose(batch["depth"][0, 0, seen], 1.75, atol=1e-4)
    assert batch["depth"][batch["mask"] == 0].abs().max() == 0
    towards_camera = torch.tensor([0.0, 0, 1])[:, None].expand(-1, int(seen.sum()))
    np.testing.assert_allclose(batch["normals"][0, :, seen], towards_camera, atol=1e-5)


def test_a_shift_moves_the_object_by_so_many_widths():
    generator = straight(shift=0.2, focal_length=(0.8, 0.8))

    def middle(**shift):
        left, top, right, bottom = make(generator, **{"shift_right": 0, "shift_down": 0} | shift)["box"][0].tolist()
        return np.array([left + right, top + bottom]) / 2

    np.testing.assert_allclose(middle(), 35, atol=0.5)
    np.testing.assert_allclose(middle(shift_right=0.1), [42, 35], atol=0.5)
    np.testing.assert_allclose(middle(shift_right=-0.2, shift_down=0.1), [21, 42], atol=0.5)


class Speck(MeshCollection):
    """A cube so small that it lies where its middle is seen."""

    classes = ("speck",)

    def load(self):
        corners = np.array(trimesh.creation.box((0.02, 0.02, 0.02)).triangles, np.float32).reshape(-1, 3)
        speck = build_mesh("speck", corners, np.arange(36).reshape(-1, 3), (Material((1.0, 1.0, 1.0)),))
        return LabelledMeshes(pack_meshes([speck]), torch.zeros(1).long(), self.classes)


def seen_at(azimuth, elevation, tilt, distance, focus, focal):
    """Where the origin is seen, image widths right and down of the picture's middle, by cross products."""
    a, e, t = np.radians([azimuth, elevation, tilt])
    eye = distance * np.array([np.cos(e) * np.sin(a), -np.cos(e) * np.cos(a), np.sin(e)])
    back = (eye - focus) / np.linalg.norm(eye - focus)
    right = np.cross([0, 0, 1], back)
    right /= np.linalg.norm(right)
    across, upward = -eye @ right, -eye @ np.cross(back, right)
    turned = np.array([np.cos(t) * across - np.sin(t) * upward, np.sin(t) * across + np.cos(t) * upward])
    return focal * turned / (eye @ back) * [1, -1], eye


VIEWS = [(0, 0, 0, 2.0), (90, 0, 0, 2.0), (-50, 35, 0, 2.2), (200, -30, 25, 1.8), (145, 60, -40, 3.0)]
FOCI = [(0.3, 0, 0), (0, 0, 0.2), (-0.25, 0.1, -0.3)]


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("focus", FOCI)
@pytest.mark.parametrize("close_shot", [0.0, 0.1])
def test_where_the_object_is_seen_beside_the_focal_point_by_hand(view, focus, close_shot):
    azimuth, elevation, tilt, distance = map(float, view)
    views = UniformViews(1, 1, (azimuth, azimuth), (elevation, elevation), (tilt, tilt), distance=(distance, distance))
    generator = MeshImages(
        Speck(), 200, views, False, WHITE, focal_length=(1, 1), focal_point=0.3, close_shot=close_shot, supersampling=4
    )
    batch = make(generator, **{f"focal_point_{axis}": value for axis, value in zip("xyz", focus, strict=True)})
    _, eye = seen_at(*view, np.zeros(3), 1)
    front = np.array([0, -distance, 0])
    expected, _ = seen_at(*view, np.array(focus) + close_shot * (eye - front), 1)
    mask = batch["mask"][0, 0].double().numpy()
    assert np.abs(expected).max() < 0.45
    middle = np.arange(200) + 0.5
    found = np.array([mask.sum(0) @ middle, mask.sum(1) @ middle]) / mask.sum() / 200 - 0.5
    np.testing.assert_allclose(found, expected, atol=0.002)
    np.testing.assert_allclose(batch["viewpoint"], [[azimuth, elevation, tilt]])


def test_a_close_shot_of_the_front_is_the_usual_one_and_of_the_side_looks_past_the_object():
    for azimuth, moved in ((0.0, False), (60.0, True), (-60.0, True)):
        views = UniformViews(1, 1, (azimuth, azimuth), (0.0, 0.0), distance=(2.2, 2.2))
        usual, close = (make(images_of(views=views, close_shot=share)) for share in (0.0, 0.2))
        assert torch.equal(usual["image"], close["image"]) != moved
        # C - P points to the camera and to the back of the object, which gets out of the middle with its front ahead.
        shift = float((close["box"] - usual["box"])[0, [0, 2]].sum())
        assert (shift < -4) == (azimuth > 0)
        assert (shift > 4) == (azimuth < 0)


@pytest.mark.parametrize("fill", [0.5, 0.9, 1.0])
def test_the_object_fills_its_share_of_the_picture_from_every_side(fill):
    generator = images_of(size=60, views=AROUND, fill=fill, supersampling=4)
    left, top, right, bottom = generator.generate(draws_of(generator, 24), CPU)["box"].T.numpy()
    np.testing.assert_allclose(np.maximum(right - left, bottom - top), 60 * fill, atol=1.01)
    np.testing.assert_allclose([left + right, top + bottom], 60, atol=1.01)


def test_mask_and_box_are_those_of_the_image():
    generator = images_of(lighting=WHITE, views=AROUND, shift=0.15)
    batch = generator.generate(draws_of(generator, 12), CPU)
    for image, mask, frame in zip(batch["image"], batch["mask"][:, 0], batch["box"].tolist(), strict=True):
        # White light and one colour: the image is the mask times that colour.
        torch.testing.assert_close(image.amax(0), mask * image.max(), atol=1e-5, rtol=0)
        seen = [(x, y) for y in range(SIZE) for x in range(SIZE) if mask[y, x] >= 0.5]
        assert frame == [*np.min(seen, 0), *(np.max(seen, 0) + 1)]
        assert set((mask * 4).flatten().tolist()) <= {0, 1, 2, 3, 4}  # two by two samples


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


def test_a_fixed_camera_by_default():
    assert images_of().space.centres()[:, 1:5].tolist() == [[-40, 20, 0, np.float32(2.2)]] * 3


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"focal_length": (0, 1)}, "focal_length is shortest and longest"),
        ({"focal_length": (2, 1)}, "focal_length is shortest and longest"),
        ({"focal_length": (float("nan"), 1)}, "focal_length"),
        ({"own_surface": 1.1}, "own_surface is a share"),
        ({"own_surface": -0.1}, "own_surface is a share"),
        ({"shift": -0.1}, "shift and occlusion"),
        ({"shift": 1}, "shift and occlusion"),
        ({"occlusion": -0.1}, "shift and occlusion"),
        ({"occlusion": float("nan")}, "shift and occlusion"),
        ({"focal_point": -0.1}, "focal_point -0.1 and close_shot 0 are at least 0"),
        ({"focal_point": float("nan")}, "focal_point nan"),
        ({"focal_point": float("inf")}, "focal_point inf"),
        ({"close_shot": -0.1}, "close_shot -0.1 are at least 0"),
        ({"close_shot": 0.5}, r"no camera, 2\.2 from the object, could stand at the point that it looks at"),
        ({"focal_point": 1.28}, "could stand at the point"),  # 1.28 √3 = 2.217
        ({"focal_point": 0.64, "close_shot": 0.25}, "could stand at the point"),  # half of that
        ({"focal_point": 0.1, "fill": 0.9}, "fill moves the object back to the middle"),
        ({"close_shot": 0.1, "fill": 0.9}, "fill moves the object back to the middle"),
        ({"fill": 0}, "fill is a share"),
        ({"fill": 1.01}, "fill is a share"),
        ({"views": Continuous("azimuth", 0, 360)}, "columns azimuth, elevation, tilt, distance, not azimuth"),
        ({"views": Product([AROUND, Continuous("zoom", 0, 1)])}, "not azimuth, .*zoom"),
    ],
)
def test_what_it_refuses(settings, words):
    with pytest.raises(ConfigError, match=words):
        images_of(**settings)


@pytest.mark.parametrize("distance", [(0.63, 0.63), (0.5, 5)])
def test_a_camera_inside_an_object(distance):
    generator = images_of(views=UniformViews(2, 2, distance=distance))
    with pytest.raises(ConfigError, match=r"distance 0\.[56].* could stand inside an object.*0\.63 from its middle"):
        make(generator)
    make(images_of(views=UniformViews(2, 2, distance=(0.7, 0.7))))


@pytest.mark.parametrize(
    "settings", [{"close_shot": 0.2}, {"focal_point": 0.2}, {"focal_point": 0.2, "close_shot": 0.2}]
)
def test_a_focal_point_leaves_the_camera_where_it_stands(settings):
    with pytest.raises(ConfigError, match=r"distance 0\.63 could stand inside an object"):
        make(images_of(views=UniformViews(2, 2, distance=(0.63, 0.63)), **settings))
    make(images_of(views=UniformViews(2, 2, distance=(0.7, 0.7)), **settings))


def test_the_widest_focal_points_that_are_allowed():
    for settings in ({"focal_point": 1.26}, {"close_shot": 0.49}, {"focal_point": 0.63, "close_shot": 0.25}):
        generator = images_of(**settings)
        assert generator.generate(draws_of(generator, 20), CPU)["image"].isfinite().all()


class Squares(ImageDataset):
    """Real pictures of the same classes: 12 squares of colour each."""

    classes = CLASSES

    def load(self, split):
        colour = torch.from_numpy(COLOURS[:, 0] * 255).byte().repeat_interleave(12, 0)
        images = torch.zeros(36, 3, SIZE, SIZE, dtype=torch.uint8)
        images[:, :, 8:24, 8:24] = colour[:, :, None, None]
        return LabelledImages(images, torch.arange(3).repeat_interleave(12), self.classes)


def test_it_trains_with_real_pictures_and_sampleahead():
    data = BucketDataModule(
        Squares(),
        images_of(**EVERYTHING | {"outputs": None}),
        real_per_batch=6,
        synthetic_per_batch=6,
        probe_images_per_class=0,
        num_probes=48,
        seed=0,
    )
    # Real images have no mask: what a batch mixes is what both have.
    network = {"in_channels": 3, "image_size": SIZE, "num_classes": 3}
    model = Classifier(network="synthreal.networks.LeNet", network_args=network)
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    Trainer(fast_dev_run=True, accelerator="cpu", callbacks=[SampleAhead()], **quiet).fit(model, data)
    batch = data.preview(12)
    assert batch["image"].shape == (12, 3, SIZE, SIZE)
    assert batch["domain"].tolist() == [Domain.REAL] * 6 + [Domain.SYNTHETIC] * 6


def write_models(root):
    for name, extents in {"plank": (1, 0.2, 0.1), "tower": (0.3, 0.3, 1)}.items():
        (root / name).mkdir(parents=True)
        trimesh.creation.box(extents).export(root / name / "box.glb")


def test_a_config_names_every_part_by_its_short_name(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    write_models(tmp_path / "models")
    generator = {
        "class_path": "MeshImages",
        "init_args": {
            "meshes": {"class_path": "MeshFolder", "init_args": {"root": str(tmp_path / "models")}},
            "image_size": 24,
            "views": {"class_path": "UniformViews", "init_args": {"azimuth_bins": 2, "elevation_bins": 1}},
            "lighting": {"class_path": "RandomLight", "init_args": {"warmth": 0.1}},
            "background": {"class_path": "Noise", "init_args": {"count": 3, "side": 16}},
            "texture": {"class_path": "Noise", "init_args": {"count": 3, "side": 16, "seed": 1}},
            "outputs": ["depth"],
        },
    }
    config = {
        "model": {"class_path": "Passthrough"},
        "data": {"class_path": "GeneratedDataModule", "init_args": {"generator": generator, "count": 6}},
        "trainer": {
            "accelerator": "cpu",
            "logger": False,
            "enable_progress_bar": False,
            "callbacks": {"class_path": "DatasetWriter", "init_args": {"output": "out", "outputs": ["mask", "depth"]}},
        },
    }
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    assert main(["predict", "--config", "config.yaml"]) == 0
    pictures = sorted((tmp_path / "out" / "image").rglob("*.png"))
    assert {path.parent.name for path in pictures} == {"plank", "tower"}
    assert len(pictures) == 6
    with Image.open(pictures[0]) as image:
        assert image.size == (24, 24)
    assert len(list((tmp_path / "out" / "depth").rglob("*.png"))) == 6


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        ("--data.generator.init_args.fill=2", ["fill is a share"]),
        ("--data.generator.init_args.outputs=[colour]", ["outputs", "colour"]),
        ("--data.generator.init_args.lighting=Moonlight", ["Moonlight"]),
        ("--data.generator.init_args.meshes.init_args.root=nowhere", ["MeshFolder", "nowhere"]),
    ],
)
def test_a_mistake_in_a_config_is_named(tmp_path, capsys, argument, words):
    write_models(tmp_path / "models")
    meshes = f"{{class_path: MeshFolder, init_args: {{root: {tmp_path}/models}}}}"
    generator = f"{{class_path: MeshImages, init_args: {{meshes: {meshes}}}}}"
    args = ["predict", "--model=Passthrough", "--data=GeneratedDataModule", f"--data.generator={generator}"]
    try:
        status = main([*args, "--data.count=2", argument])
    except SystemExit as stop:
        status = stop.code
    assert status == 2
    error = capsys.readouterr().err
    assert all(word in error for word in words), error
