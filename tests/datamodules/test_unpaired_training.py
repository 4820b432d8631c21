"""Training on unpaired data: fingerprints, runs that go on, two processes."""

import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint

from synthreal.datamodules import MixedDataModule
from synthreal.generators import StoredImages
from tests.datamodules.mixed_parts import Noise, trainer
from tests.datamodules.unpaired_parts import Photos, Seen, Stripes, make, ready


def test_fingerprints_say_what_was_trained_and_scored_on():
    mixed = MixedDataModule(Photos(), Stripes(), seed=3)
    mixed.setup("fit")
    assert ready().fingerprint() == mixed.fingerprint()
    stored = ready(generator=StoredImages(Photos(test=9), "test"), validation_per_class=1)
    first = stored.fingerprint()
    assert list(first) == ["validation", "validation_synthetic", "train", "synthetic"]
    assert len(set(first.values())) == 4
    stored.setup("test")
    both = stored.fingerprint()
    assert list(both) == ["test/real", "test/synthetic", "train", "synthetic"]
    assert both["test/synthetic"] == both["synthetic"] == first["synthetic"]


@pytest.mark.filterwarnings("ignore:Be aware that when using")
@pytest.mark.parametrize("step", [2, 3, 5])
def test_a_resumed_run_is_the_unbroken_run(step):
    settings = {"real_transform": [Noise()], "synthetic_transform": [Noise()], "steps_per_epoch": 3}
    every_step = ModelCheckpoint(".", "{step}", save_top_k=-1, every_n_train_steps=1)
    trainer(callbacks=[every_step], max_steps=8).fit(model := Seen(), datamodule=make(**settings))
    torch.manual_seed(99)
    trainer(max_steps=8).fit(again := Seen(), datamodule=make(**settings), ckpt_path=f"step={step}.ckpt")
    assert sorted(again.trained) == list(range(step, 8))
    for number, batch in again.trained.items():
        assert torch.equal(batch["image"], model.trained[number]["image"])


@pytest.mark.filterwarnings("ignore:.*fork.*", "ignore:.*barrier.*")
def test_two_ranks_are_one(tmp_path, monkeypatch):
    for devices in (1, 2):
        (tmp_path / str(devices)).mkdir()
        monkeypatch.chdir(tmp_path / str(devices))
        trainer(devices=devices, max_epochs=2).fit(Seen(), datamodule=make(steps_per_epoch=3))
    one = torch.load(tmp_path / "1" / "rank_0.pt")
    two = [torch.load(tmp_path / "2" / f"rank_{rank}.pt") for rank in range(2)]
    assert len(one) == 6
    for step, whole in one.items():
        parts = [rank[step] for rank in two]
        for part in parts:
            assert torch.equal(part["label"][:2], part["label"][2:])
        # rank r has every other row of both halves
        both = torch.stack([part["image"] for part in parts], 1).flatten(0, 1)
        assert torch.equal(both, whole["image"])
