"""PASCAL3D+: objects cut out of photos, and their viewpoints, on small files in the format of release 1.1."""

import re

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.io import savemat

from synthreal.datasets import Pascal3D
from synthreal.errors import ConfigError, DatasetError, DatasetNotFoundError
from synthreal.rendering.camera import orbit
from synthreal.samplers import TripletTable

EMPTY = np.empty((0, 0))
VIEW = {"azimuth": 30.0, "elevation": 10.0, "theta": -5.0, "distance": 3.0, "px": 6.0, "py": 5.0, "focal": 1.0}
COARSE = {"azimuth_coarse": 45.0, "elevation_coarse": 20.0}
FIELDS = ("class", "bbox", "viewpoint", "difficult", "truncated", "occluded")


def thing(name="car", box=(3, 4, 6, 5), view=VIEW, **marks):
    """One object; marks that are not given are 0."""
    return [name, np.array(box, dtype=float), view, *(marks.get(mark, 0) for mark in FIELDS[3:])]


def annotate(path, objects):
    """Writes objects as MATLAB has them, a 1 × n struct array."""
    array = np.empty((1, len(objects)), dtype=[(field, object) for field in FIELDS])
    for i, values in enumerate(objects):
        array[0, i] = tuple(values)
    path.parent.mkdir(parents=True, exist_ok=True)
    savemat(path, {"record": {"filename": f"{path.stem}.JPEG", "objects": array}}, do_compression=True)


def pixels(seed=0, width=12, height=10):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def add(root, folder, name, objects, photo=None):
    """Adds a photo, losslessly under a JPEG's name, and its annotation."""
    path = root / "Images" / folder / f"{name}.{'JPEG' if folder.endswith('_imagenet') else 'jpg'}"
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels() if photo is None else photo).save(path, "png")
    annotate(root / "Annotations" / folder / f"{name}.mat", objects)


def put_list(path, *lines, end="\n"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines), "utf-8-sig" if end == "\r\n" else "ascii", newline=end)


@pytest.fixture
def root(tmp_path):
    """ImageNet's half: two photos of cars and one of a bus for training, one of each for testing."""
    add(tmp_path, "car_imagenet", "n1", [thing(), thing("bus"), thing(box=(1, 1, 4, 4), view=EMPTY)])
    add(tmp_path, "car_imagenet", "n2", [thing(view={**VIEW, "azimuth": 200.0})], pixels(2))
    add(tmp_path, "car_imagenet", "n3", [thing(view={**VIEW, "azimuth": 90.0})], pixels(3))
    add(tmp_path, "bus_imagenet", "n4", [thing("bus", view={**VIEW, "elevation": 80.0})], pixels(4))
    add(tmp_path, "bus_imagenet", "n5", [thing("bus")], pixels(5))
    for name, names in {"car_train": ["n2", "n1"], "car_val": ["n3"], "bus_train": ["n4"], "bus_val": ["n5"]}.items():
        put_list(tmp_path / "Image_sets" / f"{name.replace('_', '_imagenet_')}.txt", *names)
    return tmp_path


def data(root, classes=("car", "bus"), side=4, margin=0.0, **settings):
    return Pascal3D(str(root), side, list(classes), margin=margin, **settings)


def only_car(root, objects, photo=None):
    """Makes the training photos of cars a single one."""
    add(root, "car_imagenet", "n1", objects, photo)
    put_list(root / "Image_sets" / "car_imagenet_train.txt", "n1")


def squares(loaded):
    return loaded.images.permute(0, 2, 3, 1).numpy()


def test_samples_are_objects_of_their_folders_class_in_the_lists_order(root):
    train, test = data(root).load("train"), data(root, ["bus", "car"]).load("test")
    assert train.classes == ("car", "bus")
    assert train.labels.tolist() == [0, 0, 0, 1]
    # x 2 to 5 and y 3 to 4, counted from 0; the square about them has y 2 to 5.
    expected = [pixels(2)[2:6, 2:6], pixels()[2:6, 2:6], pixels()[:4, :4], pixels(4)[2:6, 2:6]]
    np.testing.assert_array_equal(squares(train), expected)
    assert test.labels.tolist() == [0, 1]
    np.testing.assert_array_equal(squares(test), [pixels(5)[2:6, 2:6], pixels(3)[2:6, 2:6]])


