"""Real and synthetic images in one batch: exact shares, fixed sets, each domain's own transforms."""

import kornia.augmentation as K
import numpy as np
import pytest
import torch

from synthreal.batch import Domain
from synthreal.samplers import even_draws
from tests.datamodules.mixed_parts import (
    SIDE,
    Noise,
    Photos,
    Plus,
    Stripes,
    Tiny,
    epoch,
    make,
    numbers,
    ready,
    scored,
    trainer,
)


@pytest.mark.parametrize("size", [None, 10])
@pytest.mark.parametrize(("ratio", "real", "steps"), [((1, 1), 4, 5), ((1, 3), 2, 9), ((3, 1), 6, 3)])
def test_every_batch_holds_both_domains_by_the_ratio(ratio, real, steps, size):
    data = ready(ratio=ratio, synthetic_size=size)
    batches = epoch(data)
    assert len(batches) == steps
    for batch in batches:
        assert batch["domain"].tolist() == [Domain.REAL] * real + [Domain.SYNTHETIC] * (8 - real)
    seen = np.bincount([number for batch in batches for number in numbers(batch["image"][:real])], minlength=18)
    assert seen.min() == 1
    assert seen.max() <= 2


def test_each_row_is_what_its_draw_says():
    data = ready()
    draws = next(iter(data.sampler))
    batch = data.assemble(draws, 0)
    made = Stripes().generate(draws, torch.device("cpu"))
    assert torch.equal(batch["image"][:4], data.train_images.images[draws["real"]] / 255)
    assert torch.equal(batch["image"][4:], made["image"])
    assert torch.equal(batch["label"], torch.cat([data.train_images.labels[draws["real"]], made["label"]]))
    assert batch["bucket"].tolist() == [-1] * 4 + draws["bucket"].tolist()
    assert batch["parameters"][:4].isnan().all()
    assert torch.equal(batch["parameters"][4:], draws["parameters"])


@pytest.mark.parametrize(("ratio", "domain"), [((1, 0), Domain.REAL), ((0, 1), Domain.SYNTHETIC)])
def test_one_domain_alone(ratio, domain):
    data = ready(ratio=ratio, steps_per_epoch=2, real_per_class=0 if domain else None)
    assert data.preview(16)["domain"].tolist() == [domain] * 16


@pytest.mark.parametrize(("size", "real_per_class"), [(0, None), (10, 0), (10, None)])
def test_an_epoch_of_shuffled_sets_holds_each_image_once(size, real_per_class):
    data = ready(ratio=None, synthetic_size=size, real_per_class=real_per_class, batch_size=2)
    data.train_dataloader()  # makes the fixed set
    batches = epoch(data)
    domain = [d for batch in batches for d in batch["domain"].tolist()]
    real = 18 if real_per_class is None else 0
    assert (domain.count(Domain.REAL), domain.count(Domain.SYNTHETIC)) == (real, size)
    images = torch.cat([batch["image"] for batch in batches]).flatten(1)
    assert len(images.unique(dim=0)) == real + size


def test_a_fixed_set_is_made_once_in_eight_bits():
    generator = Stripes()
    data = make(generator=generator, synthetic_size=10, ratio=(0, 1), steps_per_epoch=5)
    trainer(max_epochs=2).fit(model := Tiny(), datamodule=data)
    assert generator.made == 12  # two to look at shapes
    seen = torch.cat(list(model.trained.values()))
    assert torch.equal(seen * 255, (seen * 255).round())
    whole = generator.generate(data.fixed_set, torch.device("cpu"))["image"]
    distance = (seen[:, None] - whole).abs().amax((2, 3, 4))
    assert (distance.min(1).values <= 0.5 / 255 + 1e-6).all()
    assert torch.bincount(distance.argmin(1)).tolist() == [8] * 10


def test_a_fixed_set_too_large_to_keep_is_made_when_it_is_drawn(monkeypatch):
    monkeypatch.setattr("synthreal.datamodules.fixed._MOST_BYTES", 10 * SIDE**2 - 1)
    generator = Stripes()
    trainer(max_steps=5).fit(Tiny(), datamodule=make(generator=generator, synthetic_size=10, ratio=(0, 1)))
    assert generator.made == 2 + 5 * 8


def test_what_is_stored_is_the_fixed_set_or_some_of_it():
    held = even_draws(Stripes().space, 30, [1])
    assert torch.equal(ready(generator=Stripes(held=held)).fixed_set["seed"], held["seed"])
    chosen = [
        set(ready(generator=Stripes(held=held), synthetic_size=k).fixed_set["seed"].tolist()) for k in (5, 20, 30)
    ]
    assert [len(part) for part in chosen] == [5, 20, 30]
    assert chosen[0] < chosen[1] < chosen[2] == set(held["seed"].tolist())
    other = ready(generator=Stripes(held=held), synthetic_size=5, seed=4).fixed_set["seed"]
    assert set(other.tolist()) != chosen[0]


def test_each_domain_has_its_own_transforms_and_evaluation_too():
    settings = {
        "real_transform": [Plus(2)],
        "synthetic_transform": [Plus(4)],
        "evaluation_transform": [Plus(6), Plus(2)],
    }
    data = make(
        **settings, validation_per_class=2, tests={"synthetic": Stripes(), "other": Photos(test=4)}, test_size=6
    )
    model = Tiny()
    trainer(max_epochs=1).fit(model, datamodule=data)
    for batch in model.trained.values():
        assert batch.amin((1, 2, 3)).int().tolist() == [2] * 4 + [4] * 4
    assert torch.cat(model.validated).amin((1, 2, 3)).int().tolist() == [8] * 6
    least = {name: int(held["image"].min()) for name, held in scored(data).items()}
    assert least == {"real": 8, "synthetic": 8, "other": 8}
    # what people look at is as it was
    assert float(data.test_images("real", torch.tensor([0])).max()) <= 1


def test_random_numbers_are_those_of_seed_domain_epoch_step_and_rank():
    def noise(seed=3, epoch=0, step=0, rank=0):
        """Random numbers of the first real and of the first synthetic image of a batch."""
        data = ready(ratio=(1, 1), real_transform=[Noise()], synthetic_transform=[Noise()], seed=seed)
        data.sampler.resume(epoch, 0)
        data.trainer = type("Ranks", (), {"global_rank": rank, "world_size": 2})()
        image = data.assemble(next(iter(data.sampler)), step)["image"]
        return [image[0].numpy().tobytes(), image[4].numpy().tobytes()]

    cases = [{}, {"seed": 4}, {"epoch": 1}, {"step": 1}, {"rank": 1}]
    made = [noise(**case) for case in cases]
    torch.manual_seed(8)
    assert made == [noise(**case) for case in cases]
    assert len({numbers for pair in made for numbers in pair}) == 10


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("ratio", [(1, 3), None])
def test_preview_is_what_training_sees(ratio, workers):
    settings = {"ratio": ratio, "synthetic_size": None if ratio else 10, "steps_per_epoch": 3}
    settings |= {"real_transform": [K.RandomAffine(30.0, p=1.0)], "synthetic_transform": [K.RandomHorizontalFlip()]}
    model = Tiny()
    trainer(max_epochs=1).fit(model, datamodule=make(**settings, num_workers=workers))
    seen, shown = torch.cat(list(model.trained.values())), ready(**settings).preview(20)
    assert torch.allclose(shown["image"], seen, atol=0.5 / 255 + 1e-6)
    if ratio:
        assert torch.equal(shown["image"], seen)
    # shown again, it is the same
    data = ready(**settings)
    assert torch.equal(data.preview(20)["image"], data.preview(20)["image"])
