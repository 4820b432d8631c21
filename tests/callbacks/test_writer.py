"""A data set on disk is the one that was drawn, whatever happened on the way."""

import csv
import errno
import io
import json
import os
import signal
import tarfile
import weakref
from pathlib import Path

import numpy as np
import pytest
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from PIL import Image

from synthreal.batch import synthetic_batch
from synthreal.callbacks import DatasetWriter
from synthreal.callbacks.encoding import encode
from synthreal.cli import main
from synthreal.datamodules import BucketDataModule, GeneratedDataModule
from synthreal.datasets import Digits
from synthreal.errors import ConfigError
from synthreal.experiment import ExperimentCLI
from synthreal.generators import Augment, ImageGenerator
from synthreal.modules import Classifier, Passthrough
from synthreal.spaces import Categorical, Continuous, Product

COUNT, PART = 20, 6
MAPS = ("mask", "depth", "normals", "semantic")
CLASSES = ["ant", "bee hive", "cow"]


class Blocks(ImageGenerator):
    """A coloured block on black, with everything that a renderer gives; fails when told to."""

    num_classes = 3

    def __init__(self, blue=0.2, fail_at=None, names=CLASSES):
        self.blue, self.fail_at, self.calls = blue, fail_at, 0
        self.space = Product([Categorical("class", names), Continuous("red", 0, 1, 5), Continuous("far", 2, 9)])

    def generate(self, draws, device):
        self.calls += 1
        if self.fail_at is not None and self.calls > self.fail_at:
            raise RuntimeError("the power went out")
        label, red, far = draws["parameters"].unbind(1)
        count = len(label)
        green = (draws["seed"] % 97) / 97
        colour = torch.stack([red, green, torch.full_like(red, self.blue)], 1)[:, :, None, None]
        mask = torch.zeros(count, 1, 4, 6)
        mask[:, :, 1:3, 2:5] = 1
        mask[:, :, 1, 2] = 0.25
        batch = synthetic_batch(colour * mask, label.long(), draws)
        normal = torch.tensor([0.6, -0.8, 0.0])[:, None, None]
        return {
            **batch,
            "mask": mask,
            "depth": far[:, None, None, None] * (mask > 0),
            "normals": normal * (mask > 0),
            "semantic": colour * mask * 0.5,
            "box": torch.tensor([2.0, 1.0, 5.0, 3.0]).expand(count, -1),
            "viewpoint": torch.stack([red * 360, far, torch.full_like(far, 0.1)], 1),
        }


def data_set(count=COUNT, batch_size=PART, seed=3, **settings):
    return GeneratedDataModule(Blocks(**settings), count, batch_size, seed=seed)


def predict(output, data=None, module=None, callbacks=(), devices=1, limit=1.0, **settings):
    trainer = Trainer(
        accelerator="cpu",
        devices=devices,
        strategy="ddp_fork" if devices > 1 else "auto",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        limit_predict_batches=limit,
        callbacks=[DatasetWriter(str(output), **settings), *callbacks],
    )
    trainer.predict(module or Passthrough(), datamodule=data or data_set(), return_predictions=False)
    return trainer


def tree(folder):
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def manifest(folder):
    with (folder / "manifest.csv").open() as file:
        return list(csv.DictReader(file))


def pixels(content):
    return np.asarray(Image.open(io.BytesIO(content))).astype(float)


def expected(**settings):
    data = data_set(**settings)
    data.setup("predict")
    return data.draws, data.make(torch.arange(data.count))


