"""Real and synthetic images in one batch: exact shares, no leaks, each domain's own transforms, runs that go on."""

from pathlib import Path

import kornia.augmentation as K
import numpy as np
import pytest
import torch
import yaml
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from PIL import Image
from torch import nn
from torch.nn import functional as F

from synthreal.batch import Domain, LabelledImages, synthetic_batch
from synthreal.cli import main
from synthreal.datamodules import MixedDataModule
from synthreal.datasets import ImageDataset
from synthreal.datasets.files import LabelledFiles
from synthreal.errors import ConfigError, DatasetError
from synthreal.experiment import ExperimentCLI
from synthreal.generators import Augment, ImageGenerator
from synthreal.samplers import even_draws
from synthreal.spaces import Categorical, Continuous, Product

DIGITS = Path(__file__).parents[2] / "experiments" / "mixing" / "digits.yaml"
CLASSES = ("ant", "bee", "cow")
FIRST = {"train": 0, "validation": 100, "test": 200}
SIDE = 8


class Photos(ImageDataset):
    """Noise, classes in turn; the first pixel is the number of the image: 0 on to train, 200 on to test."""

    classes = CLASSES

    def __init__(self, train=18, validation=0, test=11, first=FIRST, side=SIDE):
        self.count = {"train": train, "validation": validation, "test": test}
        self.splits = tuple(split for split, count in self.count.items() if count)
        self.first, self.side = first, side

    def load(self, split):
        number = np.arange(self.count[split]) + self.first[split]
        pixels = np.stack(
            [np.random.default_rng(i).integers(0, 256, (1, self.side, self.side), np.uint8) for i in number]
        )
        pixels[:, 0, 0, 0] = number
        return LabelledImages(torch.from_numpy(pixels), torch.from_numpy(number % 3), self.classes)


class PhotoFiles(Photos):
    """The same images as grey files."""

    def load(self, split):
        images = super().load(split)
        paths = {name: [] for name in CLASSES}
        for pixels, label in zip(images.images, images.labels.tolist(), strict=True):
            path = Path(f"{split}_{int(pixels[0, 0, 0])}.png").resolve()
            if not path.exists():
                Image.fromarray(pixels[0].numpy()).save(path)
            paths[CLASSES[label]].append(path)
        return LabelledFiles.of_classes(paths, self.side)


class Stripes(ImageGenerator):
    """A pattern of the seed below a grey level of the parameters; `held` makes it a finite set."""

    num_classes = 3

    def __init__(self, classes=CLASSES, side=SIDE, channels=1, held=None):
        self.side, self.channels, self.held, self.made = side, channels, held, 0
        self.space = Product([Categorical("class", classes), Continuous("grey", 0.5, 1.0, 4)])

    def stored(self):
        return self.held

    def generate(self, draws, device):
        self.made += len(draws["seed"])
        pattern = (draws["seed"] % 9973)[:, None] * torch.arange(1, self.side**2 + 1) % 97 / 97
        image = (
            (pattern * draws["parameters"][:, 1:]).view(-1, 1, self.side, self.side).expand(-1, self.channels, -1, -1)
        )
        return synthetic_batch(image, draws["parameters"][:, 0].long(), draws)


class Plus(nn.Module):
    """Adds a constant, to be recognised by."""

    def __init__(self, value):
        super().__init__()
        self.value = value

    def forward(self, image):
        return image + self.value


class Noise(nn.Module):
    """Nothing but random numbers."""

    def forward(self, image):
        return torch.rand_like(image)


