"""CIFAR-DA from small files in CIFAR's binary layouts: what is drawn, and what there is too little of."""

import hashlib
import itertools
from collections import Counter
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonargparse import ArgumentParser

from synthreal.datasets.cifar import Cifar10
from synthreal.datasets.cifar_da import DA4, DA9, CifarDA
from synthreal.errors import ConfigError, DatasetNotFoundError
from tests.datasets.cifar_da_parts import HEADER, MIXED, PEOPLE, SMALL, keys, rows_of, write_cifar, write_rows


def test_the_papers_set_by_default(tmp_path):
    ten = ["airplane", "automobile", "horse", "truck"]
    fine = ["bicycle", "bus", "motorcycle", "train", *PEOPLE]
    origin = write_cifar(tmp_path, ten, fine, 500, 100)  # as many as CIFAR-100 has
    data = CifarDA(str(tmp_path))
    assert data.classes == ("airplane", "car", "bicycle", "bus", "horse", "motorcycle", "person", "train", "truck")
    drawn = {split: data.load(split) for split in ("train", "validation", "test")}
    for split, count in (("train", 500), ("validation", 50), ("test", 50)):
        images = drawn[split]
        assert (images.images.dtype, images.images.shape) == (torch.uint8, (9 * count, 3, 32, 32))
        assert torch.bincount(images.labels).tolist() == [count] * 9
        part = "train" if split == "train" else "test"
        held = Counter(zip(images.labels.tolist(), (origin[key] for key in keys(images)), strict=True))
        plain = {0: "airplane", 1: "automobile", 4: "horse", 8: "truck"}
        wanted = {(label, ("cifar10", part, name)): count for label, name in plain.items()}
        plain = {2: "bicycle", 3: "bus", 5: "motorcycle", 7: "train"}
        wanted |= {(label, ("cifar100", part, name)): count for label, name in plain.items()}
        wanted |= {(6, ("cifar100", part, name)): count // 5 for name in PEOPLE}
        assert held == wanted
    for one, other in itertools.combinations(drawn.values(), 2):
        assert set(keys(one)).isdisjoint(keys(other))
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["cifar-da9-seed0.csv"]


def test_the_four_classes():
    assert {name: DA9[name] for name in DA4} == DA4
    assert list(DA4) == ["car", "bicycle", "motorcycle", "train"]
    assert DA4["car"] == {"cifar10": ["automobile"]}
    assert Path("data/cifar-da4-seed7.csv") == CifarDA(classes=DA4, seed=7).manifest


def test_the_manifest_says_where_each_image_comes_from(small_cifar, tmp_path):
    root, origin = small_cifar
    path = tmp_path / "new" / "manifest.csv"
    data = CifarDA(str(root), MIXED, **SMALL, manifest=str(path))
    drawn = {split: data.load(split) for split in ("train", "validation", "test")}
    assert path.read_bytes().startswith(f"{HEADER}\ntrain,vehicle,cifar10,truck,".encode())
    assert list(path.parent.iterdir()) == [path]
    rows = rows_of(path)
    for split, images in drawn.items():
        listed = [row for row in rows if row["split"] == split]
        assert [row["sha256"] for row in listed] == [hashlib.sha256(key).hexdigest() for key in keys(images)]
        assert [row["class"] for row in listed] == [images.classes[label] for label in images.labels]
        for row, key in zip(listed, keys(images), strict=True):
            part = "train" if split == "train" else "test"
            assert origin[key] == (row["source"], part, row["source_class"])
            # one image of each class in turn: two classes of CIFAR-10, seven of CIFAR-100
            names = ["automobile", "truck"] if row["source"] == "cifar10" else ["bus", "bicycle", *PEOPLE]
            assert names[int(row["row"]) % len(names)] == row["source_class"]
    assert len(rows) == 60


@settings(max_examples=25)
@given(st.integers(1, 2), st.integers(1, 2), st.integers(0, 2), st.integers(-5, 2**40))
def test_no_image_twice_and_equal_shares(small_cifar, tmp_path_factory, train, test, validation, seed):
    root, origin = small_cifar
    classes = {"person": {"cifar100": PEOPLE}, "car": {"cifar10": ["automobile"]}}
    counts = {"train": 5 * train, "test": 5 * test, "validation": 5 * validation}
    path = tmp_path_factory.mktemp("any") / "manifest.csv"
    settings = {f"{split}_per_class": count for split, count in counts.items()}
    data = CifarDA(str(root), classes, **settings, seed=seed, manifest=str(path))
    seen = []
    for split, count in counts.items():
        if count:
            images = data.load(split)
            share = Counter(origin[key][2] for key in keys(images))
            assert share == {"automobile": count, **dict.fromkeys(PEOPLE, count // 5)}
            seen += keys(images)
    assert len(seen) == len(set(seen)) == 2 * sum(counts.values())


def test_a_seed_draws_the_same_everywhere(small_cifar, tmp_path):
    root, _ = small_cifar

    def drawn(name, **options):
        """Rows of every group."""
        data = CifarDA(str(root), **{"classes": MIXED, **SMALL, **options}, manifest=str(tmp_path / name))
        data.load("train")
        groups = {}
        for row in rows_of(tmp_path / name):
            groups.setdefault((row["split"], row["source_class"]), []).append(int(row["row"]))
        return groups

    first = drawn("first.csv")
    # By hand: 22 test images of "truck" are the odd rows; ordered by hash, 5 for testing and the next 5 for validation.
    odd = sorted(range(1, 44, 2), key=lambda row: hashlib.sha256(f"0 cifar10 test {row}".encode()).hexdigest())
    assert first["test", "truck"] == sorted(odd[:5])
    assert first["validation", "truck"] == sorted(odd[5:10])
    assert drawn("again.csv") == first
    assert (tmp_path / "again.csv").read_bytes() == (tmp_path / "first.csv").read_bytes()
    other = drawn("other.csv", seed=1)
    assert all(other[group] != rows for group, rows in first.items() if len(rows) > 2)
    # the validation images and the classes beside change nothing
    fewer = drawn("fewer.csv", validation_per_class=0, classes={"girls": {"cifar100": ["girl", "bus"]}})
    assert {group[0] for group in fewer} == {"train", "test"}
    assert fewer["test", "bus"] == first["test", "bus"]
    assert set(fewer["test", "girl"]) > set(first["test", "girl"])  # 5 and 2


def test_a_manifest_that_is_there_is_used_and_left_alone(small_cifar, tmp_path):
    root, _ = small_cifar
    path = tmp_path / "manifest.csv"
    options = {"classes": MIXED, **SMALL, "manifest": str(path)}
    before = CifarDA(str(root), **options).load("train")
    rows = rows_of(path)
    # Somebody's own choice: another truck in the first place, its row and pixels rightly given, and the order turned.
    trucks = [int(row["row"]) for row in rows if (row["split"], row["source_class"]) == ("train", "truck")]
    new = next(row for row in range(1, 28, 2) if row not in trucks)
    pixels = Cifar10(str(root)).load("train").images[new].numpy().tobytes()
    rows[0] |= {"row": str(new), "sha256": hashlib.sha256(pixels).hexdigest()}
    write_rows(path, rows[::-1])
    text = path.read_bytes()
    after = CifarDA(str(root), **options, seed=5).load("train")
    assert keys(after) == [*keys(before)[:0:-1], pixels]
    assert after.labels.tolist() == before.labels.tolist()[::-1]
    assert path.read_bytes() == text
    path.write_bytes(b"\xef\xbb\xbf" + text)  # as a spreadsheet saves it
    assert keys(CifarDA(str(root), **options).load("train")) == keys(after)


def test_too_few_images(small_cifar, tmp_path):
    path = tmp_path / "manifest.csv"
    with pytest.raises(ConfigError, match="cifar10 has 14 images of 'truck' in its train split; 15 are needed"):
        CifarDA(str(small_cifar[0]), MIXED, 30, 10, 10, manifest=str(path)).load("test")
    with pytest.raises(ConfigError, match=r"'truck' in its test split; 25 are needed.*'validation': 40, 'test': 10"):
        CifarDA(str(small_cifar[0]), MIXED, 10, 10, 40, manifest=str(path)).load("train")
    with pytest.raises(ConfigError, match="cifar100 has 0 images of 'motorcycle' in its train split"):
        CifarDA(str(small_cifar[0]), DA4, 10, 10, 10, manifest=str(path)).load("train")
    assert not path.exists()


def test_missing_files_of_cifar(tmp_path):
    with pytest.raises(DatasetNotFoundError, match=r"CIFAR-100: nothing at .*cifar-100-binary"):
        CifarDA(str(tmp_path), {"bus": {"cifar100": ["bus"]}}).load("train")
    assert list(tmp_path.iterdir()) == []


def test_a_data_set_that_is_not_used_need_not_be_there(tmp_path):
    write_cifar(tmp_path, ["cat", "dog"], ["bus"], 4, 4)
    (tmp_path / "cifar-100-binary" / "train.bin").unlink()
    data = CifarDA(str(tmp_path), {"pet": {"cifar10": ["cat", "dog"]}}, 4, 2, 2)
    assert data.load("train").labels.tolist() == [0] * 4


def test_no_validation_split(small_cifar, tmp_path):
    data = CifarDA(str(small_cifar[0]), MIXED, 10, 10, 0, manifest=str(tmp_path / "manifest.csv"))
    with pytest.raises(ConfigError, match="CifarDA has the splits train, test, but not 'validation'"):
        data.load("validation")
    assert len(data.load("test")) == len(data.load("train")) == 20


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"train_per_class": 0}, "at least 1 for training and testing and 0 for validation, not 0, 50 and 50"),
        ({"test_per_class": 0}, "not 500, 0 and 50"),
        ({"validation_per_class": -1}, "not 500, 50 and -1"),
        ({"train_per_class": 501}, "501 images of 'person' do not divide evenly among its 5 source classes"),
        ({"validation_per_class": 51}, "51 images of 'person' do not divide"),
        ({"classes": {}}, "Each class needs a source, for example"),
        ({"classes": {"car": {}}}, "Each class needs a source, for example"),
        ({"classes": {"car": {"cifar10": []}}}, "different names out of airplane"),
        ({"classes": {"car": {"cifar10": ["car"]}}}, r"names out of airplane, automobile.*\['car'\]"),
        ({"classes": {"car": {"cifar": ["car"]}}}, "There is no source 'cifar': choose from cifar10, cifar100"),
        ({"classes": {"a": {"cifar10": ["cat"]}, "b": {"cifar10": ["cat"]}}}, "cat of cifar10 is in two classes"),
    ],
)
def test_settings_that_cannot_be(options, words):
    with pytest.raises(ConfigError, match=words):
        CifarDA(**options)


def test_a_configs_classes_take_the_place_of_the_default():
    parser = ArgumentParser()
    parser.add_class_arguments(CifarDA, "data")
    config = parser.parse_object({"data": {"classes": DA4, "validation_per_class": 5}})
    assert parser.instantiate_classes(config).data.classes == tuple(DA4)
    assert parser.instantiate_classes(parser.parse_object({})).data.classes == tuple(DA9)
