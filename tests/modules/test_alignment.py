"""A classifier that also draws the features of real and synthetic images together."""

import math
import sys
import types

import numpy as np
import pytest
import torch
from lightning.pytorch import Callback, LightningDataModule, Trainer
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, IterableDataset

from synthreal.errors import ConfigError
from synthreal.modules import Classifier
from synthreal.modules import classifier as classifier_file

CORAL, DANN = "synthreal.losses.DeepCORAL", "synthreal.losses.DANN"


class Net(nn.Module):
    """Five features of four pixels, and classes."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.body, self.head = nn.Linear(4, 5), nn.Linear(5, num_classes)

    def forward(self, image):
        return self.head(self.body(image.flatten(1)).tanh())


class Recorder(nn.Module):
    """Loss of 0 that remembers the progress it was told."""

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.num_features, self.seen = num_features, []

    def forward(self, features, domain, progress):
        assert features.shape == (len(domain), self.num_features)
        self.seen.append(progress)
        return 0 * features.sum()


RECORDER = "aligned_for_tests.Recorder"


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    """Puts this file where a class path finds it, however pytest imported it."""
    here = types.ModuleType("aligned_for_tests")
    here.Net, here.Recorder = Net, Recorder
    monkeypatch.setitem(sys.modules, "aligned_for_tests", here)


def classifier(alignment=None, **settings):
    torch.manual_seed(0)
    return Classifier(3, network="aligned_for_tests.Net", alignment=alignment, **settings)


def batch_of(seed=0, real=6, synthetic=4):
    """Real rows come first, as in MixedDataModule; the domains differ in brightness and contrast."""
    stream = torch.Generator().manual_seed(seed)
    domain = torch.tensor([0] * real + [1] * synthetic)
    image = torch.rand(real + synthetic, 1, 2, 2, generator=stream) * (1 - 0.5 * domain[:, None, None, None])
    return {
        "image": image,
        "label": torch.randint(3, (real + synthetic,), generator=stream),
        "domain": domain,
        "bucket": domain - 1,
    }


def loader_of(*batches):
    return DataLoader(batches, batch_size=None)


FIVE = [batch_of(seed) for seed in range(5)]


def fit(module, batches=FIVE, resume=None, **settings):
    trainer = Trainer(
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
        **settings,
    )
    data = batches if isinstance(batches, DataLoader) else loader_of(*batches)
    trainer.fit(module, data, loader_of(FIVE[0]), ckpt_path=resume)
    return trainer


def with_trainer(module, step=0, every=50):
    module.trainer = types.SimpleNamespace(global_step=step, log_every_n_steps=every)
    logged = {}
    module.log = lambda name, value, **_: logged.__setitem__(name, value)
    return logged


def by_hand(module, batch):
    """Cross-entropy of each sample, and Deep CORAL by NumPy."""
    x = module.network.body(batch["image"].flatten(1)).tanh().detach()
    covariance = [np.cov(x[batch["domain"] == d].double().numpy(), rowvar=False) for d in (0, 1)]
    coral = ((covariance[0] - covariance[1]) ** 2).sum() / (4 * 5**2)
    return F.cross_entropy(module.network.head(x), batch["label"], reduction="none").detach(), coral


def test_the_loss_is_cross_entropy_and_weighted_alignment_of_the_last_layers_input():
    module, batch = classifier(CORAL, alignment_weight=50.0), batch_of()
    logged = with_trainer(module, step=9, every=10)
    out = module.training_step(batch, 0)
    cross_entropy, coral = by_hand(module, batch)
    assert coral > 1e-5
    torch.testing.assert_close(out["sample_loss"], cross_entropy)
    assert not out["sample_loss"].requires_grad
    assert out["loss"].item() == pytest.approx(cross_entropy.mean().item() + 50 * coral, rel=1e-5)
    assert logged.keys() == {"train/loss", "train/alignment"}
    assert logged["train/loss"].item() == out["loss"].item()
    assert logged["train/alignment"].item() == pytest.approx(coral, rel=1e-4)
    assert not logged["train/alignment"].requires_grad


@pytest.mark.parametrize(("step", "logs"), [(8, False), (9, True), (10, False)])
def test_alignment_is_logged_when_the_loss_is(step, logs):
    module = classifier(CORAL)
    logged = with_trainer(module, step, every=10)
    module.training_step(batch_of(), 0)
    assert logged.keys() == ({"train/loss", "train/alignment"} if logs else set())


def test_without_alignment_nothing_is_done_for_it(monkeypatch):
    monkeypatch.setattr(classifier_file, "with_features", None)
    module = classifier()
    fit(module, max_steps=3)
    assert not any(part._forward_pre_hooks for part in module.modules())
    assert {name.split(".")[0] for name in module.state_dict()} == {"network"}
    assert fit(module, max_steps=1, log_every_n_steps=1).logged_metrics.keys() == {"train/loss"}


def test_a_weight_of_zero_trains_like_no_alignment():
    plain, aligned = (
        classifier(optimizer_args={"lr": 0.1}),
        classifier(CORAL, alignment_weight=0.0, optimizer_args={"lr": 0.1}),
    )
    for module in (plain, aligned):
        fit(module, max_steps=5)
    assert all(torch.equal(a, b) for a, b in zip(plain.parameters(), aligned.parameters(), strict=True))


@pytest.mark.parametrize("alignment", [CORAL, DANN])
@pytest.mark.parametrize("shares", [{"real": 0}, {"synthetic": 0}])
def test_batches_of_one_domain_train_like_no_alignment(alignment, shares):
    batches = [batch_of(seed, **shares) for seed in range(5)]
    plain, aligned = classifier(optimizer_args={"lr": 0.1}), classifier(alignment, optimizer_args={"lr": 0.1})
    for module in (plain, aligned):
        fit(module, batches, max_steps=5)
    for a, b in zip(plain.network.parameters(), aligned.network.parameters(), strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize(
    ("settings", "count", "steps"),
    [
        ({"max_steps": 8}, 8, 8),
        ({"max_steps": 8, "max_epochs": -1}, 8, 8),
        ({"max_epochs": 2}, 10, 10),
        # 3 optimiser steps an epoch: of two batches, two and one
        ({"max_epochs": 2, "accumulate_grad_batches": 2}, 10, 6),
    ],
)
def test_progress_goes_from_0_to_1_over_the_optimisers_steps(settings, count, steps):
    module = classifier(RECORDER)
    fit(module, **settings)
    taken = range(count) if steps == count else [0, 0, 1, 1, 2, 3, 3, 4, 4, 5]
    assert module.alignment.seen == pytest.approx([step / steps for step in taken])


def test_progress_goes_on_after_a_checkpoint_and_anew_in_another_training(tmp_path):
    module = classifier(RECORDER)
    fit(module, max_steps=4).save_checkpoint(tmp_path / "half.ckpt")
    again = classifier(RECORDER)
    fit(again, max_steps=8, resume=tmp_path / "half.ckpt")
    assert again.alignment.seen == pytest.approx([0.5, 0.625, 0.75, 0.875])
    again.alignment.seen.clear()
    fit(again, max_steps=2)
    assert again.alignment.seen == pytest.approx([0, 0.5])


def test_progress_stays_1_where_loaders_grew_longer_than_estimated():
    module = classifier(RECORDER)
    module.trainer = types.SimpleNamespace(estimated_stepping_batches=10)
    module.on_train_start()
    for step in (9, 10, 12):
        with_trainer(module, step)
        module.training_step(batch_of(), 0)
    assert module.alignment.seen == [0.9, 1, 1]


class Endless(IterableDataset):
    """Batches without end."""

    def __iter__(self):
        while True:
            yield batch_of()


class StopAfter(Callback):
    """Ends a training that would go on for ever."""

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        trainer.should_stop = trainer.global_step >= 3


OPEN = [
    ({"max_epochs": -1}, FIVE),
    ({"max_epochs": 2}, DataLoader(Endless(), batch_size=None)),
    ({"max_time": {"hours": 1}}, FIVE),
]


@pytest.mark.parametrize(("settings", "batches"), OPEN)
def test_dann_does_not_train_without_a_known_end(settings, batches):
    module = classifier(DANN)
    before = module.network.body.weight.detach().clone()
    with pytest.raises(ConfigError, match=r"which is nan.*set trainer\.max_steps or max_epochs"):
        fit(module, batches, callbacks=[StopAfter()], **settings)
    assert torch.equal(module.network.body.weight, before)


@pytest.mark.filterwarnings("ignore:.*max_epochs.*")
@pytest.mark.parametrize(("settings", "batches"), OPEN[1:])
def test_coral_trains_without_a_known_end(settings, batches):
    trainer = fit(classifier(CORAL), batches, callbacks=[StopAfter()], **settings)
    assert trainer.global_step >= 3


def test_the_optimiser_holds_every_parameter_once_the_discriminators_too():
    module = classifier(DANN, alignment_args={"width": 6}, optimizer_args={"lr": 0.1}, bias_rate=2.0)
    weights, biases = module.configure_optimizers().param_groups
    names = {id(parameter): name for name, parameter in module.named_parameters()}
    layers = ["network.body", "network.head", *(f"alignment.discriminator.{i}" for i in (0, 2, 4))]
    assert [names[id(parameter)] for parameter in weights["params"]] == [f"{layer}.weight" for layer in layers]
    assert [names[id(parameter)] for parameter in biases["params"]] == [f"{layer}.bias" for layer in layers]
    assert (weights["lr"], biases["lr"]) == (0.1, 0.2)


def planted(count=256):
    """The upper pixels say the class, not quite clearly; the lower ones clearly, but in real images alone."""
    batch = batch_of(0, count, count)
    signal = (batch["label"] / 2)[:, None, None].expand(-1, 1, 2)
    noise = 0.3 * torch.randn(2 * count, 1, 2, generator=torch.Generator().manual_seed(0))
    batch["image"][:, :, 0] = signal + noise
    batch["image"][:, :, 1] = torch.where(batch["domain"][:, None, None] == 0, signal, 0.5)
    return batch


def domain_gap(module, batch):
    """Distance of the domains' covariances of the features, as a share of their sum: 0 to 1."""
    x = module.network.body(batch["image"].flatten(1)).tanh().detach().numpy()
    real, synthetic = (np.cov(x[batch["domain"].numpy() == d], rowvar=False) for d in (0, 1))
    return np.linalg.norm(real - synthetic) / np.linalg.norm(real + synthetic)


