"""Fréchet distances against NumPy and SciPy, after each number of stages, in both directions."""

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm
from torch import nn

from synthreal.callbacks import FrechetDistance
from synthreal.datamodules import GeneratedDataModule, UnpairedDataModule
from synthreal.datasets import Digits
from synthreal.errors import ConfigError
from synthreal.experiment import ExperimentCLI
from synthreal.generators import Glyphs, StoredImages
from synthreal.modules import Passthrough
from synthreal.networks.pooled_pixels import PooledPixels
from tests.modules.mrgan_parts import mrgan, quiet

PER_STAGE = 3  # batches


def mrgan_after(trained_stages):
    """Stages that change images a lot, as if so many of them were trained."""
    module = mrgan(iterations=1, decay_from=0, pretrain_generators=1, pretrain_discriminators=0)
    for name, weight in module.refiner.named_parameters():
        if name.endswith("weight") and weight.ndim == 4:
            weight.data.mul_(6)
    module.batches = PER_STAGE * trained_stages
    return module.eval()


def digits(**settings):
    options = {"batch_size": 4, "steps_per_epoch": 5, "test_size": 40, "eval_batch_size": 16, "seed": 1, **settings}
    return UnpairedDataModule(Digits(8, 1740), options.pop("generator", Glyphs(8)), **options)


def distances(trainer):
    return {name: float(value) for name, value in trainer.callback_metrics.items() if "frechet" in name}


def scores_of(module, data, features=None, **settings):
    trainer = quiet(callbacks=[FrechetDistance(features)], **settings)
    trainer.test(module, datamodule=data, verbose=False)
    return distances(trainer)


def images(held):
    return held.batch(held.select(torch.arange(len(held))))["image"]


def pooled(image, cells=4):
    values = image.numpy().astype(np.float64)
    step = values.shape[-1] // cells
    return values.reshape(len(values), 1, cells, step, cells, step).mean((3, 5)).reshape(len(values), -1)


def frechet(one, other):
    """|μ1 - μ2|² + tr(Σ1 + Σ2 - 2 (Σ1 Σ2)^½) of features [N, D]."""
    covariances = [np.cov(table, rowvar=False) for table in (one, other)]
    root = sqrtm(covariances[0] @ covariances[1]).real
    means = one.mean(0) - other.mean(0)
    return means @ means + np.trace(covariances[0] + covariances[1] - 2 * root)


def refined(module, image, direction, count):
    """All stages map what the one before has refined."""
    with torch.no_grad():
        for stage in list(module.refiner.stages)[:count]:
            image = stage.to_real(image) if direction == "real" else stage.to_synthetic(image)
    return image


def expected(module, real, synthetic, counts, features):
    table = {}
    for count in counts:
        to_real, to_synthetic = refined(module, synthetic, "real", count), refined(module, real, "synthetic", count)
        table[f"to_real_{count}"] = frechet(features(to_real), features(real))
        table[f"to_synthetic_{count}"] = frechet(features(to_synthetic), features(synthetic))
    return table


@pytest.mark.parametrize("trained_stages", [1, 2])
def test_of_a_test_as_numpy_and_scipy_have_it(trained_stages):
    module, data = mrgan_after(trained_stages), digits()
    found = scores_of(module, data)
    real, synthetic = images(data.sets["real"]), images(data.sets["synthetic"])
    wanted = expected(module, real, synthetic, range(trained_stages + 1), pooled)
    assert found == pytest.approx({f"test/frechet/{name}": value for name, value in wanted.items()}, abs=1e-4, rel=1e-3)
    assert found["test/frechet/to_real_0"] == pytest.approx(found["test/frechet/to_synthetic_0"])


def test_of_a_validation_and_not_of_the_one_before():
    module, data = mrgan_after(2), digits(validation_per_class=3)
    trainer = quiet(callbacks=[FrechetDistance(PooledPixels(2))])
    for _ in range(2):
        trainer.validate(module, datamodule=data, verbose=False)
    pair = (images(held) for held in data.sets.values())
    wanted = expected(module, *pair, range(3), lambda image: pooled(image, 2))
    found = distances(trainer)
    assert found == pytest.approx({f"val/frechet/{name}": value for name, value in wanted.items()}, abs=1e-4, rel=1e-3)


