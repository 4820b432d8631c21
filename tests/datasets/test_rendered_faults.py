"""Rendered folders with missing or spoilt pictures, shards or manifests: what is wrong is named."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from PIL import Image

from synthreal.datasets.rendered import RenderedFolder
from synthreal.errors import DatasetError, DatasetNotFoundError
from tests.datasets.rendered_parts import CLASSES, COUNT, PART, both, indices, made, rewrite, rows, write


@pytest.fixture
def own(rendered, tmp_path):
    """A copy in folders, to be damaged."""
    return shutil.copytree(rendered / "folders", tmp_path / "own")


def test_a_class_of_one_model_cannot_be_split(own):
    rewrite(own, [row | {"model": "one"} if row["class"] == "nan" else row for row in rows(own)])
    with pytest.raises(DatasetError, match=r"classes \['nan'\] have fewer than 2 instances.*Set split_by to image"):
        RenderedFolder(str(own)).load("test")
    described = json.loads((own / "dataset.json").read_text())
    (own / "dataset.json").write_text(json.dumps(described | {"classes": [*CLASSES, "dog"]}))
    with pytest.raises(DatasetError, match=r"classes \['dog'\] have fewer than 2 images.*Let predict make more"):
        RenderedFolder(str(own), split_by="image").load("test")


@pytest.mark.parametrize("lost", ["file", "shard", "member"])
def test_missing_images_are_named_and_can_be_made_again(rendered, own, tmp_path, lost):
    layout, row = ("folders", 45) if lost == "file" else ("shards", 40)
    root = own if lost == "file" else shutil.copytree(rendered / layout, tmp_path / "shards")
    whole = both(root)
    path = rows(root)[row]["path"]
    if lost == "file":
        (root / path).unlink()
    elif lost == "shard":
        (root / path).parent.unlink()
    else:
        shutil.copy(root / "shard-000000.tar", root / "shard-000001.tar")
    count = 1 if lost == "file" else PART
    message = rf"{path}'.*{count} of 150 images.*missing\. Delete .*parts.000001\.csv, and the same predict command"
    for corrupt in ("stop", "skip"):
        with pytest.raises(DatasetNotFoundError, match=message):
            both(root, corrupt=corrupt)
    (root / "parts" / "000001.csv").unlink()
    write(root, layout=layout)
    assert torch.equal(both(root), whole)


def test_a_broken_shard_is_named_and_can_be_made_again(rendered, tmp_path):
    root = shutil.copytree(rendered / "shards", tmp_path / "shards")
    shard = root / "shard-000002.tar"
    shard.write_bytes(shard.read_bytes()[:1700])
    with pytest.raises(DatasetError, match=r"shard-000002\.tar is no whole tar file.*Delete its record in .*parts"):
        both(root)
    (root / "parts" / "000002.csv").unlink()
    write(root, layout="shards")
    assert torch.equal(both(root), both(rendered / "shards"))


def broken(path):
    path.write_bytes(path.read_bytes()[:50])


def empty(path):
    path.write_bytes(b"")


def smaller(path):
    Image.open(path).resize((3, 4)).save(path)


def grey(path):
    Image.open(path).convert("L").save(path)


def palette(path):
    Image.open(path).convert("P").save(path)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (broken, r"\w+"),
        (empty, "no picture"),
        (smaller, r"its shape \[C, H, W\] is \[3, 4, 3\], not \[3, 4, 6\]"),
        (grey, r"its shape \[C, H, W\] is \[1, 4, 6\]"),
        (palette, "mode P is neither grey nor RGB"),
    ],
)
def test_pictures_unlike_the_others_stop_or_are_skipped(own, spoil, reason):
    whole = both(own)
    bad = [rows(own)[i]["path"] for i in (20, 130)]
    good = {Path(own / row["path"]).read_bytes() for row in rows(own) if row["path"] not in bad}
    for path in bad:
        spoil(own / path)
    with pytest.raises(
        DatasetError, match=rf"pictures like the others, such as .*000(020|130).png: {reason}.*set corrupt to skip"
    ):
        both(own)
    with pytest.warns(UserWarning, match="of .* images were skipped"):
        left = both(own, corrupt="skip")
    assert len(left) == len(good) == COUNT - 2
    assert {image.numpy().tobytes() for image in left} < {image.numpy().tobytes() for image in whole}


def test_the_labels_of_what_is_left_stay_right(own):
    every, labels, _ = made()
    held = RenderedFolder(str(own), split_by="image", corrupt="skip")
    index = indices(held.load("train"), every)
    for i in index[:3]:  # also the first, whose shape the others would be held to
        broken(own / rows(own)[i]["path"])
    with pytest.warns(UserWarning, match=r"3 of 120 images were skipped: .*png"):
        images = held.load("train")
    assert indices(images, every) == index[3:]
    assert images.labels.tolist() == labels[index[3:]].tolist()


def test_a_class_with_nothing_but_broken_pictures_is_named(own):
    for row in rows(own):
        if row["class"] == "cow":
            broken(own / row["path"])
    with pytest.raises(DatasetError, match=r"No readable image is left of the classes \['cow'\]: .*cow.*png"):
        both(own, corrupt="skip")


def without_last(table):
    return table[:-1]


def twice(table):
    return [*table[:-1], table[0]]


def relabelled(table):
    return [table[0] | {"label": (int(table[0]["label"]) + 1) % 3}, *table[1:]]


def renamed(table):
    return [table[0] | {"class": "dog"}, *table[1:]]


def no_label(table):
    return [{name: value for name, value in row.items() if name != "label"} for row in table]


def no_number(table):
    return [table[0] | {"index": "first"}, *table[1:]]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (without_last, r"lists 149 images, 149 of them different; dataset\.json says 150"),
        (twice, r"lists 150 images, 149 of them different; dataset\.json says 150"),
        (relabelled, r"000000\.png has class '\w+' and label \d, but the classes of dataset\.json are ant, nan, cow"),
        (renamed, r"has class 'dog'"),
        (no_label, r"lacks the columns \['label'\]"),
        (no_number, r"is no manifest \(.*first"),
    ],
)
def test_a_manifest_of_something_else_is_refused_and_can_be_written_again(own, spoil, message):
    whole = both(own)
    rewrite(own, spoil(rows(own)))
    with pytest.raises(DatasetError, match=rf"manifest\.csv:? .*{message}.*the same predict command writes it again"):
        both(own)
    (own / "manifest.csv").unlink()
    write(own)
    assert torch.equal(both(own), whole)


@pytest.mark.parametrize("change", [{"classes": 3}, {"classes": "ab"}, {"classes": [1, 2]}, {"count": "150"}])
def test_a_description_whose_parts_are_of_other_kinds_is_refused(own, change):
    described = json.loads((own / "dataset.json").read_text())
    (own / "dataset.json").write_text(json.dumps(described | change))
    with pytest.raises(DatasetError, match=r"dataset\.json describes no 'synthreal data set 1'"):
        RenderedFolder(str(own))


@pytest.mark.parametrize("layout", ["folders", "shards"])
def test_a_data_set_of_no_images_is_refused(own, layout):
    described = json.loads((own / "dataset.json").read_text())
    (own / "dataset.json").write_text(json.dumps(described | {"count": 0, "layout": layout}))
    (own / "manifest.csv").write_text("path,index,class,label,model\n")
    with pytest.raises(DatasetError, match=r"classes \['ant', 'nan', 'cow'\] have fewer than 2 images"):
        both(own)


def test_an_empty_manifest_is_refused(own):
    (own / "manifest.csv").write_text("")
    with pytest.raises(DatasetError, match="is no manifest"):
        both(own)
