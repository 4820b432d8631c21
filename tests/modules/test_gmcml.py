"""GM-CML's training step against NumPy, its switches, and what it logs."""

import math

import numpy as np
import pytest
import torch
from lightning.pytorch import Callback

from synthreal.datamodules import MixedDataModule
from synthreal.datamodules.foreground import Phase
from synthreal.modules import GMCML
from synthreal.networks.modes import evaluating
from tests.modules.gmcml_parts import SIDE, Codes, Colours, data, gmcml, trainer

TERMS = ("reconstruction", "kl", "pair", "triplet", "softmax")


class FirstBatch(Callback):
    """Keeps the first batch and the weights and the random state before it, and what was logged for each."""

    def __init__(self):
        self.logged = []

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if not hasattr(self, "batch"):
            self.batch, self.random = batch, torch.get_rng_state()
            self.weights = {name: value.clone() for name, value in pl_module.state_dict().items()}

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        self.logged.append({name: float(value) for name, value in trainer.callback_metrics.items()})


def first_step(module, datamodule=None, steps=1):
    seen = FirstBatch()
    trainer(max_steps=steps, callbacks=[seen]).fit(module, datamodule=datamodule or data())
    return seen


def flat(weights, image):
    """Logits and descriptors of `Flat`."""
    image = np.asarray(image, np.float64)
    at = {name.removeprefix("network.classifier."): value.double().numpy() for name, value in weights.items()}
    hidden = np.tanh(image.reshape(len(image), -1) @ at["first.weight"].T + at["first.bias"])
    return hidden @ at["last.weight"].T + at["last.bias"], hidden


def by_hand(seen, noise, margin=1.0):
    """All terms of the loss, in NumPy."""
    image, target = (seen.batch[key].double().numpy() for key in ("image", "semantic"))
    label, colour = seen.batch["label"].numpy(), seen.weights["network.reconstructor.colour"].double().numpy()
    coded = classified = image
    ratio = (image + colour[:, None, None]).var() / (target.var() + 1e-6)
    if noise:
        torch.set_rng_state(seen.random)
        share = np.tanh(0.25 * ratio), np.tanh(1 - np.tanh(2 * ratio))
        coded, classified = (r * torch.randn(image.shape).double().numpy() + (1 - r) * image for r in share)
    made = coded + colour[:, None, None]
    logits, descriptor = flat(seen.weights, np.concatenate([classified, made], 1))
    mean = coded.mean((2, 3))
    sets = descriptor.reshape(-1, 5, descriptor.shape[1])
    distance = ((sets[:, :1] - sets[:, 1:]) ** 2).sum(2)
    triplet = np.log(np.maximum(1, 2 - distance[:, 1:] / (distance[:, :1] + margin)))
    own = logits[np.arange(len(label)), label]
    return {
        "reconstruction": ((made - target) ** 2).sum((1, 2, 3)).mean(),
        "kl": 0.5 * (mean**2 + np.exp(mean - 1) - 1 - (mean - 1)).sum(1).mean(),
        "pair": distance[:, 0].mean(),
        "triplet": triplet.sum(1).mean(),
        "softmax": (np.log(np.exp(logits).sum(1)) - own).mean(),
    }, ratio


@pytest.mark.parametrize("noise", [True, False])
def test_the_loss_is_the_weighted_sum_of_all_terms(noise):
    weights = {"reconstruction_weight": 0.5, "pair_weight": 2.0, "triplet_weight": 3.0, "softmax_weight": 4.0}
    seen = first_step(gmcml(adaptive_noise=noise, **weights))
    expected, ratio = by_hand(seen, noise)
    for term, value in expected.items():
        assert seen.logged[0][f"train/{term}"] == pytest.approx(value, rel=1e-4), term
    total = sum(weights.get(f"{term}_weight", 0.5) * value for term, value in expected.items())
    assert seen.logged[0]["train/loss"] == pytest.approx(total, rel=1e-4)
    if noise:
        assert seen.logged[0]["train/variance_ratio"] == pytest.approx(ratio, rel=1e-4)
        assert seen.logged[0]["train/noise_reconstruction"] == pytest.approx(math.tanh(0.25 * ratio), rel=1e-4)
        assert seen.logged[0]["train/noise_classification"] == pytest.approx(
            math.tanh(1 - math.tanh(2 * ratio)), rel=1e-4
        )
    else:
        assert "train/variance_ratio" not in seen.logged[0]


