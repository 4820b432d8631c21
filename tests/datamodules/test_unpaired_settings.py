"""Settings of unpaired data: how a config names them, and what is refused before training."""

import pytest
import torch

from synthreal.datamodules import MixedDataModule, UnpairedDataModule
from synthreal.errors import ConfigError, DatasetError
from synthreal.experiment import ExperimentCLI
from synthreal.generators import StoredImages
from tests.datamodules.mixed_parts import Plus
from tests.datamodules.unpaired_parts import Photos, Stripes, make, ready


def test_every_setting_arrives():
    steps = {f"{name}_transform": [Plus(i)] for i, name in enumerate(("real", "synthetic", "evaluation"))}
    settings = {"steps_per_epoch": 7, "real_per_class": 5, "validation_per_class": 1, "tests": {"more": Stripes()}}
    settings |= {"test_size": 12, "overlap": "drop", "eval_batch_size": 13, "num_workers": 2, "seed": 11, **steps}
    data, generator = Photos(), Stripes()
    mixed = vars(MixedDataModule(data, generator, batch_size=12, **settings))
    unpaired = vars(UnpairedDataModule(data, generator, batch_size=6, **settings))
    assert unpaired["batch_size"] == 6
    assert all(unpaired[name] == value for name, value in mixed.items() if name != "batch_size")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"batch_size": 0}, "each domain in a batch, is at least 1, not 0"),
        ({"tests": {"real": Stripes()}}, "'real' is the data set's own"),
        ({"generator": Stripes(("bee", "ant", "cow"))}, "the generator .* bee, ant, cow; real: ant, bee, cow"),
        ({"generator": Stripes(side=5)}, r"real images are \[1, 8, 8\].*synthetic ones \[1, 5, 5\]"),
        ({"generator": Stripes(channels=3)}, r"\[1, 8, 8\].*\[3, 8, 8\]"),
        ({"dataset": Photos(pattern=(0, 2))}, r"classes \['bee'\] have no real training image"),
        ({"real_per_class": 0}, r"classes \['ant', 'bee', 'cow'\] have no real"),
        ({"steps_per_epoch": 0}, "at least 1"),
        ({"tests": {"mine": Stripes(("ant", "bee", "hen"))}}, "the test set 'mine' .* ant, bee, hen"),
    ],
)
def test_what_cannot_be_trained_on_is_refused_before_training(settings, message):
    with pytest.raises(ConfigError, match=message):
        ready(**settings)


def test_a_generator_of_other_classes_is_not_tested():
    with pytest.raises(ConfigError, match="classes of the generator are not those"):
        ready(generator=Stripes(("bee", "ant", "cow")), stage="test")


def test_a_class_without_a_synthetic_image_is_named():
    with pytest.raises(DatasetError, match=r"\['ant', 'cow'\] have no image to hand out"):
        ready(generator=StoredImages(Photos(test=5, pattern=(1,)), "test"))


@pytest.mark.filterwarnings("ignore:.*fork.*")
def test_a_batch_that_does_not_divide_among_processes_is_refused():
    class Ranks:
        """A trainer as far as setup asks."""

        global_rank, world_size = 0, 3

    data = make()
    data.trainer = Ranks()
    with pytest.raises(ConfigError, match="4 real ones do not divide by 3"):
        data.setup("fit")


def test_it_is_named_in_a_config(tmp_path):
    (tmp_path / "unpaired.yaml").write_text("""
model: {class_path: Passthrough}
data:
  class_path: UnpairedDataModule
  init_args:
    dataset: {class_path: Digits}
    generator: {class_path: Augment}
    batch_size: 6
    validation_per_class: 3
    synthetic_transform:
      - {class_path: kornia.augmentation.RandomHorizontalFlip}
""")
    data = ExperimentCLI(["--config", "unpaired.yaml"], run=False).datamodule
    data.setup("fit")
    assert data.batch_size == 6
    batch = data.assemble(next(iter(data.sampler)), 0)
    assert torch.equal(batch["label"][:6], batch["label"][6:])
    assert len(data.examples["label"]) == 60
