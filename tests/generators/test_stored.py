"""Stored images where a generator is asked for: each one can be drawn, and nothing else."""

import copy
from dataclasses import dataclass, field

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from synthreal.batch import Domain, LabelledImages, select_draws
from synthreal.datasets import Digits, ImageDataset, ImageFolder
from synthreal.errors import ConfigError, DatasetError
from synthreal.generators import StoredImages
from synthreal.samplers import even_draws

CPU = torch.device("cpu")
CLASSES = ("ant", "bee", "cow")


@dataclass
class Held(ImageDataset):
    """Images that differ in every pixel, and how often they were asked for."""

    labels: list[int]
    classes: tuple[str, ...] = CLASSES
    asked: list[str] = field(default_factory=list)

    def load(self, split):
        self.asked.append(split)
        pixels = np.random.default_rng([len(self.labels), split == "test"]).integers(
            0, 256, (len(self.labels), 3, 4, 5)
        )
        return LabelledImages(torch.from_numpy(pixels.astype(np.uint8)), torch.tensor(self.labels), self.classes)


# every class at least once, in any order
labels_of_three = st.lists(st.integers(0, 2), max_size=20).flatmap(lambda more: st.permutations([0, 1, 2, *more]))


def draws(label, seed):
    label, seed = torch.as_tensor(label), torch.as_tensor(seed)
    return {"bucket": label, "parameters": label[:, None].float(), "seed": seed}


@given(labels=labels_of_three, seeds=st.lists(st.integers(0, 2**63 - 2), min_size=1, max_size=10))
def test_a_draw_is_its_class_s_image_of_that_number(labels, seeds):
    data = Held(list(labels))
    pixels = data.load("train").images.numpy()
    label = [seed % 3 for seed in seeds]
    batch = StoredImages(data).generate(draws(label, seeds), CPU)
    for i, (own, seed) in enumerate(zip(label, seeds, strict=True)):
        members = np.flatnonzero(np.array(labels) == own)
        np.testing.assert_allclose(batch["image"][i], pixels[members[seed % len(members)]] / 255, atol=1e-7)
    assert batch["label"].tolist() == label


@given(labels=labels_of_three)
def test_stored_draws_are_the_data_set_in_its_order(labels):
    data = Held(list(labels))
    generator = StoredImages(data, "test")
    stored = generator.stored()
    batch = generator.generate(stored, CPU)
    images = data.load("test")
    assert torch.equal(batch["image"], images.pixels(torch.arange(len(images))))
    assert batch["label"].tolist() == list(labels)
    assert torch.equal(generator.space.assign(stored["parameters"]), stored["bucket"])


def test_a_batch_by_hand():
    generator = StoredImages(Held([1, 0, 1, 2, 1]))
    stored = generator.stored()
    assert stored["bucket"].tolist() == [1, 0, 1, 2, 1]
    assert stored["parameters"].tolist() == [[1], [0], [1], [2], [1]]
    assert stored["seed"].tolist() == [0, 0, 1, 0, 2]
    assert (stored["bucket"].dtype, stored["parameters"].dtype, stored["seed"].dtype) == (
        torch.int64,
        torch.float32,
        torch.int64,
    )
    batch = generator.generate(draws([1, 1, 0], [7, 3, 2**62]), CPU)  # 7 mod 3 = 1, 3 mod 3 = 0
    assert torch.equal(batch["image"], generator.images.pixels(torch.tensor([2, 0, 1])))
    assert batch["domain"].tolist() == [Domain.SYNTHETIC] * 3
    assert batch["bucket"].tolist() == [1, 1, 0]
    assert batch["parameters"].tolist() == [[1], [1], [0]]


@pytest.mark.parametrize(("domain", "number"), [("real", Domain.REAL), ("synthetic", Domain.SYNTHETIC)])
def test_images_are_handed_out_as_the_domain_that_is_asked_for(domain, number):
    generator, usual = StoredImages(Held([1, 0, 2]), domain=domain), StoredImages(Held([1, 0, 2]))
    made, other = (each.generate(each.stored(), CPU) for each in (generator, usual))
    assert made["domain"].tolist() == [number] * 3
    assert made["domain"].dtype == torch.int64
    for key in ("image", "label", "bucket", "parameters"):
        assert torch.equal(made[key], other[key])


def test_an_image_depends_on_its_own_draw_alone():
    generator = StoredImages(Digits())
    many = even_draws(generator.space, 50, [0])
    together = generator.generate(many, CPU)["image"]
    for i in (49, 3, 20):
        alone = StoredImages(Digits()).generate(select_draws(many, torch.tensor([i])), CPU)["image"]
        assert torch.equal(alone[0], together[i])


def test_draws_from_the_prior_have_every_class_alike_and_stored_ones_do_not():
    generator = StoredImages(Held([0] * 90 + [1] * 9 + [2]))
    even = generator.generate(even_draws(generator.space, 300, [1]), CPU)["label"]
    assert torch.bincount(even).tolist() == [100, 100, 100]
    assert torch.bincount(generator.stored()["bucket"]).tolist() == [90, 9, 1]


def test_classes_are_known_before_anything_is_read_and_images_are_read_once():
    data = Held([0, 1, 2])
    generator = StoredImages(data, "test")
    assert generator.classes == CLASSES
    assert (generator.num_classes, generator.space.num_buckets, generator.space.columns) == (3, 3, ("class",))
    assert data.asked == []
    for _ in range(2):
        generator.stored()
        copy.deepcopy(generator).generate(draws([0], [0]), CPU)
    assert data.asked == ["test"]


def test_what_it_hands_out_is_not_the_data_set_itself():
    generator = StoredImages(Held([0, 1, 2]))
    before = generator.images.fingerprint()
    generator.generate(generator.stored(), CPU)["image"].zero_()
    stored = generator.stored()
    stored["bucket"].zero_()
    assert generator.images.fingerprint() == before


def test_images_on_disk_are_refused(tmp_path):
    for name in ("ant", "bee"):
        (tmp_path / name).mkdir()
        for i in range(2):
            Image.new("RGB", (4, 4), (90 * i, 0, 0)).save(tmp_path / name / f"{i}.png")
    with pytest.raises(ConfigError, match="set keep to memory"):
        StoredImages(ImageFolder(str(tmp_path), keep="disk")).stored()
    held = StoredImages(ImageFolder(str(tmp_path), side=4))
    assert held.generate(held.stored(), CPU)["image"].shape == (2, 3, 4, 4)


def test_a_class_without_an_image_is_named():
    with pytest.raises(DatasetError, match=r"classes \['bee'\] have no image to hand out"):
        StoredImages(Held([0, 2, 2])).generate(draws([0], [0]), CPU)


def test_a_split_that_there_is_not():
    with pytest.raises(ConfigError, match=r"train, test, but not 'validation'"):
        StoredImages(Digits(), "validation")
