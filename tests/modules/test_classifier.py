import sys
import types

import numpy as np
import pytest
import torch
from lightning.pytorch import Trainer
from sklearn import metrics as sk
from torch import nn
from torch.optim import lr_scheduler

from synthreal.batch import Domain
from synthreal.errors import ConfigError, TrainingError
from synthreal.modules import Classifier
from synthreal.modules.classifier import build_network, classification_metrics
from synthreal.networks import LeNet
from synthreal.schedules import InverseDecay


class Linear(nn.Module):
    """One linear layer on the pixels."""

    def __init__(self, num_classes: int, pixels: int = 4) -> None:
        super().__init__()
        self.layer = nn.Linear(pixels, num_classes)

    def forward(self, image):
        return self.layer(image.flatten(1))


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    """Puts this file where a class path finds it, however pytest imported it."""
    here = types.ModuleType("linear_for_tests")
    here.Linear = Linear
    monkeypatch.setitem(sys.modules, "linear_for_tests", here)


def classifier(num_classes=6, **settings):
    torch.manual_seed(0)
    return Classifier(num_classes, network="linear_for_tests.Linear", **settings)


def batch_of(count=9, num_classes=6, seed=0, dtype=torch.float32):
    stream = torch.Generator().manual_seed(seed)
    return {
        "image": torch.rand(count, 1, 2, 2, generator=stream, dtype=dtype),
        "label": torch.randint(num_classes, (count,), generator=stream),
        "domain": torch.full((count,), Domain.REAL.value),
    }


def with_trainer(module, step=0, every=50):
    """A trainer's two numbers, and what is logged."""
    module.trainer = types.SimpleNamespace(global_step=step, log_every_n_steps=every)
    logged = {}
    module.log = lambda name, value, **_: logged.__setitem__(name, float(value))
    return logged


def softmax(logits):
    odds = np.exp(logits - logits.max(1, keepdims=True))
    return odds / odds.sum(1, keepdims=True)


@pytest.mark.parametrize("num_classes", [4, 10])
def test_scores_agree_with_scikit_learn(num_classes):
    stream = np.random.default_rng(0)
    label, scores = stream.integers(0, num_classes, 200), stream.normal(size=(200, num_classes))
    scores[np.arange(200), label] += 1
    ours = classification_metrics(num_classes)
    for part in np.array_split(np.arange(200), 3):  # batches of unequal size
        ours.update(torch.from_numpy(scores[part]).float(), torch.from_numpy(label[part]))
    got = {name: float(value) for name, value in ours.compute().items()}
    guess, classes = scores.argmax(1), np.arange(num_classes)
    expected = {
        f"top{k}": sk.top_k_accuracy_score(label, scores, k=k, labels=classes) for k in (1, 3, 5) if k <= num_classes
    }
    expected["precision"] = sk.precision_score(label, guess, average="macro")
    expected["recall"] = sk.recall_score(label, guess, average="macro")
    assert got == pytest.approx(expected, abs=1e-6)


def test_scores_do_not_count_what_never_came():
    # class 3 is neither among the labels nor among the guesses; class 2 is guessed but never right
    label, guess = np.array([0, 0, 1, 1, 1]), np.array([0, 2, 1, 1, 0])
    ours = classification_metrics(4)
    ours.update(torch.eye(4)[guess], torch.from_numpy(label))
    got = ours.compute()
    assert float(got["precision"]) == pytest.approx(sk.precision_score(label, guess, average="macro", zero_division=0))
    assert float(got["recall"]) == pytest.approx(sk.recall_score(label, guess, average="macro", zero_division=0))


def test_loss_is_the_cross_entropy_of_every_sample_and_its_gradient():
    module = classifier().double()
    with_trainer(module)
    batch = batch_of(dtype=torch.float64)
    out = module.training_step(batch, 0)
    weight = module.network.layer.weight.detach().numpy()
    pixels, label = batch["image"].flatten(1).numpy(), batch["label"].numpy()
    probability = softmax(pixels @ weight.T + module.network.layer.bias.detach().numpy())
    per_sample = -np.log(probability[np.arange(9), label])
    np.testing.assert_allclose(out["sample_loss"].numpy(), per_sample, rtol=1e-12)
    np.testing.assert_allclose(out["loss"].item(), per_sample.mean(), rtol=1e-12)
    out["loss"].backward()
    # d loss / d weight = mean of (probability - one-hot) × pixels
    gradient = (probability - np.eye(6)[label]).T @ pixels / 9
    np.testing.assert_allclose(module.network.layer.weight.grad.numpy(), gradient, rtol=1e-10)


