"""Sets that every model is scored on: the same images in every run, each once."""

from unittest.mock import Mock

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from lightning.pytorch import Trainer
from PIL import Image
from torch import nn

from synthreal.batch import Domain, LabelledImages, synthetic_batch
from synthreal.datamodules import GeneratedDataModule
from synthreal.datamodules.evaluation import GeneratedSet, RealSet
from synthreal.datasets.files import LabelledFiles
from synthreal.errors import ConfigError
from synthreal.generators import ImageGenerator
from synthreal.samplers import BucketDistribution, BucketSampler, MixingSampler, even_draws
from synthreal.spaces import Categorical, Continuous, Product

CLASSES = ("ant", "bee", "cow")


class Grey(ImageGenerator):
    """One grey value out of the parameter and the seed; `held` makes it a finite set."""

    num_classes = 3

    def __init__(self, gain=1.0, held=None):
        self.gain, self.held = gain, held
        self.space = Product([Categorical("class", CLASSES), Continuous("grey", 0, 0.5, 4)])

    def stored(self):
        return self.held

    def generate(self, draws, device):
        value = draws["parameters"][:, 1] * self.gain + (draws["seed"] % 100) / 200
        image = value.to(device)[:, None, None, None].expand(-1, 1, 2, 2)
        return synthetic_batch(image, draws["parameters"][:, 0].long(), draws)


class Negative(nn.Module):
    def forward(self, image):
        return 1 - image


def photos(count=10):
    pixels = torch.arange(count * 4, dtype=torch.uint8).view(count, 1, 2, 2)
    return LabelledImages(pixels, torch.arange(count) % 3, CLASSES)


def files(folder, count=5):
    random = np.random.default_rng(0)
    paths = {name: [folder / f"{name}{i}.png" for i in range(count)] for name in CLASSES}
    for path in (path for group in paths.values() for path in group):
        Image.fromarray(random.integers(0, 256, (4, 4, 3), dtype=np.uint8)).save(path)
    return LabelledFiles.of_classes(paths, 4)


def on_rank(rank, world_size):
    trainer = Mock(Trainer, global_rank=rank, world_size=world_size, overfit_batches=0)
    trainer._accelerator_connector = Mock(use_distributed_sampler=False)
    return trainer


def scored(held, size=4, workers=0, trainer=None):
    """What a model sees of a set."""
    return [held.batch(draws) for draws in held.loader(size, workers, trainer)]


def together(batches, key):
    return torch.cat([batch[key] for batch in batches])


def test_real_images_come_in_order_with_their_numbers():
    held = RealSet(photos(), ())
    batches = scored(held)
    assert [len(batch["label"]) for batch in batches] == [4, 4, 2]
    assert together(batches, "index").tolist() == list(range(10))
    assert torch.equal(together(batches, "image"), photos().images / 255)
    assert torch.equal(together(batches, "label"), photos().labels)
    assert set(together(batches, "domain").tolist()) == {Domain.REAL}
    assert len(held) == 10
    assert held.classes == CLASSES


def test_samples_are_spread_evenly_over_the_classes():
    held = GeneratedSet(Grey(), 30, ())
    batches = scored(held, size=7)
    assert [len(batch["label"]) for batch in batches] == [7, 7, 7, 7, 2]
    assert torch.bincount(together(batches, "label")).tolist() == [10, 10, 10]
    assert together(batches, "index").tolist() == list(range(30))
    assert set(together(batches, "domain").tolist()) == {Domain.SYNTHETIC}
    whole = Grey().generate(held.draws, torch.device("cpu"))
    assert torch.equal(together(batches, "image"), whole["image"])
    assert len(held) == 30


def test_samples_are_the_same_in_every_run(monkeypatch):
    first = GeneratedSet(Grey(), 30, ()).draws
    torch.manual_seed(4)
    monkeypatch.setenv("PL_GLOBAL_SEED", "9")
    again = GeneratedSet(Grey(), 30, ()).draws
    assert all(torch.equal(first[key], again[key]) for key in first)


def test_samples_are_no_training_images():
    space, size = Grey().space, 40
    tested = GeneratedSet(Grey(), size, ()).draws["seed"]
    for seed in (0, 1, 10, 20, 30):
        made = GeneratedDataModule(Grey(), size, seed=seed)
        made.setup()
        buckets = BucketSampler(space, BucketDistribution(space.volumes()), 0, 0, size, steps_per_epoch=1, seed=seed)
        fresh = MixingSampler(space, 0, {0: (0, size)}, steps_per_epoch=1, seed=seed)
        for drawn in (made.draws, next(iter(buckets)), next(iter(fresh))):
            assert not torch.isin(drawn["seed"], tested).any()


