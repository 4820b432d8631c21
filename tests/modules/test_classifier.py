import sys
import types

import numpy as np
import pytest
import torch
from lightning.pytorch import Callback, LightningDataModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from sklearn import metrics as sk
from torch import nn
from torch.optim import lr_scheduler

from synthreal.batch import Domain
from synthreal.errors import ConfigError, TrainingError
from synthreal.modules import Classifier
from synthreal.modules.classifier import build_network
from synthreal.networks import LeNet
from synthreal.schedules import InverseDecay


class Linear(nn.Module):
    """One linear layer on the pixels."""

    def __init__(self, num_classes: int, pixels: int = 4) -> None:
        super().__init__()
        self.layer = nn.Linear(pixels, num_classes)

    def forward(self, image):
        return self.layer(image.flatten(1))


def create_model(model_name, pretrained=False, **settings):
    """A function of timm's form: the number of classes is among what it passes on."""
    if model_name == "broken":
        return 1 + "one"
    assert model_name == "linear"
    assert not pretrained
    return Linear(**settings)


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    """Puts this file where a class path finds it, however pytest imported it."""
    here = types.ModuleType("linear_for_tests")
    here.Linear, here.create_model = Linear, create_model
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


def loader_of(*batches):
    return torch.utils.data.DataLoader(batches, batch_size=None)


def scored(module, batches):
    """What the module should score on all batches together, by scikit-learn; without a prefix."""
    image, label = (torch.cat([batch[key] for batch in batches]) for key in ("image", "label"))
    logits, label = module(image).detach().double().numpy(), label.numpy()
    guess = logits.argmax(1)
    return {
        # a batch counts as many times as it has images
        "loss": sk.log_loss(label, softmax(logits), labels=range(6)),
        "error": 100 * (guess != label).mean(),
        "top1": (guess == label).mean(),
        "top3": sk.top_k_accuracy_score(label, logits, k=3, labels=range(6)),
        "top5": sk.top_k_accuracy_score(label, logits, k=5, labels=range(6)),
        "precision": sk.precision_score(label, guess, average="macro", zero_division=0),
        "recall": sk.recall_score(label, guess, average="macro", zero_division=0),
    }, {f"accuracy_{k}": (guess[label == k] == k).mean() for k in range(6)}


def batches_with_every_class(first_seed):
    batches = [batch_of(count, seed=first_seed + i) for i, count in enumerate((9, 9, 4))]
    batches[0]["label"][:6] = torch.arange(6)
    return batches


def prefixed(prefix, *scores):
    return {prefix + name: value for part in scores for name, value in part.items()}


def test_validation_scores_all_batches_together():
    module, batches = classifier(), batches_with_every_class(1)
    (scores,) = quiet_trainer().validate(module, loader_of(*batches), verbose=False)
    assert scores == pytest.approx(prefixed("val/", scored(module, batches)[0]), abs=1e-5)


@pytest.mark.parametrize("form", [lambda loader: loader, lambda loader: [loader]])
def test_a_single_test_set_needs_no_name(form):
    module, batches = classifier(), batches_with_every_class(1)
    (scores,) = quiet_trainer().test(module, form(loader_of(*batches)), verbose=False)
    assert scores == pytest.approx(prefixed("test/", *scored(module, batches)), abs=1e-5)


# not in the order of the alphabet
@pytest.mark.parametrize("names", [["real", "new models", "bare"], ["real"]])
def test_each_test_set_has_scores_under_its_name(names):
    module = classifier()
    sets = {name: batches_with_every_class(10 * i) for i, name in enumerate(names)}
    results = quiet_trainer().test(module, {name: loader_of(*set_) for name, set_ in sets.items()}, verbose=False)
    expected = {}
    for name, batches in sets.items():
        expected |= prefixed(f"test/{name}/", *scored(module, batches))
    assert len({expected[f"test/{name}/loss"] for name in names}) == len(names)
    for scores in results:  # one of each loader, all of them whole
        assert scores == pytest.approx(expected, abs=1e-5)


def test_several_test_sets_without_names_are_numbered():
    module = classifier()
    sets = [batches_with_every_class(10), batches_with_every_class(20)]
    scores, _ = quiet_trainer().test(module, [loader_of(*batches) for batches in sets], verbose=False)
    assert scores == pytest.approx(
        prefixed("test/0/", *scored(module, sets[0])) | prefixed("test/1/", *scored(module, sets[1])), abs=1e-5
    )


class Shares(LightningDataModule):
    """Two test sets, each batch seen by one process."""

    def __init__(self):
        super().__init__()
        self.sets = {"real": batches_with_every_class(1), "made": batches_with_every_class(20)}

    def test_dataloader(self):
        rank, count = self.trainer.global_rank, self.trainer.world_size
        return {name: loader_of(*batches[rank::count]) for name, batches in self.sets.items()}


@pytest.mark.filterwarnings("ignore:.*fork.*")
@pytest.mark.filterwarnings("ignore:.*barrier.*")
def test_two_processes_score_as_one():
    module, data = classifier(), Shares()
    trainer = quiet_trainer(devices=2, strategy="ddp_fork", use_distributed_sampler=False)
    scores, _ = trainer.test(module, datamodule=data, verbose=False)
    expected = {}
    for name, batches in data.sets.items():
        expected |= prefixed(f"test/{name}/", *scored(module, batches))
    assert scores == pytest.approx(expected, abs=1e-5)


def test_a_test_step_says_what_is_predicted_and_how_surely():
    module, batch = classifier(), batch_of()
    seen = []

    class Keep(Callback):
        def on_test_batch_end(self, trainer, pl_module, outputs, batch, batch_idx, dataloader_idx=0):
            seen.append(outputs)

    quiet_trainer(callbacks=[Keep()]).test(module, loader_of(batch), verbose=False)
    probability = softmax(module(batch["image"]).detach().numpy())
    (out,) = seen
    assert out["prediction"].dtype == torch.int64
    np.testing.assert_array_equal(out["prediction"].numpy(), probability.argmax(1))
    np.testing.assert_allclose(out["confidence"].numpy(), probability.max(1), rtol=1e-5)


def test_a_second_evaluation_starts_from_nothing():
    module, trainer = classifier(), quiet_trainer()
    loader = [loader_of(batch_of(9, seed=seed)) for seed in (1, 2)]
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


def test_a_function_may_build_the_network():
    made = build_network("linear_for_tests.create_model", 7, {"model_name": "linear", "pixels": 5})
    assert isinstance(made, Linear)
    assert (made.layer.in_features, made.layer.out_features) == (5, 7)
    module = Classifier(num_classes=7, network="linear_for_tests.create_model", network_args={"model_name": "linear"})
    assert module(torch.rand(3, 1, 2, 2)).shape == (3, 7)
    resnet = build_network("torchvision.models.resnet18", 7, {})
    assert resnet.fc.out_features == 7


def test_a_networks_own_mistake_comes_through_as_it_is():
    with pytest.raises(TypeError, match="unsupported operand"):
        build_network("linear_for_tests.create_model", 7, {"model_name": "broken"})


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
        # a function answers what it only passes on with a TypeError, too
        ({"network": "linear_for_tests.create_model", "network_args": {"model_name": "linear", "depth": 3}}, "depth"),
        ({"network": "linear_for_tests.create_model"}, "model_name.*It takes: model_name, pretrained"),
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


def fit(module, steps, resume=None, **settings):
    """Trains on the same five batches over and over."""
    batches = [batch_of(seed=seed) for seed in range(5)]
    trainer = Trainer(
        accelerator="cpu",
        max_steps=steps,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        **{"enable_checkpointing": False, **settings},
    )
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
