"""Real and synthetic parts of a batch, and generators that do not fit the real images."""

import pytest
import torch

from synthreal.batch import Domain, synthetic_batch
from synthreal.datamodules import BucketDataModule
from synthreal.datasets import Digits
from synthreal.errors import ConfigError
from synthreal.generators import Augment, ImageGenerator
from synthreal.spaces import Categorical


class Flat(ImageGenerator):
    """Images of one grey value."""

    def __init__(self, num_classes=10, size=16):
        self.num_classes, self.size = num_classes, size
        self.space = Categorical("class", [str(i) for i in range(num_classes)])

    def generate(self, draws, device):
        label = draws["parameters"][:, 0].long()
        image = (label / 10)[:, None, None, None].expand(-1, 1, self.size, self.size)
        return synthetic_batch(image, label, draws)


def make(generator, **settings):
    options = {"real_per_class": 5, "probe_images_per_class": 2, "num_probes": 0, **settings}
    return BucketDataModule(Digits(train_size=500), generator, **options)


def test_a_generator_that_does_not_fit_is_named():
    with pytest.raises(ConfigError, match=r"\[1, 16, 16\].*\[1, 20, 20\]"):
        make(Flat(size=20)).setup("fit")
    with pytest.raises(ConfigError, match="makes 7 classes, the real images have 10"):
        make(Flat(num_classes=7)).setup("fit")


def test_real_images_come_first_and_each_row_is_what_its_draw_says():
    data = make(Flat(), real_per_batch=6, synthetic_per_batch=4)
    data.setup("fit")
    draws = next(iter(data.sampler))
    batch = data.training_batch(draws)
    assert batch["domain"].tolist() == [Domain.REAL] * 6 + [Domain.SYNTHETIC] * 4
    assert batch["bucket"].tolist() == [-1] * 6 + draws["bucket"].tolist()
    assert torch.equal(batch["image"][:6], data.images["train"].images[draws["real"]].float() / 255)
    assert torch.equal(batch["image"][6:, 0, 0, 0], draws["parameters"][:, 0] / 10)
    assert batch["parameters"][:6].isnan().all()


@pytest.mark.parametrize(("real", "synthetic"), [(6, 0), (0, 4)])
def test_either_part_may_be_empty(real, synthetic):
    data = make(Augment(), real_per_batch=real, synthetic_per_batch=synthetic, steps_per_epoch=2)
    data.setup("fit")
    batch = data.preview(4)
    assert set(batch["domain"].tolist()) == {Domain.REAL if real else Domain.SYNTHETIC}
