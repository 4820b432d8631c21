"""Random transforms of batches that are a pure function of their key."""

import itertools

import kornia.augmentation as K
import numpy as np
import pytest
import torch
from torch import nn

from synthreal.datamodules.transforms import transform

CROP = K.RandomCrop((8, 8), padding=2)
STEPS = {
    "flip": [K.RandomHorizontalFlip()],
    "crop": [CROP],
    "affine": [K.RandomAffine(30.0, translate=(0.2, 0.2), p=1.0)],
    "colour": [K.ColorJitter(0.3, 0.3, 0.3, 0.1, p=1.0)],
    "noise": [K.RandomGaussianNoise(std=0.1, p=0.5)],
    "several": [K.RandomHorizontalFlip(), CROP, K.RandomErasing(p=0.5)],
    "one of several": [K.ImageSequential(K.RandomRotation(20.0), K.RandomGrayscale(p=1.0), random_apply=1)],
}
DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU"))]


def images(count=32, device="cpu"):
    return torch.rand(count, 3, 8, 8, generator=torch.Generator().manual_seed(0)).to(device)


def copies(count=32):
    """One image many times."""
    return images(1).expand(count, -1, -1, -1).clone()


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("steps", STEPS.values(), ids=STEPS)
def test_random_numbers_are_those_of_the_key(steps, device):
    first = transform(images(device=device), steps, [1, 2])
    torch.manual_seed(77)
    transform(images(5, device), steps, [4])  # whatever was drawn before
    assert torch.equal(transform(images(device=device), steps, [1, 2]), first)
    assert not all(torch.equal(transform(images(device=device), steps, [1, key]), first) for key in range(3, 9))
    assert not torch.equal(first, images(device=device))


@pytest.mark.parametrize("position", range(5))
def test_every_number_of_the_key_counts(position):
    # seed, domain, epoch, step, rank
    key = [3, 1, 0, 0, 0]
    other = [number + (i == position) for i, number in enumerate(key)]
    assert not torch.equal(transform(images(), STEPS["affine"], key), transform(images(), STEPS["affine"], other))


def test_no_two_of_many_keys_agree():
    keys = itertools.product(range(3), repeat=5)
    made = {transform(images(1), STEPS["affine"], key).numpy().tobytes() for key in keys}
    assert len(made) == 3**5


@pytest.mark.parametrize("name", ["crop", "affine", "colour"])
def test_each_image_has_random_numbers_of_its_own(name):
    made = transform(copies(), STEPS[name], [0])
    assert len({image.numpy().tobytes() for image in made}) > 8


def test_a_flip_mirrors_about_half_of_the_images_and_leaves_the_others():
    made, flipped = transform(images(400), STEPS["flip"], [0]), images(400).flip(3)
    mirrored = (made == flipped).flatten(1).all(1)
    assert ((made == images(400)).flatten(1).all(1) ^ mirrored).all()
    assert 150 < int(mirrored.sum()) < 250  # five standard deviations of a fair coin


def states():
    _, keys, position, *_ = np.random.get_state()  # noqa: NPY002 what must stay as it is
    return torch.get_rng_state().tolist(), keys.tolist(), position


@pytest.mark.parametrize("steps", STEPS.values(), ids=STEPS)
def test_global_random_states_stay_as_they_are(steps):
    before = states()
    transform(images(), steps, [1, 2])
    assert states() == before


def test_a_global_random_state_is_restored_after_an_error():
    class Broken(nn.Module):
        def forward(self, image):
            torch.rand(3)
            raise RuntimeError("broken")

    before = states()
    with pytest.raises(RuntimeError, match="broken"):
        transform(images(), [Broken()], [1])
    assert states() == before


def test_other_devices_are_not_seeded(monkeypatch):
    # they would not be restored
    seeded = []
    monkeypatch.setattr(torch.cuda, "manual_seed_all", seeded.append)
    monkeypatch.setattr(torch.cuda, "manual_seed", seeded.append)
    transform(images(), STEPS["crop"], [1])
    assert not seeded


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_the_random_state_of_a_gpu_stays_as_it_is(device):
    class Noise(nn.Module):
        def forward(self, image):
            return image + torch.rand_like(image)

    torch.cuda.manual_seed(5)
    before = torch.cuda.get_rng_state()
    first = transform(images(device=device), [Noise()], [1])
    assert torch.equal(torch.cuda.get_rng_state(), before)
    torch.cuda.manual_seed(6)
    assert torch.equal(transform(images(device=device), [Noise()], [1]), first)


def test_steps_are_applied_in_order():
    halve, add = K.Normalize(0.0, 2.0), nn.Hardtanh(0.25, 1.0)
    image = torch.full((2, 3, 4, 4), 0.3)
    assert transform(image, [halve, add]).unique().tolist() == [0.25]
    assert transform(image, [add, halve], [1]).unique().tolist() == pytest.approx([0.15])


@pytest.mark.parametrize("key", [None, [1]])
def test_without_steps_or_images_nothing_happens(key):
    some, none = images(), images(0)
    assert transform(some, [], key) is some
    assert transform(none, STEPS["several"], key) is none


def test_the_images_handed_in_stay_as_they_are():
    some = images()
    transform(some, STEPS["several"], [1])
    assert torch.equal(some, images())
