"""Two processes train an MrGAN as one."""

import pytest
import torch
from lightning.pytorch import Callback

from tests.modules.mrgan_parts import PER_STAGE, differing, digits, fit, mrgan, state

# most trainings here are without validation
pytestmark = pytest.mark.filterwarnings("ignore:You defined a `validation_step` but have no")


class RankStates(Callback):
    """Writes each rank's weights and pools after some batches."""

    def __init__(self, after):
        self.after = after

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if pl_module.batches in self.after:
            seen = {**state(pl_module), "images": batch["image"]}
            torch.save(seen, f"batches_{pl_module.batches}_rank_{trainer.global_rank}.pt")

    def on_train_end(self, trainer, pl_module):
        torch.save(state(pl_module), f"end_rank_{trainer.global_rank}.pt")


TWO = {"devices": 2, "strategy": "ddp_fork_find_unused_parameters_true"}


def both_ranks(name):
    return [torch.load(f"{name}_rank_{rank}.pt") for rank in range(2)]


@pytest.mark.filterwarnings("ignore:.*fork.*", "ignore:.*barrier.*", "ignore:.*find_unused_parameters.*")
def test_two_ranks_stay_in_step():
    module = mrgan(generator_rate=1e-2, discriminator_rate=1e-2)
    start, names = state(module), [name for name, _ in module.named_parameters()]
    fit(module, data=digits(), callbacks=[RankStates([PER_STAGE - 1, PER_STAGE, PER_STAGE + 1])], **TWO)
    for moment in ("batches_6", "batches_7", "batches_8", "end"):
        one, other = both_ranks(moment)
        assert not [name for name in names if not torch.equal(one[name], other[name])]
    for number in (0, 1):
        for part in (f"refiner.stages.{number}.to_real", f"judges.{number}.synthetic"):
            assert differing(start, one, part)
    seen = [rank["images"] for rank in both_ranks("batches_8")]
    assert not torch.equal(*seen), "both ranks trained on the same images"
    # the first stage is fixed with the mean of both ranks' statistics, and is the same map on both from then on
    before, fixed, end = both_ranks("batches_7"), both_ranks("batches_8"), both_ranks("end")
    statistics = [name for name in one if name.startswith("refiner.stages.0") and "running" in name]
    assert statistics
    for name in statistics:
        assert not torch.equal(before[0][name], before[1][name])
        torch.testing.assert_close(fixed[0][name], (before[0][name] + before[1][name]) / 2)
    for later in (fixed[1], *end):
        assert not differing(fixed[0], later, "refiner.stages.0")


@pytest.mark.filterwarnings("ignore:.*fork.*", "ignore:.*barrier.*", "ignore:.*find_unused_parameters.*")
@pytest.mark.filterwarnings("ignore:The trainer stops before")
def test_two_ranks_are_one_where_nothing_is_random():
    settings = {"norm": "instance", "pretrain_generators": 5, "generator_rate": 1e-3}
    alone = mrgan(**settings)
    fit(alone, data=digits(), max_steps=5)
    fit(mrgan(**settings), data=digits(), max_steps=5, callbacks=[RankStates([])], **TWO)
    for rank in both_ranks("end"):
        for name, value in state(alone.refiner.stages[0]).items():
            torch.testing.assert_close(rank[f"refiner.stages.0.{name}"], value, rtol=0, atol=1e-5)