def test_loss_gradient_agrees_with_finite_differences():
    module = classifier().double()
    with_trainer(module)
    batch = batch_of(dtype=torch.float64)

    def loss(image):
        return module.training_step({**batch, "image": image}, 0)["loss"]

    assert torch.autograd.gradcheck(loss, batch["image"].clone().requires_grad_())


def test_the_loss_of_each_sample_is_detached():
    module = classifier()
    with_trainer(module)
    out = module.training_step(batch_of(), 0)
    assert out["loss"].requires_grad
    assert not out["sample_loss"].requires_grad
    assert out["sample_loss"].shape == (9,)


@pytest.mark.parametrize(("step", "logs"), [(0, False), (8, False), (9, True), (10, False), (19, True)])
def test_the_loss_is_logged_when_it_is_written(step, logs):
    module = classifier()
    logged = with_trainer(module, step, every=10)
    loss = module.training_step(batch_of(), 0)["loss"]
    assert logged == ({"train/loss": loss.item()} if logs else {})


def test_a_broken_loss_stops_at_the_next_look():
    module = classifier()
    with_trainer(module, step=9, every=10)
    module.network.layer.bias.data[0] = float("nan")
    with pytest.raises(TrainingError, match="loss is nan at step 9"):
        module.training_step(batch_of(), 0)
    with_trainer(module, step=3, every=10)
    module.training_step(batch_of(), 0)  # not looked at: that would wait for the device
    with pytest.raises(TrainingError, match="learning rate"):
        module.on_train_epoch_end()


def test_predictions_are_probabilities_beside_their_labels():
    module = classifier()
    batch = batch_of()
    out = module.predict_step(batch, 0)
    assert torch.equal(out["label"], batch["label"])
    np.testing.assert_allclose(out["probability"].sum(1).detach().numpy(), 1, rtol=1e-6)
    logits = module(batch["image"]).detach().numpy()
    np.testing.assert_allclose(out["probability"].detach().numpy(), softmax(logits), rtol=1e-5)


def quiet_trainer(**settings):
    return Trainer(
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
        **settings,
    )


@pytest.mark.parametrize("stage", ["test", "validate"])
def test_an_evaluation_scores_all_batches_together(stage):
    module = classifier()
    batches = [batch_of(9, seed=1), batch_of(9, seed=2), batch_of(4, seed=3)]
    batches[0]["label"][:6] = torch.arange(6)  # every class comes
    trainer = quiet_trainer()
    (scores,) = getattr(trainer, stage)(module, torch.utils.data.DataLoader(batches, batch_size=None), verbose=False)
    image, label = (torch.cat([batch[key] for batch in batches]) for key in ("image", "label"))
    logits, label = module(image).detach().double().numpy(), label.numpy()
    guess, prefix = logits.argmax(1), "test" if stage == "test" else "val"
    expected = {
        # a batch counts as many times as it has images
        f"{prefix}/loss": sk.log_loss(label, softmax(logits), labels=range(6)),
        f"{prefix}/error": 100 * (guess != label).mean(),
        f"{prefix}/top1": (guess == label).mean(),
        f"{prefix}/top3": sk.top_k_accuracy_score(label, logits, k=3, labels=range(6)),
        f"{prefix}/top5": sk.top_k_accuracy_score(label, logits, k=5, labels=range(6)),
        f"{prefix}/precision": sk.precision_score(label, guess, average="macro", zero_division=0),
        f"{prefix}/recall": sk.recall_score(label, guess, average="macro", zero_division=0),
    }
    if stage == "test":
        expected |= {f"test/accuracy_{k}": (guess[label == k] == k).mean() for k in range(6)}
    assert scores == pytest.approx(expected, abs=1e-5)


def test_a_second_evaluation_starts_from_nothing():
    module, trainer = classifier(), quiet_trainer()
    loader = [torch.utils.data.DataLoader([batch_of(9, seed=seed)], batch_size=None) for seed in (1, 2)]
    alone = trainer.test(module, loader[1], verbose=False)
    trainer.test(module, loader[0], verbose=False)
    assert trainer.test(module, loader[1], verbose=False) == alone


def test_biases_learn_at_their_own_rate():
    module = Classifier(optimizer_args={"lr": 0.05, "momentum": 0.9, "weight_decay": 5e-4}, bias_rate=2.0)
    weights, biases = module.configure_optimizers().param_groups
    assert (weights["lr"], biases["lr"]) == (0.05, 0.1)
    assert biases["momentum"] == weights["momentum"] == 0.9
    names = {id(parameter): name for name, parameter in module.network.named_parameters()}
    layers = ["conv1", "conv2", "fc1", "fc2"]
    assert [names[id(parameter)] for parameter in weights["params"]] == [f"{layer}.weight" for layer in layers]
    assert [names[id(parameter)] for parameter in biases["params"]] == [f"{layer}.bias" for layer in layers]


