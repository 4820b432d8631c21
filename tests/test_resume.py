"""A run that was killed and resumed is bit for bit the run that was not, and two processes are one."""

import pytest
import torch
from lightning.pytorch import Callback, Trainer, seed_everything
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import nn

from synthreal.callbacks import RandomState, SampleAhead, UnfinishedEpoch
from synthreal.datamodules import BucketDataModule
from synthreal.datasets import Digits
from synthreal.generators import Augment
from synthreal.modules import Classifier
from synthreal.samplers import BucketDistribution, BucketSampler

STEPS_PER_EPOCH = 5
LAST_STEP = 14  # the third epoch is cut short


class Recorder(Callback):
    """Keeps the draws that reached each step."""

    def __init__(self):
        self.draws = {}

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        self.draws[trainer.global_step] = torch.cat([batch["bucket"].float(), batch["image"].flatten().double()])


def make_data(workers=0, **settings):
    options = {
        "real_per_batch": 8,
        "synthetic_per_batch": 16,
        "real_per_class": 5,
        "probe_images_per_class": 3,
        "num_probes": 320,
        "steps_per_epoch": STEPS_PER_EPOCH,
        "seed": 3,
        **settings,
    }
    return BucketDataModule(Digits(train_size=500), Augment(), num_workers=workers, **options)


def make_model():
    seed_everything(1)
    model = Classifier(
        network_args={"image_size": 16},
        optimizer_args={"lr": 0.05, "momentum": 0.9},
        schedule="synthreal.schedules.InverseDecay",
    )
    model.network = nn.Sequential(model.network, nn.Dropout(0.3))  # draws from the global random state
    return model


def violent_rule():
    """A small mistake in P or in the order of draws changes everything after it."""
    return SampleAhead(alpha=0.0, beta=60.0, difficulty="soft", figures=False)


def train(folder, workers=0, resume=None, callbacks=(), **limits):
    model, data, recorder = make_model(), make_data(workers), Recorder()
    torch.manual_seed(99 if resume else 1)  # a resumed process starts from another random state
    trainer = Trainer(
        default_root_dir=folder,
        accelerator="cpu",
        **(limits or {"max_steps": LAST_STEP}),
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=bool(callbacks),
        callbacks=[violent_rule(), RandomState(), UnfinishedEpoch(), recorder, *callbacks],
    )
    trainer.fit(model, datamodule=data, ckpt_path=resume)
    return model, data, recorder


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    folder = tmp_path_factory.mktemp("unbroken")
    every_step = ModelCheckpoint(folder, "step_{step}", save_top_k=-1, every_n_train_steps=1)
    every_epoch = ModelCheckpoint(folder, "epoch_{step}", save_top_k=-1, save_on_train_epoch_end=True)
    return folder, *train(folder, callbacks=[every_step, every_epoch])


@pytest.mark.filterwarnings("ignore:P has collapsed")
@pytest.mark.filterwarnings("ignore:Be aware that when using")
@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("checkpoint", ["step_step=1", "step_step=5", "epoch_step=5", "step_step=6", "step_step=12"])
def test_resumed_run_is_the_unbroken_run(unbroken, tmp_path, workers, checkpoint):
    folder, model, data, recorder = unbroken
    start = int(checkpoint.rpartition("=")[2])
    again, again_data, again_recorder = train(tmp_path, workers, resume=folder / f"{checkpoint}.ckpt")

    assert sorted(again_recorder.draws) == list(range(start, LAST_STEP))
    for step, draws in again_recorder.draws.items():
        assert torch.equal(draws, recorder.draws[step]), f"other draws at step {step}"
    for name, value in model.state_dict().items():
        assert torch.equal(value, again.state_dict()[name]), f"{name} differs"
    assert torch.equal(data.distribution.probability, again_data.distribution.probability)