def test_training_with_coral_brings_the_features_together():
    settings = {"optimizer": "torch.optim.Adam", "optimizer_args": {"lr": 0.01}}
    plain, aligned = classifier(**settings), classifier(CORAL, alignment_weight=300.0, **settings)
    for module in (plain, aligned):
        trainer = fit(module, [planted()], max_steps=200, max_epochs=-1)
        assert trainer.global_step == 200
    assert domain_gap(aligned, planted()) < domain_gap(plain, planted()) / 5


def test_a_trainer_keeps_the_logged_alignment():
    trainer = fit(classifier(CORAL), max_steps=5, log_every_n_steps=1)
    assert 0 < trainer.callback_metrics["train/alignment"] < trainer.callback_metrics["train/loss"]


def test_training_with_dann_moves_network_and_discriminator():
    module, plain = classifier(DANN, optimizer_args={"lr": 0.1}), classifier(optimizer_args={"lr": 0.1})
    before = {name: value.detach().clone() for name, value in module.named_parameters()}
    for each in (module, plain):
        fit(each, max_steps=5)
    assert all(not torch.equal(value, before[name]) for name, value in module.named_parameters())
    assert not torch.equal(module.network.body.weight, plain.network.body.weight)  # the reversed gradient


def test_a_checkpoint_needs_nothing_else(tmp_path):
    module = classifier(DANN, alignment_args={"width": 6}, alignment_weight=0.5, optimizer_args={"lr": 0.1})
    fit(module, max_steps=3).save_checkpoint(tmp_path / "a.ckpt")
    torch.load(tmp_path / "a.ckpt", weights_only=True)
    loaded = Classifier.load_from_checkpoint(tmp_path / "a.ckpt", map_location="cpu")
    assert loaded.hparams["alignment_args"] == {"width": 6}
    assert module.state_dict().keys() == loaded.state_dict().keys()
    assert all(torch.equal(value, loaded.state_dict()[name]) for name, value in module.state_dict().items())
    fit(module, max_steps=1)  # and training goes on alike
    fit(loaded, max_steps=1)
    assert torch.equal(module.network.body.weight, loaded.network.body.weight)


