"""An MrGAN that was killed and resumed, wherever that was, is bit for bit the one that was not."""

import pytest
import torch
from lightning.pytorch import Callback

from synthreal.callbacks import RandomState
from synthreal.datamodules import UnpairedDataModule
from synthreal.datasets import Digits
from synthreal.generators import Glyphs
from synthreal.modules import MrGAN
from tests.trainer_parts import quiet_trainer

PER_STAGE = 2 + 2 + 3 * 3  # batches
EPOCH = 5
# after so many batches: in pre-training of generators and of discriminators, inside an iteration, at its end, at the
# end of an epoch, between the stages; and in the second stage
MOMENTS = {
    1: "identity",
    3: "discriminator",
    6: "mid-iteration",
    7: "iteration's end",
    10: "epoch's end",
    13: "stage's end",
}
MOMENTS |= {14: "identity 2", 16: "discriminator 2", 21: "mid-iteration 2", 23: "iteration's end 2"}


def make_model(**settings):
    torch.manual_seed(0)
    return MrGAN(
        **{
            "stages": ["r-s", "rr-rs"],
            "generator": "c7s1-4,d8,R8,u4,c7s1-1",
            "discriminator": "C4,C8",
            "in_channels": 1,
            "iterations": 3,
            "decay_from": 1,
            "generator_updates": 3,
            "pretrain_generators": 2,
            "pretrain_discriminators": 2,
            # violent, so that a small mistake changes everything after it
            "generator_rate": 1e-2,
            "discriminator_rate": 1e-2,
            "pool_size": 6,
            **settings,
        }
    )


def make_data(workers):
    return UnpairedDataModule(
        Digits(8, 200),
        Glyphs(8),
        batch_size=4,
        steps_per_epoch=EPOCH,
        validation_per_class=1,
        num_workers=workers,
        seed=1,
    )


class Record(Callback):
    """Keeps images and losses of each batch, and saves checkpoints after some of them."""

    def __init__(self, folder=None):
        self.folder, self.images, self.losses = folder, {}, {}

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        self.images[pl_module.batches] = batch["image"]

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        logged = {name: value.clone() for name, value in trainer.callback_metrics.items() if name.startswith("train/")}
        self.losses[pl_module.batches - 1] = logged
        if self.folder is not None and pl_module.batches in MOMENTS:
            trainer.save_checkpoint(self.folder / f"{pl_module.batches}.ckpt")


def train(workers=0, resume=None, folder=None, **settings):
    model, record = make_model(**settings), Record(folder)
    torch.manual_seed(99 if resume else 1)  # a resumed process starts from another random state
    trainer = quiet_trainer(max_epochs=-1, log_every_n_steps=1, callbacks=[RandomState(), record])
    trainer.fit(model, datamodule=make_data(workers), ckpt_path=resume)
    return model, record, trainer


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    folder = tmp_path_factory.mktemp("unbroken")
    return folder, *train(folder=folder)


def assert_same(one, other):
    """Weights, statistics and pools."""
    mine, theirs = one.state_dict(), other.state_dict()
    assert mine.keys() == theirs.keys()
    for name, value in mine.items():
        if isinstance(value, torch.Tensor):
            assert torch.equal(value, theirs[name]), f"{name} differs"
        else:  # a pool
            assert value["filled"] == theirs[name]["filled"]
            assert torch.equal(value["images"], theirs[name]["images"]), f"{name} differs"


def assert_goes_on(start, unbroken, again):
    (model, record, trainer), (other, other_record, other_trainer) = unbroken, again
    assert sorted(other_record.images) == list(range(start, 2 * PER_STAGE))
    for number, images in other_record.images.items():
        assert torch.equal(images, record.images[number]), f"other images in batch {number}"
        logged, expected = other_record.losses[number], record.losses[number]
        assert logged.keys() == expected.keys()
        for name, value in logged.items():
            assert torch.equal(value.nan_to_num(-1), expected[name].nan_to_num(-1)), f"other {name} in batch {number}"
    assert_same(model, other)
    for optimizer, theirs in zip(trainer.optimizers, other_trainer.optimizers, strict=True):
        for mine, state in zip(optimizer.state.values(), theirs.state.values(), strict=True):
            assert all(torch.equal(mine[key], state[key]) for key in mine)
    assert trainer.global_step == other_trainer.global_step == 2 * (PER_STAGE + 3)


@pytest.mark.filterwarnings("ignore:Be aware that when using")
@pytest.mark.parametrize("start", MOMENTS, ids=MOMENTS.get)
def test_resumed_run_is_the_unbroken_run(unbroken, start):
    folder, *run = unbroken
    assert_goes_on(start, run, train(resume=folder / f"{start}.ckpt"))


@pytest.mark.filterwarnings("ignore:Be aware that when using")
@pytest.mark.parametrize("start", [6, 21])
def test_with_workers(unbroken, start):
    folder, *run = unbroken
    assert_goes_on(start, run, train(workers=2, resume=folder / f"{start}.ckpt"))


@pytest.mark.filterwarnings("ignore:Be aware that when using")
def test_without_the_random_state_it_would_be_another_run(unbroken):
    folder, model, *_ = unbroken
    content = torch.load(folder / "6.ckpt")
    content["callbacks"] = {}
    torch.save(content, folder / "forgetful.ckpt")
    again, *_ = train(resume=folder / "forgetful.ckpt")
    with pytest.raises(AssertionError, match="differs"):
        assert_same(model, again)


@pytest.mark.filterwarnings("ignore:Be aware that when using")
def test_pretrained_stages_stay_as_they_are_after_a_resume(tmp_path):
    first, *_ = train(stages=["r-s"], folder=tmp_path)
    trained = {"stages": ["r-s", "r-rs"], "pretrained": str(tmp_path / "13.ckpt")}
    model, record, _ = train(folder=tmp_path, **trained)
    assert sorted(record.images) == list(range(PER_STAGE, 2 * PER_STAGE))
    (tmp_path / "13.ckpt").unlink()  # a resumed run does not read it
    again, *_ = train(resume=tmp_path / "21.ckpt", **trained)
    assert_same(model, again)
    for name, value in first.refiner.stages[0].state_dict().items():
        assert torch.equal(again.refiner.stages[0].state_dict()[name], value)