@pytest.mark.filterwarnings("ignore:P has collapsed")
@pytest.mark.filterwarnings("ignore:Be aware that when using")
@pytest.mark.parametrize("limits", [{"max_epochs": 3}, {"max_epochs": 3, "limit_train_batches": 3}])
def test_no_epoch_is_lost_when_epochs_are_counted(tmp_path, limits):
    every_epoch = ModelCheckpoint(tmp_path, "{epoch}", save_top_k=-1, save_on_train_epoch_end=True)
    model, data, recorder = train(tmp_path, callbacks=[every_epoch], **limits)
    again, again_data, again_recorder = train(tmp_path, resume=tmp_path / "epoch=0.ckpt", **limits)

    assert max(again_recorder.draws) == max(recorder.draws)
    assert all(torch.equal(draws, recorder.draws[step]) for step, draws in again_recorder.draws.items())
    assert torch.equal(model.network[0].fc2.weight, again.network[0].fc2.weight)
    assert torch.equal(data.distribution.probability, again_data.distribution.probability)


@pytest.mark.filterwarnings("ignore:P has collapsed")
@pytest.mark.filterwarnings("ignore:Be aware that when using")
@pytest.mark.parametrize("workers", [0, 2])
def test_a_run_that_was_long_enough_for_itself_goes_on_within_its_epoch(unbroken, tmp_path, workers):
    data = unbroken[2]
    last = ModelCheckpoint(tmp_path, "short", save_on_train_epoch_end=True)
    _, short_data, short = train(tmp_path, callbacks=[last], max_steps=12)  # two epochs and a part, as the other
    assert sorted(short.draws) == list(range(12))
    assert torch.equal(short_data.distribution.probability, data.distribution.probability)
    again, again_data, again_recorder = train(tmp_path, workers, resume=tmp_path / "short.ckpt", max_steps=17)
    whole, whole_data, whole_recorder = train(tmp_path, max_steps=17)

    assert sorted(again_recorder.draws) == list(range(12, 17))
    for step, draws in again_recorder.draws.items():
        assert torch.equal(draws, whole_recorder.draws[step]), f"other draws at step {step}"
    assert torch.equal(whole.network[0].fc2.weight, again.network[0].fc2.weight)
    assert torch.equal(whole_data.distribution.probability, again_data.distribution.probability)
    assert not torch.equal(whole_data.distribution.probability, data.distribution.probability)


class StopAfter(Callback):
    """Ends training within an epoch, as `max_time` does."""

    def __init__(self, step):
        self.step = step

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        trainer.should_stop = trainer.global_step == self.step


@pytest.mark.filterwarnings("ignore:P has collapsed")
@pytest.mark.filterwarnings("ignore:Be aware that when using")
@pytest.mark.parametrize("workers", [0, 2])
def test_a_run_whose_time_was_up_goes_on_within_its_epoch(tmp_path, workers):
    last = ModelCheckpoint(tmp_path, "short", save_on_train_epoch_end=True)
    _, _, short = train(tmp_path, callbacks=[last, StopAfter(7)], max_epochs=3)
    assert sorted(short.draws) == list(range(7))
    again, again_data, again_recorder = train(tmp_path, workers, resume=tmp_path / "short.ckpt", max_epochs=3)
    whole, whole_data, whole_recorder = train(tmp_path, max_epochs=3)

    assert sorted(again_recorder.draws) == list(range(7, 15))
    assert all(torch.equal(draws, whole_recorder.draws[step]) for step, draws in again_recorder.draws.items())
    assert torch.equal(whole.network[0].fc2.weight, again.network[0].fc2.weight)
    assert torch.equal(whole_data.distribution.probability, again_data.distribution.probability)


@pytest.mark.filterwarnings("ignore:P has collapsed")
def test_the_rule_is_violent_enough_to_notice(unbroken):
    _, _, data, recorder = unbroken
    assert data.distribution.effective_share < 0.5
    first, later = recorder.draws[0][8:24], recorder.draws[LAST_STEP - 1][8:24]
    assert len(set(later.tolist())) < len(set(first.tolist()))


