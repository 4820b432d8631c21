"""Test images are found by their content, whatever they are called."""

import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from synthreal.batch import LabelledImages
from synthreal.datamodules.leaks import without_leaks
from synthreal.datasets.files import LabelledFiles
from synthreal.errors import DatasetError

CLASSES = ("cat", "dog")


def pictures(first, count=6):
    """Image i is all `first + i`, classes in turn."""
    pixels = torch.arange(first, first + count, dtype=torch.uint8)[:, None, None, None].expand(-1, 1, 2, 2)
    return LabelledImages(pixels.clone(), torch.arange(count) % 2, CLASSES)


def planted(into, where, source, which):
    """Images with some of another set in place of their own."""
    pixels = into.images.clone()
    pixels[where] = source.images[which]
    return LabelledImages(pixels, into.labels, CLASSES)


def numbers(images):
    return images.images[:, 0, 0, 0].tolist()


@pytest.mark.parametrize("overlap", ["stop", "drop"])
def test_sets_that_share_nothing_pass_as_they_are(overlap):
    train = pictures(0)
    assert without_leaks(train, pictures(100), overlap) is train


def test_stop_names_the_first_leak_and_what_to_do():
    train = planted(pictures(0), [3, 4], pictures(100), [5, 0])
    with pytest.raises(
        DatasetError, match=r"2 of 6 images .* in the test set too \(number 3, 'dog'\).*overlap to drop"
    ):
        without_leaks(train, pictures(100), "stop")


def test_drop_takes_out_exactly_the_leaks_with_a_warning():
    train = planted(pictures(0), [1, 4], pictures(100), [2, 2])
    with pytest.warns(UserWarning, match=r"2 of 6 images .* \(number 1, 'dog'\); they are dropped"):
        left = without_leaks(train, pictures(100), "drop")
    assert numbers(left) == [0, 2, 3, 5]
    assert left.labels.tolist() == [0, 0, 1, 1]
    assert left.classes == CLASSES


def test_labels_do_not_hide_a_leak():
    test = pictures(100)
    train = LabelledImages(test.images[:1], 1 - test.labels[:1], CLASSES)
    with pytest.raises(DatasetError, match="1 of 1"):
        without_leaks(train, test, "stop")


def test_one_pixel_makes_another_image():
    train = planted(pictures(0), [2], pictures(100), [1])
    train.images[2, 0, 1, 1] += 1
    assert without_leaks(train, pictures(100), "stop") is train


@pytest.mark.parametrize(("train", "test"), [(0, 6), (6, 0)])
def test_an_empty_set_leaks_nothing(train, test):
    images = pictures(0, train)
    assert without_leaks(images, pictures(0, test), "stop") is images


def test_everything_may_leak():
    with pytest.warns(UserWarning, match="6 of 6"):
        assert len(without_leaks(pictures(0), pictures(0), "drop")) == 0


def write(folder, seed, count=3):
    """Picture files of random pixels, one folder a class."""
    random = np.random.default_rng(seed)
    paths = {}
    for name in CLASSES:
        (folder / name).mkdir(parents=True)
        paths[name] = [folder / name / f"{i}.png" for i in range(count)]
        for path in paths[name]:
            Image.fromarray(random.integers(0, 256, (5, 5, 3), dtype=np.uint8)).save(path)
    return paths


def test_a_copied_file_is_found_under_another_name_and_in_another_class(tmp_path):
    train, test = write(tmp_path / "train", 0), write(tmp_path / "test", 1)
    shutil.copy(test["cat"][1], tmp_path / "train" / "dog" / "holiday.png")
    train["dog"].insert(2, tmp_path / "train" / "dog" / "holiday.png")
    files, held_out = LabelledFiles.of_classes(train, 4), LabelledFiles.of_classes(test, 4)

    with pytest.raises(DatasetError, match=r"1 of 7 images .*number 5, 'dog'"):
        without_leaks(files, held_out, "stop")
    with pytest.warns(UserWarning, match="1 of 7"):
        left = without_leaks(files, held_out, "drop")
    assert left.paths == (*train["cat"], *(path for path in train["dog"] if path.name != "holiday.png"))
    assert left.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert without_leaks(left, held_out, "stop") is left
