"""Phases, triplet sets, and what is checked before training."""

import numpy as np
import pytest
import torch
from lightning.pytorch.loggers import CSVLogger
from torch import nn

from synthreal.callbacks import Predictions
from synthreal.datamodules import ForegroundDataModule
from synthreal.datamodules.foreground import Phase
from synthreal.datasets import Digits, SamplePhotos
from synthreal.errors import ConfigError, DatasetError
from synthreal.generators import Glyphs, Painted, StoredImages
from synthreal.samplers import geodesic_distance, quaternions
from tests.modules.gmcml_parts import Codes, Colours, data, gmcml, trainer


def batches(made):
    """All batches of the next epoch."""
    found = []
    for draws in made.sampler:
        made.sampler.trained += 1
        found.append(made.training_batch(draws))
    return found


def test_sets_are_of_a_class_and_two_others_and_of_near_and_far_poses():
    made = data()
    made.setup("fit")
    for batch in batches(made):
        assert batch["role"].tolist() == list(range(5)) * 4
        label = batch["label"].view(-1, 5)
        viewpoint = torch.zeros(20, 3)
        viewpoint[:, 0] = batch["parameters"][:, 1]
        pose = quaternions(viewpoint).view(-1, 5, 4)
        assert (label[:, :3] == label[:, :1]).all() and (label[:, 3:] != label[:, :1]).all()
        near, far = (geodesic_distance(pose[:, 0], pose[:, k]) for k in (1, 2))
        assert (near < 15).all() and (far >= 45).all()


def test_images_come_with_their_foregrounds():
    made = data()
    made.setup("fit")
    for batch in batches(made):
        assert torch.equal(batch["semantic"].argmax(1)[:, 0, 0], batch["label"])


class Noisy(nn.Module):
    def forward(self, image):
        return image + torch.rand_like(image)


def test_images_alone_are_transformed_each_time_anew_and_again_the_same():
    plain, noisy = data(), data(synthetic_transform=[Noisy()])
    for made in (plain, noisy):
        made.setup("fit")
    found = []
    for before, after in zip(batches(plain), batches(noisy), strict=True):
        assert torch.equal(before["semantic"], after["semantic"])
        found.append(after["image"] - before["image"])
        assert 0.4 < found[-1].mean() < 0.6  # of 240 uniform numbers and more
    assert not torch.equal(found[0], found[1])
    torch.manual_seed(7)
    noisy.sampler.resume(0, 1)
    again = batches(noisy)[0]["image"]
    assert torch.equal(again, batches_of(plain, 0)[1]["image"] + found[1])
    assert not torch.equal(batches_of(noisy, 1)[1]["image"] - batches_of(plain, 1)[1]["image"], found[1])


def batches_of(made, epoch):
    """All batches of an epoch."""
    made.sampler.resume(epoch, 0)
    return batches(made)


def test_a_transform_that_leaves_the_foreground_behind_is_refused():
    with pytest.raises(ConfigError, match="synthetic_transform must keep the images' shape"):
        data(synthetic_transform=[nn.AvgPool2d(2)]).setup("fit")


def test_phases_follow_each_other():
    made = data(Phase(Codes(poses=6), 60, epochs=2), Phase(Codes(), 60, sets=False), steps_per_epoch=2)
    made.setup("fit")
    kinds = [["role" in batch for batch in batches(made)] for _ in range(4)]
    assert kinds == [[True, True], [True, True], [False, False], [False, False]]


def test_the_fixed_set_has_its_size_and_depends_on_the_seed():
    one, same, other = data(), data(), data(seed=4)
    for made in (one, same, other):
        made.setup("fit")
    assert len(one.draws(0)["bucket"]) == 300
    assert torch.equal(one.draws(0)["seed"], same.draws(0)["seed"])
    assert not torch.equal(one.draws(0)["seed"], other.draws(0)["seed"])


def test_two_ranks_together_draw_what_one_does():
    alone, ranks = data(), [data(), data()]
    alone.setup("fit")
    for rank, made in enumerate(ranks):
        made.trainer = type("Two", (), {"global_rank": rank, "world_size": 2})()
        made.setup("fit")
    for whole, *parts in zip(alone.sampler, *(made.sampler for made in ranks), strict=True):
        sets = [part["seed"].view(-1, 5) for part in parts]
        assert torch.equal(torch.stack(sets, 1).flatten(0, 1), whole["seed"].view(-1, 5))


def test_the_gallery_is_of_the_last_phase():
    made = data(Phase(Codes(poses=6), 60), Phase(Codes(), 80, sets=False))
    gallery = made.gallery
    assert len(gallery) == 50
    assert len(set(gallery.draws["seed"].tolist())) == 50
    assert set(gallery.draws["seed"].tolist()) <= set(made.draws(1)["seed"].tolist())
    assert len(data(Phase(Codes(), 30)).gallery) == 30