def test_all_that_is_stored_is_scored():
    stored = even_draws(Grey().space, 8, [1])
    held = GeneratedSet(Grey(held=stored), 1000, ())
    assert len(held) == 8
    assert held.draws is stored
    assert torch.equal(together(scored(held), "parameters"), stored["parameters"])


@pytest.mark.parametrize("make", [lambda steps: RealSet(photos(), steps), lambda steps: GeneratedSet(Grey(), 9, steps)])
def test_every_image_is_transformed_but_those_to_look_at(make):
    plain, negative = make(()), make([Negative()])
    assert torch.equal(together(scored(negative), "image"), 1 - together(scored(plain), "image"))
    index = torch.tensor([7, 0, 3])
    assert torch.equal(negative.show(index), together(scored(plain), "image")[index])


@given(st.integers(0, 40), st.integers(1, 12), st.integers(1, 4))
def test_ranks_score_every_image_once_and_all_have_some(count, size, world_size):
    for held in (RealSet(photos(count), ()), GeneratedSet(Grey(), count, ())):
        ranks = [list(held.loader(size, 0, on_rank(rank, world_size))) for rank in range(world_size)]
        key = "real" if isinstance(held, RealSet) else "index"
        index = [batch[key] for part in ranks for batch in part]
        assert sorted(i for one in index for i in one.tolist()) == list(range(count))
        assert all(0 < len(one) <= size for one in index)
        # a process without a batch would not take part, and the others would wait for it
        share = [sum(len(batch[key]) for batch in part) for part in ranks]
        assert max(share) - min(share) <= 1


def test_ranks_score_what_one_process_does():
    for held in (RealSet(photos(11), [Negative()]), GeneratedSet(Grey(), 11, [Negative()])):
        alone = scored(held)
        shared = [batch for rank in range(2) for batch in scored(held, trainer=on_rank(rank, 2))]
        for key in ("image", "label"):
            assert torch.equal(together(shared, key)[together(shared, "index").argsort()], together(alone, key))


def test_a_sampler_that_lightning_would_replace_is_refused():
    trainer = on_rank(0, 2)
    trainer._accelerator_connector = Mock(use_distributed_sampler=True)
    for held in (RealSet(photos(), ()), GeneratedSet(Grey(), 9, ())):
        with pytest.raises(ConfigError, match="use_distributed_sampler=False"):
            held.loader(4, 0, trainer)


@pytest.mark.parametrize("workers", [0, 2])
def test_files_are_read_when_they_are_scored(tmp_path, workers):
    on_disk = files(tmp_path)
    held = RealSet(on_disk, ())
    batches = scored(held, size=6, workers=workers)
    expected = on_disk.load()
    assert torch.equal(together(batches, "image"), expected.images / 255)
    assert torch.equal(together(batches, "label"), expected.labels)
    assert together(batches, "index").tolist() == list(range(15))
    assert torch.equal(held.show(torch.tensor([14, 2])), expected.images[[14, 2]] / 255)


def test_batches_do_not_carry_the_set_with_them():
    # a view pickled to a worker would take the whole set along
    for held in (RealSet(photos(), ()), GeneratedSet(Grey(), 9, ())):
        for draws in held.loader(4, 0, None):
            for rows in draws.values():
                assert rows.untyped_storage().nbytes() == rows.nbytes


def test_fingerprints_change_with_what_is_scored():
    stored = even_draws(Grey().space, 50, [1])
    other = {**stored, "seed": stored["seed"] + (torch.arange(50) == 2)}  # an image that is not looked at
    sets = [
        RealSet(photos(), ()),
        RealSet(photos(9), ()),
        GeneratedSet(Grey(), 30, ()),
        GeneratedSet(Grey(), 31, ()),
        GeneratedSet(Grey(gain=1.1), 30, ()),
        GeneratedSet(Grey(held=stored), 30, ()),
        GeneratedSet(Grey(held=other), 30, ()),
    ]
    assert len({held.fingerprint() for held in sets}) == len(sets)
    assert RealSet(photos(), ()).fingerprint() == sets[0].fingerprint()
    assert GeneratedSet(Grey(), 30, [Negative()]).fingerprint() == sets[2].fingerprint()


@pytest.mark.parametrize("held", [RealSet(photos(), ()), GeneratedSet(Grey(), 5, ())])
def test_a_batch_of_none_is_refused(held):
    with pytest.raises(ConfigError, match="eval_batch_size is at least 1, not 0"):
        held.loader(0, 0, None)
