"""CIFAR-DA from small files in CIFAR's binary layouts: what is drawn, what is kept, what no longer fits."""

import csv
import hashlib
import itertools
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonargparse import ArgumentParser

from synthreal.datasets.cifar import Cifar10, Cifar100
from synthreal.datasets.cifar_da import DA4, DA9, CifarDA
from synthreal.errors import ConfigError, DatasetError, DatasetNotFoundError

PEOPLE = ["baby", "boy", "girl", "man", "woman"]
MIXED = {"vehicle": {"cifar10": ["truck"], "cifar100": ["bus"]}, "person": {"cifar100": PEOPLE}}
SMALL = {"train_per_class": 10, "test_per_class": 10, "validation_per_class": 10}
HEADER = "split,class,source,source_class,row,sha256"


def write_split(path, label_rows, seed):
    """Rows of label bytes and random pixels; returns the pixels of each row."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (len(label_rows), 3072), dtype=np.uint8)
    np.concatenate([np.array(label_rows, np.uint8), pixels], 1).tofile(path)
    return [row.tobytes() for row in pixels]


def write_cifar(root, ten, fine, train, test):
    """Both data sets with so many images of each class named; returns where each image comes from, by its pixels."""
    origin = {}
    ten = [Cifar10.all_classes.index(name) for name in ten]
    fine = [Cifar100.all_classes.index(name) for name in fine]
    for part, count in (("train", train), ("test", test)):
        labels = ten * count  # one of each class in turn
        files = [f"data_batch_{i}.bin" for i in range(1, 6)] if part == "train" else ["test_batch.bin"]
        for i, rows in enumerate(np.array_split(labels, len(files))):
            found = write_split(root / "cifar-10-batches-bin" / files[i], rows[:, None], [i, count])
            names = [Cifar10.all_classes[label] for label in rows]
            origin |= dict(zip(found, (("cifar10", part, name) for name in names), strict=True))
        labels = [(label % 20, label) for label in fine * count]
        found = write_split(root / "cifar-100-binary" / f"{part}.bin", labels, [9, count])
        names = [Cifar100.all_classes[label] for _, label in labels]
        origin |= dict(zip(found, (("cifar100", part, name) for name in names), strict=True))
    return origin


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """14 training and 22 test images of each class of `MIXED` and of three more."""
    root = tmp_path_factory.mktemp("small")
    return root, write_cifar(root, ["automobile", "truck"], ["bus", "bicycle", *PEOPLE], 14, 22)


def keys(images):
    """The pixels of each image, as a key."""
    return [image.tobytes() for image in images.images.numpy()]


def rows_of(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def write_rows(path, rows):
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(rows)


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


def test_the_manifest_says_where_each_image_comes_from(small, tmp_path):
    root, origin = small
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
def test_no_image_twice_and_equal_shares(small, tmp_path_factory, train, test, validation, seed):
    root, origin = small
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


def test_a_seed_draws_the_same_everywhere(small, tmp_path):
    root, _ = small

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


def test_a_manifest_that_is_there_is_used_and_left_alone(small, tmp_path):
    root, _ = small
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


@pytest.fixture
def kept(small, tmp_path):
    """A data set whose manifest is written; its rows are 0-9 train vehicle, 10-19 train person, and so on."""
    data = CifarDA(str(small[0]), MIXED, **SMALL, manifest=str(tmp_path / "manifest.csv"))
    data.load("train")
    return data


def refused(data, words, split="train"):
    """Makes sure that a split is refused, with what to do, and that the manifest stays as it is."""
    text = data.manifest.read_bytes()
    with pytest.raises(DatasetError, match=words) as caught:
        data.load(split)
    assert str(caught.value).startswith(str(data.manifest))
    assert str(caught.value).endswith("Delete it to draw anew, or set manifest to another path.")
    assert data.manifest.read_bytes() == text


def edited(data, **changes):
    """Changes fields of rows of the manifest: `field={row: value}`."""
    rows = rows_of(data.manifest)
    for field, values in changes.items():
        for i, value in values.items():
            rows[i][field] = value
    write_rows(data.manifest, rows)


def test_other_pixels_in_the_files(kept, small, tmp_path):
    row = int(rows_of(kept.manifest)[0]["row"])
    root = tmp_path / "copy"
    write_cifar(root, ["automobile", "truck"], ["bus", "bicycle", *PEOPLE], 14, 22)
    data = CifarDA(str(root), MIXED, **SMALL, manifest=str(kept.manifest))
    assert keys(data.load("train")) == keys(kept.load("train"))
    # 28 rows in five files: 6, 6, 6, 5, 5
    path = root / "cifar-10-batches-bin" / f"data_batch_{row // 6 + 1 if row < 18 else (row - 18) // 5 + 4}.bin"
    content = bytearray(path.read_bytes())
    content[((row % 6 if row < 18 else (row - 18) % 5) + 1) * 3073 - 1] ^= 1  # the row's last pixel
    path.write_bytes(content)
    refused(data, rf"and the files in {root} differ in row, source class or pixels \(sha256\) of line 2\.")
    assert len(data.load("test")) == 20  # which are as they were


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"sha256": {0: "0" * 64}}, r"pixels \(sha256\) of line 2\."),
        ({"sha256": {0: "", 12: "x"}}, r"of line 2, 14\."),
        ({"sha256": dict.fromkeys(range(8), "")}, r"of line 2, 3, 4, 5, 6 and 3 more\."),
        ({"row": {0: "0"}}, r"of line 2\."),  # an automobile
        ({"row": {0: "999999999"}}, r"of line 2\."),
        ({"source_class": {10: "boy", 12: "baby"}}, r"of line 12, 14\."),
        ({"source_class": {0: "bus"}}, r"counts or classes .* 4 images of train / vehicle / cifar10 / truck, .* are 5"),
        ({"class": {0: "lorry"}}, r"it has 4 images of train / vehicle / cifar10 / truck, asked for are 5\."),
        ({"split": {0: "test"}}, r"it has 4 images of train / vehicle"),
        ({"split": {0: "tset"}}, r"it has 4 images of train / vehicle"),
        ({"source": {0: "cifar"}}, r"it has 4 images of train / vehicle"),
        ({"row": {3: "-1"}}, r"has no row number in line 5\."),
        ({"row": {3: "1.0", 4: ""}}, r"has no row number in line 5, 6\."),
        ({"row": {3: "1" * 30}}, r"has no row number in line 5\."),
    ],
)
def test_an_edited_manifest(kept, changes, words):
    edited(kept, **changes)
    refused(kept, words)


def test_a_row_behind_the_last_is_not_the_last(kept):
    last = Cifar10(kept.root).load("train").digests()[27]  # a truck
    edited(kept, row={0: "28"}, sha256={0: last})
    refused(kept, r"of line 2\.")


def test_a_row_that_stands_there_twice(kept):
    rows = rows_of(kept.manifest)
    write_rows(kept.manifest, [rows[0], rows[0], *rows[2:]])
    refused(kept, r"names an image again in line 3\.")
    # a validation image that is a test image too
    trucks = [i for i, row in enumerate(rows) if row["source_class"] == "truck" and row["split"] != "train"]
    rows[trucks[-1]] = {**rows[trucks[0]], "split": "test"}
    write_rows(kept.manifest, rows)
    refused(kept, rf"names an image again in line {trucks[-1] + 2}\.")


def test_rows_too_many_or_too_few(kept):
    rows = rows_of(kept.manifest)
    write_rows(kept.manifest, rows[:-1])
    refused(kept, r"it has 1 images of test / person / cifar100 / woman, asked for are 2\.")
    write_rows(kept.manifest, [*rows, {**rows[-1], "class": "robot"}])
    refused(kept, r"it has 1 images of test / robot / cifar100 / woman, asked for are 0\.")
    kept.manifest.write_text(HEADER + "\n")
    refused(kept, r"it has 0 images of train / vehicle / cifar10 / truck, asked for are 5\.")


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"train_per_class": 20}, "it has 5 images of train / vehicle / cifar10 / truck, asked for are 10"),
        ({"validation_per_class": 0}, "it has 5 images of validation / vehicle / cifar10 / truck, asked for are 0"),
        ({"classes": {"vehicle": {"cifar10": ["truck"]}}}, "it has 5 images of train / vehicle"),
        ({"classes": {"person": {"cifar100": PEOPLE}}}, "vehicle / cifar10 / truck, asked for are 0"),
    ],
)
def test_other_counts_or_classes_than_the_manifests(kept, other, words):
    options = {"classes": MIXED, **SMALL, "manifest": str(kept.manifest), **other}
    refused(CifarDA(kept.root, **options), words)


@pytest.mark.parametrize("column", HEADER.split(","))
def test_a_manifest_without_a_column(kept, column):
    write_rows(kept.manifest, [{k: v for k, v in row.items() if k != column} for row in rows_of(kept.manifest)])
    refused(kept, f"has no column {column}")


def test_further_columns_do_no_harm(kept):
    before = keys(kept.load("test"))
    write_rows(kept.manifest, [{"note": "x", **row} for row in rows_of(kept.manifest)])
    assert keys(kept.load("test")) == before


def test_a_folder_in_the_manifests_place(small, tmp_path):
    with pytest.raises(DatasetError, match=r"is no CSV file \(.*Is a directory"):
        CifarDA(str(small[0]), MIXED, **SMALL, manifest=str(tmp_path)).load("train")


@settings(max_examples=60)
@given(st.binary(max_size=200), st.booleans())
def test_garbage_is_no_manifest(small, tmp_path_factory, data, headed):
    path = tmp_path_factory.mktemp("garbage") / "manifest.csv"
    path.write_bytes(f"{HEADER}\n".encode() * headed + data)
    with pytest.raises(DatasetError, match="Delete it to draw anew"):
        CifarDA(str(small[0]), MIXED, **SMALL, manifest=str(path)).load("train")


@pytest.fixture(scope="module")
def untouched(small, tmp_path_factory):
    """Rows of a manifest that fits."""
    path = tmp_path_factory.mktemp("untouched") / "manifest.csv"
    CifarDA(str(small[0]), MIXED, **SMALL, manifest=str(path)).load("test")
    return rows_of(path)


@settings(max_examples=60)
@given(st.integers(0, 59), st.sampled_from(HEADER.split(",")), st.text(max_size=8) | st.integers(0, 60).map(str))
def test_no_edit_of_a_field_goes_unseen(small, untouched, tmp_path_factory, row, field, value):
    path = tmp_path_factory.mktemp("edit") / "manifest.csv"
    rows = [dict(kept) for kept in untouched]
    rows[row][field] = value
    write_rows(path, rows)
    data = CifarDA(str(small[0]), MIXED, **SMALL, manifest=str(path))
    split, before = untouched[row]["split"], untouched[row][field]
    if value == before or (field == "row" and value.isascii() and value.isdecimal() and int(value) == int(before)):
        assert len(data.load(split)) == 20
    else:
        with pytest.raises(DatasetError, match="Delete it to draw anew"):
            data.load(split)


def test_where_the_manifest_cannot_be_written_the_images_are_the_same(small, tmp_path):
    root, _ = small
    (tmp_path / "file").touch()
    nowhere = CifarDA(str(root), MIXED, **SMALL, manifest=str(tmp_path / "file" / "manifest.csv"))
    somewhere = CifarDA(str(root), MIXED, **SMALL, manifest=str(tmp_path / "manifest.csv"))
    for split in ("train", "validation", "test"):
        with pytest.warns(UserWarning, match=r"file.manifest\.csv cannot be written .* drawn again from seed 0"):
            images = nowhere.load(split)
        assert keys(images) == keys(somewhere.load(split))


def test_too_few_images(small, tmp_path):
    path = tmp_path / "manifest.csv"
    with pytest.raises(ConfigError, match="cifar10 has 14 images of 'truck' in its train split; 15 are needed"):
        CifarDA(str(small[0]), MIXED, 30, 10, 10, manifest=str(path)).load("test")
    with pytest.raises(ConfigError, match=r"'truck' in its test split; 25 are needed.*'validation': 40, 'test': 10"):
        CifarDA(str(small[0]), MIXED, 10, 10, 40, manifest=str(path)).load("train")
    with pytest.raises(ConfigError, match="cifar100 has 0 images of 'motorcycle' in its train split"):
        CifarDA(str(small[0]), DA4, 10, 10, 10, manifest=str(path)).load("train")
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


def test_no_validation_split(small, tmp_path):
    data = CifarDA(str(small[0]), MIXED, 10, 10, 0, manifest=str(tmp_path / "manifest.csv"))
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
