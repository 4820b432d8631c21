"""Two sets of synthetic images are told apart without keeping them."""

import hashlib

import numpy as np
import pytest
import torch

from synthreal.batch import synthetic_batch
from synthreal.generators import ImageGenerator
from synthreal.generators.fingerprint import digest, fingerprint
from synthreal.samplers import even_draws
from synthreal.spaces import Categorical, Continuous, Product


class Grey(ImageGenerator):
    """One grey value out of the parameter and the seed."""

    num_classes = 2

    def __init__(self, gain=1.0, classes=("ant", "bee"), axis="grey", width=3):
        self.gain, self.width = gain, width
        self.space = Product([Categorical("class", classes), Continuous(axis, 0, 0.5)])

    def generate(self, draws, device):
        value = draws["parameters"][:, 1] * self.gain + (draws["seed"] % 100) / 200
        image = value.to(device)[:, None, None, None].expand(-1, 1, 2, self.width)
        return synthetic_batch(image, draws["parameters"][:, 0].long(), draws)


DRAWS = even_draws(Grey().space, 50, [1])


def changed(key, row):
    """The same draws but for one number."""
    table = DRAWS[key].clone()
    table[row] = 1 - table[row] if key == "bucket" else table[row] + 1
    return {**DRAWS, key: table}


def test_both_hashes_are_what_they_are_said_to_be():
    draws = {key: table[:3] for key, table in DRAWS.items()}
    made = fingerprint(Grey(), draws)
    parameters = hashlib.sha256(repr((("class", "grey"), ("ant", "bee"))).encode())
    for key, kind in (("bucket", "<i8"), ("parameters", "<f4"), ("seed", "<i8")):
        parameters.update(draws[key].numpy().astype(kind).tobytes())
    assert made["draws"] == parameters.hexdigest()
    grey = draws["parameters"][:, 1] + (draws["seed"] % 100) / 200
    pixels = np.repeat((grey * 255).round().numpy().astype(np.uint8), 6)
    assert made["images"] == hashlib.sha256(repr((3, 1, 2, 3)).encode() + pixels.tobytes()).hexdigest()
    assert digest(Grey(), draws) == hashlib.sha256((made["draws"] + made["images"]).encode()).hexdigest()


def test_nothing_else_changes_them():
    before = fingerprint(Grey(), DRAWS)
    torch.manual_seed(5)
    strided = {**DRAWS, "parameters": DRAWS["parameters"].t().contiguous().t()}
    numbered = {**DRAWS, "index": torch.arange(50)}
    assert before == fingerprint(Grey(), DRAWS) == fingerprint(Grey(), strided) == fingerprint(Grey(), numbered)
    assert before == fingerprint(Grey(gain=1 + 1e-6), DRAWS)  # less than a step of 8 bits


@pytest.mark.parametrize("key", ["bucket", "parameters", "seed"])
@pytest.mark.parametrize("row", [0, 2, 49])
def test_one_draw_changes_the_hash_of_all_draws(key, row):
    assert fingerprint(Grey(), changed(key, row))["draws"] != fingerprint(Grey(), DRAWS)["draws"]
    assert digest(Grey(), changed(key, row)) != digest(Grey(), DRAWS)


def test_a_draw_that_is_not_looked_at_changes_the_images_of_none():
    # row 2 of 50 is not one of the 32
    assert fingerprint(Grey(), changed("seed", 2))["images"] == fingerprint(Grey(), DRAWS)["images"]


@pytest.mark.parametrize("row", [0, 49])
def test_the_images_reach_from_the_first_to_the_last(row):
    assert fingerprint(Grey(), changed("seed", row))["images"] != fingerprint(Grey(), DRAWS)["images"]


def test_a_smaller_set_is_looked_at_whole():
    few = {key: table[:32] for key, table in DRAWS.items()}
    seen = {fingerprint(Grey(), few)["images"]}
    for row in range(32):
        seed = few["seed"].clone()
        seed[row] += 1
        seen.add(fingerprint(Grey(), {**few, "seed": seed})["images"])
    assert len(seen) == 33


def test_another_generator_changes_what_it_should():
    before = fingerprint(Grey(), DRAWS)
    brighter, wider = fingerprint(Grey(gain=1.1), DRAWS), fingerprint(Grey(width=4), DRAWS)
    assert before["draws"] == brighter["draws"] == wider["draws"]
    assert len({before["images"], brighter["images"], wider["images"]}) == 3
    for renamed in (Grey(classes=("ant", "cow")), Grey(axis="blue")):
        assert fingerprint(renamed, DRAWS)["draws"] != before["draws"]
        assert digest(renamed, DRAWS) != digest(Grey(), DRAWS)


def test_another_size_is_another_set():
    sizes = {digest(Grey(), {key: table[:count] for key, table in DRAWS.items()}) for count in (0, 1, 2, 49, 50)}
    assert len(sizes) == 5
