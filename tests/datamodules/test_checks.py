"""What is wrong with a set that is scored shows before the training: images of it are made in `setup` for fit."""

import kornia.augmentation as K
import pytest
import torch
from torch import nn

from synthreal.batch import LabelledImages
from synthreal.datamodules import UnpairedDataModule
from synthreal.datamodules.checks import check_image
from synthreal.datamodules.evaluation import GeneratedSet, RealSet
from synthreal.datamodules.foreground import Phase
from synthreal.datasets import SamplePhotos
from synthreal.datasets.files import LabelledFiles
from synthreal.datasets.pictures import Photos as Pictures
from synthreal.errors import ConfigError, DatasetNotFoundError
from synthreal.generators import Augment, Glyphs, Painted, StoredImages
from tests.datamodules.mixed_parts import Noise, PhotoFiles, Photos, Stripes, ready
from tests.modules.gmcml_parts import Codes, Colours
from tests.modules.gmcml_parts import data as foregrounds

NAMES = ("0", "1", "2")


class Numbered(Photos):
    """The same images, of classes that `Augment` names alike."""

    classes = NAMES


class Large(Colours):
    """Real images of twice the side."""

    def load(self, split):
        images = super().load(split)
        return LabelledImages(images.images.repeat(1, 1, 2, 2), images.labels, images.classes)


class Nothing(Photos):
    """A test set without an image."""

    def load(self, split):
        return super().load(split).select(torch.arange(0))


class Gone(Photos):
    """Has no files."""

    def load(self, split):
        raise DatasetNotFoundError("Gone", f"nowhere/{split}", "Set root.")


class Counted(Photos):
    """Counts how often it is read."""

    def __init__(self, **settings):
        super().__init__(**settings)
        self.read = []

    def load(self, split):
        self.read.append(split)
        return super().load(split)


CROPPED = {"real_transform": [K.CenterCrop(5)], "synthetic_transform": [K.CenterCrop(5)]}


@pytest.mark.parametrize("augment", [Augment(num_classes=3), Painted(Augment(num_classes=3))])
def test_a_generator_that_needs_real_images_is_refused_before_the_training(augment):
    with pytest.raises(ConfigError, match=r"the test set 'turned' needs real images.*`predict`.*folder"):
        ready(Numbered(), Stripes(NAMES), tests={"turned": augment})


def test_a_generator_that_has_its_real_images_is_tested_on():
    augment = Augment(num_classes=3)
    bound = Augment(num_classes=3)
    bound.bind(Numbered().load("train"))
    data = ready(Numbered(), augment, tests={"bound": bound, "training": augment})
    data.setup("test")
    assert list(data.sets) == ["real", "bound", "training"]


@pytest.mark.parametrize(
    ("tests", "name"), [({"fine": Stripes(), "coloured": Stripes(channels=3)}, "coloured"), ({"x": PhotoFiles()}, "x")]
)
def test_a_test_set_of_other_channels_is_refused_before_the_training(tests, name):
    expected = rf"the test set '{name}' are \[3, 8, 8\] .* training \[1, 8, 8\].*evaluation_transform"
    with pytest.raises(ConfigError, match=expected):
        ready(tests=tests)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"tests": {"small": Stripes(side=5)}}, r"'small' are \[1, 5, 5\] .* training \[1, 8, 8\]"),
        ({"tests": {"photos": Photos(side=16)}}, r"'photos' are \[1, 16, 16\]"),
        ({"generator": Stripes(side=5), "ratio": (0, 1), "steps_per_epoch": 2}, r"'real' are \[1, 8, 8\] .*1, 5, 5"),
    ],
)
def test_a_test_set_of_another_size_is_warned_of_before_the_training(settings, expected):
    with pytest.warns(UserWarning, match=rf"the test set {expected}.*evaluation_transform.* one size alone"):
        ready(**settings)
    assert len(ready(**settings, evaluation_transform=[K.CenterCrop(5)], **CROPPED).sampler)


@pytest.mark.parametrize("source", [Gone(), StoredImages(Gone(), "test")])
def test_missing_files_of_a_test_set_are_told_before_the_training(source):
    with pytest.raises(DatasetNotFoundError, match="nowhere"):
        ready(tests={"gone": source})


def test_a_missing_background_is_told_before_the_training():
    with pytest.raises(DatasetNotFoundError, match="nowhere"):
        ready(tests={"gone": Painted(Stripes(), Pictures("nowhere", 16))})


