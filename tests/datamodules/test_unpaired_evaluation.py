"""Real and synthetic images of the same classes in validation and test, and the examples of each class."""

import pytest
import torch

from synthreal.batch import Domain
from synthreal.datamodules.splits import split_by_class
from synthreal.errors import ConfigError
from synthreal.generators import Augment, StoredImages
from synthreal.samplers import even_draws
from tests.datamodules.mixed_parts import Noise, Plus, epoch, numbers, trainer
from tests.datamodules.unpaired_parts import CPU, SIDE, PhotoFiles, Photos, Seen, Stripes, joined, make, ready


def test_validation_has_the_held_out_images_and_as_many_synthetic_ones():
    data, model = make(validation_per_class=2, evaluation_transform=[Plus(8)], eval_batch_size=4), Seen()
    trainer(max_epochs=1).fit(model, datamodule=data)
    assert tuple(data.sets) == tuple(data.val_dataloader()) == ("validation", "validation_synthetic")
    real, synthetic = (joined(model.held_out[number]) for number in range(2))
    assert torch.equal(real["label"], synthetic["label"])
    assert real["domain"].tolist() == [Domain.REAL] * 6
    assert synthetic["domain"].tolist() == [Domain.SYNTHETIC] * 6
    assert real["image"].min() >= 8
    assert synthetic["image"].min() >= 8
    assert set(numbers(real["image"] - 8)).isdisjoint(numbers(data.train_images.images))
    again = ready(validation_per_class=2, evaluation_transform=[Plus(8)]).sets["validation_synthetic"]
    assert torch.equal(again.show(torch.arange(6)) + 8, synthetic["image"])


def test_nothing_is_validated_unless_it_is_asked_for():
    data, model = make(Photos(validation=7)), Seen()
    trainer(max_epochs=1).fit(model, datamodule=data)
    assert data.val_dataloader() == []
    assert tuple(data.sets) == ()
    assert model.held_out == {}


def test_nothing_is_validated_if_every_image_for_it_is_in_the_test_set_too():
    class Leaking(Photos):
        """The test set is what is held out."""

        def load(self, split):
            parts = split_by_class(super().load("train"), {"validation": 1, "train": None}, 3)
            return parts["validation"] if split == "test" else super().load(split)

    with pytest.warns(UserWarning, match="3 of 3 images for training or validation are in the test set"):
        data = ready(Leaking(), validation_per_class=1, overlap="drop")
    assert data.val_dataloader() == []
    assert list(data.fingerprint()) == ["train"]


@pytest.mark.parametrize(
    ("tests", "expected"),
    [
        ({}, {"real": 11, "synthetic": 9}),
        ({"other": Photos(test=5)}, {"real": 11, "other": 5, "synthetic": 9}),
        ({"synthetic": Photos(test=5), "few": Stripes()}, {"real": 11, "synthetic": 5, "few": 9}),
        ({"synthetic": StoredImages(Photos(test=7), "test")}, {"real": 11, "synthetic": 7}),
    ],
)
def test_both_domains_are_tested(tests, expected):
    data, model = make(tests=tests, test_size=9, eval_batch_size=4), Seen()
    trainer().test(model, datamodule=data, verbose=False)
    assert tuple(data.sets) == tuple(data.test_dataloader()) == tuple(expected)
    assert [sum(len(batch["label"]) for batch in model.held_out[i]) for i in range(len(expected))] == [
        *expected.values()
    ]
    drawn = joined(model.held_out[list(data.sets).index("synthetic")])
    assert drawn["index"].tolist() == list(range(expected["synthetic"]))
    if tests.get("synthetic") is None:
        whole = Stripes().generate(even_draws(Stripes().space, 9, [0, 30]), CPU)
        assert torch.equal(drawn["image"], whole["image"])


def test_a_generator_that_starts_from_real_images_is_tested_without_training():
    data, fitted = (make(Photos(classes=("0", "1", "2")), Augment(num_classes=3), test_size=6) for _ in range(2))
    fitted.setup("fit")
    images = []
    for each in (data, fitted):
        each.setup("test")
        images.append(each.test_images("synthetic", torch.arange(6)))
    assert torch.equal(*images)
    assert list(data.fingerprint()) == ["test/real", "test/synthetic"]
    data.setup("fit")
    assert len(epoch(data)) == 5


def test_prediction_has_the_real_test_set_alone():
    data = ready(stage="predict")
    assert torch.cat([draws["real"] for draws in data.predict_dataloader()]).tolist() == list(range(11))


@pytest.mark.parametrize(
    ("classes", "pattern", "expected"),
    [
        (3, [0, 1, 2], [4, 4, 4]),
        (3, [0, 0, 0, 1, 1, 0, 2, 0], [4, 4, 3]),  # 30 images: the third class has 3
        (10, range(10), [3] * 10),
        (30, range(30), [1] * 30),
        (40, range(40), [1] * 32 + [0] * 8),
    ],
)
def test_examples_are_a_few_pairs_of_each_class(classes, pattern, expected):
    names = tuple(f"class {i}" for i in range(classes))
    train = 30 if classes == 3 else 120
    photos = Photos(train, pattern=tuple(pattern), classes=names)
    settings = {"real_transform": [Noise()], "synthetic_transform": [Noise()], "evaluation_transform": [Plus(0.5)]}
    data = ready(photos, Stripes(names), **settings)
    batch, half = data.examples, sum(expected)
    assert torch.bincount(batch["label"][:half], minlength=classes).tolist() == expected
    assert torch.equal(batch["label"][:half], batch["label"][half:])
    assert batch["domain"].tolist() == [Domain.REAL] * half + [Domain.SYNTHETIC] * half
    chosen = numbers(batch["image"][:half] - 0.5)
    assert len(set(chosen)) == half
    images = photos.load("train")
    assert torch.equal(batch["image"][:half], images.pixels(torch.tensor(chosen)) + 0.5)
    assert torch.equal(batch["label"][:half], images.labels[chosen])
    draws = {key: batch[key][half:] for key in ("bucket", "parameters")}
    assert torch.equal(Stripes(names).space.assign(draws["parameters"]), draws["bucket"])


def test_examples_do_not_depend_on_where_training_is():
    first = ready().examples
    data = make()
    with pytest.raises(ConfigError, match=r'call setup\("fit"\) first'):
        data.examples  # noqa: B018
    data.setup("fit")
    data.load_state_dict({"epoch": 3, "batch": 2})
    torch.manual_seed(5)
    epoch(data)
    for key, table in first.items():
        assert torch.equal(table.nan_to_num(-1), data.examples[key].nan_to_num(-1))
    data.seed = 4
    data.setup("fit")
    assert not torch.equal(first["image"], data.examples["image"])


def test_examples_of_files():
    data = ready(PhotoFiles(), Stripes(channels=3))
    assert data.examples["image"].shape == (24, 3, SIDE, SIDE)
    assert [number % 3 for number in numbers(data.examples["image"][:12])] == data.examples["label"][:12].tolist()
