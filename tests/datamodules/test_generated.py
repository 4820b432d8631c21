"""Parts of a fixed set of samples, shared out without loss."""

import csv
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from lightning.pytorch import Trainer
from PIL import Image

from synthreal.batch import synthetic_batch
from synthreal.cli import main
from synthreal.datamodules import BucketDataModule, GeneratedDataModule, MixedDataModule
from synthreal.datasets import Digits
from synthreal.errors import ConfigError
from synthreal.generators import Augment, ImageGenerator
from synthreal.samplers import even_draws
from synthreal.spaces import Categorical, Continuous, Product
from tests.datamodules.mixed_parts import Photos, Stripes


class Grey(ImageGenerator):
    """One grey value, which depends on all that a sample is made of."""

    num_classes = 3

    def __init__(self, gain=1.0):
        self.gain = gain
        self.space = Product([Categorical("kind", ["ant", "bee", "cow"]), Continuous("grey", 0, 0.5, 4)])

    def generate(self, draws, device):
        value = draws["parameters"][:, 1] * self.gain + (draws["seed"] % 100) / 200
        image = value[:, None, None, None].expand(-1, 1, 2, 2)
        return synthetic_batch(image, draws["parameters"][:, 0].long(), draws)


def make(count=20, batch_size=6, gain=1.0, seed=5):
    data = GeneratedDataModule(Grey(gain), count, batch_size, seed=seed)
    data.setup("predict")
    return data


def loaded(data, rank=0, world_size=1):
    data.trainer = Mock(Trainer, global_rank=rank, world_size=world_size, overfit_batches=0)
    data.trainer._accelerator_connector = Mock(use_distributed_sampler=False)
    return list(data.predict_dataloader())


@pytest.mark.parametrize("world_size", [1, 2, 3, 5])
@pytest.mark.parametrize("skipped", [[], [0], [1, 3], [0, 1, 2, 3]])
def test_ranks_share_the_missing_parts(world_size, skipped):
    data = make()  # parts of 6, 6, 6 and 2
    data.skip(skipped)
    ranks = [loaded(data, rank, world_size) for rank in range(world_size)]
    assert max(len(parts) for parts in ranks) - min(len(parts) for parts in ranks) <= 1
    made = sorted(part["index"].tolist() for parts in ranks for part in parts)
    expected = [list(range(i * 6, min(i * 6 + 6, 20))) for i in range(4) if i not in skipped]
    assert made == expected
    for parts in ranks:
        for part in parts:
            for key in ("bucket", "parameters", "seed"):
                assert torch.equal(part[key], data.draws[key][part["index"]])


def test_a_sample_does_not_depend_on_its_part():
    data, other = make(batch_size=6), make(batch_size=7)
    parts = [data.on_after_batch_transfer(part, 0) for part in loaded(data)]
    image = torch.cat([part["image"] for part in parts])
    assert torch.equal(image, torch.cat([other.on_after_batch_transfer(part, 0)["image"] for part in loaded(other)]))
    assert torch.equal(torch.cat([part["index"] for part in parts]), torch.arange(20))
    assert torch.equal(data.make(torch.tensor([13, 2]))["image"], image[[13, 2]])
    parameters = data.draws["parameters"]
    assert torch.allclose(image[:, 0, 0, 0], parameters[:, 1] + (data.draws["seed"] % 100) / 200)


def test_fingerprint_changes_with_whatever_changes_the_samples():
    prints = [make().fingerprint(), make(count=21).fingerprint(), make(seed=6).fingerprint()]
    assert prints[0] == make().fingerprint() == make(batch_size=3).fingerprint()
    assert len({p["draws"] for p in prints}) == 3
    brighter = make(gain=1.1).fingerprint()
    assert brighter["draws"] == prints[0]["draws"]
    assert brighter["images"] != prints[0]["images"]


def test_classes_are_the_spaces_first_factor():
    assert make().classes == ("ant", "bee", "cow")
    assert Augment(num_classes=3).classes == ("0", "1", "2")


def test_preview_needs_no_trainer():
    data = make(count=100)
    assert torch.equal(data.preview(10)["image"], data.make(torch.arange(10))["image"])
    batch = data.preview()  # 24 of each of the 3 classes, on average
    assert torch.equal(batch["label"], data.draws["parameters"][:72, 0].long())
    assert make(count=5).preview(10)["image"].shape == (5, 1, 2, 2)


def test_a_generator_may_start_from_real_images():
    data = GeneratedDataModule(Augment(), 10, source=Digits(train_size=500), seed=1)
    data.setup("fit")
    assert data.preview()["image"].shape == (10, 1, 16, 16)
    alone = GeneratedDataModule(Augment(), 10, seed=1)
    alone.setup("fit")
    with pytest.raises(ConfigError, match="source"):
        alone.preview()


class Starting(Stripes):
    """Keeps the real images that it is given."""

    def bind(self, source):
        self.source = source


