"""Where rendered models are seen, by hand: size, depth, shift, focal points, close shots, filling."""

import numpy as np
import pytest
import torch
import trimesh

from synthreal.datasets.meshes import LabelledMeshes, MeshCollection
from synthreal.errors import ConfigError
from synthreal.generators import MeshImages
from synthreal.rendering.mesh import Material, build_mesh
from synthreal.rendering.packing import pack_meshes
from synthreal.spaces import UniformViews
from tests.generators.mesh_parts import AROUND, CPU, SIZE, WHITE, draws_of, images_of, make


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
