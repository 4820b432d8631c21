"""VisDA's three domains, their lists and their splits."""

import pytest
import torch
from PIL import Image

from synthreal.datasets import VisDA
from synthreal.datasets.files import LabelledFiles
from synthreal.datasets.visda import CLASSES
from synthreal.errors import ConfigError, DatasetError, DatasetNotFoundError

TWO = ["aeroplane", "bus"]
# Two collections of ShapeNet models that share the first one, and one with short numbers.
MODELS = {
    "aeroplane": [
        "src_1_02691156_1b0b1d2cb9f9d5c0575bd26acccafabd_",
        "src_2_02691156_1b0b1d2cb9f9d5c0575bd26acccafabd_",
        "src_2_02691156_5b3e534b2d022a9528be5258a76a8dcf_",
        "src_1_02691156_8b3bccc84ac7d534d56132409b00c58b_",
    ],
    "bus": ["src_3_1675_", "src_3_1677_", "src_3_16_", "src_4_0a_b_"],
}
VIEWS = ["10_123_150", "112_10_150", "95_349_165"]


def write(root, domain, lines):
    """A domain's images, each of its own red, and its list."""
    for i, line in enumerate(lines):
        path = root / domain / line.split()[0]
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (9, 7), (10 * i % 250, 0, 0)).save(path)
    (root / domain / "image_list.txt").write_text("".join(f"{line}\n" for line in lines))


@pytest.fixture
def photos(tmp_path):
    lines = [f"{CLASSES[label]}/{CLASSES[label]}_{i}.png {label}" for label in (0, 2, 11) for i in range(6)]
    write(tmp_path, "validation", lines)
    return tmp_path


@pytest.fixture
def renderings(tmp_path):
    lines = [
        f"{name}/{model}_{view}.png {CLASSES.index(name)}"
        for name, models in MODELS.items()
        for model in models
        for view in VIEWS
    ]
    write(tmp_path, "train", lines)
    return tmp_path


def names(data, split):
    return [path.name for path in data.load(split).paths]


def test_the_official_order():
    assert " ".join(CLASSES) == ("aeroplane bicycle bus car horse knife motorcycle person plant skateboard train truck")
    assert VisDA("nowhere").classes == CLASSES


def test_photos_are_split_in_halves_of_each_class(photos):
    data = VisDA(str(photos), classes=["truck", "aeroplane"], side=4)
    train, test = data.load("train"), data.load("test")
    assert data.classes == train.classes == test.classes == ("truck", "aeroplane")
    assert train.shape == (3, 4, 4)
    assert train.labels.tolist() == test.labels.tolist() == [0, 0, 0, 1, 1, 1]
    # images 0 to 5 are aeroplanes, 12 to 17 trucks, and the red says which one it is
    for label, first in ((0, 12), (1, 0)):
        red = [image for part in (train, test) for image in part.images[part.labels == label, 0, 0, 0].tolist()]
        assert sorted(red) == [10 * i for i in range(first, first + 6)]


def test_the_split_depends_on_the_seed_only(photos):
    disk = [VisDA(str(photos), classes=list(classes), keep="disk") for classes in (("bus",), ("truck", "bus"))]
    assert names(disk[0], "test") == [name for name in names(disk[1], "test") if name.startswith("bus")]
    other = VisDA(str(photos), classes=["truck", "bus"], keep="disk", seed=3)
    assert names(other, "test") != names(disk[1], "test")
    third = VisDA(str(photos), classes=["bus"], test_share=1 / 3, keep="disk")
    assert (len(third.load("train")), len(third.load("test"))) == (4, 2)


@pytest.mark.parametrize("seed", range(8))
def test_no_model_is_on_both_sides_not_even_by_two_collections(renderings, seed):
    data = VisDA(str(renderings), "train", TWO, keep="disk", seed=seed)
    assert isinstance(data.load("train"), LabelledFiles)
    sides = {split: names(data, split) for split in ("train", "test")}
    models = {}
    for split, files in sides.items():
        for file in files:
            model = file.split("_", 2)[2].rsplit("__", 1)[0]  # without collection and view
            models.setdefault(model, []).append(split)
    assert len(models) == 7  # eight, of which two are one
    assert all(len(set(found)) == 1 for found in models.values())
    assert len(models["02691156_1b0b1d2cb9f9d5c0575bd26acccafabd"]) == 2 * len(VIEWS)
    # by model: 3 aeroplanes and 4 buses, halves rounded
    assert sum(found[0] == "test" for found in models.values()) == 4