class Tiny(LightningModule):
    """A linear classifier that remembers what it has seen."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(1)
        self.layer = nn.Linear(SIDE**2, len(CLASSES))
        self.trained, self.validated, self.tested = {}, [], {}

    def training_step(self, batch, batch_idx):
        self.trained[self.trainer.global_step] = batch["image"].clone()
        return F.cross_entropy(self.layer(batch["image"].mean(1).flatten(1)), batch["label"])

    def validation_step(self, batch, batch_idx):
        self.validated.append(batch["image"])

    def test_step(self, batch, batch_idx, dataloader_idx=0):
        self.tested.setdefault(dataloader_idx, []).append(batch)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.5, momentum=0.9)


def make(dataset=None, generator=None, **settings):
    options = {"batch_size": 8, "seed": 3, **settings}
    return MixedDataModule(dataset or Photos(), generator or Stripes(), **options)


def ready(*args, stage="fit", **settings):
    data = make(*args, **settings)
    data.setup(stage)
    return data


def trainer(folder=".", devices=1, callbacks=(), **limits):
    return Trainer(
        default_root_dir=folder,
        accelerator="cpu",
        devices=devices,
        strategy="ddp_fork" if devices > 1 else "auto",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=bool(callbacks),
        use_distributed_sampler=False,
        num_sanity_val_steps=0,
        callbacks=list(callbacks),
        **limits,
    )


def numbers(images):
    """Which of the real images these are."""
    return (images[:, 0, 0, 0] * (255 if images.is_floating_point() else 1)).round().int().tolist()


def epoch(data):
    return [data.assemble(draws, step) for step, draws in enumerate(data.sampler)]


def scored(data, **settings):
    model = Tiny()
    trainer(**settings).test(model, datamodule=data, verbose=False)
    return {
        name: {key: torch.cat([batch[key] for batch in model.tested[i]]) for key in ("image", "label", "index")}
        for i, name in enumerate(data.sets)
    }


# What a batch holds


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


# Transforms


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
        data.sampler.rank = rank
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


# Parts of the real images


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


# Test sets


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


# Mistakes


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"ratio": (1, 2)}, r"8 cannot be divided 1:2 exactly: set batch_size to 6 or 9"),
        ({"ratio": (1, 15)}, "set batch_size to 16"),
        ({"ratio": (0, 0)}, r"not \[0, 0\]"),
        ({"ratio": None, "curriculum": {3: (1, 0)}}, "there is none: set ratio"),
        ({"curriculum": {0: (1, 0)}}, "from 1 on"),
        ({"curriculum": {-2: (1, 0)}}, "from 1 on"),
        ({"curriculum": {3: (1, 2)}, "steps_per_epoch": 4}, "divided 1:2"),
        ({"tests": {"real": Stripes()}}, "'real' is the data set's own"),
    ],
)
def test_settings_that_do_not_fit_are_refused_at_once(settings, message):
    with pytest.raises(ConfigError, match=message):
        make(**settings)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"ratio": None}, "set synthetic_size"),
        ({"curriculum": {3: (1, 0)}}, "set steps_per_epoch"),
        ({"ratio": (0, 1)}, "set steps_per_epoch"),
        ({"steps_per_epoch": 0}, "at least 1"),
        ({"generator": Stripes(held=even_draws(Stripes().space, 30, [1])), "synthetic_size": 31}, "31, but only 30"),
        ({"generator": Stripes(classes=("bee", "ant", "cow"))}, "the generator .* bee, ant, cow; real: ant, bee, cow"),
        ({"generator": Stripes(side=5)}, r"real images are \[1, 8, 8\].*synthetic ones \[1, 5, 5\]"),
        ({"generator": Stripes(channels=3)}, r"\[1, 8, 8\].*\[3, 8, 8\]"),
        ({"real_transform": [K.CenterCrop(6)]}, r"After their transforms real images are \[1, 6, 6\]"),
        ({"tests": {"mine": Stripes(classes=("ant", "bee", "hen"))}}, "the test set 'mine' .* ant, bee, hen"),
        ({"real_per_class": 7}, "'ant' has 6 training images; 7 are needed"),
        ({"validation_per_class": 3, "real_per_class": 4}, "'ant' has 6 training images; 7 are needed"),
        ({"real_per_class": 0}, "no real training images"),
        ({"folds": 3, "fold": 3}, "fold is 0 to 2"),
        ({"folds": 7}, r"\['ant', 'bee', 'cow'\] have fewer images than there are folds"),
        ({"dataset": Photos(train=2), "real_per_class": 1}, "'cow' has 0 training images"),
        ({"dataset": Photos(train=2), "generator": Augment(num_classes=3)}, r"No real image .* \['cow'\]"),
    ],
)
def test_sets_that_do_not_fit_are_refused_before_training(settings, message):
    with pytest.raises(ConfigError, match=message):
        ready(**settings)


def test_sizes_need_to_fit_only_where_both_are_used():
    small = Stripes(side=5)
    for settings in ({"ratio": (1, 0)}, {"ratio": (0, 1), "steps_per_epoch": 2}, {"ratio": None, "synthetic_size": 0}):
        assert len(ready(generator=small, **settings).sampler)
    resize = {"real_transform": [K.CenterCrop(5)]}
    assert ready(generator=small, **resize).preview(8)["image"].shape == (8, 1, 5, 5)
    with pytest.raises(ConfigError, match=r"\[1, 8, 8\]"):
        ready(generator=small, ratio=(0, 1), curriculum={2: (1, 0)}, steps_per_epoch=2)


# Provenance


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


# Training


RANDOM = {
    "real_transform": [K.RandomHorizontalFlip(), K.RandomAffine(20.0, p=1.0)],
    "synthetic_transform": [K.RandomCrop((SIDE, SIDE), padding=2), K.RandomGaussianNoise(p=0.5)],
}
STEPS, LAST_STEP = 4, 10  # the third epoch is cut short
KINDS = {
    "fresh": {"ratio": (1, 3)},
    "fixed": {"ratio": (1, 3), "synthetic_size": 10},
    "shuffled": {"ratio": None, "synthetic_size": 10},
    "curriculum": {"ratio": (0, 1), "curriculum": {1: (1, 3), 2: (1, 0)}, "synthetic_size": 10},
    "files": {"ratio": (1, 1), "dataset": PhotoFiles(), "generator": Stripes(channels=3)},
}


def train(kind, folder, workers=0, resume=None, callbacks=(), **limits):
    model = Tiny()
    torch.manual_seed(99 if resume else 1)  # a resumed process starts from another random state
    data = make(**KINDS[kind], **RANDOM, steps_per_epoch=STEPS, num_workers=workers)
    trainer(folder, callbacks=callbacks, **(limits or {"max_steps": LAST_STEP, "max_epochs": 4})).fit(
        model, datamodule=data, ckpt_path=resume
    )
    return model


@pytest.fixture(scope="module", params=KINDS)
def unbroken(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("unbroken")
    every_step = ModelCheckpoint(folder, "step_{step}", save_top_k=-1, every_n_train_steps=1)
    every_epoch = ModelCheckpoint(folder, "epoch_{step}", save_top_k=-1, save_on_train_epoch_end=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)  # for the files
        return request.param, folder, train(request.param, folder, callbacks=[every_step, every_epoch])


@pytest.mark.filterwarnings("ignore:Be aware that when using")
@pytest.mark.parametrize(
    ("checkpoint", "workers"),
    [
        ("step_step=1", 0),
        ("step_step=4", 0),
        ("epoch_step=4", 0),
        ("step_step=4", 2),
        ("epoch_step=4", 2),
        ("step_step=6", 2),
    ],
)
def test_a_resumed_run_is_the_unbroken_run(unbroken, monkeypatch, checkpoint, workers):
    kind, folder, model = unbroken
    monkeypatch.chdir(folder)
    again = train(kind, folder / "again", workers, resume=folder / f"{checkpoint}.ckpt")
    assert sorted(model.trained) == list(range(LAST_STEP))
    assert sorted(again.trained) == list(range(int(checkpoint[-1]), LAST_STEP))
    for step, image in again.trained.items():
        assert torch.equal(image, model.trained[step]), f"other images at step {step}"
    assert torch.equal(again.layer.weight, model.layer.weight)


@pytest.mark.filterwarnings("ignore:Be aware that when using")
@pytest.mark.parametrize("kind", ["fixed", "curriculum"])
def test_no_epoch_is_lost_when_epochs_are_cut_short(kind, tmp_path):
    limits = {"max_epochs": 3, "limit_train_batches": 3}
    every_epoch = ModelCheckpoint(tmp_path, "{epoch}", save_top_k=-1, save_on_train_epoch_end=True)
    model = train(kind, tmp_path, callbacks=[every_epoch], **limits)
    again = train(kind, tmp_path, resume=tmp_path / "epoch=0.ckpt", **limits)
    assert sorted(again.trained) == list(range(3, 9))
    assert all(torch.equal(image, model.trained[step]) for step, image in again.trained.items())
    assert torch.equal(again.layer.weight, model.layer.weight)


def test_a_curriculum_reaches_the_model(tmp_path):
    data = make(**KINDS["curriculum"], steps_per_epoch=STEPS, synthetic_transform=[Plus(5)])
    model = Tiny()
    trainer(tmp_path, max_epochs=4).fit(model, datamodule=data)
    synthetic = [int((image.amin((1, 2, 3)) >= 5).sum()) for image in model.trained.values()]
    assert synthetic == [8] * STEPS + [6] * STEPS + [0] * 2 * STEPS


class RankTiny(Tiny):
    """Writes what each rank has seen, and its weights, to a file."""

    def keep(self, seen):
        torch.save({"seen": seen, "weight": self.layer.weight.detach()}, f"rank_{self.global_rank}.pt")

    def on_train_end(self):
        self.keep(list(self.trained.values()))

    def on_test_end(self):
        self.keep({name: [batch["index"] for batch in batches] for name, batches in self.tested.items()})


def on_ranks(folder, devices, run):
    """What each of so many processes has seen, and its weights."""
    folder.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        run(devices)
    return [torch.load(folder / f"rank_{rank}.pt", weights_only=True) for rank in range(devices)]


def rows(images):
    """The images of a batch as a multiset."""
    return sorted(image.numpy().tobytes() for image in images)


@pytest.mark.filterwarnings("ignore:.*fork.*", "ignore:.*barrier.*")
@pytest.mark.parametrize("kind", ["fresh", "fixed", "shuffled"])
def test_two_ranks_are_one(kind, tmp_path):
    def fit(devices):
        """Without transforms: each rank's images have random numbers of their own."""
        data = make(**{**KINDS[kind], "batch_size": 16}, steps_per_epoch=STEPS)
        trainer(devices=devices, max_epochs=2).fit(RankTiny(), datamodule=data)

    (one,), two = on_ranks(tmp_path / "one", 1, fit), on_ranks(tmp_path / "two", 2, fit)
    assert len(one["seen"]) == 2 * STEPS
    for whole, *parts in zip(one["seen"], two[0]["seen"], two[1]["seen"], strict=True):
        assert [len(part) for part in parts] == [8, 8]
        assert rows(torch.cat(parts)) == rows(whole)
    assert torch.equal(two[0]["weight"], two[1]["weight"])
    torch.testing.assert_close(two[0]["weight"], one["weight"], rtol=1e-4, atol=1e-5)


