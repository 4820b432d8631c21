"""Real and synthetic images of the same classes in a training batch, in memory or in files."""

import numpy as np
import pytest
import torch

from synthreal.batch import Domain
from synthreal.generators import StoredImages
from synthreal.preview import preview_panels
from tests.datamodules.mixed_parts import Noise, Plus, epoch, numbers, trainer
from tests.datamodules.unpaired_parts import CPU, SIDE, PhotoFiles, Photos, Seen, Stripes, joined, make, ready


@pytest.mark.parametrize("generator", [Stripes(), StoredImages(Photos(test=50), "test")], ids=["new", "stored"])
def test_every_batch_pairs_the_classes_row_by_row(generator):
    data = ready(generator=generator)
    batches = epoch(data)
    assert len(batches) == len(data.sampler) == 5  # 18 real images, 4 a batch
    for batch in batches:
        assert batch["domain"].tolist() == [Domain.REAL] * 4 + [Domain.SYNTHETIC] * 4
        assert torch.equal(batch["label"][:4], batch["label"][4:])
    seen = np.bincount([number for batch in batches for number in numbers(batch["image"][:4])], minlength=18)
    assert seen.tolist().count(1) == 16
    assert seen.tolist().count(2) == 2


def test_each_row_is_what_its_draw_says():
    data = ready(real_transform=[Plus(2)], synthetic_transform=[Plus(4)], evaluation_transform=[Plus(8)])
    draws = next(iter(data.sampler))
    batch, made = data.assemble(draws, 0), Stripes().generate(draws, CPU)
    assert torch.equal(batch["image"], torch.cat([Photos().load("train").pixels(draws["real"]) + 2, made["image"] + 4]))
    assert torch.equal(batch["label"], torch.cat([draws["real"] % 3, made["label"]]))
    assert batch["bucket"].tolist() == [-1] * 4 + draws["bucket"].tolist()


def test_stored_images_are_those_of_the_set_any_of_the_class():
    data = ready(Photos(train=300), StoredImages(Photos(test=11), "test"), batch_size=100)
    drawn = joined(epoch(data))
    synthetic = drawn["domain"] == Domain.SYNTHETIC
    seen = np.bincount(numbers(drawn["image"][synthetic]), minlength=211)
    assert seen.nonzero()[0].tolist() == list(range(200, 211))
    # a class has 4, 4 or 3 images for its 100 rows, each drawn alike: 4 sigma
    for number, count in enumerate(seen[200:]):
        share = 1 / (3 if number % 3 == 2 else 4)
        assert abs(count - 100 * share) < 4 * np.sqrt(100 * share * (1 - share))


def test_files_are_read_by_the_loader():
    model = Seen()
    trainer(max_epochs=1).fit(model, datamodule=make(PhotoFiles(), Stripes(channels=3), num_workers=2))
    assert len(model.trained) == 5
    for batch in model.trained.values():
        assert batch["image"].shape == (8, 3, SIDE, SIDE)
        assert torch.equal(batch["label"][:4], batch["label"][4:])
        assert [number % 3 for number in numbers(batch["image"][:4])] == batch["label"][:4].tolist()


def test_fewer_real_images_are_the_same_number_of_each_class():
    data = ready(real_per_class=2)
    assert torch.bincount(data.train_images.labels).tolist() == [2, 2, 2]
    assert len(data.sampler) == 2


def test_preview_is_what_training_sees():
    settings = {"real_transform": [Noise()], "synthetic_transform": [Noise()], "steps_per_epoch": 3}
    model = Seen()
    trainer(max_epochs=1).fit(model, datamodule=make(**settings))
    data = ready(**settings)
    assert torch.equal(data.preview(20)["image"], joined(list(model.trained.values()))["image"])
    panels = preview_panels(data)
    assert list(panels) == ["real", "synthetic"]
    assert torch.equal(panels["real"][1], panels["synthetic"][1])