def test_squares_have_a_margin_and_pixels_at_the_edge_are_repeated(root):
    only_car(root, [thing(box=(1, 1, 2, 2)), thing(box=(11, 8, 17, 30)), thing()])
    # Pixels 0 and 1 with two more on each side; x 10 to 11 and y 7 to 9, with three more on each side.
    corner = data(root, ["car"], side=6, margin=1.0).load("train")
    np.testing.assert_array_equal(squares(corner)[0], np.pad(pixels()[:4, :4], ((2, 0), (2, 0), (0, 0)), "edge"))
    other = data(root, ["car"], side=9, margin=1.0).load("train")
    column = np.clip(np.arange(6, 15), 0, 11)  # the middle of 10 to 12 less 4.5 is 6.5, which rounds to even
    np.testing.assert_array_equal(squares(other)[1], pixels()[np.clip(np.arange(4, 13), 0, 9)][:, column])
    inside = data(root, ["car"], side=6, margin=0.25).load("train")  # x 2 to 5 and one on each side
    np.testing.assert_array_equal(squares(inside)[2], pixels()[1:7, 1:7])
    annotate(root / "Annotations" / "car_imagenet" / "n1.mat", [thing()] * 3)  # what was read before is not kept
    again = squares(data(root, ["car"], side=6, margin=0.25).load("train"))
    np.testing.assert_array_equal(again, [pixels()[1:7, 1:7]] * 3)


def test_random_boxes_agree_with_a_padded_photo(root):
    random = np.random.default_rng(7)
    corner = np.stack([random.integers(0, 35, 40), random.integers(0, 25, 40)], 1)
    extent = np.where(random.random((40, 1)) < 0.5, [[5, 3]], [[2, 5]])  # within 40 × 30; a margin of 1 makes it 15
    boxes = np.concatenate([corner + 1, corner + extent], 1)
    only_car(root, [thing(box=box) for box in boxes], pixels(9, 40, 30))
    found = squares(data(root, ["car"], side=15, margin=1.0).load("train"))
    padded = np.pad(pixels(9, 40, 30), ((50, 50), (50, 50), (0, 0)), "edge")
    for square, (left, top) in zip(found, np.round(corner + extent / 2 - 7.5).astype(int) + 50, strict=True):
        np.testing.assert_array_equal(square, padded[top : top + 15, left : left + 15])


def test_squares_are_scaled_and_grey_photos_become_colours(root):
    grey = np.full((10, 12), 70, dtype=np.uint8)
    only_car(root, [thing(box=(2, 2, 9, 4)), thing(box=(5, 5, 5, 5))], grey)
    loaded = data(root, ["car"], side=5, margin=0.1).load("train")
    assert torch.equal(loaded.images, torch.full((2, 3, 5, 5), 70, dtype=torch.uint8))


@pytest.mark.parametrize("mark", ["difficult", "truncated", "occluded"])
def test_whole_only_leaves_out_what_is_not_wholly_in_view(root, mark):
    only_car(root, [thing(**{mark: 1}), thing(**{mark: EMPTY}, view={**VIEW, "azimuth": 7.0}), thing(**{mark: True})])
    assert data(root).viewpoints("train")[:, 0].tolist() == [7, 30]
    assert len(data(root, whole_only=False).load("train")) == 4


@pytest.mark.parametrize(("whole_only", "azimuths", "end"), [(True, [30.0], "\n"), (False, [30.0, 60.0], "\r\n")])
def test_pascals_lists_say_which_photos_show_the_class(tmp_path, whole_only, azimuths, end):
    add(tmp_path, "sofa_pascal", "2008_000001", [thing("sofa")])
    if not whole_only:  # or else it is not asked for
        add(tmp_path, "sofa_pascal", "2008_000003", [thing("sofa", view={**VIEW, "azimuth": 60.0}, difficult=1)])
    lists = tmp_path / "PASCAL" / "VOCdevkit" / "VOC2012" / "ImageSets" / "Main"
    put_list(lists / "sofa_train.txt", "2008_000001  1", "2008_000002 -1", "2008_000003  0", "", end=end)
    sofas = data(tmp_path, ["sofa"], source="pascal", whole_only=whole_only)
    assert sofas.viewpoints("train")[:, 0].tolist() == azimuths
    assert len(sofas.load("train")) == len(azimuths)
    with pytest.raises(DatasetNotFoundError, match=r"PASCAL/VOCdevkit/VOC2012/ImageSets/Main/sofa_val\.txt"):
        sofas.load("test")


