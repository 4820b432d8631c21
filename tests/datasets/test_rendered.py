"""What predict wrote comes back as it was made, split so that nothing is on both sides."""

import csv
import json
import shutil
from collections import Counter
from pathlib import Path

import pytest
import torch
from lightning.pytorch import Trainer
from PIL import Image

from synthreal.batch import synthetic_batch
from synthreal.callbacks import DatasetWriter
from synthreal.datamodules import GeneratedDataModule
from synthreal.datasets.rendered import RenderedFolder
from synthreal.errors import ConfigError, DatasetError, DatasetNotFoundError
from synthreal.generators import ImageGenerator
from synthreal.modules import Passthrough
from synthreal.spaces import Categorical, Continuous, Product

COUNT, PART = 150, 40
CLASSES = ["ant", "nan", "cow"]  # one that pandas would take for a missing value


class Blocks(ImageGenerator):
    """Noise of a seed's own behind a coloured block; five models of each class."""

    num_classes = 3

    def __init__(self, channels=3, named=True, on_black=False, models=5):
        self.channels, self.named, self.on_black, self.models = channels, named, on_black, models
        self.space = Product([Categorical("class", CLASSES), Continuous("model", 0, 1), Continuous("shade", 0, 1)])

    def generate(self, draws, device):
        label, _, shade = draws["parameters"].unbind(1)
        mask = torch.zeros(len(label), 1, 4, 6)
        mask[:, :, 1:3, 2:5] = 1
        mask[:, :, 1, 2] = 0.25
        colour = torch.stack([shade, (draws["seed"] % 97) / 97, label / 3], 1)[:, : self.channels, None, None]
        behind = (draws["seed"][:, None] >> torch.arange(24)) % 256 / 255
        image = colour * mask + (0 if self.on_black else (1 - mask) * behind.view(-1, 1, 4, 6))
        return {**synthetic_batch(image, label.long(), draws), "mask": mask}

    def name(self, draws):
        label, model, _ = draws["parameters"].unbind(1)
        names = [f"{CLASSES[int(a)]}_{int(b * self.models)}" for a, b in zip(label, model, strict=True)]
        return {"model": names} if self.named else {}


def data_set(**settings):
    return GeneratedDataModule(Blocks(**settings), COUNT, PART, seed=3)


