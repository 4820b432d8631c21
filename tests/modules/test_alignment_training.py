"""Training with alignment: what it achieves, its checkpoints, fine-tuning, two processes."""

import numpy as np
import pytest
import torch
from lightning.pytorch import LightningDataModule
from torch.nn import functional as F

from synthreal.modules import Classifier
from tests.modules.alignment_parts import CORAL, DANN, batch_of, classifier, fit, loader_of
from tests.trainer_parts import quiet_trainer


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
    trainer = quiet_trainer(devices=2, strategy="ddp_fork", use_distributed_sampler=False, max_steps=1)
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