@pytest.mark.parametrize(
    ("view", "expected"),
    [
        (VIEW, [30, 10, -5]),
        ({**VIEW, **COARSE}, [30, 10, -5]),
        ({**VIEW, **COARSE, "distance": 0.0, "theta": 0.0}, [45, 20, 0]),
        (COARSE, [45, 20, 0]),
        ({"azimuth": EMPTY, "elevation": EMPTY, "theta": EMPTY, **COARSE}, [45, 20, 0]),
        ({"azimuth": 12.0, "elevation": -3.0}, [12, -3, 0]),
    ],
)
def test_fine_angles_come_first_and_coarse_ones_stand_in(root, view, expected):
    only_car(root, [thing(view=view)])
    assert data(root, ["car"]).viewpoints("train").tolist() == [expected]


@pytest.mark.parametrize("view", [EMPTY, {**VIEW, "azimuth": EMPTY}, {**VIEW, "distance": 0.0}, "front"])
def test_objects_without_a_viewpoint_have_nan(root, view):
    only_car(root, [thing(view=view), thing()])
    viewpoints = data(root, ["car"]).viewpoints("train")
    assert viewpoints.dtype == torch.float32
    assert viewpoints[0].isnan().all()
    assert viewpoints[1].tolist() == [30, 10, -5]


def test_angles_mean_what_a_camera_takes_them_for(root):
    """By hand, as `project_3d.m` goes: azimuth 90 stands at +x, and theta 90 turns the picture counter-clockwise."""
    only_car(root, [thing(view={**VIEW, "azimuth": 90.0, "elevation": 0.0, "theta": 90.0})])
    camera = orbit(*data(root, ["car"]).viewpoints("train").unbind(1), distance=2.0)
    torch.testing.assert_close(camera.position(), torch.tensor([[2.0, 0.0, 0.0]]), atol=1e-6, rtol=0)
    # Seen from +x with z up, the front (-y) points left and the top up; after the turn, down and left.
    front_and_top = camera.rotation()[0] @ torch.tensor([[0.0, -1.0, 0.0], [0.0, 0.0, 1.0]]).T
    expected = torch.tensor([[0.0, -1.0], [-1.0, 0.0], [0.0, 0.0]])  # right, up, towards the camera
    torch.testing.assert_close(front_and_top, expected, atol=1e-6, rtol=0)