@pytest.mark.parametrize("seed", [1, 6])
@pytest.mark.parametrize(("per_class", "held_out"), [(None, 0), (None, 2), (3, 0), (3, 2), (1, 5)])
def test_a_generator_starts_from_the_images_that_a_run_with_these_settings_trains_on(per_class, held_out, seed):
    split = {"real_per_class": per_class, "validation_per_class": held_out, "seed": seed}
    mixed = MixedDataModule(Photos(), Starting(), batch_size=2, **split)
    mixed.setup("fit")
    made = GeneratedDataModule(Starting(), 10, source=Photos(), **split)
    made.setup("predict")
    assert made.generator.source.digests() == mixed.train_images.digests()
    assert torch.equal(made.generator.source.labels, mixed.train_images.labels)
    held = mixed.sets["validation"].held.digests()
    assert len(held) == 3 * held_out
    assert set(held).isdisjoint(made.generator.source.digests())


def test_images_for_probes_are_held_out_like_those_for_validation():
    buckets = BucketDataModule(
        Photos(), Starting(), 2, 2, validation_per_class=2, probe_images_per_class=1, num_probes=0, seed=4
    )
    buckets.setup("fit")
    made = GeneratedDataModule(Starting(), 10, source=Photos(), validation_per_class=3, seed=4)
    made.setup("predict")
    assert made.generator.source.digests() == buckets.images["train"].digests()


@pytest.mark.parametrize("settings", [{"real_per_class": 3}, {"validation_per_class": 1}])
def test_a_part_of_no_source_is_refused(settings):
    with pytest.raises(ConfigError, match="there is none: give source"):
        GeneratedDataModule(Grey(), 5, **settings)


class Stored(Grey):
    """17 samples that there are, class after class."""

    def stored(self):
        draws = even_draws(self.space, 17, [8])
        order = draws["bucket"].argsort()
        return {key: table[order] for key, table in draws.items()}


def test_without_a_count_the_samples_are_those_stored_in_their_order():
    data = GeneratedDataModule(Stored(), None, 6, seed=5)
    assert (data.count, data.num_parts) == (17, 3)  # before setup, too
    data.setup("predict")
    assert (data.count, data.num_parts) == (17, 3)
    stored = Stored().stored()
    assert all(torch.equal(data.draws[key], stored[key]) for key in stored)
    parts = loaded(data)
    assert torch.cat([part["index"] for part in parts]).tolist() == list(range(17))
    image = torch.cat([data.on_after_batch_transfer(part, 0)["image"] for part in parts])
    assert torch.equal(image, Stored().generate(stored, torch.device("cpu"))["image"])
    other = GeneratedDataModule(Stored(), None, 4, seed=6)
    other.setup("predict")
    assert other.fingerprint() == data.fingerprint()
    counted = GeneratedDataModule(Stored(), 17, seed=5)
    counted.setup("predict")
    assert torch.equal(counted.draws["seed"], make(count=17).draws["seed"])


def test_a_preview_of_stored_samples_has_every_class(monkeypatch):
    monkeypatch.setattr("synthreal.datamodules.generated._PREVIEW_PER_CLASS", 2)
    data = GeneratedDataModule(Stored(), None)
    data.setup("fit")
    assert torch.bincount(data.preview()["label"]).tolist() == [3, 1, 2]  # 17 · i // 6 of 6, 6 and 5
    assert data.preview(5)["label"].tolist() == [0] * 5
    assert len(data.preview(50)["label"]) == 17


class Empty(Grey):
    """Nothing is stored."""

    def stored(self):
        return even_draws(self.space, 0, [8])


@pytest.mark.parametrize("generator", [Grey(), Empty()])
def test_without_a_count_something_must_be_stored(generator):
    data = GeneratedDataModule(generator, None)
    with pytest.raises(ConfigError, match="has no stored images to take all of: set count"):
        data.setup("predict")
    with pytest.raises(ConfigError, match="set count"):
        data.num_parts  # noqa: B018


def test_real_images_are_written_out_of_a_config(tmp_path):
    (tmp_path / "real.yaml").write_text("""
model: {class_path: Passthrough}
data:
  class_path: GeneratedDataModule
  init_args:
    generator: {class_path: StoredImages, init_args: {dataset: {class_path: Digits}, split: test, domain: real}}
    count: null
    batch_size: 100
trainer:
  accelerator: cpu
  callbacks:
    - {class_path: DatasetWriter, init_args: {output: out}}
""")
    assert main(["predict", "--config", "real.yaml", "--trainer.enable_progress_bar=false"]) == 0
    images = Digits().load("test")
    with (tmp_path / "out" / "manifest.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["label"]) for row in rows] == images.labels.tolist()
    for i in (0, 5, len(images) - 1):
        assert np.array_equal(np.asarray(Image.open(tmp_path / "out" / rows[i]["path"])), images.images[i, 0].numpy())


@pytest.mark.parametrize("settings", [{"count": 0}, {"count": 5, "batch_size": 0}])
def test_counts_below_one_are_named(settings):
    with pytest.raises(ConfigError, match="at least 1"):
        GeneratedDataModule(Grey(), **settings)