@pytest.mark.filterwarnings("ignore:.*fork.*", "ignore:.*barrier.*")
@pytest.mark.parametrize("size", [4, 100])
def test_two_ranks_score_every_image_once(size, tmp_path):
    def test(devices):
        """A set smaller than a batch has something for both, too."""
        data = make(tests={"few": Stripes(), "other": Photos(test=5)}, test_size=7, eval_batch_size=size)
        trainer(devices=devices).test(RankTiny(), datamodule=data, verbose=False)

    ranks = on_ranks(tmp_path / "two", 2, test)
    for number, count in enumerate([11, 7, 5]):
        index = [torch.cat(rank["seen"][number]).tolist() for rank in ranks]
        assert sorted(index[0] + index[1]) == list(range(count))
        assert abs(len(index[0]) - len(index[1])) == 1


# Config


TRANSFORMS = """
data:
  init_args:
    curriculum: {2: [1, 0]}
    real_transform:
      - class_path: kornia.augmentation.RandomHorizontalFlip
      - {class_path: kornia.augmentation.RandomCrop, init_args: {size: [16, 16], padding: 2}}
    synthetic_transform:
      - {class_path: kornia.augmentation.RandomErasing, init_args: {p: 1.0}}
    evaluation_transform:
      - {class_path: kornia.augmentation.CenterCrop, init_args: {size: 16}}
"""
QUICK = ["--trainer.accelerator=cpu", "--trainer.enable_progress_bar=false", "--trainer.enable_model_summary=false"]


