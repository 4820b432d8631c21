"""Stored pairs where a generator is asked for: each can be drawn, with its own map, viewpoint and parameters."""

import copy
import pickle

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from lightning.pytorch import Trainer

from synthreal.batch import Domain, select_draws
from synthreal.callbacks import DatasetWriter
from synthreal.datamodules import GeneratedDataModule
from synthreal.datasets import Noise, Pairs, RenderedPairs
from synthreal.errors import ConfigError
from synthreal.generators import Glyphs, Painted, StoredPairs
from synthreal.modules import Passthrough
from synthreal.samplers import even_draws

CPU = torch.device("cpu")
CLASSES = ("ant", "bee", "cow")
COLUMNS = ("class", "azimuth", "elevation", "tilt", "light strength")


class Held(RenderedPairs):
    """Pairs that differ in every pixel, and how often they were asked for; tilt is 0 for all."""

    classes = CLASSES

    def __init__(self, labels):
        self.labels, self.asked = torch.tensor(labels), []

    def pairs(self, split):
        self.asked.append(split)
        count = len(self.labels)
        stream = torch.Generator().manual_seed(count + 1000 * (split == "test"))
        pixels = torch.randint(0, 256, (count, 6, 4, 5), generator=stream).byte()
        parameters = torch.rand(count, 5, generator=stream) * torch.tensor([0, 360, 40, 0, 1])
        parameters[:, 0] = self.labels
        return Pairs(pixels[:, :3], pixels[:, 3:], self.labels, CLASSES, COLUMNS, parameters)


# every class at least once, in any order
labels_of_three = st.lists(st.integers(0, 2), max_size=20).flatmap(lambda more: st.permutations([0, 1, 2, *more]))


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


@given(labels=labels_of_three)
def test_stored_draws_are_the_data_set_in_its_order(labels):
    data = Held(list(labels))
    generator, pairs = StoredPairs(data, "test"), data.pairs("test")
    stored = generator.stored()
    batch = generator.generate(stored, CPU)
    assert generator.space.columns == COLUMNS
    assert torch.equal(stored["parameters"], pairs.parameters)
    assert stored["bucket"].tolist() == list(labels)
    assert torch.equal(generator.space.assign(stored["parameters"]), stored["bucket"])
    torch.testing.assert_close(batch["image"], pairs.images / 255, atol=1e-7, rtol=0)
    torch.testing.assert_close(batch["semantic"], pairs.semantic / 255, atol=1e-7, rtol=0)
    assert torch.equal(batch["viewpoint"], pairs.parameters[:, 1:4])
    assert torch.equal(batch["parameters"], pairs.parameters)
    assert batch["label"].tolist() == batch["bucket"].tolist() == list(labels)
    assert batch["domain"].tolist() == [Domain.SYNTHETIC] * len(labels)


@given(labels=labels_of_three, seed=st.integers(0, 1000))
def test_other_draws_get_an_image_of_their_class_with_its_own_parameters(labels, seed):
    data = Held(list(labels))
    generator, pairs = StoredPairs(data), data.pairs("train")
    draws = even_draws(generator.space, 9, [seed])
    batch = generator.generate(draws, CPU)
    for i in range(9):
        members = [row for row, label in enumerate(labels) if label == int(draws["bucket"][i])]
        row = members[int(draws["seed"][i]) % len(members)]
        assert torch.equal(batch["image"][i], pairs.images[row] / 255)
        assert torch.equal(batch["semantic"][i], pairs.semantic[row] / 255)
        assert torch.equal(batch["parameters"][i], pairs.parameters[row])
    assert torch.bincount(batch["label"]).tolist() == [3, 3, 3]
    assert torch.equal(batch["label"], batch["parameters"][:, 0].long())


def test_the_space_spans_the_data():
    data = Held([0, 1, 2, 0, 1, 2])
    space, table = StoredPairs(data).space, data.pairs("train").parameters
    assert (space.num_buckets, space.shape) == (3, (3, 1))
    ends = [space.place(torch.zeros(1).long(), torch.full((1, 5), share))[0] for share in (0.0, 1.0)]
    torch.testing.assert_close(ends[0][1:], table.amin(0)[1:])
    torch.testing.assert_close(ends[1][1:], table.amax(0)[1:])
    assert ends[0][3] == ends[1][3] == 0


def test_classes_are_known_before_anything_is_read_and_pairs_are_read_once():
    data = Held([0, 1, 2, 1])
    generator = StoredPairs(data, "test")
    assert (generator.classes, generator.num_classes) == (CLASSES, 3)
    assert data.asked == []
    for _ in range(2):
        stored = generator.stored()
        copy.deepcopy(generator).generate(stored, CPU)
    assert data.asked == ["test"]
    assert same(pickle.loads(pickle.dumps(generator)).generate(stored, CPU), generator.generate(stored, CPU))


def test_what_it_hands_out_is_not_the_data_set_itself():
    generator = StoredPairs(Held([0, 1, 2]))
    before = generator.generate(generator.stored(), CPU)
    for name in ("image", "semantic", "parameters"):
        generator.generate(generator.stored(), CPU)[name].zero_()
    stored = generator.stored()
    stored["parameters"].zero_()
    stored["bucket"].zero_()
    assert same(generator.generate(generator.stored(), CPU), before)


def test_an_image_depends_on_its_own_draw_alone():
    generator = StoredPairs(Held([0, 1, 2] * 5))
    draws = even_draws(generator.space, 20, [3])
    together = generator.generate(draws, CPU)
    for i in (0, 7, 19):
        alone = generator.generate(select_draws(draws, torch.tensor([i])), CPU)
        assert all(torch.equal(alone[key][0], together[key][i]) for key in alone)


def test_a_split_that_there_is_not():
    with pytest.raises(ConfigError, match=r"train, test, but not 'validation'"):
        StoredPairs(Held([0, 1, 2]), "validation")


def test_what_was_written_is_what_was_made(tmp_path):
    made = GeneratedDataModule(Painted(Glyphs(12), Noise(3, 16)), 40, 16, seed=2)
    writer = DatasetWriter(str(tmp_path / "out"), outputs=["semantic"])
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    Trainer(accelerator="cpu", callbacks=[writer], **quiet).predict(
        Passthrough(), datamodule=made, return_predictions=False
    )
    batch = made.make(torch.arange(40))
    found = 0
    for split in ("train", "test"):
        again = StoredPairs(RenderedPairs(str(tmp_path / "out"), split_by="image"), split)
        data = GeneratedDataModule(again, None, 8)
        data.setup("predict")
        held = data.make(torch.arange(data.count))
        # No two digits have the same rotation.
        row = [int((batch["viewpoint"][:, 2] == tilt).nonzero()) for tilt in held["viewpoint"][:, 2]]
        for name in ("image", "semantic"):
            torch.testing.assert_close(held[name], batch[name][row], atol=0.5 / 255 + 1e-6, rtol=0)
        assert held["label"].tolist() == batch["label"][row].tolist()
        shared = [again.space.columns.index(name) for name in made.generator.space.columns]
        assert torch.equal(held["parameters"][:, shared], batch["parameters"][row])
        found += len(row)
    assert found == 40
