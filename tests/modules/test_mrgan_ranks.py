"""Two processes train an MrGAN as one."""

import pytest
import torch
from lightning.pytorch import Callback

from synthreal.callbacks import RandomState
from tests.modules.mrgan_parts import PER_STAGE, differing, digits, fit, mrgan, state

# most trainings here are without validation
pytestmark = pytest.mark.filterwarnings("ignore:You defined a `validation_step` but have no")


class RankStates(Callback):
    """Writes each rank's weights after some batches, and saves a checkpoint after others."""

    def __init__(self, after=(), checkpoint=None):
        self.after, self.checkpoint = after, checkpoint

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        if pl_module.batches in self.after:
            seen = {**state(pl_module), "images": batch["image"]}
            torch.save(seen, f"batches_{pl_module.batches}_rank_{trainer.global_rank}.pt")
        if pl_module.batches == self.checkpoint:
            trainer.save_checkpoint("half.ckpt")

    def on_train_end(self, trainer, pl_module):
        torch.save(pl_module.state_dict(), f"end_rank_{trainer.global_rank}.pt")


FORKS = pytest.mark.filterwarnings("ignore:.*fork.*", "ignore:.*barrier.*", "ignore:.*find_unused_parameters.*")
TWO = {"devices": 2, "strategy": "ddp_fork_find_unused_parameters_true"}


def both_ranks(name):
    return [torch.load(f"{name}_rank_{rank}.pt") for rank in range(2)]


def tensors(rank):
    return {name: value for name, value in rank.items() if isinstance(value, torch.Tensor)}


def statistics(rank, stage):
    return [name for name in rank if name.startswith(f"refiner.stages.{stage}") and "running" in name]


@FORKS
def test_two_ranks_stay_in_step():
    module = mrgan(generator_rate=1e-2, discriminator_rate=1e-2)
    start, names = state(module), [name for name, _ in module.named_parameters()]
    fit(module, data=digits(), callbacks=[RankStates([PER_STAGE - 1, PER_STAGE, PER_STAGE + 1])], **TWO)
    for moment in ("batches_6", "batches_7", "batches_8", "end"):
        one, other = both_ranks(moment)
        assert not [name for name in names if not torch.equal(one[name], other[name])]
    for number in (0, 1):
        for part in (f"refiner.stages.{number}.to_real", f"judges.{number}.synthetic"):
            assert differing(start, tensors(one), part)
    seen = [rank["images"] for rank in both_ranks("batches_8")]
    assert not torch.equal(*seen), "both ranks trained on the same images"


@FORKS
def test_a_finished_stage_has_the_mean_of_both_ranks_statistics():
    watched = [PER_STAGE, PER_STAGE + 1, 2 * PER_STAGE]
    # one more iteration at full rates: the same first batches, after which the stage is not finished
    longer = mrgan(generator_rate=1e-2, iterations=3, decay_from=2)
    fit(longer, data=digits(), callbacks=[RankStates([PER_STAGE])], **TWO)
    unfinished = both_ranks("batches_7")
    fit(mrgan(generator_rate=1e-2), data=digits(), callbacks=[RankStates(watched, 2 * PER_STAGE)], **TWO)
    finished, fixed, last = both_ranks("batches_7"), both_ranks("batches_8"), both_ranks("batches_14")
    names = statistics(finished[0], 0)
    assert names
    for name in names:
        assert not torch.equal(unfinished[0][name], unfinished[1][name])
        torch.testing.assert_close(finished[0][name], (unfinished[0][name] + unfinished[1][name]) / 2)
    for later in (finished[1], *fixed, *last):
        assert not differing(finished[0], later, "refiner.stages.0")
    assert any(not torch.equal(fixed[0][name], fixed[1][name]) for name in statistics(last[0], 1))
    saved = tensors(torch.load("half.ckpt")["state_dict"])
    for later in (last[1], *map(tensors, both_ranks("end")), saved):
        assert not differing({name: last[0][name] for name in statistics(last[0], 1)}, later)


def assert_same(one, other):
    """Weights, statistics and pools."""
    assert one.keys() == other.keys()
    assert not differing(tensors(one), other)
    pools = [name for name in one if name.endswith("_extra_state")]
    assert pools
    for name in pools:
        assert one[name]["filled"] == other[name]["filled"]
        assert torch.equal(one[name]["images"], other[name]["images"]), f"{name} differs"


@FORKS
@pytest.mark.parametrize("batch", [6, PER_STAGE, 12])
def test_two_ranks_that_are_resumed_go_on_bit_for_bit(batch):
    settings = {"generator_rate": 1e-2, "discriminator_rate": 1e-2}
    fit(mrgan(**settings), data=digits(), callbacks=[RandomState(), RankStates(checkpoint=batch)], **TWO)
    unbroken = both_ranks("end")
    pool = "judges.0.real_pool._extra_state"
    assert not torch.equal(unbroken[0][pool]["images"], unbroken[1][pool]["images"]), "each rank has its own pool"
    fit(mrgan(**settings), data=digits(), callbacks=[RandomState(), RankStates()], resume="half.ckpt", **TWO)
    for one, other in zip(unbroken, both_ranks("end"), strict=True):
        assert_same(one, other)


@FORKS
def test_one_process_that_goes_on_from_two_warns():
    fit(mrgan(), data=digits(), callbacks=[RankStates(checkpoint=3)], **TWO)
    with pytest.warns(UserWarning, match="The checkpoint is of 2 processes, and this run has 1"):
        fit(mrgan(), data=digits(), resume="half.ckpt")


@FORKS
@pytest.mark.filterwarnings("ignore:The trainer stops before")
def test_two_ranks_are_one_where_nothing_is_random():
    settings = {"norm": "instance", "pretrain_generators": 5, "generator_rate": 1e-3}
    alone = mrgan(**settings)
    fit(alone, data=digits(), max_steps=5)
    fit(mrgan(**settings), data=digits(), max_steps=5, callbacks=[RankStates()], **TWO)
    for rank in both_ranks("end"):
        for name, value in state(alone.refiner.stages[0]).items():
            torch.testing.assert_close(rank[f"refiner.stages.0.{name}"], value, rtol=0, atol=1e-5)