def test_one_step_moves_biases_twice_as_far():
    module = classifier(optimizer_args={"lr": 0.1}, bias_rate=2.0)
    with_trainer(module)
    layer = module.network.layer
    weight, bias = layer.weight.detach().clone(), layer.bias.detach().clone()
    optimizer = module.configure_optimizers()
    module.training_step(batch_of(), 0)["loss"].backward()
    optimizer.step()
    np.testing.assert_allclose((weight - layer.weight.detach()).numpy(), 0.1 * layer.weight.grad.numpy(), atol=1e-7)
    np.testing.assert_allclose((bias - layer.bias.detach()).numpy(), 0.2 * layer.bias.grad.numpy(), atol=1e-7)


def test_every_parameter_has_a_rate_once():
    module = Classifier(network="resnet18", bias_rate=2.0)
    groups = module.configure_optimizers().param_groups
    held = [id(parameter) for group in groups for parameter in group["params"]]
    assert sorted(held) == sorted(id(parameter) for parameter in module.parameters())


def test_a_schedule_is_built_with_its_interval():
    settings = {"schedule": "synthreal.schedules.InverseDecay", "schedule_args": {"gamma": 0.5, "power": 1.0}}
    made = classifier(optimizer_args={"lr": 0.3}, bias_rate=2.0, schedule_interval="epoch", **settings)
    made = made.configure_optimizers()
    assert isinstance(made["lr_scheduler"]["scheduler"], InverseDecay)
    assert made["lr_scheduler"]["interval"] == "epoch"
    made["optimizer"].step()
    made["lr_scheduler"]["scheduler"].step()
    rates = [group["lr"] for group in made["optimizer"].param_groups]
    assert rates == pytest.approx([0.3 / 1.5, 0.6 / 1.5])
    assert classifier(**settings).configure_optimizers()["lr_scheduler"]["interval"] == "step"


def test_a_plateau_schedule_follows_the_validation_loss():
    settings = {"schedule": "torch.optim.lr_scheduler.ReduceLROnPlateau", "schedule_args": {"patience": 3}}
    made = classifier(**settings).configure_optimizers()["lr_scheduler"]
    assert isinstance(made["scheduler"], lr_scheduler.ReduceLROnPlateau)
    assert made["monitor"] == "val/loss"
    assert made.get("interval", "epoch") == "epoch"


def test_networks_come_by_class_path_or_torchvision_name():
    lenet = build_network("synthreal.networks.LeNet", 7, {"image_size": 20})
    assert isinstance(lenet, LeNet)
    assert lenet.fc2.out_features == 7
    resnet = build_network("resnet18", 7, {})
    assert resnet.fc.out_features == 7
    # 11,689,512 with 1,000 classes; each class has 513 parameters
    assert sum(p.numel() for p in resnet.parameters()) == 11_689_512 - 993 * 513
    # no `num_classes` to pass on
    assert isinstance(build_network("torch.nn.Flatten", 7, {}), nn.Flatten)
    assert build_network("synthreal.networks.LeNet", 7, {"num_classes": 3}).fc2.out_features == 3


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_classes": 1}, "at least 2 classes"),
        ({"network": "resnet19"}, "'resnet19' is neither"),
        ({"network": "synthreal.networks.LeNett"}, "LeNett"),
        ({"network": "torch.optim.SGD"}, "not a subclass of torch"),
        ({"network_args": {"size": 3}}, "size"),
        ({"optimizer": "torch.optim.SDG"}, "SDG"),
        ({"optimizer": "torch.nn.Linear"}, "not a subclass"),
        ({"optimizer_args": {"learning_rate": 0.1}}, "learning_rate.*It takes: lr"),
        ({"schedule": "torch.optim.lr_scheduler.Step"}, "Step"),
        ({"schedule": "torch.optim.lr_scheduler.StepLR"}, "step_size"),
        # a torchvision model answers an unknown argument with its own TypeError
        ({"network": "resnet18", "network_args": {"depth": 3}}, "depth"),
        # optical flow: in torchvision's list, but no classifier
        ({"network": "raft_small"}, "raft_small"),
    ],
)
def test_a_typo_fails_before_any_data_is_read(settings, message):
    with pytest.raises(ConfigError, match=message):
        Classifier(**settings)


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