def test_annotated_photos_make_triplet_sets(root):
    azimuths = {"car": [0.0, 10.0, 90.0, 100.0], "bus": [40.0, 60.0, 200.0, 225.0]}
    for name, angles in azimuths.items():
        views = [{**VIEW, "azimuth": angle} for angle in angles] + [EMPTY]
        add(root, f"{name}_imagenet", "n1", [thing(name, view=view) for view in views])
        put_list(root / "Image_sets" / f"{name}_imagenet_train.txt", "n1")
    train, viewpoints = data(root).load("train"), data(root).viewpoints("train")
    assert len(train) == len(viewpoints) == 10
    with pytest.raises(DatasetError, match="2 of 10 samples have no viewpoint, the first of them number 4"):
        TripletTable(train.labels, viewpoints, None, 2)
    known = viewpoints.isfinite().all(1).nonzero()[:, 0]
    table = TripletTable(train.labels[known], viewpoints[known], None, num_classes=2)
    sets = table.draw(torch.arange(8), np.random.default_rng(0))
    assert sets[:, :2].tolist() == [[i, i ^ 1] for i in range(8)]  # neighbours in pairs
    assert all(far // 4 == i // 4 and far // 2 != i // 2 for i, far in enumerate(sets[:, 2].tolist()))
    assert (train.labels[known][sets[:, 3:]] != train.labels[known][:, None]).all()


def test_skipped_files_are_left_out_of_images_and_viewpoints(root):
    names = [f"p{i}" for i in range(6)]
    for i, name in enumerate(names):
        add(root, "car_imagenet", name, [thing(view={**VIEW, "azimuth": float(i)})], pixels(i))
    put_list(root / "Image_sets" / "car_imagenet_train.txt", *names)
    (root / "Annotations" / "car_imagenet" / "p0.mat").unlink()
    (root / "Annotations" / "car_imagenet" / "p1.mat").write_bytes(b"MATLAB 5.0 MAT-file")
    (root / "Images" / "car_imagenet" / "p2.JPEG").unlink()
    (root / "Images" / "car_imagenet" / "p3.JPEG").write_bytes(b"\xff\xd8")
    annotate(root / "Annotations" / "car_imagenet" / "p4.mat", [thing(box=(13, 1, 20, 5)), thing()])
    cars = data(root, ["car"], corrupt="skip")
    with (
        pytest.warns(UserWarning, match=r"2 of 6 annotations were skipped: .*p0\.mat: .*p1\.mat: "),
        pytest.warns(UserWarning, match=r"3 of 5 objects were skipped: .*p2\.JPEG.*p3\.JPEG: .*p4\.JPEG: the box"),
    ):
        viewpoints = cars.viewpoints("train")
    np.testing.assert_array_equal(squares(cars.load("train")), [pixels(4)[2:6, 2:6], pixels(5)[2:6, 2:6]])
    assert viewpoints[:, 0].tolist() == [30, 5]


@pytest.mark.parametrize(
    "missing", ["Annotations/car_imagenet", "Images/car_imagenet", "Image_sets/car_imagenet_train.txt"]
)
def test_missing_folders_and_lists_come_with_where_to_get_them(root, missing):
    (root / missing).rename(root / "gone")
    with pytest.raises(
        DatasetNotFoundError, match=rf"PASCAL3D\+: nothing at '.*{missing}'\. Get .*release 1\.1 from cvgl"
    ):
        data(root).load("train")


@pytest.mark.parametrize("missing", ["Annotations/car_imagenet/n2.mat", "Images/car_imagenet/n2.JPEG"])
def test_listed_images_need_an_annotation_and_a_photo(root, missing):
    (root / missing).unlink()
    with pytest.raises(DatasetNotFoundError, match=rf"{missing}'\. The lists name 3 images, but 1 files .* to skip"):
        data(root).viewpoints("train")


@pytest.mark.parametrize(
    ("held", "message"),
    [
        (b"", "n2.mat: "),
        (b"no MATLAB file at all" * 20, "n2.mat: "),
        ({"other": 1.0}, "n2.mat: it holds no struct `record` with `objects`"),
        ({"record": 3.0}, "n2.mat: it holds no struct `record` with `objects`"),
        ({"record": {"objects": "car"}}, "n2.mat: its `record.objects` is no struct array"),
    ],
)
def test_unreadable_annotations_are_named(root, held, message):
    path = root / "Annotations" / "car_imagenet" / "n2.mat"
    path.write_bytes(held) if isinstance(held, bytes) else savemat(path, held)
    with pytest.raises(DatasetError, match=f"1 of 3 annotations cannot be read, .*{re.escape(message)}.*to skip"):
        data(root).load("train")


@pytest.mark.parametrize("box", [(13, 1, 20, 5), (-5, 1, 0, 5), (1, 11, 2, 12), (6, 4, 3, 5), (1, 2, 3)])
def test_boxes_outside_the_photo_are_named(root, box):
    only_car(root, [thing(), thing(box=box)])
    with pytest.raises(
        DatasetError, match=r"1 of 3 objects .*n1\.JPEG: the box \[.*\] is outside the photo of 12 × 10"
    ):
        data(root).load("train")


def test_broken_photos_are_named_and_so_are_classes_without_another(root):
    (root / "Images" / "bus_imagenet" / "n4.JPEG").write_bytes(b"\xff\xd8")
    with pytest.raises(DatasetError, match=r"1 of 4 objects cannot be read, .*n4\.JPEG: cannot identify"):
        data(root).load("train")
    with pytest.warns(UserWarning, match="skipped"), pytest.raises(DatasetError, match=r"no object of .*\['bus'\]"):
        data(root, corrupt="skip").load("train")


def test_a_class_without_images_or_objects_is_named(root):
    only_car(root, [thing(truncated=1), thing("bus")])
    with pytest.raises(DatasetError, match=r"no object of the classes \['car'\] is left .* Set whole_only to false"):
        data(root).load("train")
    put_list(root / "Image_sets" / "car_imagenet_train.txt")
    with pytest.raises(DatasetError, match=r"car_imagenet_train\.txt names no image of 'car'"):
        data(root).load("train")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"side": 0}, "side is at least 1 pixel, not 0"),
        ({"margin": -0.1}, "margin is a share of the box, 0 and above, not -0.1"),
        ({"margin": float("nan")}, "margin is a share"),
        ({"classes": []}, "at least one class"),
        ({"classes": ["car", "car"]}, "car: asked for twice"),
        ({"classes": ["car", "cat"]}, r"no classes \['cat'\]; it has aeroplane, .*tvmonitor"),
    ],
)
def test_settings_that_make_no_sense(settings, message):
    with pytest.raises(ConfigError, match=message):
        Pascal3D("nowhere", **settings)


def test_there_are_12_classes_and_no_validation_split():
    assert len(Pascal3D("nowhere").classes) == 12
    with pytest.raises(ConfigError, match="Pascal3D has the splits train, test"):
        Pascal3D("nowhere").viewpoints("validation")
