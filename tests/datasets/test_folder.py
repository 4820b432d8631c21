"""Class folders in both layouts, the split, and what can be missing."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from synthreal.batch import LabelledImages
from synthreal.datasets import ImageFolder
from synthreal.datasets.files import LabelledFiles
from synthreal.datasets.folder import held_out
from synthreal.errors import ConfigError, DatasetError, DatasetNotFoundError

RED = {"cat": 10, "dog": 60, "truck": 110, "bus": 160}


def save(path, red):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (6, 4), (red, 0, 0)).save(path)


@pytest.fixture
def split(tmp_path):
    """3 training and 2 test images of each class, each class of its own red; the number of an image is added to it."""
    for part, count in (("train", 3), ("test", 2)):
        for name, red in RED.items():
            for i in range(count):
                save(tmp_path / part / name / f"{i}.png", red + i)
    return tmp_path


@pytest.fixture
def whole(tmp_path):
    """10 images of each class, not split."""
    for name, red in RED.items():
        for i in range(10):
            save(tmp_path / name / f"{i}.png", red + i)
    return tmp_path


def reds(images):
    """Red of each image, by class."""
    return {name: images.images[images.labels == label, 0, 0, 0].tolist() for label, name in enumerate(images.classes)}


def test_folders_are_classes_and_sets(split):
    data = ImageFolder(str(split), side=4)
    assert data.classes == ("bus", "cat", "dog", "truck")
    assert data.splits == ("train", "test")
    train, test = data.load("train"), data.load("test")
    assert isinstance(train, LabelledImages)
    assert train.classes == data.classes
    assert train.shape == (3, 4, 4)
    assert reds(train) == {name: [RED[name], RED[name] + 1, RED[name] + 2] for name in data.classes}
    assert reds(test) == {name: [RED[name], RED[name] + 1] for name in data.classes}


@pytest.mark.parametrize(
    ("train", "test"), [("Train", "Test"), ("training", "testing"), ("TRAIN", "valid"), ("train", "Val")]
)
def test_sets_go_by_other_names_too(split, train, test):
    (split / "train").rename(split / "moved")  # by way of another name, where case makes no difference
    (split / "moved").rename(split / train)
    (split / "test").rename(split / "moved")
    (split / "moved").rename(split / test)
    data = ImageFolder(str(split))
    assert (data.classes, data.splits) == (("bus", "cat", "dog", "truck"), ("train", "test"))
    assert (len(data.load("train")), len(data.load("test"))) == (12, 8)


@pytest.mark.parametrize(("name", "others"), [("training", "train, training"), ("testing", "test, testing")])
def test_two_folders_for_one_set_are_named(split, name, others):
    save(split / name / "cat" / "a.png", 0)
    with pytest.raises(DatasetError, match=rf"{others}.*one set"):
        ImageFolder(str(split))


@pytest.mark.parametrize("name", ["val", "validation"])
def test_a_validation_folder_is_the_test_set_if_there_is_no_other(split, name):
    (split / "test").rename(split / name)
    data = ImageFolder(str(split))
    assert data.splits == ("train", "test")
    assert len(data.load("test")) == 8
    with pytest.raises(ConfigError, match="ImageFolder has the splits train, test, but not 'validation'"):
        data.load("validation")


@pytest.mark.parametrize("name", ["val", "valid", "Validation"])
def test_a_validation_folder_beside_a_test_folder_is_the_validation_set(split, name):
    for label, red in RED.items():
        save(split / name / label / "a.png", red + 9)
    data = ImageFolder(str(split))
    assert set(data.splits) == {"train", "validation", "test"}
    assert reds(data.load("validation")) == {label: [RED[label] + 9] for label in data.classes}
    assert len(data.load("test")) == 8


def test_pictures_lie_anywhere_below_and_hidden_ones_do_not_count(split):
    save(split / "train" / "cat" / "deep" / "er" / "a.png", 20)
    save(split / "train" / "cat" / ".trash" / "a.png", 250)
    save(split / "train" / "dog" / "._0.png", 250)
    save(split / "train" / ".cache" / "a.png", 250)
    (split / "train" / "cat" / "notes.txt").touch()
    (split / "train" / "readme.md").touch()
    train = ImageFolder(str(split)).load("train")
    assert reds(train) == {
        "bus": [160, 161, 162],
        "cat": [10, 11, 12, 20],
        "dog": [60, 61, 62],
        "truck": [110, 111, 112],
    }


def test_a_linked_class_folder_is_read(split, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "cats"
    (split / "train" / "cat").rename(elsewhere)
    (split / "train" / "cat").symlink_to(elsewhere)
    assert reds(ImageFolder(str(split)).load("train"))["cat"] == [10, 11, 12]


def test_classes_keep_the_order_asked_for(split):
    data = ImageFolder(str(split), classes=["truck", "cat"])
    assert data.classes == ("truck", "cat")
    assert data.load("train").labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert reds(data.load("test")) == {"truck": [110, 111], "cat": [10, 11]}


def test_a_class_may_be_made_of_several_folders(split):
    data = ImageFolder(str(split), classes={"vehicle": ["truck", "bus"], "pet": ["cat"]})
    assert data.classes == ("vehicle", "pet")
    assert reds(data.load("train")) == {"vehicle": [110, 111, 112, 160, 161, 162], "pet": [10, 11, 12]}


def test_a_folder_without_sets_is_split_by_image(whole):
    data = ImageFolder(str(whole), test_share=0.3)
    train, test = reds(data.load("train")), reds(data.load("test"))
    for name, red in RED.items():
        assert (len(train[name]), len(test[name])) == (7, 3)
        assert sorted(train[name] + test[name]) == list(range(red, red + 10))
    # not the same images of each class
    assert len({tuple(value - RED[name] for value in values) for name, values in test.items()}) > 1


def test_the_split_of_a_class_does_not_depend_on_the_others(whole):
    every = reds(ImageFolder(str(whole)).load("test"))
    some = reds(ImageFolder(str(whole), classes=["truck", "cat"]).load("test"))
    assert some == {name: every[name] for name in ("truck", "cat")}
    assert reds(ImageFolder(str(whole), seed=1).load("test")) != every


def test_the_split_does_not_depend_on_where_the_folder_is(whole, tmp_path_factory):
    before = reds(ImageFolder(str(whole)).load("test"))
    moved = whole.rename(tmp_path_factory.mktemp("elsewhere") / "moved")
    assert reds(ImageFolder(str(moved)).load("test")) == before


def test_images_on_disk_are_those_in_memory(whole):
    memory, disk = (ImageFolder(str(whole), side=4, keep=keep).load("test") for keep in ("memory", "disk"))
    assert isinstance(disk, LabelledFiles)
    assert torch.equal(disk.read(torch.arange(len(disk))), memory.images)
    assert torch.equal(disk.labels, memory.labels)
    assert (disk.classes, disk.shape) == (memory.classes, memory.shape)


@pytest.mark.parametrize("keep", ["memory", "disk"])
def test_broken_pictures_stop_or_are_skipped(split, keep):
    (split / "train" / "dog" / "1.png").write_text("no picture")
    with pytest.raises(DatasetError, match=r"Not a picture: .*dog.1\.png"):
        ImageFolder(str(split), keep=keep).load("train")
    data = ImageFolder(str(split), keep=keep, corrupt="skip")
    with pytest.warns(UserWarning, match=r"1 of 12 pictures were skipped: .*dog.1\.png"):
        train = data.load("train")
    assert torch.bincount(train.labels).tolist() == [3, 3, 2, 3]
    assert len(data.load("test")) == 8


def test_a_split_is_the_same_whether_broken_pictures_are_skipped_or_not(whole):
    before = reds(ImageFolder(str(whole)).load("test"))
    (whole / "cat" / "0.png").write_text("no picture")
    skipping = ImageFolder(str(whole), corrupt="skip")
    with pytest.warns(UserWarning, match="1 of"):
        after = {name: reds(skipping.load(name)) for name in ("train", "test")}
    assert after["test"] == {name: [value for value in values if value != 10] for name, values in before.items()}
    assert len(after["train"]["cat"] + after["test"]["cat"]) == 9


def test_a_missing_root(tmp_path):
    with pytest.raises(DatasetNotFoundError, match=r"nothing at .*nowhere.*one sub-folder for each class"):
        ImageFolder(str(tmp_path / "nowhere"))
    with pytest.raises(DatasetNotFoundError, match=r"nothing at .*<class>.*Make a folder of pictures"):
        ImageFolder(str(tmp_path))


def test_a_training_set_without_a_test_set(split):
    (split / "test").rename(split.parent / "lost")
    with pytest.raises(DatasetNotFoundError, match=r"nothing at .*test'.*or set root to train"):
        ImageFolder(str(split))
    assert ImageFolder(str(split / "train"), test_share=0.4).load("test").labels.tolist() == [0, 1, 2, 3]


def test_a_class_may_be_called_train(whole):
    (whole / "cat").rename(whole / "train")
    assert ImageFolder(str(whole)).classes == ("bus", "dog", "train", "truck")


def test_classes_without_a_folder_are_named_with_those_that_there_are(split):
    data = ImageFolder(str(split), classes=["cat", "lion", "tiger"])
    with pytest.raises(DatasetNotFoundError, match=r"train.\{lion, tiger\}.*There are: bus, cat, dog, truck\."):
        data.load("train")


def test_a_class_without_pictures_is_named_before_training(split):
    for path in (split / "test" / "dog").iterdir():
        path.unlink()
    with pytest.raises(DatasetNotFoundError, match=r"nothing at .*test.dog'.*Put pictures of that class there"):
        ImageFolder(str(split)).load("train")


def test_sets_of_different_classes_are_named(split):
    (split / "test" / "dog").rename(split / "test" / "wolf")
    with pytest.raises(DatasetError, match=r"train lacks wolf; .*test lacks dog\. Add them, or set classes"):
        ImageFolder(str(split))
    assert len(ImageFolder(str(split), classes=["cat", "bus"]).load("test")) == 4


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        ([], "at least one class"),
        ({}, "at least one class"),
        ({"pet": ["cat"], "vehicle": []}, "each with at least one folder"),
        (["cat", "dog", "cat"], "^cat: asked for twice"),
        ({"pet": ["cat", "dog"], "cat": ["cat/"]}, "^cat: asked for twice"),
        ({"pet": ["cat"], "kitten": ["cat/young"]}, "^cat/young: asked for twice, or within a folder that is"),
    ],
)
def test_classes_that_make_no_sense(split, classes, message):
    with pytest.raises(ConfigError, match=message):
        ImageFolder(str(split), classes=classes)


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1, 1.5])
def test_a_share_out_of_range(whole, share):
    with pytest.raises(ConfigError, match="test_share is more than 0 and less than 1"):
        ImageFolder(str(whole), test_share=share).load("train")


def test_one_picture_cannot_be_split(whole):
    save(whole / "cow" / "alone.png", 0)
    with pytest.raises(DatasetError, match=r"a class has only \['cow/alone\.png'\]"):
        ImageFolder(str(whole)).load("train")


def test_a_side_of_nothing(whole):
    for keep in ("memory", "disk"):
        with pytest.raises(ConfigError, match="side is at least 1 pixel, not 0"):
            ImageFolder(str(whole), side=0, keep=keep).load("train")


NAMES = st.lists(st.sampled_from([f"model {i}" for i in range(12)]), min_size=2).filter(lambda x: len(set(x)) > 1)


@given(NAMES, st.floats(0.01, 0.99), st.integers(0, 5), st.randoms())
def test_what_is_held_out(names, share, seed, random):
    tested = held_out(names, share, seed)
    side = dict(zip(names, tested, strict=True))
    assert [side[name] for name in names] == tested  # a name is on one side
    # a share of the names, not of the images, and never none or all
    assert sum(side.values()) == np.clip(round(share * len(side)), 1, len(side) - 1)
    shuffled = random.sample(names, len(names))
    assert held_out(shuffled, share, seed) == [side[name] for name in shuffled]


@given(NAMES, st.integers(0, 5))
def test_a_larger_share_holds_out_the_same_and_more(names, seed):
    small, large = held_out(names, 0.2, seed), held_out(names, 0.8, seed)
    assert all(more for less, more in zip(small, large, strict=True) if less)


def test_any_name_is_held_out_as_often_as_the_share_says():
    names = [f"{i}.png" for i in range(5)]
    often = np.mean([held_out(names, 0.4, seed) for seed in range(2000)], axis=0)
    np.testing.assert_allclose(often, 0.4, atol=0.05)  # 4.5 standard errors


def test_a_name_that_is_no_text_is_split_too():
    assert sum(held_out(["a\udcff.png", "b.png"], 0.5, 0)) == 1