def test_transforms_are_named_in_a_config(tmp_path):
    (tmp_path / "transforms.yaml").write_text(TRANSFORMS)
    data = ExperimentCLI(["--config", str(DIGITS), "--config", "transforms.yaml", *QUICK], run=False).datamodule
    real, synthetic = data.transforms.values()
    assert [type(step) for step in real] == [K.RandomHorizontalFlip, K.RandomCrop]
    assert real[1].flags["padding"] == 2
    assert [type(step) for step in (*synthetic, *data.evaluation_transform)] == [K.RandomErasing, K.CenterCrop]
    assert data.counts == {0: (64, 64), 2: (128, 0)}
    data.setup("fit")
    assert data.preview(128)["image"].shape == (128, 1, 16, 16)


def test_a_run_is_repeated_from_its_saved_config(tmp_path):
    (tmp_path / "transforms.yaml").write_text(TRANSFORMS)
    args = ["fit", "--config", str(DIGITS), "--config", "transforms.yaml", "--trainer.max_steps=2", *QUICK]
    assert main([*args, "--trainer.log_every_n_steps=1"]) == 0
    run = tmp_path / "runs" / "digits" / "version_0"
    saved = yaml.safe_load((run / "config.yaml").read_text())["data"]["init_args"]
    assert [step["class_path"] for step in saved["real_transform"]] == [
        "kornia.augmentation.RandomHorizontalFlip",
        "kornia.augmentation.RandomCrop",
    ]
    assert main(["fit", "--config", str(run / "config.yaml")]) == 0
    again = tmp_path / "runs" / "config" / "version_0"
    metrics = (run / "metrics.csv").read_text()
    assert "train/loss" in metrics
    assert (again / "metrics.csv").read_text() == metrics