def test_alpha_beta_and_margin_are_read():
    other = first_step(gmcml(alpha=0.5, beta=1.0, margin=0.1))
    expected, ratio = by_hand(first_step(gmcml(adaptive_noise=False, margin=0.1)), False, margin=0.1)
    logged = first_step(gmcml(adaptive_noise=False, margin=0.1)).logged[0]
    assert logged["train/triplet"] == pytest.approx(expected["triplet"], rel=1e-4)
    assert other.logged[0]["train/noise_reconstruction"] == pytest.approx(math.tanh(0.5 * ratio), rel=1e-4)
    assert other.logged[0]["train/noise_classification"] == pytest.approx(math.tanh(1 - math.tanh(ratio)), rel=1e-4)


def test_there_is_no_noise_in_evaluation():
    module = gmcml().eval()
    image = torch.rand(6, 3, SIDE, SIDE)
    assert torch.equal(module(image), module(image))
    logits, _ = flat(
        module.state_dict(),
        torch.cat([image, image + module.network.reconstructor.colour.detach()[:, None, None]], 1).double().numpy(),
    )
    np.testing.assert_allclose(module(image).detach(), logits, rtol=1e-4, atol=1e-5)


def test_measuring_the_variance_leaves_the_reconstructor_alone():
    module = gmcml(reconstructor="synthreal.networks.VariationalCoder", reconstructor_args={"image_size": 32})
    before = {name: value.clone() for name, value in module.state_dict().items()}
    image, random = torch.rand(10, 3, 32, 32), torch.get_rng_state()
    module._noise({"image": image, "semantic": image})
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    assert torch.equal(random, torch.get_rng_state())
    assert module.network.reconstructor.training


def test_the_classifier_s_gradient_reaches_the_reconstructor():
    module = gmcml(reconstruction_weight=0.0, pair_weight=0.0, triplet_weight=0.0, adaptive_noise=False)
    before = module.network.reconstructor.colour.clone()
    first_step(module)
    assert not torch.equal(before, module.network.reconstructor.colour)


def test_without_softmax_on_sets_the_last_layer_waits_for_plain_batches():
    module = gmcml(softmax_on_sets=False)
    before = module.network.classifier.last.weight.clone()
    seen = first_step(module, data(Phase(Codes(), 60), Phase(Codes(), 60, sets=False)), 4)
    assert torch.equal(before, module.network.classifier.last.weight)
    assert all(math.isnan(logged["train/softmax"]) for logged in seen.logged)
    seen = first_step(module, data(Phase(Codes(), 60), Phase(Codes(), 60, sets=False)), 8)
    assert not torch.equal(before, module.network.classifier.last.weight)
    assert not math.isnan(seen.logged[-1]["train/softmax"])
    assert math.isnan(seen.logged[-1]["train/pair"]) and math.isnan(seen.logged[-1]["train/triplet"])


NETWORKS = "synthreal.networks."
CODER = {"image_size": 32}
VARIANTS = {
    "GM-CML": {"reconstructor_args": CODER},
    "GM-ML": {"reconstructor_args": CODER, "adaptive_noise": False},
    "AlexNet head": {
        "reconstructor_args": {"image_size": 64},
        "classifier": f"{NETWORKS}AlexNet",
        "classifier_args": {"image_size": 64},
    },
    "SqueezeNet head": {"reconstructor_args": CODER, "classifier": f"{NETWORKS}SqueezeNet"},
    "FCN": {"reconstructor": f"{NETWORKS}FCN", "reconstructor_args": CODER},
    "DeconvNet": {"reconstructor": f"{NETWORKS}DeconvNet", "reconstructor_args": CODER},
    "no reconstruction": {"reconstructor": None, "classifier_args": {"in_channels": 3}},
    "plain": {
        "reconstructor": None,
        "classifier_args": {"in_channels": 3},
        "pair_weight": 0.0,
        "triplet_weight": 0.0,
    },
}


@pytest.mark.parametrize("settings", VARIANTS.values(), ids=VARIANTS)
def test_each_variant_learns_with_all_that_it_has(settings):
    torch.manual_seed(0)
    module = GMCML(num_classes=3, **settings)
    side = settings.get("reconstructor_args", CODER)["image_size"]
    batch = {
        "image": torch.rand(10, 3, side, side),
        "semantic": torch.rand(10, 3, side, side),
        "label": torch.arange(10) % 3,
        "role": torch.arange(10) % 5,
    }
    found = module.network.recognise(batch["image"], batch["image"])
    losses = module._losses(batch, found)
    latent = settings.get("reconstructor", "VC") == "VC"
    there = settings.get("reconstructor", "VC") is not None
    expected = {"pair", "triplet", "softmax"} | ({"reconstruction"} if there else set()) | ({"kl"} if latent else set())
    assert losses.keys() == expected
    sum(losses.values()).backward()
    assert all(weight.grad is not None for weight in module.network.parameters())