def test_of_features_of_one_s_own():
    torch.manual_seed(2)
    network = nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.AdaptiveAvgPool2d(1))  # [B, 3, 1, 1]
    module, data = mrgan_after(1), digits()
    found = scores_of(module, data, network)
    assert not network.training
    assert not any(weight.requires_grad for weight in network.parameters())

    def features(image):
        return network(image).flatten(1).double().numpy()

    wanted = expected(module, images(data.sets["real"]), images(data.sets["synthetic"]), range(2), features)
    assert found == pytest.approx({f"test/frechet/{name}": value for name, value in wanted.items()}, abs=1e-4, rel=1e-3)


def test_equal_sets_are_not_apart():
    found = scores_of(mrgan_after(1), digits(generator=StoredImages(Digits(8, 1740), "test")), PooledPixels(2))
    assert found["test/frechet/to_real_0"] == pytest.approx(0, abs=1e-5)
    assert found["test/frechet/to_synthetic_0"] == pytest.approx(0, abs=1e-5)
    assert found["test/frechet/to_real_1"] > 0.01


def test_further_test_sets_are_left_out():
    module = mrgan_after(1)
    alone = scores_of(module, digits())
    among_others = scores_of(module, digits(tests={"bare": Glyphs(8, noise=(0, 0)), "train": Digits(8, 100)}))
    assert among_others == alone
    instead = scores_of(module, digits(tests={"synthetic": Glyphs(8, noise=(0.5, 0.5))}))
    assert instead["test/frechet/to_real_0"] != pytest.approx(alone["test/frechet/to_real_0"], abs=1e-3)


def test_one_image_is_too_few():
    found = scores_of(mrgan_after(1), digits(test_size=1))
    assert found == {}


@pytest.mark.parametrize("test_size", [2, 3, 40])  # of 2 and 3 synthetic images a process has one alone
@pytest.mark.filterwarnings("ignore:.*fork.*")
@pytest.mark.filterwarnings("ignore:.*barrier.*")
def test_two_processes_measure_what_one_does(test_size):
    several = {"devices": 2, "strategy": "ddp_fork"}
    one, two = (scores_of(mrgan_after(1), digits(test_size=test_size), PooledPixels(2), **how) for how in ({}, several))
    assert len(one) == 4
    assert two == pytest.approx(one, abs=1e-5, rel=1e-4)


def test_training_is_the_same_with_it():
    states = []
    for callbacks in ([], [FrechetDistance()]):
        module, data = mrgan_after(0).train(), digits(validation_per_class=2)
        torch.manual_seed(4)
        trainer = quiet(val_check_interval=1, callbacks=callbacks)
        trainer.fit(module, datamodule=data)
        states.append(module.refiner.state_dict())
        assert ("val/frechet/to_real_2" in trainer.callback_metrics) == bool(callbacks)
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())


def test_another_module_is_refused():
    data = GeneratedDataModule(Glyphs(8), 4)
    with pytest.raises(ConfigError, match="FrechetDistance follows an MrGAN, not a Passthrough"):
        quiet(callbacks=[FrechetDistance()]).predict(Passthrough(), datamodule=data)


def test_it_is_named_in_a_config(tmp_path):
    (tmp_path / "gan.yaml").write_text("""
model: {class_path: MrGAN, init_args: {generator: "c7s1-4,c7s1-3"}}
data:
  class_path: UnpairedDataModule
  init_args: {dataset: {class_path: Digits}, generator: {class_path: Glyphs}}
trainer:
  accelerator: cpu
  logger: false
  callbacks:
    - class_path: FrechetDistance
      init_args: {features: {class_path: synthreal.networks.pooled_pixels.PooledPixels, init_args: {cells: 2}}}
""")
    callbacks = ExperimentCLI(["--config", "gan.yaml"], run=False).trainer.callbacks
    found = [callback for callback in callbacks if isinstance(callback, FrechetDistance)]
    assert [callback.features.cells for callback in found] == [2]
