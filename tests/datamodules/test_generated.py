"""Parts of a fixed set of samples, shared out without loss."""

from unittest.mock import Mock

import pytest
import torch
from lightning.pytorch import Trainer

from synthreal.batch import synthetic_batch
from synthreal.datamodules import GeneratedDataModule
from synthreal.datasets import Digits
from synthreal.errors import ConfigError
from synthreal.generators import Augment, ImageGenerator
from synthreal.spaces import Categorical, Continuous, Product


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
    data.trainer = Mock(Trainer, global_rank=rank, world_size=world_size)
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


@pytest.mark.parametrize("settings", [{"count": 0}, {"count": 5, "batch_size": 0}])
def test_counts_below_one_are_named(settings):
    with pytest.raises(ConfigError, match="at least 1"):
        GeneratedDataModule(Grey(), **settings)