def test_frames_without_class_folders_are_read(tmp_path):
    lines = [
        "trunk01/18ea5222dff37f46.png 2",
        "trunk01/9e6997d5b0239b2c.png 0",
        "trunk20/a85.png 2",
        "trunk02/c4.png 0",
    ]
    write(tmp_path, "test", lines)
    data = VisDA(str(tmp_path), "test", TWO)
    images = [data.load(split) for split in ("train", "test")]
    assert [part.labels.tolist() for part in images] == [[0, 1], [0, 1]]
    red = torch.stack([part.images[:, 0, 0, 0] for part in images]).sort(0).values
    assert red.tolist() == [[10, 0], [30, 20]]


@pytest.mark.parametrize(("domain", "remedy"), [("train", r"Unpack train\.tar in"), ("test", "list of labels")])
def test_a_missing_list_comes_with_where_to_get_it(tmp_path, domain, remedy):
    with pytest.raises(DatasetNotFoundError, match=rf"{domain}.image_list\.txt'.*{remedy}.*taskcv-2017-public"):
        VisDA(str(tmp_path), domain).load("train")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("bus/a.png 12", r"'bus/a\.png 12' is not an image and a label from 0 to 11"),
        ("bus/a.png", "is not an image and a label"),
        ("bus/a.png two", "is not an image and a label"),
        ("bus/a.png ²", "is not an image and a label"),
        ("", "'' is not an image and a label"),
        ("bus/a.png 3", r"calls an image of the folder 'bus' 'car' \(3\)"),
        ("bus/bus_1.png 2", r"lists 'bus/bus_1\.png' twice"),
    ],
)
def test_a_list_that_is_wrong_is_refused(photos, line, message):
    with (photos / "validation" / "image_list.txt").open("a", encoding="utf-8") as file:
        file.write(f"{line}\nbus/b.png 2\n")
    with pytest.raises(DatasetError, match=message):
        VisDA(str(photos), classes=TWO).load("train")


def test_listed_images_must_be_there(photos):
    (photos / "validation" / "bus" / "bus_3.png").unlink()
    for keep in ("memory", "disk"):
        data = VisDA(str(photos), classes=["bus"], keep=keep)
        with pytest.raises(DatasetError, match=r"bus_3\.png: .*No such file"):
            [data.load(split) for split in ("train", "test")]


def test_a_class_without_images_is_named(photos):
    with pytest.raises(DatasetError, match=r"lists no image of the classes \['car'\]: take them out"):
        VisDA(str(photos), classes=["bus", "car"]).load("test")


def test_a_rendering_without_a_model_in_its_name_is_refused(renderings):
    path = renderings / "train" / "image_list.txt"
    path.write_text(path.read_text() + "bus/photo.png 2\n")
    with pytest.raises(DatasetError, match=r"'bus/photo\.png' is not named src_<collection>_<model>"):
        VisDA(str(renderings), "train", TWO).load("train")


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        ([], "at least one class"),
        (["bus", "bus"], "bus: asked for twice"),
        (["bus", "boat"], r"no classes \['boat'\]; it has aeroplane, bicycle"),
    ],
)
def test_classes_that_make_no_sense(classes, message):
    with pytest.raises(ConfigError, match=message):
        VisDA("nowhere", classes=classes)


def test_a_share_out_of_range_and_a_split_that_there_is_not(photos):
    with pytest.raises(ConfigError, match="test_share is more than 0"):
        VisDA(str(photos), classes=TWO, test_share=1.0).load("train")
    with pytest.raises(ConfigError, match="VisDA has the splits train, test"):
        VisDA(str(photos), classes=TWO).load("validation")
