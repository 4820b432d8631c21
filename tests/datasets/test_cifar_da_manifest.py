"""Manifests of CIFAR-DA: what no longer fits one is refused, and nothing overwrites it."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthreal.datasets.cifar import Cifar10
from synthreal.datasets.cifar_da import CifarDA
from synthreal.errors import DatasetError
from tests.datasets.cifar_da_parts import HEADER, MIXED, PEOPLE, SMALL, keys, rows_of, write_cifar, write_rows


@pytest.fixture
def kept(small_cifar, tmp_path):
    """A data set whose manifest is written; its rows are 0-9 train vehicle, 10-19 train person, and so on."""
    data = CifarDA(str(small_cifar[0]), MIXED, **SMALL, manifest=str(tmp_path / "manifest.csv"))
    data.load("train")
    return data


def refusal(data, split="train"):
    """Why a split is refused; each refusal names the manifest, says what to do, and leaves the manifest as it is."""
    text = data.manifest.read_bytes()
    with pytest.raises(DatasetError) as caught:
        data.load(split)
    assert str(caught.value).startswith(str(data.manifest))
    assert str(caught.value).endswith("Delete it to draw anew, or set manifest to another path.")
    assert data.manifest.read_bytes() == text
    return str(caught.value)


def edited(data, **changes):
    """Changes fields of rows of the manifest: `field={row: value}`."""
    rows = rows_of(data.manifest)
    for field, values in changes.items():
        for i, value in values.items():
            rows[i][field] = value
    write_rows(data.manifest, rows)


def test_other_pixels_in_the_files(kept, small_cifar, tmp_path):
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
    assert re.search(
        rf"and the files in {root} differ in row, source class or pixels \(sha256\) of line 2\.", refusal(data)
    )
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
    assert re.search(words, refusal(kept))


def test_a_row_behind_the_last_is_not_the_last(kept):
    last = Cifar10(kept.root).load("train").digests()[27]  # a truck
    edited(kept, row={0: "28"}, sha256={0: last})
    assert re.search(r"of line 2\.", refusal(kept))


def test_a_row_that_stands_there_twice(kept):
    rows = rows_of(kept.manifest)
    write_rows(kept.manifest, [rows[0], rows[0], *rows[2:]])
    assert re.search(r"names an image again in line 3\.", refusal(kept))
    # a validation image that is a test image too
    trucks = [i for i, row in enumerate(rows) if row["source_class"] == "truck" and row["split"] != "train"]
    rows[trucks[-1]] = {**rows[trucks[0]], "split": "test"}
    write_rows(kept.manifest, rows)
    assert re.search(rf"names an image again in line {trucks[-1] + 2}\.", refusal(kept))


def test_rows_too_many_or_too_few(kept):
    rows = rows_of(kept.manifest)
    write_rows(kept.manifest, rows[:-1])
    assert re.search(r"it has 1 images of test / person / cifar100 / woman, asked for are 2\.", refusal(kept))
    write_rows(kept.manifest, [*rows, {**rows[-1], "class": "robot"}])
    assert re.search(r"it has 1 images of test / robot / cifar100 / woman, asked for are 0\.", refusal(kept))
    kept.manifest.write_text(HEADER + "\n")
    assert re.search(r"it has 0 images of train / vehicle / cifar10 / truck, asked for are 5\.", refusal(kept))


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
    assert re.search(words, refusal(CifarDA(kept.root, **options)))


@pytest.mark.parametrize("column", HEADER.split(","))
def test_a_manifest_without_a_column(kept, column):
    write_rows(kept.manifest, [{k: v for k, v in row.items() if k != column} for row in rows_of(kept.manifest)])
    assert re.search(f"has no column {column}", refusal(kept))


def test_further_columns_do_no_harm(kept):
    before = keys(kept.load("test"))
    write_rows(kept.manifest, [{"note": "x", **row} for row in rows_of(kept.manifest)])
    assert keys(kept.load("test")) == before


def test_a_folder_in_the_manifests_place(small_cifar, tmp_path):
    with pytest.raises(DatasetError, match=r"is no CSV file \(.*Is a directory"):
        CifarDA(str(small_cifar[0]), MIXED, **SMALL, manifest=str(tmp_path)).load("train")


@settings(max_examples=60)
@given(st.binary(max_size=200), st.booleans())
def test_garbage_is_no_manifest(small_cifar, tmp_path_factory, data, headed):
    path = tmp_path_factory.mktemp("garbage") / "manifest.csv"
    path.write_bytes(f"{HEADER}\n".encode() * headed + data)
    with pytest.raises(DatasetError, match="Delete it to draw anew"):
        CifarDA(str(small_cifar[0]), MIXED, **SMALL, manifest=str(path)).load("train")


@pytest.fixture(scope="module")
def untouched(small_cifar, tmp_path_factory):
    """Rows of a manifest that fits."""
    path = tmp_path_factory.mktemp("untouched") / "manifest.csv"
    CifarDA(str(small_cifar[0]), MIXED, **SMALL, manifest=str(path)).load("test")
    return rows_of(path)


@settings(max_examples=60)
@given(st.integers(0, 59), st.sampled_from(HEADER.split(",")), st.text(max_size=8) | st.integers(0, 60).map(str))
def test_no_edit_of_a_field_goes_unseen(small_cifar, untouched, tmp_path_factory, row, field, value):
    path = tmp_path_factory.mktemp("edit") / "manifest.csv"
    rows = [dict(kept) for kept in untouched]
    rows[row][field] = value
    write_rows(path, rows)
    data = CifarDA(str(small_cifar[0]), MIXED, **SMALL, manifest=str(path))
    split, before = untouched[row]["split"], untouched[row][field]
    if value == before or (field == "row" and value.isascii() and value.isdecimal() and int(value) == int(before)):
        assert len(data.load(split)) == 20
    else:
        with pytest.raises(DatasetError, match="Delete it to draw anew"):
            data.load(split)


def test_where_the_manifest_cannot_be_written_the_images_are_the_same(small_cifar, tmp_path):
    root, _ = small_cifar
    (tmp_path / "file").touch()
    nowhere = CifarDA(str(root), MIXED, **SMALL, manifest=str(tmp_path / "file" / "manifest.csv"))
    somewhere = CifarDA(str(root), MIXED, **SMALL, manifest=str(tmp_path / "manifest.csv"))
    for split in ("train", "validation", "test"):
        with pytest.warns(UserWarning, match=r"file.manifest\.csv cannot be written .* drawn again from seed 0"):
            images = nowhere.load(split)
        assert keys(images) == keys(somewhere.load(split))
