"""What an MrGAN refuses or warns of: its own numbers, the trainer's limits, data without pairs."""

import math
import warnings

import pytest

from synthreal.datamodules import MixedDataModule
from synthreal.datasets import Digits
from synthreal.errors import ConfigError
from synthreal.generators import Glyphs
from tests.modules.mrgan_parts import digits, fit, mrgan, quiet

# most trainings here are without validation
pytestmark = pytest.mark.filterwarnings("ignore:You defined a `validation_step` but have no")


def test_the_paper_s_flips_are_warned_of():
    with pytest.warns(UserWarning, match=r"flip_probability 0\.9, as the paper prints it"):
        mrgan(flip_probability=0.9)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        mrgan(flip_probability=0.5)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"flip_probability": -0.1}, r"flip_probability is 0 to 1, not -0\.1"),
        ({"flip_probability": 1.5}, r"flip_probability is 0 to 1, not 1\.5"),
        ({"flip_probability": math.nan}, "flip_probability is 0 to 1, not nan"),
        ({"cycle_weight": -1.0}, "Weights and learning rates are at least 0"),
        ({"identity_weight": -1.0}, "Weights and learning rates are at least 0"),
        ({"generator_rate": -1e-4}, "Weights and learning rates are at least 0"),
        ({"discriminator_rate": math.nan}, "Weights and learning rates are at least 0"),
        ({"stages": ["rr-rs"]}, "begin with 'r-s'"),
        ({"stages": []}, "begin with 'r-s'"),
        ({"iterations": 0}, "at least 1"),
        ({"decay_from": 3}, "decay_from is 0 to 2"),
        ({"pool_size": -1}, "0 images or more, not -1"),
        ({"discriminator": "C4,d8"}, "'d8' in 'C4,d8' is no layer"),
        ({"in_channels": 3}, "c7s1-3 for the 3 channels"),
    ],
)
def test_bad_numbers_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        mrgan(**settings)


@pytest.mark.parametrize("limits", [{"max_steps": 17}, {"max_epochs": 2}, {"max_epochs": 4, "limit_train_batches": 3}])
def test_a_trainer_that_stops_early_is_warned_of(limits):
    words = r"stops before the last of 2 stages is trained\. Set max_epochs=-1 and max_steps=-1"
    with pytest.warns(UserWarning, match=words):
        fit(mrgan(), data=digits(), **limits)


@pytest.mark.parametrize("limits", [{"max_steps": 18}, {"max_epochs": 3}, {"max_epochs": 5, "limit_train_batches": 3}])
def test_one_that_does_not_is_not(limits):
    module = mrgan()
    fit(module, data=digits(), **limits)  # warnings are errors in tests
    assert module.batches == 14


@pytest.mark.filterwarnings("ignore:The trainer stops before")
@pytest.mark.parametrize(("limits", "enough"), [({"max_steps": 18}, True), ({"max_steps": 17}, False)])
def test_a_resumed_run_is_warned_of_by_what_is_left(limits, enough):
    fit(mrgan(), data=digits(), max_steps=10).save_checkpoint("half.ckpt")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit(mrgan(), data=digits(), resume="half.ckpt", **limits)
    assert enough != any("stops before the last" in str(warning.message) for warning in caught)


def test_batches_without_pairs_are_refused():
    mixed = MixedDataModule(Digits(8, 200), Glyphs(8), batch_size=8, steps_per_epoch=5)
    with pytest.raises(ConfigError, match="give it an UnpairedDataModule"):
        fit(mrgan(), data=mixed)


@pytest.mark.parametrize("held_out", [0, 1])
def test_images_of_other_channels_are_refused(held_out):
    module = mrgan(in_channels=3, generator="c7s1-4,c7s1-3")
    with pytest.raises(ConfigError, match="The images have 1 channels, and the MrGAN's in_channels is 3"):
        fit(module, data=digits(validation_per_class=held_out))


@pytest.mark.parametrize("strategy", ["ddp", "ddp_fork", "ddp_spawn"])
def test_plain_data_parallel_training_is_refused(strategy):
    module = mrgan()
    module.trainer = quiet(strategy=strategy, devices=2)
    with pytest.raises(ConfigError, match="strategy=ddp_find_unused_parameters_true"):
        module.on_fit_start()
    module.trainer = quiet(strategy=f"{strategy}_find_unused_parameters_true", devices=2)
    module.on_fit_start()
