"""Stages of an MrGAN: those before the present one stay as they are, and validation changes nothing."""

import pytest
import torch
from lightning.pytorch import Callback

from tests.modules.mrgan_parts import PER_STAGE, Watch, batches, differing, digits, fit, loader, mrgan, quiet, state

# most trainings here are without validation
pytestmark = pytest.mark.filterwarnings("ignore:You defined a `validation_step` but have no")


@pytest.mark.parametrize("norm", ["batch", "instance"])
def test_the_first_stage_stays_as_it_is_during_the_second(norm):
    module, after = mrgan(norm=norm), []
    data = digits(validation_per_class=1)
    checks = {"callbacks": [Watch(lambda _, trained: after.append((state(trained), modes(trained))))]}
    fit(module, data=data, val_check_interval=1, **checks)
    assert len(after) == 14
    first, last = after[PER_STAGE - 1][0], after[-1][0]
    for part in ("refiner.stages.0", "judges.0"):
        assert not differing(first, last, part)
    statistics = [name for name in differing(first, last, "refiner.stages.1") if "running" in name]
    assert statistics if norm == "batch" else not statistics
    assert differing(after[0][0], first, "refiner.stages.0")
    # after a validation every part is in its own mode again
    assert all(mode == (True, True) for _, mode in after[:PER_STAGE])
    assert all(mode == (False, True) for _, mode in after[PER_STAGE:])


def modes(module):
    """Whether the parts of each stage train; they agree."""
    found = []
    for number in (0, 1):
        parts = [part.training for root in (module.refiner.stages, module.judges) for part in root[number].modules()]
        assert len(set(parts)) == 1
        found.append(parts[0])
    return tuple(found)


class SeedEach(Callback):
    """Whatever was drawn between two batches, each begins with the same state."""

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        torch.manual_seed(batch_idx)


def test_validation_itself_changes_nothing():
    trained = []
    for held_out in (None, loader(batches(2, seed=1))):
        module = mrgan()
        trainer = quiet(callbacks=[SeedEach()], val_check_interval=1)
        trainer.fit(module, loader(batches(14)), held_out)
        trained.append(state(module))
    assert not differing(*trained)


def test_the_stage_is_that_of_the_last_batch():
    module, stages = mrgan(), []
    assert module.stage == 0
    fit(module, batches(14), callbacks=[Watch(lambda _, trained: stages.append(trained.stage))])
    assert stages == [0] * PER_STAGE + [1] * PER_STAGE  # a validation after the last batch of one is of that one