def test_real_photos_fine_tune_all_of_a_pretrained_network(tmp_path):
    module, first = gmcml(), trainer(max_steps=4)
    first.fit(module, datamodule=data())
    first.save_checkpoint(tmp_path / "synthetic.ckpt")
    tuned = gmcml(pretrained=str(tmp_path / "synthetic.ckpt"))
    real = MixedDataModule(Colours(), Codes(), ratio=(1, 0), batch_size=10, overlap="drop")
    seen = first_step(tuned, real)
    assert torch.equal(seen.weights["network.classifier.first.weight"], module.network.classifier.first.weight)
    assert seen.logged[0]["train/loss"] == pytest.approx(seen.logged[0]["train/softmax"])
    assert math.isnan(seen.logged[0]["train/variance_ratio"])
    for name, value in tuned.state_dict().items():
        assert not torch.equal(value, seen.weights[name]), name


def test_scores_of_each_test_set():
    module, run = gmcml(), trainer()
    scores = run.test(module, datamodule=data(tests={"codes": Codes(), "real": Colours()}), verbose=False)
    logged = {name: value for score in scores for name, value in score.items()}
    images = Colours().load("test")
    with evaluating(module), torch.no_grad():
        wrong = module(images.images / 255).argmax(1) != images.labels
    assert logged["test/real/error"] == pytest.approx(100 * wrong.float().mean().item())
    assert {"test/codes/error", "test/codes/loss", "test/real/accuracy_2"} <= logged.keys()


def test_validation_has_the_error_of_the_reconstruction():
    module, run = gmcml(), trainer()
    made = data(validation=Codes())
    (logged,) = run.validate(module, datamodule=made, verbose=False)
    held = made.sets["validation"]
    batch = held.batch(held.select(torch.arange(len(held))))
    error = batch["image"] + module.network.reconstructor.colour.detach()[:, None, None] - batch["semantic"]
    assert logged["val/reconstruction"] == pytest.approx(error.square().sum((1, 2, 3)).mean().item(), rel=1e-4)
    assert {"val/error", "val/top1"} <= logged.keys()


class Outputs(Callback):
    """Keeps what a test step returns, and its batch."""

    def on_test_batch_end(self, trainer, pl_module, outputs, batch, batch_idx, dataloader_idx=0):
        self.outputs, self.batch = outputs, batch


def test_a_test_step_returns_predictions_and_descriptors():
    module, seen = gmcml(), Outputs()
    trainer(callbacks=[seen]).test(module, datamodule=data(tests={"codes": Codes()}), verbose=False)
    image = seen.batch["image"]
    with evaluating(module), torch.no_grad():
        logits, hidden = flat(module.state_dict(), torch.cat([image, module.network.reconstructor(image).image], 1))
    np.testing.assert_allclose(seen.outputs["descriptor"], hidden, rtol=1e-4, atol=1e-5)
    assert np.array_equal(seen.outputs["prediction"], logits.argmax(1))


@pytest.mark.parametrize("plain", [False, True])
def test_prediction_is_what_test_sees_for_every_test_set(plain):
    module = gmcml(reconstructor=None) if plain else gmcml()
    made = data(tests={"codes": Codes(), "real": Colours()})
    found = trainer().predict(module, datamodule=made)
    assert [sum(len(batch["label"]) for batch in batches) for batches in found] == [60, 30]
    module.eval()
    for held, batches in zip(made.sets.values(), found, strict=True):
        whole = {key: torch.cat([batch[key] for batch in batches]) for key in batches[0]}
        assert ("reconstruction" in whole) is not plain
        seen = held.batch(held.select(torch.arange(len(held))))
        assert torch.equal(whole["label"], seen["label"])
        with torch.no_grad():
            expected = module.network.recognise(seen["image"], seen["image"])
        torch.testing.assert_close(whole["probability"], expected.logits.softmax(1))
        torch.testing.assert_close(whole["descriptor"], expected.descriptor)
        if not plain:
            torch.testing.assert_close(whole["reconstruction"], expected.reconstruction.image)


def test_half_precision():
    module = gmcml(
        reconstructor="synthreal.networks.VariationalCoder", reconstructor_args={"image_size": SIDE, "widths": [4]}
    )
    run = trainer(max_steps=4, precision="bf16-mixed")
    run.fit(module, datamodule=data(validation=Codes()))
    assert all(math.isfinite(run.callback_metrics[f"train/{term}"]) for term in TERMS)
    assert all(weight.dtype == torch.float32 and weight.isfinite().all() for weight in module.parameters())


def test_nothing_is_logged_if_nothing_is_asked_for():
    module, run = gmcml(), trainer(max_steps=2, log_every_n_steps=0)
    run.fit(module, datamodule=data())
    assert not run.callback_metrics
