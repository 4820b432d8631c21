"""Settings of mixed data that do not fit each other or the images."""

import kornia.augmentation as K
import pytest

from synthreal.errors import ConfigError
from synthreal.generators import Augment
from synthreal.samplers import even_draws
from tests.datamodules.mixed_parts import Photos, Stripes, make, ready


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"ratio": (1, 2)}, r"8 cannot be divided 1:2 exactly: set batch_size to 6 or 9"),
        ({"ratio": (1, 15)}, "set batch_size to 16"),
        ({"ratio": (0, 0)}, r"not \[0, 0\]"),
        ({"ratio": None, "curriculum": {3: (1, 0)}}, "there is none: set ratio"),
        ({"curriculum": {0: (1, 0)}}, "from 1 on"),
        ({"curriculum": {-2: (1, 0)}}, "from 1 on"),
        ({"curriculum": {3: (1, 2)}, "steps_per_epoch": 4}, "divided 1:2"),
        ({"tests": {"real": Stripes()}}, "'real' is the data set's own"),
    ],
)
def test_settings_that_do_not_fit_are_refused_at_once(settings, message):
    with pytest.raises(ConfigError, match=message):
        make(**settings)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"ratio": None}, "set synthetic_size"),
        ({"curriculum": {3: (1, 0)}}, "set steps_per_epoch"),
        ({"ratio": (0, 1)}, "set steps_per_epoch"),
        ({"steps_per_epoch": 0}, "at least 1"),
        ({"generator": Stripes(held=even_draws(Stripes().space, 30, [1])), "synthetic_size": 31}, "31, but only 30"),
        ({"generator": Stripes(held=even_draws(Stripes().space, 30, [1])), "synthetic_size": -1}, "at least 0, not -1"),
        ({"synthetic_size": -1}, "at least 0, not -1"),
        ({"generator": Stripes(classes=("bee", "ant", "cow"))}, "the generator .* bee, ant, cow; real: ant, bee, cow"),
        ({"generator": Stripes(side=5)}, r"real images are \[1, 8, 8\].*synthetic ones \[1, 5, 5\]"),
        ({"generator": Stripes(channels=3)}, r"\[1, 8, 8\].*\[3, 8, 8\]"),
        ({"real_transform": [K.CenterCrop(6)]}, r"After their transforms real images are \[1, 6, 6\]"),
        ({"tests": {"mine": Stripes(classes=("ant", "bee", "hen"))}}, "the test set 'mine' .* ant, bee, hen"),
        ({"real_per_class": 7}, "'ant' has 6 training images; 7 are needed"),
        ({"validation_per_class": 3, "real_per_class": 4}, "'ant' has 6 training images; 7 are needed"),
        ({"real_per_class": 0}, "no real training images"),
        ({"folds": 3, "fold": 3}, "fold is 0 to 2"),
        ({"folds": 7}, r"\['ant', 'bee', 'cow'\] have fewer images than there are folds"),
        ({"dataset": Photos(train=2), "real_per_class": 1}, "'cow' has 0 training images"),
        ({"dataset": Photos(train=2), "generator": Augment(num_classes=3)}, r"No real image .* \['cow'\]"),
    ],
)
def test_sets_that_do_not_fit_are_refused_before_training(settings, message):
    with pytest.raises(ConfigError, match=message):
        ready(**settings)


@pytest.mark.filterwarnings("ignore:Images of the test set 'real' are")
def test_sizes_need_to_fit_only_where_both_are_used():
    small = Stripes(side=5)
    for settings in ({"ratio": (1, 0)}, {"ratio": (0, 1), "steps_per_epoch": 2}, {"ratio": None, "synthetic_size": 0}):
        assert len(ready(generator=small, **settings).sampler)
    resize = {"real_transform": [K.CenterCrop(5)]}
    assert ready(generator=small, **resize).preview(8)["image"].shape == (8, 1, 5, 5)
    with pytest.raises(ConfigError, match=r"\[1, 8, 8\]"):
        ready(generator=small, ratio=(0, 1), curriculum={2: (1, 0)}, steps_per_epoch=2)