def test_a_preview_shows_every_phase_and_the_foregrounds():
    made = data(Phase(Codes(poses=6), 60), Phase(Codes(), 80, sets=False))
    made.setup("fit")
    batch = made.preview(100)
    assert len(batch["label"]) == 100
    assert batch["semantic"].shape == batch["image"].shape


def test_a_preview_shows_something_of_every_phase_however_small():
    made = data(Phase(Codes(poses=6), 60), Phase(Codes(), 80, sets=False))
    made.setup("fit")
    assert len(made.preview(1)["label"]) == 2


def test_a_preview_of_phases_with_other_parameters():
    plain, photographed = Painted(Glyphs(16)), Painted(Glyphs(16), SamplePhotos(["china"], 32))
    made = data(Phase(plain, 60), Phase(photographed, 60))
    made.setup("fit")
    image = made.preview(40)["image"]
    assert len(image) == 40
    dark = (image < 0.2).float().mean((1, 2, 3))
    assert dark[::2].mean() > dark[1::2].mean() + 0.2, "the phases do not take turns"


def test_digits_on_photos_are_triplets_by_their_rotation():
    generator = Painted(Glyphs(16), SamplePhotos(["china"], 32))
    made = data(Phase(generator, 400))
    made.setup("fit")
    batch = batches(made)[0]
    turn = batch["viewpoint"][:, 2].view(-1, 5)
    assert (batch["viewpoint"][:, :2] == 0).all()
    assert ((turn[:, 0] - turn[:, 1]).abs() < (turn[:, 0] - turn[:, 2]).abs()).all()


def test_fingerprints_are_of_what_is_trained_and_scored():
    made = data(Phase(Codes(), 60), Phase(Codes(), 80, sets=False), validation=Codes())
    made.setup("fit")
    assert made.fingerprint().keys() == {"phase 1", "phase 2", "validation"}
    tested = data(tests={"codes": Codes(), "real": Colours()})
    tested.setup("test")
    assert tested.fingerprint().keys() == {"test/codes", "test/real"}
    made.tests = {"validation": Codes()}
    made.setup("test")
    assert made.fingerprint().keys() == {"phase 1", "phase 2", "test/validation"}


def test_predictions_are_of_every_test_image(tmp_path):
    run = trainer(callbacks=[Predictions()], logger=CSVLogger(tmp_path))
    run.test(gmcml(), datamodule=data(tests={"codes": Codes(), "real": Colours()}), verbose=False)
    (table,) = tmp_path.rglob("predictions.csv")
    rows = np.loadtxt(table, delimiter=",", dtype=str, skiprows=1)
    assert sorted(zip(*np.unique(rows[:, 0], return_counts=True), strict=True)) == [("codes", 60), ("real", 30)]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"batch_size": 12}, "batch_size is a multiple of 5"),
        ({"batch_size": 0}, "batch_size is a multiple of 5"),
        ({"gallery_size": 0}, "gallery_size is at least 1"),
    ],
)
def test_bad_numbers_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        data(**settings)


def test_other_classes_are_refused():
    with pytest.raises(ConfigError, match="The classes of the test set 'digits' are not those of the first phase"):
        data(tests={"digits": Glyphs(16)}).setup("fit")


def test_generators_without_foregrounds_are_refused():
    with pytest.raises(ConfigError, match="Phase 1: Codes makes no foreground"):
        data(Phase(Codes(foreground=False), 60)).setup("fit")


def test_a_phase_without_a_size_is_refused():
    with pytest.raises(ConfigError, match="Phase 1 needs a size"):
        data(Phase(Codes())).setup("fit")


@pytest.mark.parametrize(("generator", "size"), [(Codes(), -1), (StoredImages(Digits(8), "test"), -1)])
def test_a_phase_of_a_negative_size_is_refused(generator, size):
    with pytest.raises(ConfigError, match="at least 0, not -1"):
        data(Phase(generator, size, sets=False)).draws(0)


def test_a_test_without_test_sets_is_refused():
    with pytest.raises(ConfigError, match="nothing to test on: set tests"):
        data().setup("test")


def test_sets_without_viewpoints_are_refused():
    class Seen(Codes):
        def __init__(self):
            super().__init__()
            self.space.columns = ("class", "colour")

    with pytest.raises(ConfigError, match="does not say from where an object is seen"):
        data(Phase(Seen(), 60)).setup("fit")


def test_a_class_with_one_instance_is_refused():
    made = data(Phase(Codes(), 3))
    with pytest.raises(DatasetError, match=r"one sample|one instance|positive"):
        made.setup("fit")


def test_no_phase_at_all_is_refused():
    with pytest.raises(ConfigError, match="at least one phase"):
        ForegroundDataModule([])
