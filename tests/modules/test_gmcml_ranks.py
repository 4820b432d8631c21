"""GM-CML on two processes."""

import pytest
import torch
from lightning.pytorch import Callback

from synthreal.datamodules.foreground import Phase
from tests.modules.gmcml_parts import Codes, data, gmcml, trainer

STEPS = 6


class Write(Callback):
    """Writes each rank's weights at the end, and the images of each batch."""

    def __init__(self):
        self.images = []

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        self.images.append(batch["image"])

    def on_train_end(self, trainer, pl_module):
        weights = {name: value.clone() for name, value in pl_module.state_dict().items()}
        torch.save({"weights": weights, "images": self.images}, f"rank_{trainer.global_rank}.pt")


def fit(module, phases, **settings):
    run = trainer(max_steps=STEPS, callbacks=[Write()], use_distributed_sampler=False, **settings)
    run.fit(module, datamodule=data(*phases, steps_per_epoch=3))


@pytest.mark.usefixtures("in_empty_folder")
@pytest.mark.filterwarnings("ignore:.*fork.*", "ignore:.*barrier.*", "ignore:.*find_unused_parameters.*")
@pytest.mark.parametrize("softmax_on_sets", [True, False])
def test_two_ranks_are_one(softmax_on_sets):
    # Without noise, and plain batches at the end; all terms are means over equal parts of the batch.
    settings = {"adaptive_noise": False, "softmax_on_sets": softmax_on_sets}
    phases = [Phase(Codes(), 60), Phase(Codes(), 60, sets=False)]
    alone = gmcml(**settings)
    fit(alone, phases)
    fit(gmcml(**settings), phases, devices=2, strategy="ddp_fork_find_unused_parameters_true")
    one, other = (torch.load(f"rank_{rank}.pt") for rank in range(2))
    assert not any(torch.equal(a, b) for a, b in zip(one["images"], other["images"], strict=True))
    for name, value in alone.state_dict().items():
        assert torch.equal(one["weights"][name], other["weights"][name]), name
        torch.testing.assert_close(one["weights"][name], value, rtol=1e-5, atol=1e-6)
