"""The pool of images against the plain loop over images, its statistics, and its way through a checkpoint."""

import copy

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch.optim.swa_utils import AveragedModel

from synthreal.errors import ConfigError
from synthreal.networks import ImagePool

SETTINGS = settings(deadline=None, max_examples=150, database=None, derandomize=True)


class PlainPool:
    """One image after the other, as the paper tells it."""

    def __init__(self, size):
        self.size, self.images = size, []

    def exchange(self, images, slots, swapped):
        out = []
        for image, slot, swap in zip(images, slots, swapped, strict=True):
            if len(self.images) < self.size:
                self.images.append(image)
                out.append(image)
            elif swap:
                out.append(self.images[slot])
                self.images[slot] = image
            else:
                out.append(image)
        return torch.stack(out)


def numbered(start, count):
    """Images that say which they are, in all their pixels."""
    return torch.arange(start, start + count, dtype=torch.float32)[:, None, None, None].expand(-1, 2, 3, 4).clone()


def filled(size=3, batches=4):
    torch.manual_seed(1)
    pool = ImagePool(size)
    for i in range(batches):
        pool(numbered(10 * i, 4))
    return pool


@SETTINGS
@given(st.integers(1, 9), st.lists(st.integers(1, 25), min_size=1, max_size=6), st.integers(0, 10**6))
@example(1, [25, 25], 0)
@example(9, [4, 4, 4], 1)  # full in the middle of a batch
@example(9, [9, 1], 2)
def test_as_the_plain_loop_with_the_same_random_numbers(size, batches, seed):
    random, pool, plain, start = torch.Generator().manual_seed(seed), ImagePool(size), PlainPool(size), 1
    for batch in batches:
        slots = torch.randint(size, (batch,), generator=random)
        swapped = torch.rand(batch, generator=random) < 0.7
        images = numbered(start, batch)
        assert torch.equal(pool.exchange(images, slots, swapped), plain.exchange(images, slots, swapped))
        assert torch.equal(pool.images[: pool.filled], torch.stack(plain.images))
        start += batch


def test_a_batch_gets_back_its_own_images_by_hand():
    pool = ImagePool(2)
    slots, swapped = torch.tensor([1, 1, 0, 0, 1, 0]), torch.tensor([False, True, True, True, False, True])
    # 1 and 2 fill slots 0 and 1 whatever was drawn; 3 fetches 1, 4 fetches 3, 5 stays, 6 fetches 4
    out = pool.exchange(numbered(1, 6), slots, swapped)
    assert out[:, 0, 0, 0].tolist() == [1, 2, 1, 3, 5, 4]
    assert pool.images[:, 0, 0, 0].tolist() == [6, 2]


def test_half_of_the_images_are_exchanged_and_all_slots_alike():
    torch.manual_seed(0)
    size, count = 10, 20_000
    pool = ImagePool(size)
    first = numbered(-size, size)
    assert torch.equal(pool(first), first)
    images = numbered(1, count)
    out = pool(images)
    exchanged = int((out != images).any((1, 2, 3)).sum())
    assert abs(exchanged - count / 2) < 4 * (count / 4) ** 0.5
    # Only the slot says how long an image stayed: each exchange fetches it with probability 1/size.
    swapped = (out != images).any((1, 2, 3))
    ages = (images - out)[swapped][:, 0, 0, 0][out[swapped][:, 0, 0, 0] > 0]
    # geometric: 2 size images on average, with a standard deviation of √((1 - p) / p²)
    p = 1 / (2 * size)
    assert float(ages.mean()) == pytest.approx(1 / p, abs=4 * ((1 - p) / p**2 / len(ages)) ** 0.5)


def test_random_numbers_are_those_of_torch():
    pool = filled()
    other = copy.deepcopy(pool)
    torch.manual_seed(5)
    out = pool(numbered(100, 30))
    torch.manual_seed(5)
    assert torch.equal(other(numbered(100, 30)), out)
    assert not torch.equal(other(numbered(100, 30)), out)


def test_size_0_returns_the_images():
    pool, images = ImagePool(0), numbered(1, 5)
    for _ in range(3):
        assert torch.equal(pool(images), images)
    assert pool.filled == 0


@pytest.mark.parametrize("size", [0, 3])
def test_no_gradient_goes_through_it(size):
    pool = ImagePool(size)
    for _ in range(2):
        assert not pool(numbered(1, 4).requires_grad_() * 2).requires_grad
    assert not pool.images.requires_grad


def test_images_that_change_later_do_not_change_the_pool():
    pool, images = ImagePool(4), numbered(1, 4)
    out = pool(images)
    images.zero_()
    out.zero_()
    assert pool.images[:, 0, 0, 0].tolist() == [1, 2, 3, 4]


@pytest.mark.parametrize("batches", [0, 1, 4])
def test_a_checkpoint_keeps_it_bit_for_bit(batches, tmp_path):
    pool = filled(6, batches)
    torch.save(torch.nn.ModuleDict({"pool": pool}).state_dict(), tmp_path / "pool.ckpt")
    fresh = torch.nn.ModuleDict({"pool": ImagePool(6)})
    fresh.load_state_dict(torch.load(tmp_path / "pool.ckpt", weights_only=True))
    assert fresh["pool"].filled == pool.filled == min(6, 4 * batches)
    assert torch.equal(fresh["pool"].images, pool.images)
    for i in range(3):
        torch.manual_seed(i)
        out = pool(numbered(50 * i, 5))
        torch.manual_seed(i)
        assert torch.equal(fresh["pool"](numbered(50 * i, 5)), out)


def test_what_was_saved_does_not_change_when_training_goes_on():
    pool = filled()
    state = pool.state_dict()
    before = state["_extra_state"]["images"].clone()
    pool(numbered(100, 20))
    assert torch.equal(state["_extra_state"]["images"], before)
    assert not torch.equal(pool.images, before)


@pytest.mark.parametrize("use_buffers", [False, True])
def test_averages_of_models_leave_it_alone(use_buffers):
    network = torch.nn.Sequential(torch.nn.Linear(2, 2), ImagePool(3))
    average = AveragedModel(network, use_buffers=use_buffers)
    for _ in range(3):
        network[1](numbered(1, 4))
        average.update_parameters(network)
    assert average.module[1].filled == 0 and network[1].filled == 3


def test_a_pool_of_another_size_is_refused():
    with pytest.raises(ConfigError, match="stores 3 images"):
        ImagePool(5).load_state_dict(filled(3).state_dict())


def test_images_of_another_size_are_refused():
    with pytest.raises(ConfigError, match=r"holds images of \[2, 3, 4\], so none of \[2, 4, 4\]"):
        filled()(torch.rand(4, 2, 4, 4))


def test_a_negative_size_is_refused():
    with pytest.raises(ConfigError, match="not -1"):
        ImagePool(-1)
