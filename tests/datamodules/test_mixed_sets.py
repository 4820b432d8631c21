"""Which images mixed data train, validate and test on: parts, leaks, files, fingerprints."""

from pathlib import Path

import pytest
import torch

from synthreal.errors import DatasetError
from synthreal.samplers import even_draws
from tests.datamodules.mixed_parts import (
    FIRST,
    PhotoFiles,
    Photos,
    Stripes,
    Tiny,
    make,
    numbers,
    ready,
    scored,
    trainer,
)


def test_validation_comes_from_the_training_images_or_from_its_own_set():
    data = ready(validation_per_class=2, real_per_class=3)
    held_out, train = numbers(data.sets["validation"].held.images), numbers(data.train_images.images)
    assert (len(held_out), len(train)) == (6, 9)
    assert set(held_out).isdisjoint(train)
    assert set(held_out) | set(train) <= set(range(18))

    own = ready(Photos(validation=6))
    assert numbers(own.sets["validation"].held.images) == list(range(100, 106))
    assert len(own.train_images) == 18
    asked = ready(Photos(validation=6), validation_per_class=1)
    assert set(numbers(asked.sets["validation"].held.images)) <= set(range(18))

    assert ready().val_dataloader() == []


def test_folds_share_no_image_and_fewer_are_some_of_more():
    folds = [numbers(ready(folds=3, fold=fold, validation_per_class=1).train_images.images) for fold in range(3)]
    held_out = [
        numbers(ready(folds=3, fold=f, validation_per_class=1).sets["validation"].held.images) for f in range(3)
    ]
    assert sorted(number for part in folds + held_out for number in part) == list(range(18))
    subsets = [set(numbers(ready(real_per_class=count).train_images.images)) for count in (1, 2, 5, 6)]
    assert [len(part) for part in subsets] == [3, 6, 15, 18]
    assert subsets[0] < subsets[1] < subsets[2] < subsets[3]


class Leaky(Photos):
    """Test image 200 is training image 4, 201 is validation image 101."""

    def load(self, split):
        images = super().load(split)
        if split == "test":
            images.images[0] = super().load("train").images[4]
            images.images[1] = super().load("validation").images[1]
        return images


def test_leaks_stop_or_are_dropped_from_training_and_validation():
    with pytest.raises(DatasetError, match="1 of 18 images"):
        ready(Leaky(validation=6))
    with pytest.warns(UserWarning, match="they are dropped") as told:
        data = ready(Leaky(validation=6), overlap="drop")
    assert [str(warning.message)[:10] for warning in told] == ["1 of 18 im", "1 of 6 ima"]
    assert numbers(data.train_images.images) == [i for i in range(18) if i != 4]
    assert numbers(data.sets["validation"].held.images) == [100, 102, 103, 104, 105]
    # the test set stays whole
    data.setup("test")
    assert len(data.sets["real"]) == 11


class LeakyFiles(PhotoFiles):
    """One test file is a copy of a training file."""

    def load(self, split):
        files = super().load(split)
        if split == "test":
            files.paths[2].write_bytes(Path("train_7.png").read_bytes())
        return files


def test_a_copied_file_is_found():
    colours = Stripes(channels=3)
    with pytest.raises(DatasetError, match=r"1 of 18 images .*'bee'"):
        ready(LeakyFiles(), colours)
    with pytest.warns(UserWarning, match="1 of 18"):
        data = ready(LeakyFiles(), colours, overlap="drop")
    assert {path.name for path in data.train_images.paths} == {f"train_{i}.png" for i in range(18) if i != 7}


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("ratio", [(1, 1), (0, 1), (1, 0)])
def test_files_are_read_by_the_loader(ratio, workers):
    settings = {"ratio": ratio, "steps_per_epoch": 3, "validation_per_class": 2}
    model = Tiny()
    trainer(max_epochs=1).fit(
        model, datamodule=make(PhotoFiles(), Stripes(channels=3), num_workers=workers, **settings)
    )
    data = ready(PhotoFiles(), Stripes(channels=3), **settings)
    memory = data.train_images.load()
    for draws, image in zip(data.sampler, model.trained.values(), strict=True):
        made = Stripes(channels=3).generate(draws, torch.device("cpu"))["image"]
        assert torch.equal(image, torch.cat([memory.images[draws["real"]] / 255, made]))
    assert torch.equal(torch.cat(model.validated), data.sets["validation"].held.load().images / 255)