def write(output, limit=1.0, layout="folders", transparent=False, **settings):
    trainer = Trainer(
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        limit_predict_batches=limit,
        callbacks=[DatasetWriter(str(output), layout, transparent=transparent)],
    )
    trainer.predict(Passthrough(), datamodule=data_set(**settings), return_predictions=False)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The same data set in both layouts, to be read only."""
    root = tmp_path_factory.mktemp("written")
    for layout in ("folders", "shards"):
        write(root / layout, layout=layout)
    return root


@pytest.fixture
def own(written, tmp_path):
    """A copy in folders, to be damaged."""
    return shutil.copytree(written / "folders", tmp_path / "own")


def rows(root):
    with (root / "manifest.csv").open() as file:
        return list(csv.DictReader(file))


def rewrite(root, table):
    with (root / "manifest.csv").open("w", newline="") as file:
        out = csv.DictWriter(file, list(table[0]))
        out.writeheader()
        out.writerows(table)


def made(**settings):
    """Each image in 8 bits, its label and its model, in the order of the data set."""
    data = data_set(**settings)
    data.setup("predict")
    every = torch.arange(COUNT)
    batch = data.make(every)
    names = data.generator.name(data.rows(every)).get("model")
    return batch["image"].mul(255).round().byte(), batch["label"], names


def indices(images, every):
    """Number of each image in the data set; no two there are alike."""
    where = {image.numpy().tobytes(): i for i, image in enumerate(every)}
    assert len(where) == len(every)
    return [where[image.numpy().tobytes()] for image in images.images]


@pytest.mark.parametrize("layout", ["folders", "shards"])
@pytest.mark.parametrize("split_by", ["instance", "image"])
def test_every_image_comes_back_once_with_its_label(written, layout, split_by):
    every, labels, _ = made()
    held = RenderedFolder(str(written / layout), split_by=split_by)
    assert held.classes == tuple(CLASSES)
    found = []
    for split in ("train", "test"):
        images = held.load(split)
        assert images.images.dtype == torch.uint8
        assert images.classes == tuple(CLASSES)
        index = indices(images, every)
        assert index == sorted(index)
        assert images.labels.tolist() == labels[index].tolist()
        found += index
    assert sorted(found) == list(range(COUNT))


@pytest.mark.parametrize("share", [0.2, 0.4, 0.01])
def test_a_share_of_each_class_s_models_is_the_test_set(written, share):
    every, _, models = made()
    sides = {}
    for split in ("train", "test"):
        images = RenderedFolder(str(written / "folders"), test_share=share).load(split)
        sides[split] = {models[i] for i in indices(images, every)}
    assert not sides["train"] & sides["test"]
    tested = Counter(name.partition("_")[0] for name in sides["test"])
    assert tested == dict.fromkeys(CLASSES, max(round(5 * share), 1))


def test_by_image_views_of_one_model_are_on_both_sides(written):
    every, labels, models = made()
    assert torch.bincount(labels).tolist() == [50, 50, 50]
    sides = {}
    for split in ("train", "test"):
        images = RenderedFolder(str(written / "folders"), split_by="image").load(split)
        assert torch.bincount(images.labels).tolist() == ([10] * 3 if split == "test" else [40] * 3)
        sides[split] = {models[i] for i in indices(images, every)}
    assert len(sides["train"] & sides["test"]) > 10


@pytest.mark.parametrize("split_by", ["instance", "image"])
def test_the_split_depends_on_the_seed_and_not_on_the_layout(written, split_by):
    def prints(layout, seed):
        held = RenderedFolder(str(written / layout), split_by=split_by, test_share=0.4, seed=seed)
        return held.load("test").fingerprint()

    assert prints("folders", 0) == prints("shards", 0)
    assert len({prints("folders", seed) for seed in range(4)}) == 4


def both(root, **settings):
    held = RenderedFolder(str(root), split_by="image", **settings)
    return torch.cat([held.load(split).images for split in ("train", "test")])


def test_grey_stays_grey(tmp_path):
    write(tmp_path / "out", channels=1)
    found = both(tmp_path / "out")
    assert found.shape == (COUNT, 1, 4, 6)
    assert {image.numpy().tobytes() for image in found} == {image.numpy().tobytes() for image in made(channels=1)[0]}


@pytest.mark.parametrize(("channels", "mode"), [(1, "LA"), (3, "RGBA")])
def test_alpha_is_put_on_the_black_it_was_drawn_on(written, tmp_path, channels, mode):
    write(tmp_path / "out", channels=channels, on_black=True, transparent=True)
    with Image.open(tmp_path / "out" / rows(tmp_path / "out")[0]["path"]) as file:
        assert file.mode == mode
    every, labels, _ = made(channels=channels, on_black=True)
    for split in ("train", "test"):
        found, opaque = (
            RenderedFolder(str(at), split_by="image").load(split) for at in (tmp_path / "out", written / "folders")
        )
        index = indices(opaque, made()[0])
        # the edge pixel's colour is rounded as written, straight, and again on black: one step off at most
        assert (found.images.int() - every[index].int()).abs().max() <= 1
        assert found.labels.tolist() == labels[index].tolist()


def test_a_side_scales_the_shorter_one_and_keeps_the_middle(written):
    every = made()[0]
    middle = {image.numpy().tobytes() for image in every[:, :, :, 1:5].contiguous()}
    assert {image.numpy().tobytes() for image in both(written / "shards", side=4)} == middle
    assert both(written / "folders", side=9).shape == (COUNT, 3, 9, 9)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"side": 0}, "side is at least 1"),
        ({"test_share": 0.0}, "test_share is more than 0"),
        ({"test_share": 1.0}, "test_share is more than 0"),
    ],
)
def test_settings_out_of_range(written, settings, message):
    with pytest.raises(ConfigError, match=message):
        RenderedFolder(str(written / "folders"), **settings)


def test_a_split_that_there_is_not(written):
    with pytest.raises(ConfigError, match="validation"):
        RenderedFolder(str(written / "folders")).load("validation")


def test_no_data_set(tmp_path):
    with pytest.raises(DatasetNotFoundError, match=r"nowhere.dataset\.json.*DatasetWriter wrote"):
        RenderedFolder(str(tmp_path / "nowhere"))
    for text in ("[1, 2", "[1, 2]", '{"format": "synthreal data set 9"}'):
        (tmp_path / "dataset.json").write_text(text)
        with pytest.raises(DatasetError, match=r"dataset\.json describes no 'synthreal data set 1'"):
            RenderedFolder(str(tmp_path))


def test_an_unfinished_data_set_goes_on(tmp_path):
    write(tmp_path / "out", limit=2)
    held = RenderedFolder(str(tmp_path / "out"))
    with pytest.raises(DatasetNotFoundError, match=r"manifest\.csv.*unfinished: the same predict command goes on"):
        held.load("train")
    write(tmp_path / "out")
    assert len(held.load("train")) + len(held.load("test")) == COUNT


def test_generators_without_models_are_split_by_image(tmp_path):
    write(tmp_path / "out", named=False)
    with pytest.raises(ConfigError, match=r"manifest\.csv names no models.*Set split_by to image"):
        RenderedFolder(str(tmp_path / "out")).load("train")
    assert len(both(tmp_path / "out")) == COUNT


def test_a_class_of_one_model_cannot_be_split(own):
    rewrite(own, [row | {"model": "one"} if row["class"] == "nan" else row for row in rows(own)])
    with pytest.raises(DatasetError, match=r"classes \['nan'\] have fewer than 2 instances.*Set split_by to image"):
        RenderedFolder(str(own)).load("test")
    described = json.loads((own / "dataset.json").read_text())
    (own / "dataset.json").write_text(json.dumps(described | {"classes": [*CLASSES, "dog"]}))
    with pytest.raises(DatasetError, match=r"classes \['dog'\] have fewer than 2 images.*Let predict make more"):
        RenderedFolder(str(own), split_by="image").load("test")


@pytest.mark.parametrize("lost", ["file", "shard", "member"])
def test_missing_images_are_named_and_can_be_made_again(written, own, tmp_path, lost):
    layout, row = ("folders", 45) if lost == "file" else ("shards", 40)
    root = own if lost == "file" else shutil.copytree(written / layout, tmp_path / "shards")
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


def test_a_broken_shard_is_named_and_can_be_made_again(written, tmp_path):
    root = shutil.copytree(written / "shards", tmp_path / "shards")
    shard = root / "shard-000002.tar"
    shard.write_bytes(shard.read_bytes()[:1700])
    with pytest.raises(DatasetError, match=r"shard-000002\.tar is no whole tar file.*Delete its record in .*parts"):
        both(root)
    (root / "parts" / "000002.csv").unlink()
    write(root, layout="shards")
    assert torch.equal(both(root), both(written / "shards"))


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


def test_an_empty_manifest_is_refused(own):
    (own / "manifest.csv").write_text("")
    with pytest.raises(DatasetError, match="is no manifest"):
        both(own)
