"""Refined images are what the trained stages make by hand, wherever they are asked for: alone, mixed, or on disk."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from synthreal.batch import Domain, LabelledImages, select_draws
from synthreal.callbacks import DatasetWriter
from synthreal.datamodules import GeneratedDataModule, MixedDataModule
from synthreal.datasets import Digits
from synthreal.errors import ConfigError
from synthreal.experiment import ExperimentCLI
from synthreal.generators import Augment, Glyphs, Refined, StoredImages
from synthreal.generators.fingerprint import digest, fingerprint
from synthreal.modules import Passthrough
from synthreal.networks.refiner import Refiner
from synthreal.samplers import even_draws
from tests.trainer_parts import quiet_trainer

CPU = torch.device("cpu")
LAYERS = "c7s1-4,d8,R8,u4,c7s1-1"
DIRECTIONS = ("real", "synthetic")


def checkpoint(path="mrgan.ckpt", seed=0, stages=("r-s", "rr-rs"), in_channels=1, finished=2):
    """Saves stages whose weights and statistics change images a lot; returns them in evaluation mode."""
    torch.manual_seed(seed)
    layers = LAYERS.replace("c7s1-1", f"c7s1-{in_channels}")
    refiner = Refiner(list(stages), layers, in_channels)
    for name, value in refiner.state_dict().items():
        if name.endswith("weight") and value.ndim == 4:
            value.mul_(6)
        elif "running_var" in name:
            value.copy_(0.5 + torch.rand_like(value))
    settings = {"stages": list(stages), "generator": layers, "in_channels": in_channels, "norm": "batch"}
    weights = {f"refiner.{name}": value for name, value in refiner.state_dict().items()}
    torch.save({"state_dict": weights, "hyper_parameters": settings, "finished_stages": finished}, path)
    return refiner.eval()


def by_hand(refiner, image, direction, stages):
    """Stage after stage; all of them map what the one before has refined."""
    with torch.no_grad():
        for stage in list(refiner.stages)[:stages]:
            image = stage.to_real(image) if direction == "real" else stage.to_synthetic(image)
    return image


def draws(count=12, seed=1, generator=None):
    return even_draws((generator or Glyphs(8)).space, count, [seed])


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("stages", [None, 0, 1, 2])
def test_as_the_stages_by_hand(direction, stages):
    refiner = checkpoint(finished=2 if stages is None else stages)
    plain = Glyphs(8).generate(draws(), CPU)
    made = Refined(Glyphs(8), "mrgan.ckpt", direction, stages).generate(draws(), CPU)
    expected = by_hand(refiner, plain["image"], direction, stages)
    torch.testing.assert_close(made["image"], expected, rtol=0, atol=1e-6)
    assert made["image"].min() >= 0
    assert made["image"].max() <= 1
    if stages != 0:
        assert (made["image"] - plain["image"]).abs().mean() > 0.05
    for key in plain.keys() - {"image"}:
        assert torch.equal(made[key], plain[key]), key
    assert made.keys() == plain.keys()


@pytest.mark.parametrize("mapping", ["r-rs", "rr-s"])
def test_a_second_stage_past_the_first(mapping):
    refiner = checkpoint(stages=("r-s", mapping))
    plain = Glyphs(8).generate(draws(), CPU)["image"]
    real = Refined(Glyphs(8), "mrgan.ckpt").generate(draws(), CPU)["image"]
    with torch.no_grad():
        first = plain if mapping == "rr-s" else refiner.stages[0].to_real(plain)
        torch.testing.assert_close(real, refiner.stages[1].to_real(first), rtol=0, atol=1e-6)


def test_an_image_depends_on_its_draw_alone():
    checkpoint()
    generator = Refined(Glyphs(8), "mrgan.ckpt")
    together = generator.generate(draws(), CPU)["image"]
    torch.rand(7)
    assert torch.equal(generator.generate(draws(), CPU)["image"], together)
    other = Refined(Glyphs(8), "mrgan.ckpt")
    for i in range(12):
        alone = other.generate(select_draws(draws(), torch.tensor([i])), CPU)["image"]
        torch.testing.assert_close(alone[0], together[i], rtol=0, atol=1e-6)
    backwards = other.generate(select_draws(draws(), torch.arange(11, -1, -1)), CPU)["image"]
    torch.testing.assert_close(backwards.flip(0), together, rtol=0, atol=1e-6)


def test_no_gradient_and_no_training():
    checkpoint()
    generator = Refined(Glyphs(8), "mrgan.ckpt")
    before = {name: value.clone() for name, value in generator.refiner.state_dict().items()}
    with torch.enable_grad():
        assert not generator.generate(draws(), CPU)["image"].requires_grad
    assert all(torch.equal(value, before[name]) for name, value in generator.refiner.state_dict().items())


def test_everything_else_is_the_generator_s():
    checkpoint()
    stored = StoredImages(Digits(8, 30), "train", "real")
    refined = Refined(stored, "mrgan.ckpt", "synthetic")
    assert refined.classes == stored.classes
    assert refined.num_classes == 10
    assert refined.space is stored.space
    assert refined.stored() is not None
    assert all(torch.equal(value, stored.stored()[key]) for key, value in refined.stored().items())
    assert refined.name(draws(3, generator=stored)) == {}
    assert refined.generate(refined.stored(), CPU)["domain"].unique().tolist() == [Domain.REAL]
    glyphs = Refined(Glyphs(8), "mrgan.ckpt")
    assert glyphs.stored() is None


def test_the_source_is_handed_on():
    refiner = checkpoint()
    digits = Digits(16, 50).load("train")
    images = LabelledImages(digits.images, digits.labels, tuple("abcdefghij"))
    plain, refined = Augment(), Refined(Augment(), "mrgan.ckpt")
    for generator in (plain, refined):
        generator.bind(images)
    assert refined.classes == plain.classes == images.classes
    few = draws(6, generator=plain)
    expected = by_hand(refiner, plain.generate(few, CPU)["image"], "real", 2)
    torch.testing.assert_close(refined.generate(few, CPU)["image"], expected, rtol=0, atol=1e-6)


def test_the_fingerprint_is_that_of_the_weights_too():
    checkpoint()
    checkpoint("other.ckpt", seed=1)
    prints = [
        fingerprint(generator, draws())
        for generator in (
            Glyphs(8),
            Refined(Glyphs(8), "mrgan.ckpt"),
            Refined(Glyphs(8), "other.ckpt"),
            Refined(Glyphs(8), "mrgan.ckpt", stages=1),
            Refined(Glyphs(8), "mrgan.ckpt", "synthetic"),
        )
    ]
    assert len({one["images"] for one in prints}) == 5
    assert len({one["draws"] for one in prints}) == 1
    assert fingerprint(Refined(Glyphs(8), "mrgan.ckpt"), draws()) == prints[1]


@pytest.mark.parametrize("synthetic_size", [None, 20])
def test_mixed_with_real_images(synthetic_size):
    refiner = checkpoint()
    data = MixedDataModule(
        Digits(8, 60), Refined(Glyphs(8), "mrgan.ckpt"), (1, 3), 8, synthetic_size=synthetic_size, seed=2
    )
    data.setup("fit")
    data.train_dataloader()  # makes the fixed set
    wanted = next(iter(data.sampler))
    batch = data.assemble(wanted, 0)
    assert batch["domain"].tolist() == [0] * 2 + [1] * 6
    plain = Glyphs(8).generate(wanted, CPU)["image"]
    # a fixed set is kept in 8 bits
    torch.testing.assert_close(
        batch["image"][2:],
        by_hand(refiner, plain, "real", 2),
        rtol=0,
        atol=1e-6 if synthetic_size is None else 0.51 / 255,
    )
    again = MixedDataModule(Digits(8, 60), Glyphs(8), (1, 3), 8, synthetic_size=synthetic_size, seed=2)
    again.setup("fit")
    again.train_dataloader()
    assert torch.equal(again.assemble(next(iter(again.sampler)), 0)["image"][:2], batch["image"][:2])
    prints = data.fingerprint(), again.fingerprint()
    assert prints[0]["train"] == prints[1]["train"]
    if synthetic_size is not None:
        assert prints[0]["synthetic"] != prints[1]["synthetic"]
        assert prints[0]["synthetic"] == digest(Refined(Glyphs(8), "mrgan.ckpt"), data.fixed_set)


def write(generator, output, count=None):
    data = GeneratedDataModule(generator, count, batch_size=8, seed=4)
    trainer = quiet_trainer(callbacks=[DatasetWriter(output)])
    trainer.predict(Passthrough(), datamodule=data, return_predictions=False)
    with (Path(output) / "manifest.csv").open() as file:
        table = list(csv.DictReader(file))
    pixels = np.stack([np.asarray(Image.open(Path(output) / row["path"])) for row in table])
    return torch.from_numpy(pixels).float()[:, None] / 255, [int(row["label"]) for row in table], data


def test_a_refined_copy_of_real_images_on_disk():
    refiner = checkpoint()
    pixels, label, data = write(Refined(StoredImages(Digits(8, 20), "train", "real"), "mrgan.ckpt", "synthetic"), "out")
    images = Digits(8, 20).load("train")
    assert label == images.labels.tolist()
    expected = by_hand(refiner, images.pixels(torch.arange(20)), "synthetic", 2)
    torch.testing.assert_close(pixels, expected, rtol=0, atol=0.51 / 255)
    assert json.loads(Path("out/dataset.json").read_text())["fingerprint"] == data.fingerprint()


def test_refined_synthetic_images_on_disk():
    refiner = checkpoint()
    pixels, label, data = write(Refined(Glyphs(8), "mrgan.ckpt", stages=1), "out", 20)
    assert np.bincount(label).tolist() == [2] * 10
    plain = Glyphs(8).generate(data.draws, CPU)["image"]
    torch.testing.assert_close(pixels, by_hand(refiner, plain, "real", 1), rtol=0, atol=0.51 / 255)


def test_other_weights_are_another_data_set():
    checkpoint()
    write(Refined(Glyphs(8), "mrgan.ckpt"), "out", 20)
    write(Refined(Glyphs(8), "mrgan.ckpt"), "out", 20)  # the same one again: nothing to do
    checkpoint("other.ckpt", seed=1)
    with pytest.raises(ConfigError, match="out"):
        write(Refined(Glyphs(8), "other.ckpt"), "out", 20)


def test_from_a_config():
    refiner = checkpoint()
    Path("refine.yaml").write_text("""