def test_folders_hold_the_pixels_that_the_generator_made(tmp_path):
    predict(tmp_path / "out", outputs=MAPS)
    draws, made = expected()
    names = [name for name in tree(tmp_path / "out") if name.endswith(".png")]
    assert len(names) == COUNT * 5
    for i in range(COUNT):
        place = f"{CLASSES[int(draws['parameters'][i, 0])]}/{i:06d}.png"
        held = {name: pixels((tmp_path / "out" / name / place).read_bytes()) for name in ("image", *MAPS)}
        made_here = {name: made[name][i].permute(1, 2, 0).numpy() for name in ("image", *MAPS)}
        for name in ("image", "semantic"):
            np.testing.assert_allclose(held[name] / 255, made_here[name], atol=0.5 / 255 + 1e-6)
        np.testing.assert_allclose(held["mask"] / 255, made_here["mask"][..., 0], atol=0.5 / 255 + 1e-6)
        np.testing.assert_allclose(held["depth"] / 4096, made_here["depth"][..., 0], atol=0.5 / 4096 + 1e-6)
        np.testing.assert_allclose((held["normals"] - 128) / 127, made_here["normals"], atol=0.5 / 127 + 1e-6)
        assert held["depth"][0, 0] == 0
        assert held["normals"][0, 0].tolist() == [128, 128, 128]


def test_the_manifest_is_the_draws(tmp_path):
    predict(tmp_path / "out")
    draws, made = expected()
    rows = manifest(tmp_path / "out")
    assert [int(row["index"]) for row in rows] == list(range(COUNT))
    for i, row in enumerate(rows):
        label = int(draws["parameters"][i, 0])
        assert row["path"] == f"image/{CLASSES[label]}/{i:06d}.png"
        assert (tmp_path / "out" / row["path"]).is_file()
        assert (row["class"], int(row["label"])) == (CLASSES[label], label)
        assert (int(row["bucket"]), int(row["seed"])) == (int(draws["bucket"][i]), int(draws["seed"][i]))
        written = [np.float32(row[f"u.{name}"]) for name in ("class", "red", "far")]
        assert written == draws["parameters"][i].tolist()  # to the last bit
        assert [float(row[f"box.{side}"]) for side in ("left", "top", "right", "bottom")] == [2, 1, 5, 3]
        assert np.float32(row["viewpoint.azimuth"]) == made["viewpoint"][i, 0].numpy()
        assert row["viewpoint.tilt"] == "0.1"
    assert {row["class"] for row in rows} == set(CLASSES)


def test_shards_hold_the_same(tmp_path):
    predict(tmp_path / "shards", layout="shards", outputs=MAPS)
    predict(tmp_path / "folders", outputs=MAPS)
    shards = sorted(path.name for path in (tmp_path / "shards").glob("*.tar"))
    assert shards == [f"shard-00000{part}.tar" for part in range(4)]
    kinds = {"png": "image", **{f"{name}.png": name for name in MAPS}}
    rows = {row["index"]: row for row in manifest(tmp_path / "folders")}
    seen = []
    for shard in shards:
        with tarfile.open(tmp_path / "shards" / shard) as tar:
            members = {member.name: tar.extractfile(member).read() for member in tar}
            assert {member.mtime for member in tar} == {0}
        for name, content in members.items():
            key, _, kind = name.partition(".")
            row = rows[str(int(key))]
            if kind in kinds:
                assert content == (tmp_path / "folders" / kinds[kind] / row["class"] / f"{key}.png").read_bytes()
            elif kind == "cls":
                assert content.decode() == row["label"]
            else:
                assert kind == "json"
                assert {k: str(v) for k, v in json.loads(content).items()} == {k: row[k] for k in row if k != "path"}
        keys = [name.partition(".")[0] for name in members]
        assert keys == sorted(keys)  # members of a sample lie together, as WebDataset wants them
        seen += sorted(set(keys))
        assert len(members) == 7 * len(set(keys))
    assert seen == [f"{i:06d}" for i in range(COUNT)]
    paths = [row["path"] for row in manifest(tmp_path / "shards")]
    assert paths[7] == "shard-000001.tar/000007.png"