def test_an_empty_test_set_has_nothing_to_look_at():
    assert len(ready(tests={"none": Stripes(side=5), "no photos": Nothing(side=5)}, test_size=0).sampler)


def test_looking_changes_no_random_numbers():
    torch.manual_seed(11)
    before = torch.random.get_rng_state()
    ready(tests={"drawn": Stripes(), "photos": Photos()}, evaluation_transform=[Noise()])
    foregrounds(tests={"codes": Codes()}, validation=Codes(), evaluation_transform=[Noise()]).setup("fit")
    assert torch.equal(torch.random.get_rng_state(), before)


def test_what_was_read_to_be_looked_at_is_tested_on():
    own, other = Counted(), Counted(test=5)
    data = ready(own, tests={"other": other})
    assert (own.read, other.read) == (["train", "test"], ["test"])
    data.setup("test")
    assert other.read == ["test"]
    assert torch.equal(data.sets["other"].held.images, Photos(test=5).load("test").images)
    for times in (2, 3):
        data.setup("fit")
        assert other.read == ["test"] * times  # the files may have changed


def test_a_data_set_of_the_same_name_is_another_one():
    data = ready(tests={"other": Photos(test=5)})
    data.tests = {"other": Photos(test=4)}
    data.setup("test")
    assert len(data.sets["other"]) == 4


def test_one_file_of_those_on_disk_is_read(monkeypatch):
    read = []
    original = LabelledFiles.read

    def counted(self, index):
        """Notes what is asked for."""
        read.append(len(index))
        return original(self, index)

    monkeypatch.setattr(LabelledFiles, "read", counted)
    ready(PhotoFiles(), Stripes(channels=3), tests={"more": PhotoFiles(test=7)})
    assert read == [1, 1, 1]  # of training, of its test set, of the other one


def test_the_generator_of_a_translation_is_no_further_test_set():
    settings = {"batch_size": 2, "seed": 3, "test_size": 6}
    data = UnpairedDataModule(Numbered(), Augment(num_classes=3), **settings)
    data.setup("fit")
    data.setup("test")
    assert list(data.sets) == ["real", "synthetic"]
    with pytest.raises(ConfigError, match="the test set 'synthetic' needs real images"):
        UnpairedDataModule(Numbered(), Stripes(NAMES), tests={"synthetic": Augment(num_classes=3)}, **settings).setup(
            "fit"
        )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"tests": {"large": Large()}}, r"the test set 'large' are \[3, 16, 16\] .* training \[3, 8, 8\]"),
        ({"validation": StoredImages(Large(), "test")}, r"the validation set are \[3, 16, 16\]"),
        ({"evaluation_transform": [nn.AvgPool2d(2)], "tests": {"codes": Codes()}}, r"'codes' are \[3, 4, 4\]"),
    ],
)
def test_sets_of_another_size_than_the_foregrounds_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        foregrounds(**settings).setup("fit")


@pytest.mark.parametrize("place", ["tests", "validation"])
def test_missing_photos_behind_test_objects_are_told_before_the_training(place):
    painted, missing = Painted(Glyphs(16), SamplePhotos(["china"], 32)), Painted(Glyphs(16), Pictures("nowhere", 16))
    made = foregrounds(Phase(painted, 100), **{place: {"gone": missing} if place == "tests" else missing})
    with pytest.raises(DatasetNotFoundError, match="nowhere"):
        made.setup("fit")


def test_foregrounds_are_tested_on_after_the_check():
    made = foregrounds(tests={"codes": Codes(), "real": Colours()}, validation=Codes())
    made.setup("fit")
    assert list(made.sets) == ["validation"]
    made.setup("test")
    assert list(made.sets) == ["codes", "real"]


def test_an_image_of_the_right_shape_is_no_mistake():
    check_image(RealSet(Photos().load("test"), ()), "the test set", [1, 8, 8])
    check_image(GeneratedSet(Stripes(), 4, ()), "the test set", [1, 8, 8])


def test_other_mistakes_of_a_generator_are_told_as_they_are():
    with pytest.raises(ConfigError, match="makes images of 3 channels"):
        check_image(GeneratedSet(Painted(Stripes(channels=3)), 4, ()), "the test set 'x'", [3, 8, 8])