model: {class_path: Passthrough}
data:
  class_path: GeneratedDataModule
  init_args:
    generator:
      class_path: Refined
      init_args:
        generator: {class_path: Glyphs, init_args: {image_size: 8}}
        checkpoint: mrgan.ckpt
        stages: 1
    count: 10
    batch_size: 5
trainer: {logger: false}
""")
    data = ExperimentCLI(["--config", "refine.yaml"], run=False).datamodule
    data.setup("predict")
    plain = Glyphs(8).generate(data.draws, CPU)["image"]
    expected = by_hand(refiner, plain, "real", 1)
    torch.testing.assert_close(data.make(torch.arange(10))["image"], expected, rtol=0, atol=1e-6)
    with pytest.raises(ConfigError, match=r"No checkpoint at none\.ckpt: checkpoint names"):
        ExperimentCLI(["--config", "refine.yaml", "--data.generator.init_args.checkpoint=none.ckpt"], run=False)


@pytest.mark.parametrize("stages", [-1, 3])
def test_there_are_no_more_stages_than_there_are(stages):
    checkpoint()
    with pytest.raises(ConfigError, match=rf"mrgan\.ckpt has 2 stages; stages cannot be {stages}"):
        Refined(Glyphs(8), "mrgan.ckpt", stages=stages)


@pytest.mark.parametrize(
    ("finished", "stages", "advice"),
    [(1, None, "set stages to 1, or train on"), (1, 2, "set stages to 1, or train on"), (0, 1, "train on")],
)
def test_stages_that_are_not_trained_are_not_applied(finished, stages, advice):
    checkpoint(finished=finished)
    with pytest.raises(ConfigError, match=rf"mrgan\.ckpt: {finished} of 2 stages are trained: {advice}\."):
        Refined(Glyphs(8), "mrgan.ckpt", stages=stages)


def test_what_is_no_checkpoint_of_an_mrgan_is_refused():
    torch.save({"state_dict": {"network.a": torch.ones(1)}, "hyper_parameters": {}}, "classifier.ckpt")
    with pytest.raises(ConfigError, match=r"classifier\.ckpt is no checkpoint of an MrGAN"):
        Refined(Glyphs(8), "classifier.ckpt")
    with pytest.raises(ConfigError, match=r"No checkpoint at none\.ckpt"):
        Refined(Glyphs(8), "none.ckpt")


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_images_of_other_channels_are_refused(direction):
    checkpoint(in_channels=3)
    with pytest.raises(ConfigError, match="The images have 1 channels, and the MrGAN's in_channels is 3"):
        Refined(Glyphs(8), "mrgan.ckpt", direction).generate(draws(), CPU)


def test_any_size_of_image():
    refiner = checkpoint()
    pixels = torch.randint(256, (4, 1, 5, 7), dtype=torch.uint8)
    images = LabelledImages(pixels, torch.arange(4), tuple("abcd"))

    class Odd(Digits):
        classes = images.classes

        def load(self, split):
            return images

    generator = Refined(StoredImages(Odd()), "mrgan.ckpt")
    found = generator.generate(generator.stored(), CPU)["image"]
    assert found.shape == (4, 1, 5, 7)
    torch.testing.assert_close(found, by_hand(refiner, pixels.float() / 255, "real", 2), rtol=0, atol=1e-6)
