"""ImageNet's two layouts."""

import re
import shutil

import pytest
import torch
from PIL import Image

from synthreal.datasets import ImageNetSubset
from synthreal.datasets.files import LabelledFiles
from synthreal.datasets.imagenet import BENCHMARK_SYNSETS
from synthreal.datasets.places import BENCHMARK_SCENES
from synthreal.errors import ConfigError, DatasetError, DatasetNotFoundError

GREY = {"n02708093": 20, "n07753592": 90, "n04548280": 160}
SYNSETS = {"banana": ["n07753592"], "clock": ["n04548280", "n02708093"]}
BOXES = " 85 1 499 272 10 20 30 40"


def save(path, grey, mode="L"):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, (10, 8), grey if mode == "L" else (grey,) * 3).save(path, "jpeg")


def write_train(folder):
    for synset, grey in GREY.items():
        for i in range(3):
            save(folder / "train" / synset / f"{synset}_{i}.JPEG", grey + 10 * i, "L" if i == 1 else "RGB")


@pytest.fixture
def sorted_root(tmp_path):
    """train/<synset> and val/<synset>."""
    write_train(tmp_path)
    for i, (synset, grey) in enumerate(GREY.items()):
        save(tmp_path / "val" / synset / f"ILSVRC2012_val_0000000{i}.JPEG", grey + 50, "RGB")
    return tmp_path


@pytest.fixture
def kaggle_root(tmp_path):
    """Kaggle's archive: validation images side by side, labels and boxes in a table."""
    folder = tmp_path / "ILSVRC" / "Data" / "CLS-LOC"
    write_train(folder)
    rows = ["ImageId,PredictionString"]
    for i, synset in enumerate(["n04548280", "n07753592", "n02708093", "n07753592", "n01440764"]):
        save(folder / "val" / f"ILSVRC2012_val_0000000{i}.JPEG", GREY.get(synset, 0) + 50 + i, "RGB")
        rows.append(f"ILSVRC2012_val_0000000{i},{synset}{BOXES[: 13 if i else None]} ")
    (tmp_path / "LOC_val_solution.csv").write_text("\n".join(rows) + "\n")
    return tmp_path


def greys(images):
    return {
        name: [int(x) for x in images.images[images.labels == label, 0, 2, 2]]
        for label, name in enumerate(images.classes)
    }


@pytest.mark.parametrize("layout", ["sorted_root", "kaggle_root"])
def test_training_images_of_both_layouts(layout, request):
    train = ImageNetSubset(str(request.getfixturevalue(layout)), SYNSETS, side=4).load("train")
    assert train.classes == ("banana", "clock")
    assert train.shape == (3, 4, 4)
    assert greys(train) == {"banana": [90, 100, 110], "clock": [160, 170, 180, 20, 30, 40]}


def test_validation_images_in_folders_are_the_test_set(sorted_root):
    test = ImageNetSubset(str(sorted_root), SYNSETS, side=4).load("test")
    assert greys(test) == {"banana": [140], "clock": [210, 70]}


def test_validation_images_in_kaggles_table_are_the_test_set(kaggle_root):
    test = ImageNetSubset(str(kaggle_root), SYNSETS, side=4).load("test")
    assert greys(test) == {"banana": [141, 143], "clock": [210, 72]}


def test_kaggles_validation_images_may_have_been_sorted_into_folders(kaggle_root):
    val = kaggle_root / "ILSVRC" / "Data" / "CLS-LOC" / "val"
    for synset, number in (("n04548280", 0), ("n07753592", 1), ("n02708093", 2)):
        (val / synset).mkdir()
        shutil.move(val / f"ILSVRC2012_val_0000000{number}.JPEG", val / synset)
    assert greys(ImageNetSubset(str(kaggle_root), SYNSETS).load("test")) == {"banana": [141], "clock": [210, 72]}


def test_images_may_stay_on_disk(kaggle_root):
    train = ImageNetSubset(str(kaggle_root), SYNSETS, keep="disk").load("train")
    assert isinstance(train, LabelledFiles)
    assert train.shape == (3, 256, 256)
    assert train.read(torch.tensor([8, 0]))[:, 1, 9, 9].tolist() == [40, 90]


