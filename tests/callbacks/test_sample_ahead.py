"""From a probe's answer back to P, on a model whose mistakes are planted."""

import numpy as np
import pytest
import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.loggers import CSVLogger
from torch import nn

from synthreal.callbacks import SampleAhead
from synthreal.callbacks.records import read_bucket_record
from synthreal.datamodules import BucketDataModule
from synthreal.datasets import Digits
from synthreal.errors import ConfigError
from synthreal.generators import Augment
from synthreal.samplers.distribution import tilt

FAILING = 7


class FailsOnOneClass(LightningModule):
    """Reads the label off the batch, and gets one class wrong."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.part = nn.Sequential(nn.Dropout(0.5), nn.BatchNorm2d(1))
        self.answers = {}

    def forward(self, image):
        assert not self.training
        label = torch.tensor([self.answers[key] for key in self.keys(image)])
        wrong = torch.where(label == FAILING, (label + 1) % 10, label)
        return nn.functional.one_hot(wrong, 10) * 10.0

    @staticmethod
    def keys(image):
        return [row.numpy().tobytes() for row in image]

    def training_step(self, batch, batch_idx):
        return (self.weight * 0).sum()

    def validation_step(self, batch, batch_idx):
        raise AssertionError("no validation images were asked for")

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


def make(tmp_path, callback, num_probes=320, epochs=1, **data_settings):
    data = BucketDataModule(
        Digits(train_size=500),
        Augment(),
        real_per_class=5,
        probe_images_per_class=3,
        num_probes=num_probes,
        steps_per_epoch=2,
        **data_settings,
    )
    model = FailsOnOneClass()
    trainer = Trainer(
        default_root_dir=tmp_path,
        accelerator="cpu",
        max_epochs=epochs,
        logger=CSVLogger(tmp_path, name="", version=""),
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
        callbacks=[callback],
    )
    data.trainer = trainer
    data.setup("fit")
    for _, batch in data.probes.batches(torch.device("cpu"), 100):
        model.answers |= dict(zip(model.keys(batch["image"]), batch["label"].tolist(), strict=True))
    return trainer, model, data


def test_one_difficulty_from_probe_to_p(tmp_path):
    trainer, model, data = make(tmp_path, SampleAhead(alpha=0.25, beta=3.0, figures=True))
    trainer.fit(model, datamodule=data)
    difficulty = torch.zeros(160, dtype=torch.float64)
    difficulty[FAILING * 16 : (FAILING + 1) * 16] = 1
    weight = np.where(difficulty == 1, np.exp(3.0), 1.0) / 160
    expected = 0.25 / 160 + 0.75 * weight / weight.sum()
    np.testing.assert_allclose(data.distribution.probability.numpy(), expected, rtol=1e-12)

    epochs, kept_difficulty, kept_probability = read_bucket_record(tmp_path)
    assert epochs == [1]
    np.testing.assert_array_equal(kept_difficulty[0], difficulty)
    np.testing.assert_allclose(kept_probability[0], expected)
    assert {path.name for path in (tmp_path / "figures").iterdir()} == {"buckets.png", "effective_share.png"}
    logged = {name: float(value) for name, value in trainer.logged_metrics.items()}
    assert logged["sampler/difficulty"] == pytest.approx(0.1)
    assert logged["sampler/beta"] == 3.0
    assert logged["sampler/largest_ratio"] == pytest.approx(expected.max() * 160)
    assert logged["sampler/effective_share"] == pytest.approx(1 / (160 * (expected**2).sum()))


def test_nothing_is_written_without_a_logger(tmp_path):
    trainer, model, data = make(tmp_path, SampleAhead())
    trainer.loggers = []
    trainer.fit(model, datamodule=data)
    assert list(tmp_path.iterdir()) == []


def test_the_next_epoch_draws_from_the_new_p(tmp_path):
    trainer, model, data = make(tmp_path, SampleAhead(beta=50.0, figures=False), epochs=2)
    seen = []
    original = data.on_after_batch_transfer

    def spy(batch, index):
        seen.append(batch["bucket"])
        return original(batch, index)

    data.on_after_batch_transfer = spy
    trainer.fit(model, datamodule=data)
    first, second = torch.cat(seen[:2]), torch.cat(seen[2:])
    assert (first // 16 != FAILING).any()
    assert (second // 16 == FAILING).all()


def test_a_collapse_is_reported(tmp_path, monkeypatch):
    callback = SampleAhead(beta=50.0, figures=False)
    monkeypatch.setattr(callback, "estimate", lambda *_: torch.eye(160, dtype=torch.float64)[3])
    trainer, model, data = make(tmp_path, callback)
    with pytest.warns(UserWarning, match="only 0.6 % of the buckets"):
        trainer.fit(model, datamodule=data)


def test_alpha_one_and_warmup_leave_p_alone(tmp_path):
    for name, settings in {"alpha": {"alpha": 1.0}, "warmup": {"warmup_steps": 3}}.items():
        trainer, model, data = make(tmp_path / name, SampleAhead(beta=9.0, figures=False, **settings))
        trainer.fit(model, datamodule=data)
        torch.testing.assert_close(data.distribution.probability, data.distribution.prior)


def test_warmup_ends(tmp_path):
    trainer, model, data = make(tmp_path, SampleAhead(beta=2.0, warmup_steps=2, figures=False))
    trainer.fit(model, datamodule=data)
    assert data.distribution.largest_ratio > 2


def test_kernel_estimator_spreads_difficulty(tmp_path):
    callback = SampleAhead(beta=1.0, estimator="kernel", figures=False)
    trainer, model, data = make(tmp_path, callback)
    trainer.fit(model, datamodule=data)
    _, difficulty, probability = read_bucket_record(tmp_path)
    by_class = difficulty[0].reshape(10, 16).mean(1)
    assert by_class.argmax() == FAILING
    assert (by_class > 0).all()
    expected = tilt(data.distribution.prior, torch.from_numpy(difficulty[0]), 0.0, 1.0)
    np.testing.assert_allclose(probability[0], expected.numpy(), rtol=1e-5)


def test_buckets_without_probes_take_their_classes_mean(tmp_path):
    trainer, model, data = make(tmp_path, SampleAhead(beta=1.0, figures=False), num_probes=40)
    with pytest.warns(UserWarning, match="120 of 160 buckets have no probe"):
        trainer.fit(model, datamodule=data)
    difficulty = read_bucket_record(tmp_path)[1][0].reshape(10, 16)
    assert np.isfinite(difficulty).all()
    np.testing.assert_allclose(difficulty[FAILING], 1)
    np.testing.assert_allclose(np.delete(difficulty, FAILING, 0), 0)


def test_the_probe_pass_leaves_no_trace(tmp_path):
    callback = SampleAhead(figures=False)
    trainer, model, data = make(tmp_path, callback)
    trainer.fit(model, datamodule=data)
    model.train()
    model.part[1].eval()  # a frozen batch norm must stay frozen
    state = torch.get_rng_state()
    callback.estimate(trainer, model)
    assert model.training
    assert model.part[0].training
    assert not model.part[1].training
    assert torch.equal(state, torch.get_rng_state())


def test_probes_are_held_out_of_training(tmp_path):
    _, _, data = make(tmp_path, SampleAhead(figures=False), validation_per_class=2)
    parts = {name: {row.numpy().tobytes() for row in images.images} for name, images in data.images.items()}
    for one, other in (("train", "probe"), ("train", "validation"), ("probe", "validation")):
        assert not parts[one] & parts[other]
    assert len(data.images["probe"]) == 30
    assert "test" not in parts


@pytest.mark.parametrize(
    "settings",
    [{"alpha": -0.1}, {"alpha": 1.1}, {"beta": -1.0}, {"beta": float("nan")}, {"share": 0.0}, {"warmup_steps": -1}],
)
def test_settings_out_of_range(settings):
    with pytest.raises(ConfigError):
        SampleAhead(**settings)


@pytest.mark.filterwarnings("ignore:You defined a .validation_step.")
def test_needs_probes_and_buckets(tmp_path):
    trainer, model, data = make(tmp_path, SampleAhead(), num_probes=0)
    with pytest.raises(ConfigError, match="num_probes"):
        trainer.fit(model, datamodule=data)
    trainer = Trainer(
        default_root_dir=tmp_path,
        accelerator="cpu",
        max_epochs=1,
        logger=False,
        enable_checkpointing=False,
        enable_model_summary=False,
        callbacks=[SampleAhead()],
    )
    with pytest.raises(ConfigError, match="BucketDataModule"):
        trainer.fit(model, train_dataloaders=torch.utils.data.DataLoader([0]))