def test_every_test_set_is_scored_by_its_name():
    tests = {
        "zebra": Photos(test=5, first={"test": 50}),
        "all": Stripes(),
        "few": Stripes(held=even_draws(Stripes().space, 7, [1])),
    }
    data = make(tests=tests, test_size=9, eval_batch_size=4)
    sets = scored(data)
    assert list(sets) == list(data.test_dataloader()) == ["real", "zebra", "all", "few"]
    assert {name: len(held["label"]) for name, held in sets.items()} == {"real": 11, "zebra": 5, "all": 9, "few": 7}
    for held in sets.values():
        assert held["index"].tolist() == list(range(len(held["label"])))
    assert numbers(sets["real"]["image"]) == list(range(200, 211))
    assert numbers(sets["zebra"]["image"]) == list(range(50, 55))
    few = tests["few"].generate(tests["few"].held, torch.device("cpu"))
    assert torch.equal(sets["few"]["image"], few["image"])


def test_test_samples_are_the_same_for_every_seed():
    sets = [
        scored(make(tests={"synthetic": Stripes()}, test_size=20, seed=seed, ratio=(1, seed))) for seed in (1, 3, 7)
    ]
    for other in sets[1:]:
        for name in ("real", "synthetic"):
            assert torch.equal(other[name]["image"], sets[0][name]["image"])


def test_prediction_has_the_real_test_set_alone():
    data = ready(stage="predict", tests={"synthetic": Stripes()})
    assert torch.cat([draws["real"] for draws in data.predict_dataloader()]).tolist() == list(range(11))


def prints(stage="fit", **settings):
    return ready(stage=stage, **settings).fingerprint()


def test_fingerprints_say_what_was_trained_and_scored_on():
    first = prints(synthetic_size=50, validation_per_class=1)
    assert list(first) == ["validation", "train", "synthetic"]
    assert first == prints(synthetic_size=50, validation_per_class=1, batch_size=4, steps_per_epoch=2)
    assert list(prints()) == ["train"]

    def different(**settings):
        """Names of what another setting changes."""
        other = prints(**{"synthetic_size": 50, "validation_per_class": 1, **settings})
        return {name for name in first if first[name] != other[name]}

    assert different(synthetic_size=51) == {"synthetic"}
    assert different(real_per_class=3) == {"train"}
    assert different(seed=4) == {"validation", "train", "synthetic"}
    assert different(dataset=Photos(first={**FIRST, "test": 230})) == set()
    assert different(dataset=Photos(first={**FIRST, "train": 40})) == {"validation", "train"}
    held = even_draws(Stripes().space, 50, [1])
    stored = [
        prints(generator=Stripes(held={**held, "seed": held["seed"] + (torch.arange(50) == i)})) for i in (0, 2, 50)
    ]
    assert len({held["synthetic"] for held in stored}) == 3  # image 2 is none of the 32 that are looked at


def test_test_sets_have_fingerprints_of_their_own():
    settings = {"tests": {"synthetic": Stripes(), "train": Photos(test=4)}, "test_size": 9}
    data = make(**settings, synthetic_size=20)
    data.setup("fit")
    trained = data.fingerprint()
    data.setup("test")
    both = data.fingerprint()
    assert list(both) == ["test/real", "test/synthetic", "test/train", "train", "synthetic"]
    assert {name: both[name] for name in trained} == trained
    assert len(set(both.values())) == 5
    alone = prints("test", **settings)
    assert alone == {name: value for name, value in both.items() if name.startswith("test/")}
    assert prints("test", **{**settings, "test_size": 8})["test/synthetic"] != alone["test/synthetic"]
