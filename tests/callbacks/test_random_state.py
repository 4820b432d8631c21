"""Random states in checkpoints; on the GPUs of several processes, each its own."""

import random

import numpy as np
import pytest
import torch
from lightning.pytorch import LightningModule

from synthreal.callbacks import RandomState
from tests.trainer_parts import quiet_trainer

TRAINER, MODULE = quiet_trainer(), LightningModule()


def numbers():
    return [float(torch.rand(())), float(np.random.random()), random.random()]  # noqa: NPY002


def test_a_restored_state_gives_the_same_numbers(tmp_path):
    torch.save(RandomState().state_dict(), tmp_path / "state.pt")
    expected = numbers()
    numbers()
    again = RandomState()
    again.on_train_start(TRAINER, MODULE)  # there is nothing to restore
    assert numbers() != expected
    again.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    numbers()
    again.on_train_start(TRAINER, MODULE)
    assert numbers() == expected
    again.on_train_start(TRAINER, MODULE)  # only once
    assert numbers() != expected


class Devices:
    """GPUs whose states are numbers; a process uses the current one."""

    def __init__(self, monkeypatch, count):
        self.states, self.current = [torch.tensor([number]) for number in range(count)], 0
        monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
        monkeypatch.setattr(torch.cuda, "get_rng_state", lambda: self.states[self.current])
        monkeypatch.setattr(torch.cuda, "set_rng_state", self.set)

    def set(self, state):
        """As torch's."""
        self.states[self.current] = state


@pytest.mark.parametrize("count", [1, 2, 4])
def test_every_process_goes_on_with_the_first_one_s_state_on_its_own_device(monkeypatch, count):
    before = Devices(monkeypatch, 2)
    before.states[0] = torch.tensor([77])
    saved = RandomState().state_dict()
    after = Devices(monkeypatch, count)
    for rank in range(count):
        after.current, resumed = rank, RandomState()
        resumed.load_state_dict(saved)
        resumed.on_train_start(TRAINER, MODULE)
    assert [int(state) for state in after.states] == [77] * count


def test_a_state_of_a_gpu_is_left_alone_without_one(monkeypatch):
    Devices(monkeypatch, 1)
    saved = RandomState().state_dict()
    none = Devices(monkeypatch, 0)
    resumed = RandomState()
    resumed.load_state_dict(saved)
    resumed.on_train_start(TRAINER, MODULE)
    assert none.states == []
    assert RandomState().state_dict()["cuda"] is None