@pytest.mark.parametrize("layout", ["folders", "shards"])
@pytest.mark.parametrize("made", [0, 1, 3])
def test_a_run_that_failed_goes_on(tmp_path, layout, made):
    predict(tmp_path / "whole", layout=layout)
    data = data_set(fail_at=1 + made)  # the fingerprint is one more call
    with pytest.raises(RuntimeError, match="power"):
        predict(tmp_path / "broken", data, layout=layout)
    assert not (tmp_path / "broken" / "manifest.csv").exists()
    assert len(list((tmp_path / "broken").glob("parts/*.csv"))) == made
    data = data_set()
    predict(tmp_path / "broken", data, layout=layout)
    assert data.generator.calls == 1 + 4 - made  # nothing is made twice
    assert tree(tmp_path / "broken") == tree(tmp_path / "whole")


def killed_at(rename, output, layout):
    """Runs in a process that dies just before one of its renames, with half of the file written."""
    if child := os.fork():
        return os.WTERMSIG(os.waitpid(child, 0)[1])
    calls, replace = [], Path.replace

    def die(self, target):
        calls.append(target)
        if len(calls) == rename:
            os.truncate(self, self.stat().st_size // 2)
            os.kill(os.getpid(), signal.SIGKILL)
        return replace(self, target)

    Path.replace = die
    try:
        predict(output, layout=layout)
    finally:
        os._exit(0)


# 1: dataset.json; folders: 7 a part (6 images, a record), 3 the last one; shards: 2 a part; the last of all: manifest
@pytest.mark.parametrize(
    ("layout", "rename", "parts"),
    [
        *[("folders", 4, 0), ("folders", 8, 0), ("folders", 9, 1), ("folders", 25, 3), ("folders", 26, 4)],
        *[("shards", 2, 0), ("shards", 3, 0), ("shards", 6, 2), ("shards", 10, 4)],
    ],
)
def test_a_killed_run_goes_on(tmp_path, layout, rename, parts):
    predict(tmp_path / "whole", layout=layout)
    assert killed_at(rename, tmp_path / "killed", layout) == signal.SIGKILL
    left = tree(tmp_path / "killed")
    unbroken = tree(tmp_path / "whole")
    assert "manifest.csv" not in left
    for name, content in left.items():  # a file is whole, or hidden
        assert Path(name).name.startswith(".") or content == unbroken[name]
    data = data_set()
    predict(tmp_path / "killed", data, layout=layout)
    assert data.generator.calls == 1 + 4 - parts
    assert tree(tmp_path / "killed") == unbroken


def test_killed_before_anything_was_written(tmp_path):
    assert killed_at(1, tmp_path / "killed", "folders") == signal.SIGKILL
    predict(tmp_path / "killed")
    assert len(manifest(tmp_path / "killed")) == COUNT


@pytest.mark.filterwarnings("ignore:.*fork.*")
@pytest.mark.filterwarnings("ignore:.*barrier.*")
@pytest.mark.filterwarnings("ignore:.*local rank has zero length.*")
@pytest.mark.parametrize("made", [0, 3])
def test_two_processes_write_what_one_writes(tmp_path, made):
    predict(tmp_path / "one", layout="folders")
    if made:  # one part is left: the second process has nothing to do
        predict(tmp_path / "two", layout="folders", limit=made)
    predict(tmp_path / "two", layout="folders", devices=2)
    assert tree(tmp_path / "two") == tree(tmp_path / "one")


def test_a_limit_leaves_the_rest_for_later(tmp_path):
    predict(tmp_path / "out", limit=2)
    assert len(list((tmp_path / "out" / "parts").iterdir())) == 2
    assert not (tmp_path / "out" / "manifest.csv").exists()
    predict(tmp_path / "out")
    predict(tmp_path / "whole")
    assert tree(tmp_path / "out") == tree(tmp_path / "whole")


def test_a_finished_data_set_stays_as_it_is(tmp_path):
    predict(tmp_path / "out")
    before = tree(tmp_path / "out")
    times = {file: file.stat().st_mtime_ns for file in (tmp_path / "out" / "image").rglob("*.png")}
    data = data_set()
    predict(tmp_path / "out", data)
    assert data.generator.calls == 1
    assert tree(tmp_path / "out") == before
    assert {file: file.stat().st_mtime_ns for file in times} == times


@pytest.mark.parametrize(
    ("data", "writer", "word"),
    [
        ({"count": 21}, {}, "count"),
        ({"batch_size": 5}, {}, "part_size"),
        ({"seed": 4}, {}, "fingerprint"),
        ({"blue": 0.3}, {}, "fingerprint"),
        ({"names": ["ant", "bee", "cow"]}, {}, "classes"),
        ({}, {"layout": "shards"}, "layout"),
        ({}, {"outputs": ["mask"]}, "pictures"),
        ({}, {"transparent": True}, "transparent"),
    ],
)
def test_another_setting_is_refused(tmp_path, data, writer, word):
    predict(tmp_path / "out", limit=2)
    before = tree(tmp_path / "out")
    with pytest.raises(ConfigError, match=f"other settings .*{word}.*another output"):
        predict(tmp_path / "out", data_set(**data), **writer)
    assert tree(tmp_path / "out") == before


def test_a_folder_with_something_else_in_it_is_refused(tmp_path):
    (tmp_path / "photo.jpg").write_bytes(b"dear to me")
    with pytest.raises(ConfigError, match=r"photo\.jpg.*no data set"):
        predict(tmp_path)
    (tmp_path / "dataset.json").write_text("[1, 2")
    with pytest.raises(ConfigError, match="no description"):
        predict(tmp_path)
    (tmp_path / "dataset.json").write_text("[1, 2]")
    with pytest.raises(ConfigError, match="no description"):
        predict(tmp_path)
    assert sorted(tree(tmp_path)) == ["dataset.json", "photo.jpg"]


def test_a_disk_that_cannot_be_written_to_is_named(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ConfigError, match=r"cannot be written to.*exists"):
        predict(tmp_path / "file")

    written, write_bytes = [], Path.write_bytes

    def full(self, content):
        written.append(self)
        if len(written) == 9:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write_bytes(self, content)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        with pytest.raises(ConfigError, match="No space left on device"):
            predict(tmp_path / "out")
    predict(tmp_path / "out")
    predict(tmp_path / "whole")
    assert tree(tmp_path / "out") == tree(tmp_path / "whole")


def test_transparent_images_have_straight_colours(tmp_path):
    predict(tmp_path / "out", transparent=True)
    draws, made = expected()
    for row in manifest(tmp_path / "out"):
        held = pixels((tmp_path / "out" / row["path"]).read_bytes())
        i = int(row["index"])
        assert held.shape == (4, 6, 4)
        np.testing.assert_allclose(held[..., 3], made["mask"][i, 0].numpy() * 255, atol=0.5)
        # the edge pixel, a quarter covered, has the block's own colour, not a quarter of it
        colour = [float(draws["parameters"][i, 1]), float(draws["seed"][i] % 97) / 97, 0.2]
        np.testing.assert_allclose(held[1, 2, :3], np.array(colour) * 255, atol=0.51)
        assert held[0, 0].tolist() == [0, 0, 0, 0]


def test_what_a_png_cannot_hold_or_a_generator_does_not_make_is_named():
    batch = {"image": torch.zeros(1, 1, 2, 2), "depth": torch.full((1, 1, 2, 2), 15.99)}
    assert encode(batch, ["depth"], False)["depth"].tolist() == [[[65495] * 2] * 2]  # 15.99 · 4096 = 65495.04
    batch["depth"][0, 0, 1, 1] = 16
    with pytest.raises(ConfigError, match="16 units"):
        encode(batch, ["depth"], False)
    with pytest.raises(ConfigError, match="image, depth but no mask"):
        encode(batch, ["depth"], True)
    with pytest.raises(ConfigError, match="no normals, semantic"):
        encode(batch, ["semantic", "normals"], False)


def test_normals_are_whole_steps_from_128():
    normals = torch.tensor([-1.0, 0.0, 1.0])[None, :, None, None]
    written = encode({"image": torch.zeros(1, 1, 1, 1), "normals": normals}, ["normals"], False)
    assert written["normals"].tolist() == [[[[1, 128, 255]]]]


def test_nothing_is_claimed_when_a_picture_is_missing(tmp_path):
    data = GeneratedDataModule(Augment(), 10, source=Digits(train_size=500), seed=1)
    with pytest.raises(ConfigError, match="no mask"):
        predict(tmp_path / "out", data, outputs=["mask"])
    predict(tmp_path / "out", data)
    assert pixels((tmp_path / "out" / manifest(tmp_path / "out")[0]["path"]).read_bytes()).shape == (16, 16)


@pytest.mark.parametrize("names", [["a/b", "c", "d"], ["..", "c", "d"], ["", "c", "d"], ["Cup", "cup", "d"]])
def test_classes_that_make_no_folders_are_named(tmp_path, names):
    with pytest.raises(ConfigError, match="Classes name folders"):
        predict(tmp_path / "out", data_set(names=names))


def test_a_module_or_data_that_gives_no_batches_is_named(tmp_path):
    class Scores(LightningModule):
        def predict_step(self, batch, batch_idx):
            return batch["label"]

    with pytest.raises(ConfigError, match=r"Passthrough.*Scores"):
        predict(tmp_path / "out", module=Scores())
    with pytest.raises(ConfigError, match="not a BucketDataModule"):
        predict(
            tmp_path / "out",
            BucketDataModule(Digits(), Augment()),
            Classifier(network_args={"image_size": 16}),
        )
    assert not (tmp_path / "out").exists() or not tree(tmp_path / "out")


class Alive(Callback):
    """Counts the images that are still in memory."""

    def __init__(self):
        self.images, self.most = [], 0

    def on_predict_batch_end(self, trainer, pl_module, outputs, batch, batch_idx, dataloader_idx=0):
        self.images.append(weakref.ref(outputs["image"]))
        self.most = max(self.most, sum(image() is not None for image in self.images))


def test_images_are_not_kept(tmp_path):
    alive = Alive()
    predict(tmp_path / "out", data_set(batch_size=1), callbacks=[alive])
    assert len(alive.images) == COUNT
    assert alive.most <= 2


def test_keeping_them_is_warned_about(tmp_path):
    trainer = Trainer(accelerator="cpu", logger=False, callbacks=[DatasetWriter(str(tmp_path / "out"))])
    with pytest.warns(UserWarning, match="return_predictions=False"):
        trainer.predict(Passthrough(), datamodule=data_set())


CONFIG = """
model: {class_path: Passthrough}
data:
  class_path: GeneratedDataModule
  init_args: {generator: Augment, source: {class_path: Digits, init_args: {train_size: 500}}, count: 20, batch_size: 6}
trainer:
  accelerator: cpu
  enable_progress_bar: false
  callbacks: [{class_path: DatasetWriter, init_args: {output: out}}]
"""


def test_the_command_line_writes_and_keeps_nothing(tmp_path, capsys):
    Path("digits.yaml").write_text(CONFIG)
    cli = ExperimentCLI(["predict", "--config", "digits.yaml"])
    assert cli.trainer.predict_loop.return_predictions is False
    assert cli.trainer.predict_loop.predictions == []
    assert len(manifest(Path("out"))) == 20
    run = tmp_path / "runs" / "digits" / "version_0"
    for name in ("config.yaml", "provenance.json"):
        assert Path("out", name).read_bytes() == (run / name).read_bytes()
    described = json.loads(Path("out/dataset.json").read_text())
    assert json.loads(Path("out/provenance.json").read_text())["data_sha256"] == described["fingerprint"]
    assert described["classes"] == [str(i) for i in range(10)]
    assert main(["predict", "--config", "digits.yaml", "--seed_everything=1"]) == 2
    assert "other settings (fingerprint;" in capsys.readouterr().err
    assert main(["preview", "--config", "digits.yaml"]) == 0
    assert Path("preview.png").read_bytes().startswith(b"\x89PNG")
