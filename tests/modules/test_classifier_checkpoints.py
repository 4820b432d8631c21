"""A classifier's checkpoints, and fine-tuning from an earlier run's weights."""

import pytest
import torch
from lightning.pytorch import Callback
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import nn

from synthreal.errors import ConfigError
from synthreal.modules import Classifier
from tests.modules.classifier_parts import batch_of, classifier, loader_of
from tests.trainer_parts import quiet_trainer


def plain(value):
    if isinstance(value, dict):
        return all(isinstance(key, str) and plain(item) for key, item in value.items())
    if isinstance(value, list):
        return all(plain(item) for item in value)
    return value is None or isinstance(value, (bool, int, float, str))


def test_a_checkpoint_loads_safely_and_needs_nothing_else(tmp_path):
    settings = {
        "num_classes": 5,
        "network_args": {"image_size": 20},
        "optimizer": "torch.optim.Adam",
        "optimizer_args": {"lr": 0.001, "betas": [0.5, 0.9]},
        "bias_rate": 2.0,
    }
    module = Classifier(**settings)
    assert plain(dict(module.hparams))
    trainer = quiet_trainer()
    trainer.strategy.connect(module)
    trainer.save_checkpoint(tmp_path / "model.ckpt")
    torch.load(tmp_path / "model.ckpt", weights_only=True)
    loaded = Classifier.load_from_checkpoint(tmp_path / "model.ckpt", map_location="cpu")
    for key, value in settings.items():
        assert loaded.hparams[key] == value
    image = torch.rand(3, 1, 20, 20)
    assert torch.equal(loaded.eval()(image), module.eval()(image))


def fit(module, steps, resume=None, **settings):
    """Trains on the same five batches over and over."""
    batches = [batch_of(seed=seed) for seed in range(5)]
    trainer = quiet_trainer(max_steps=steps, **settings)
    trainer.fit(module, loader_of(*batches), loader_of(batches[0]), ckpt_path=resume)
    return trainer


def weights(module):
    return {name: value.clone() for name, value in module.state_dict().items()}


@pytest.fixture
def earlier(tmp_path):
    """Checkpoint of an earlier run, and its weights."""
    module = classifier(optimizer_args={"lr": 0.5, "momentum": 0.9})
    fit(module, 3).save_checkpoint(tmp_path / "earlier.ckpt")
    return tmp_path / "earlier.ckpt", weights(module)


class Start(Callback):
    """Keeps the weights and the optimiser's state before the first step."""

    def on_train_start(self, trainer, pl_module):
        self.weights, self.optimizer = weights(pl_module), dict(trainer.optimizers[0].state)


def test_fine_tuning_starts_from_an_earlier_runs_weights(earlier):
    path, before = earlier
    module, start = classifier(pretrained=str(path), optimizer_args={"lr": 0.1, "momentum": 0.9}), Start()
    assert not torch.equal(module.network.layer.weight, before["network.layer.weight"])  # not read before `fit`
    fit(module, 4, callbacks=[start])
    assert {name: value.tolist() for name, value in start.weights.items()} == {
        name: value.tolist() for name, value in before.items()
    }
    assert not start.optimizer  # no momentum from the run before
    # Trained by hand from the same weights: four steps of gradient descent with momentum.
    by_hand, speed = classifier(), {}
    by_hand.load_state_dict(before)
    for step in range(4):
        batch = batch_of(seed=step)
        loss = nn.functional.cross_entropy(by_hand(batch["image"]), batch["label"])
        for name, parameter in by_hand.named_parameters():
            (slope,) = torch.autograd.grad(loss, parameter, retain_graph=True)
            speed[name] = slope + 0.9 * speed.get(name, torch.zeros_like(slope))
        with torch.no_grad():
            for name, parameter in by_hand.named_parameters():
                parameter -= 0.1 * speed[name]
    for name, value in by_hand.state_dict().items():
        torch.testing.assert_close(module.state_dict()[name], value, rtol=1e-5, atol=1e-6)


@pytest.mark.filterwarnings("ignore:Be aware that when using")
def test_a_resumed_fine_tuning_is_the_unbroken_one_and_needs_no_other_file(earlier, tmp_path):
    path, _ = earlier
    every = ModelCheckpoint(tmp_path / "every", "{step}", save_top_k=-1, every_n_epochs=1, save_on_train_epoch_end=True)
    settings = {"pretrained": str(path), "optimizer_args": {"lr": 0.1, "momentum": 0.9}}
    module = classifier(**settings)
    fit(module, 10, enable_checkpointing=True, callbacks=[every])
    path.unlink()
    again = classifier(**settings)
    fit(again, 10, resume=tmp_path / "every" / "step=5.ckpt")
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in module.state_dict().items())
    # Nor is it asked for when the result is loaded, tested, or trained on.
    loaded = Classifier.load_from_checkpoint(tmp_path / "every" / "step=10.ckpt")
    assert loaded.hparams["pretrained"] == str(path)
    quiet_trainer().test(loaded, loader_of(batch_of()), verbose=False)
    start = Start()
    fit(loaded, 1, callbacks=[start])
    assert torch.equal(start.weights["network.layer.weight"], module.network.layer.weight)


def test_training_twice_does_not_start_from_the_earlier_weights_twice(earlier):
    module, start = classifier(pretrained=str(earlier[0])), Start()
    fit(module, 3)
    after = weights(module)
    fit(module, 3, callbacks=[start])
    assert torch.equal(start.weights["network.layer.weight"], after["network.layer.weight"])


def test_a_missing_earlier_run_is_named_before_training(tmp_path):
    module = classifier(pretrained=str(tmp_path / "gone.ckpt"))
    with pytest.raises(ConfigError, match=r"No checkpoint at .*gone\.ckpt"):
        fit(module, 1)
