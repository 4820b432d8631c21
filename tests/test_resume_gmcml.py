"""A GM-CML run that was killed and resumed, wherever that was, is bit for bit the one that was not."""

import pytest
import torch
from lightning.pytorch import Callback

from synthreal.callbacks import RandomState
from synthreal.datamodules.foreground import Phase
from tests.modules.gmcml_parts import Codes, data, gmcml, trainer

STEPS = 10
# after so many batches, of epochs of 3, the first of which is a phase of its own
MOMENTS = {2: "first phase", 3: "phase's end", 4: "second phase", 6: "epoch's end", 8: "later"}


class Save(Callback):
    """Saves checkpoints, and keeps the images of each batch."""

    def __init__(self, folder):
        self.folder, self.images = folder, {}

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        self.images[trainer.global_step] = batch["image"]

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        if self.folder is not None and trainer.global_step in MOMENTS:
            trainer.save_checkpoint(self.folder / f"{trainer.global_step}.ckpt")


def train(folder=None, resume=None, workers=0):
    # The classifier is the plain one, the reconstructor has noise, dropout and sampling; rates are violent.
    module = gmcml(
        reconstructor="synthreal.networks.VariationalCoder",
        reconstructor_args={"image_size": 8, "widths": [4, 4]},
        optimizer="torch.optim.Adam",
        optimizer_args={"lr": 0.03},
    )
    torch.manual_seed(99 if resume else 1)  # a resumed process starts from another random state
    made = data(Phase(Codes(), 60), Phase(Codes(), 60, sets=False), steps_per_epoch=3, num_workers=workers)
    seen = Save(folder)
    run = trainer(max_steps=STEPS, callbacks=[RandomState(), seen])
    run.fit(module, datamodule=made, ckpt_path=resume)
    return module, seen


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    folder = tmp_path_factory.mktemp("unbroken")
    return folder, *train(folder)


def assert_same(start, unbroken, again):
    (module, seen), (other, other_seen) = unbroken, again
    assert sorted(other_seen.images) == list(range(start, STEPS))
    for step, image in other_seen.images.items():
        assert torch.equal(image, seen.images[step]), f"other images in step {step}"
    for name, value in module.state_dict().items():
        assert torch.equal(value, other.state_dict()[name]), f"{name} differs"


@pytest.mark.parametrize("start", MOMENTS, ids=MOMENTS.get)
def test_resumed_run_is_the_unbroken_run(unbroken, start):
    folder, *run = unbroken
    assert_same(start, run, train(resume=folder / f"{start}.ckpt"))


@pytest.mark.parametrize("start", [2, 3])
def test_with_workers(unbroken, start):
    folder, *run = unbroken
    assert_same(start, run, train(resume=folder / f"{start}.ckpt", workers=2))


def test_without_the_random_state_it_would_be_another_run(unbroken):
    folder, *run = unbroken
    content = torch.load(folder / "4.ckpt")
    content["callbacks"] = {}
    torch.save(content, folder / "forgetful.ckpt")
    with pytest.raises(AssertionError, match="differs"):
        assert_same(4, run, train(resume=folder / "forgetful.ckpt"))
