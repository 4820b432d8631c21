"""A classifier's loss, by hand and by finite differences, and when it is logged; its predictions."""

import numpy as np
import pytest
import torch

from synthreal.errors import TrainingError
from tests.modules.classifier_parts import batch_of, classifier, softmax, with_trainer


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


def test_nothing_is_logged_if_nothing_is_asked_for():
    module = classifier()
    logged = with_trainer(module, every=0)
    assert module.training_step(batch_of(), 0)["loss"].isfinite()
    assert logged == {}


def test_a_broken_loss_stops_at_the_next_look():
    module = classifier()
    with_trainer(module, step=9, every=10)
    module.network.layer.bias.data[0] = float("nan")
    with pytest.raises(TrainingError, match="loss is nan at step 9"):
        module.training_step(batch_of(), 0)
    with_trainer(module, step=3, every=10)
    module.training_step(batch_of(), 0)  # not looked at: that would wait for the device
    with pytest.raises(TrainingError, match=r"The training loss is nan .* learning rate"):
        module.on_save_checkpoint({"global_step": 3})


def test_broken_weights_are_not_saved_though_the_last_loss_was_sound():
    module = classifier()
    with_trainer(module, step=3, every=10)
    module.training_step(batch_of(), 0)
    module.on_save_checkpoint({"global_step": 3})
    module.network.layer.bias.data[0] = float("inf")
    with pytest.raises(TrainingError, match=r"The weights network\.layer\.bias are no numbers at step 3\. Lower"):
        module.on_save_checkpoint({"global_step": 3})


def test_predictions_are_probabilities_beside_their_labels():
    module = classifier()
    batch = batch_of()
    out = module.predict_step(batch, 0)
    assert torch.equal(out["label"], batch["label"])
    np.testing.assert_allclose(out["probability"].sum(1).detach().numpy(), 1, rtol=1e-6)
    logits = module(batch["image"]).detach().numpy()
    np.testing.assert_allclose(out["probability"].detach().numpy(), softmax(logits), rtol=1e-5)