@pytest.mark.parametrize(("first", "second"), [(DANN, None), (None, DANN), (DANN, CORAL)])
def test_fine_tuning_takes_the_network_alone_over(tmp_path, first, second):
    before = classifier(first, optimizer_args={"lr": 0.1})
    fit(before, max_steps=3).save_checkpoint(tmp_path / "a.ckpt")
    after = classifier(second, pretrained=str(tmp_path / "a.ckpt"), optimizer_args={"lr": 0.0})
    fit(after, max_steps=1)
    for name, value in before.network.state_dict().items():
        assert torch.equal(value, after.network.state_dict()[name])


class Shares(LightningDataModule):
    """The first process has both domains, the second real images alone."""

    def train_dataloader(self):
        shares = [{}, {"synthetic": 0}][self.trainer.global_rank]
        return loader_of(*(batch_of(seed, **shares) for seed in range(3)))

    def val_dataloader(self):
        return loader_of(batch_of())


@pytest.mark.filterwarnings("ignore:.*fork.*")
@pytest.mark.filterwarnings("ignore:.*barrier.*")
def test_two_processes_average_their_gradients_though_one_has_one_domain():
    together, alone = (classifier(DANN, alignment_args={"width": 6}, optimizer_args={"lr": 0.1}) for _ in range(2))
    settings = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False, "max_steps": 1}
    trainer = Trainer(
        accelerator="cpu",
        devices=2,
        strategy="ddp_fork",
        use_distributed_sampler=False,
        enable_checkpointing=False,
        **settings,
    )
    trainer.fit(together, datamodule=Shares())
    optimizer = alone.configure_optimizers()
    for shares in ({}, {"synthetic": 0}):
        batch = batch_of(0, **shares)
        features = alone.network.body(batch["image"].flatten(1)).tanh()
        loss = F.cross_entropy(alone.network.head(features), batch["label"])
        ((loss + alone.alignment(features, batch["domain"], 0.0)) / 2).backward()
    optimizer.step()
    for name, value in alone.state_dict().items():
        torch.testing.assert_close(together.state_dict()[name], value, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"alignment": CORAL, "alignment_weight": -0.1}, "alignment_weight is at least 0, not -0.1"),
        ({"alignment": CORAL, "alignment_weight": math.nan}, "alignment_weight is at least 0, not nan"),
        ({"alignment": "synthreal.losses.DeepCorall"}, "DeepCorall"),
        ({"alignment": "torch.optim.SGD"}, "not a subclass of torch"),
        ({"alignment": DANN, "alignment_args": {"depth": 3}}, "depth.*It takes: width"),
        ({"alignment": CORAL, "alignment_args": {"width": 3}}, "width"),
        ({"alignment": CORAL, "network": "squeezenet1_0"}, "SqueezeNet has no linear layer"),
    ],
)
def test_a_mistake_fails_before_any_data_is_read(settings, message):
    with pytest.raises(ConfigError, match=message):
        Classifier(**settings)