@pytest.mark.parametrize("keep", ["memory", "disk"])
def test_broken_images_stop_or_are_skipped(sorted_root, keep):
    (sorted_root / "train" / "n07753592" / "n07753592_0.JPEG").write_bytes(b"\xff\xd8")
    with pytest.raises(DatasetError, match=r"n07753592_0\.JPEG"):
        ImageNetSubset(str(sorted_root), SYNSETS, 8, keep).load("train")
    with pytest.warns(UserWarning, match="1 of 9 pictures were skipped"):
        assert ImageNetSubset(str(sorted_root), SYNSETS, 8, keep, "skip").load("train").labels.tolist()[:3] == [0, 0, 1]


def test_the_classes_of_the_paper_are_17_synsets_and_have_scenes():
    synsets = [synset for group in BENCHMARK_SYNSETS.values() for synset in group]
    assert len(set(synsets)) == len(synsets) == len(BENCHMARK_SYNSETS) == 17
    assert all(re.fullmatch(r"n\d{8}", synset) for synset in synsets)
    assert synsets == sorted(synsets)  # as Table 1 prints them
    assert set(BENCHMARK_SYNSETS) == set(BENCHMARK_SCENES)
    assert ImageNetSubset("nowhere").classes == tuple(BENCHMARK_SYNSETS)


def test_missing_files_come_with_where_to_get_them(tmp_path):
    with pytest.raises(DatasetNotFoundError, match=r"ImageNet: nothing at .*train'.*image-net\.org .*need an account"):
        ImageNetSubset(str(tmp_path)).load("train")
    with pytest.raises(DatasetNotFoundError, match=r"nothing at .*val'"):
        ImageNetSubset(str(tmp_path)).load("test")


def test_a_missing_synset_is_named(sorted_root):
    data = ImageNetSubset(str(sorted_root), {"cup": ["n07930864"], **SYNSETS})
    for split, folder in (("train", "train"), ("test", "val")):
        with pytest.raises(DatasetNotFoundError, match=rf"ImageNet: nothing at .*{folder}.n07930864'"):
            data.load(split)


def test_a_missing_table_is_named(kaggle_root):
    (kaggle_root / "LOC_val_solution.csv").unlink()
    with pytest.raises(DatasetNotFoundError, match=r"LOC_val_solution\.csv'. It comes with Kaggle's archive"):
        ImageNetSubset(str(kaggle_root), SYNSETS).load("test")


@pytest.mark.parametrize("text", ["", "ImageId,Label\na,n07753592\n", "ImageId,PredictionString\n1,2\n"])
def test_another_table_is_refused(kaggle_root, text):
    (kaggle_root / "LOC_val_solution.csv").write_text(text)
    with pytest.raises(DatasetError, match=r"LOC_val_solution\.csv is no table of ImageId and PredictionString"):
        ImageNetSubset(str(kaggle_root), SYNSETS).load("test")


def test_a_table_without_a_synset_names_it(kaggle_root):
    with pytest.raises(DatasetError, match=r"LOC_val_solution\.csv has no image of n07930864, n04522168\."):
        ImageNetSubset(str(kaggle_root), {"cup": ["n07930864"], "vase": ["n04522168"], **SYNSETS}).load("test")


@pytest.mark.parametrize(
    ("synsets", "message"),
    [
        ({}, "at least one class"),
        ({"cup": []}, "at least one folder"),
        ({"cup": ["n07930864"], "mug": ["n07930864"]}, "n07930864: asked for twice"),
    ],
)
def test_classes_that_make_no_sense(synsets, message):
    with pytest.raises(ConfigError, match=message):
        ImageNetSubset("nowhere", synsets)


def test_there_is_no_validation_split(sorted_root):
    with pytest.raises(ConfigError, match="ImageNetSubset has the splits train, test"):
        ImageNetSubset(str(sorted_root), SYNSETS).load("validation")