class RankRecorder(Callback):
    """Writes each rank's draws, P and weights to files."""

    def __init__(self, folder):
        self.folder, self.draws = folder, []

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        self.draws.append({key: batch[key] for key in ("bucket", "parameters", "label")})

    def on_train_epoch_end(self, trainer, pl_module):
        state = {
            "draws": self.draws,
            "probability": trainer.datamodule.distribution.probability,
            "weights": pl_module.state_dict(),
        }
        torch.save(state, self.folder / f"epoch_{trainer.current_epoch}_rank_{trainer.global_rank}.pt")


def train_ranks(folder, devices):
    folder.mkdir()
    model = make_model()
    model.network[1].p = 0.0  # each rank would drop other units than one process does
    trainer = Trainer(
        default_root_dir=folder,
        accelerator="cpu",
        devices=devices,
        strategy="ddp_fork" if devices > 1 else "auto",
        max_epochs=2,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
        use_distributed_sampler=False,
        callbacks=[SampleAhead(beta=3.0, difficulty="soft", figures=False), RankRecorder(folder)],
    )
    trainer.fit(model, datamodule=make_data())
    return [
        [torch.load(folder / f"epoch_{epoch}_rank_{rank}.pt", weights_only=True) for rank in range(devices)]
        for epoch in range(2)
    ]


def interleave(parts, key):
    """Draws of all ranks in the order of the global batch: real and synthetic apart."""
    return [torch.stack([step[key] for step in steps], 1).flatten(0, 1) for steps in zip(*parts, strict=True)]


@pytest.mark.filterwarnings("ignore:.*fork.*")
@pytest.mark.filterwarnings("ignore:.*barrier.*")
def test_two_ranks_are_one(tmp_path):
    one = train_ranks(tmp_path / "one", 1)
    two = train_ranks(tmp_path / "two", 2)
    for epoch in range(2):
        assert torch.equal(two[epoch][0]["probability"], two[epoch][1]["probability"])
        torch.testing.assert_close(two[epoch][0]["probability"], one[epoch][0]["probability"], rtol=1e-3, atol=1e-7)
        for name, value in one[epoch][0]["weights"].items():
            assert torch.equal(two[epoch][0]["weights"][name], two[epoch][1]["weights"][name])
            torch.testing.assert_close(two[epoch][0]["weights"][name], value, rtol=1e-3, atol=1e-5)

    # First epoch: same P0, so together the ranks draw exactly what one process draws.
    together = interleave([part["draws"] for part in two[0]], "bucket")
    assert all(torch.equal(a, b["bucket"]) for a, b in zip(together, one[0][0]["draws"], strict=True))

    # Second epoch: exactly what one sampler draws from the P that the ranks agree on.
    space = Augment().space
    law = BucketDistribution(space.volumes())
    law.probability = two[0][0]["probability"]
    sampler = BucketSampler(space, law, 50, 8, 16, STEPS_PER_EPOCH, seed=3)
    sampler.resume(1, 0)
    second = interleave([part["draws"][STEPS_PER_EPOCH:] for part in two[1]], "bucket")
    for drawn, expected in zip(second, sampler, strict=True):
        assert torch.equal(drawn[8:], expected["bucket"])


def test_a_sampler_that_lightning_would_replace_is_refused(tmp_path):
    from synthreal.errors import ConfigError

    trainer = Trainer(
        default_root_dir=tmp_path, accelerator="cpu", devices=2, strategy="ddp_fork", logger=False, barebones=False
    )
    data = make_data()
    data.trainer = trainer
    data.setup("fit")
    with pytest.raises(ConfigError, match="use_distributed_sampler"):
        data.train_dataloader()


def test_the_same_object_trains_twice_alike(tmp_path):
    data = make_data()
    weights = []
    for _ in range(2):
        model = make_model()
        trainer = Trainer(
            default_root_dir=tmp_path,
            accelerator="cpu",
            max_steps=7,
            logger=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            enable_checkpointing=False,
            callbacks=[SampleAhead(beta=3.0, figures=False)],
        )
        trainer.fit(model, datamodule=data)
        weights.append(model.state_dict())
    assert all(torch.equal(value, weights[1][name]) for name, value in weights[0].items())
