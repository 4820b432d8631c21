"""Real and synthetic images of the same classes, in training, validation and test."""

from pathlib import Path

import numpy as np
import pytest
import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from PIL import Image
from torch import nn

from synthreal.batch import Domain, LabelledImages, synthetic_batch
from synthreal.datamodules import MixedDataModule, UnpairedDataModule
from synthreal.datasets import ImageDataset
from synthreal.datasets.files import LabelledFiles
from synthreal.errors import ConfigError, DatasetError
from synthreal.experiment import ExperimentCLI
from synthreal.generators import Augment, ImageGenerator, StoredImages
from synthreal.preview import preview_panels
from synthreal.samplers import even_draws
from synthreal.spaces import Categorical, Continuous, Product

CLASSES = ("ant", "bee", "cow")
FIRST = {"train": 0, "validation": 100, "test": 200}
SIDE = 8
CPU = torch.device("cpu")


class Photos(ImageDataset):
    """Noise with the labels of a pattern, repeated; the first pixel is the number of the image."""

    def __init__(self, train=18, validation=0, test=11, pattern=(0, 1, 2), classes=CLASSES, side=SIDE):
        self.count = {"train": train, "validation": validation, "test": test}
        self.splits = tuple(split for split, count in self.count.items() if count)
        self.pattern, self.classes, self.side = pattern, classes, side

    def load(self, split):
        number = np.arange(self.count[split])
        pixels = np.random.default_rng(FIRST[split]).integers(0, 256, (len(number), 1, self.side, self.side), np.uint8)
        pixels[:, 0, 0, 0] = number + FIRST[split]
        label = torch.tensor(self.pattern)[torch.from_numpy(number) % len(self.pattern)]
        return LabelledImages(torch.from_numpy(pixels), label, self.classes)


class PhotoFiles(Photos):
    """The same images as grey files."""

    def load(self, split):
        images = super().load(split)
        paths = {name: [] for name in CLASSES}
        for i, (pixels, label) in enumerate(zip(images.images, images.labels.tolist(), strict=True)):
            path = Path(f"{split}_{i}.png").resolve()
            Image.fromarray(pixels[0].numpy()).save(path)
            paths[CLASSES[label]].append(path)
        return LabelledFiles.of_classes(paths, self.side)


class Stripes(ImageGenerator):
    """A pattern of the seed below a grey level of the parameters."""

    def __init__(self, classes=CLASSES, side=SIDE, channels=1):
        self.side, self.channels, self.num_classes = side, channels, len(classes)
        self.space = Product([Categorical("class", classes), Continuous("grey", 0.5, 1.0, 4)])

    def generate(self, draws, device):
        pattern = (draws["seed"] % 9973)[:, None] * torch.arange(1, self.side**2 + 1) % 97 / 97
        image = (pattern * draws["parameters"][:, 1:]).view(-1, 1, self.side, self.side)
        return synthetic_batch(image.expand(-1, self.channels, -1, -1), draws["parameters"][:, 0].long(), draws)


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


class Seen(LightningModule):
    """Remembers what it is given, and writes it to a file for each rank."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(1, 1)
        self.trained, self.held_out = {}, {}

    def training_step(self, batch, batch_idx):
        self.trained[self.global_step] = {key: table.clone() for key, table in batch.items()}
        return self.layer(batch["image"].mean().view(1, 1)).sum()

    def validation_step(self, batch, batch_idx, dataloader_idx=0):
        self.held_out.setdefault(dataloader_idx, []).append(batch)

    test_step = validation_step

    def on_train_end(self):
        torch.save(self.trained, f"rank_{self.global_rank}.pt")

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


def make(dataset=None, generator=None, **settings):
    return UnpairedDataModule(dataset or Photos(), generator or Stripes(), **{"batch_size": 4, "seed": 3, **settings})


def ready(*args, stage="fit", **settings):
    data = make(*args, **settings)
    data.setup(stage)
    return data


def trainer(devices=1, callbacks=(), **limits):
    return Trainer(
        default_root_dir=".",
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


def joined(batches):
    return {key: torch.cat([batch[key] for batch in batches]) for key in batches[0]}


# What a batch holds


@pytest.mark.parametrize("generator", [Stripes(), StoredImages(Photos(test=50), "test")], ids=["new", "stored"])
def test_every_batch_pairs_the_classes_row_by_row(generator):
    data = ready(generator=generator)
    batches = epoch(data)
    assert len(batches) == len(data.sampler) == 5  # 18 real images, 4 a batch
    for batch in batches:
        assert batch["domain"].tolist() == [Domain.REAL] * 4 + [Domain.SYNTHETIC] * 4
        assert torch.equal(batch["label"][:4], batch["label"][4:])
    seen = np.bincount([number for batch in batches for number in numbers(batch["image"][:4])], minlength=18)
    assert seen.tolist().count(1) == 16
    assert seen.tolist().count(2) == 2


def test_each_row_is_what_its_draw_says():
    data = ready(real_transform=[Plus(2)], synthetic_transform=[Plus(4)], evaluation_transform=[Plus(8)])
    draws = next(iter(data.sampler))
    batch, made = data.assemble(draws, 0), Stripes().generate(draws, CPU)
    assert torch.equal(batch["image"], torch.cat([Photos().load("train").pixels(draws["real"]) + 2, made["image"] + 4]))
    assert torch.equal(batch["label"], torch.cat([draws["real"] % 3, made["label"]]))
    assert batch["bucket"].tolist() == [-1] * 4 + draws["bucket"].tolist()


def test_stored_images_are_those_of_the_set_any_of_the_class():
    data = ready(Photos(train=300), StoredImages(Photos(test=11), "test"), batch_size=100)
    drawn = joined(epoch(data))
    synthetic = drawn["domain"] == Domain.SYNTHETIC
    seen = np.bincount(numbers(drawn["image"][synthetic]), minlength=211)
    assert seen.nonzero()[0].tolist() == list(range(200, 211))
    # a class has 4, 4 or 3 images for its 100 rows, each drawn alike: 4 sigma
    for number, count in enumerate(seen[200:]):
        share = 1 / (3 if number % 3 == 2 else 4)
        assert abs(count - 100 * share) < 4 * np.sqrt(100 * share * (1 - share))


def test_files_are_read_by_the_loader():
    model = Seen()
    trainer(max_epochs=1).fit(model, datamodule=make(PhotoFiles(), Stripes(channels=3), num_workers=2))
    assert len(model.trained) == 5
    for batch in model.trained.values():
        assert batch["image"].shape == (8, 3, SIDE, SIDE)
        assert torch.equal(batch["label"][:4], batch["label"][4:])
        assert [number % 3 for number in numbers(batch["image"][:4])] == batch["label"][:4].tolist()


def test_fewer_real_images_are_the_same_number_of_each_class():
    data = ready(real_per_class=2)
    assert torch.bincount(data.train_images.labels).tolist() == [2, 2, 2]
    assert len(data.sampler) == 2


def test_preview_is_what_training_sees():
    settings = {"real_transform": [Noise()], "synthetic_transform": [Noise()], "steps_per_epoch": 3}
    model = Seen()
    trainer(max_epochs=1).fit(model, datamodule=make(**settings))
    data = ready(**settings)
    assert torch.equal(data.preview(20)["image"], joined(list(model.trained.values()))["image"])
    panels = preview_panels(data)
    assert list(panels) == ["real", "synthetic"]
    assert torch.equal(panels["real"][1], panels["synthetic"][1])


def test_every_setting_arrives():
    steps = {f"{name}_transform": [Plus(i)] for i, name in enumerate(("real", "synthetic", "evaluation"))}
    settings = {"steps_per_epoch": 7, "real_per_class": 5, "validation_per_class": 1, "tests": {"more": Stripes()}}
    settings |= {"test_size": 12, "overlap": "drop", "eval_batch_size": 13, "num_workers": 2, "seed": 11, **steps}
    data, generator = Photos(), Stripes()
    mixed = vars(MixedDataModule(data, generator, batch_size=12, **settings))
    unpaired = vars(UnpairedDataModule(data, generator, batch_size=6, **settings))
    assert unpaired["batch_size"] == 6
    assert all(unpaired[name] == value for name, value in mixed.items() if name != "batch_size")


# Validation and test


def test_validation_has_the_held_out_images_and_as_many_synthetic_ones():
    data, model = make(validation_per_class=2, evaluation_transform=[Plus(8)], eval_batch_size=4), Seen()
    trainer(max_epochs=1).fit(model, datamodule=data)
    assert data.set_names == tuple(data.val_dataloader()) == ("validation", "validation_synthetic")
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
    assert data.set_names == ()
    assert model.held_out == {}


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
    assert data.set_names == tuple(data.test_dataloader()) == tuple(expected)
    assert [sum(len(batch["label"]) for batch in model.held_out[i]) for i in range(len(expected))] == [
        *expected.values()
    ]
    drawn = joined(model.held_out[data.set_names.index("synthetic")])
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


# Examples


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


# Mistakes


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"batch_size": 0}, "each domain in a batch, is at least 1, not 0"),
        ({"tests": {"real": Stripes()}}, "'real' is the data set's own"),
        ({"generator": Stripes(("bee", "ant", "cow"))}, "the generator .* bee, ant, cow; real: ant, bee, cow"),
        ({"generator": Stripes(side=5)}, r"real images are \[1, 8, 8\].*synthetic ones \[1, 5, 5\]"),
        ({"generator": Stripes(channels=3)}, r"\[1, 8, 8\].*\[3, 8, 8\]"),
        ({"dataset": Photos(pattern=(0, 2))}, r"classes \['bee'\] have no real training image"),
        ({"real_per_class": 0}, r"classes \['ant', 'bee', 'cow'\] have no real"),
        ({"steps_per_epoch": 0}, "at least 1"),
        ({"tests": {"mine": Stripes(("ant", "bee", "hen"))}}, "the test set 'mine' .* ant, bee, hen"),
    ],
)
def test_what_cannot_be_trained_on_is_refused_before_training(settings, message):
    with pytest.raises(ConfigError, match=message):
        ready(**settings)


def test_a_generator_of_other_classes_is_not_tested():
    with pytest.raises(ConfigError, match="classes of the generator are not those"):
        ready(generator=Stripes(("bee", "ant", "cow")), stage="test")


def test_a_class_without_a_synthetic_image_is_named():
    with pytest.raises(DatasetError, match=r"\['ant', 'cow'\] have no image to hand out"):
        ready(generator=StoredImages(Photos(test=5, pattern=(1,)), "test"))


@pytest.mark.filterwarnings("ignore:.*fork.*")
def test_a_batch_that_does_not_divide_among_processes_is_refused():
    class Ranks:
        """A trainer as far as setup asks."""

        global_rank, world_size = 0, 3

    data = make()
    data.trainer = Ranks()
    with pytest.raises(ConfigError, match="4 real ones do not divide by 3"):
        data.setup("fit")


# Provenance, and runs that go on


def test_fingerprints_say_what_was_trained_and_scored_on():
    mixed = MixedDataModule(Photos(), Stripes(), seed=3)
    mixed.setup("fit")
    assert ready().fingerprint() == mixed.fingerprint()
    stored = ready(generator=StoredImages(Photos(test=9), "test"), validation_per_class=1)
    first = stored.fingerprint()
    assert list(first) == ["validation", "validation_synthetic", "train", "synthetic"]
    assert len(set(first.values())) == 4
    stored.setup("test")
    both = stored.fingerprint()
    assert list(both) == ["test/real", "test/synthetic", "train", "synthetic"]
    assert both["test/synthetic"] == both["synthetic"] == first["synthetic"]


@pytest.mark.filterwarnings("ignore:Be aware that when using")
@pytest.mark.parametrize("step", [2, 3, 5])
def test_a_resumed_run_is_the_unbroken_run(step):
    settings = {"real_transform": [Noise()], "synthetic_transform": [Noise()], "steps_per_epoch": 3}
    every_step = ModelCheckpoint(".", "{step}", save_top_k=-1, every_n_train_steps=1)
    trainer(callbacks=[every_step], max_steps=8).fit(model := Seen(), datamodule=make(**settings))
    torch.manual_seed(99)
    trainer(max_steps=8).fit(again := Seen(), datamodule=make(**settings), ckpt_path=f"step={step}.ckpt")
    assert sorted(again.trained) == list(range(step, 8))
    for number, batch in again.trained.items():
        assert torch.equal(batch["image"], model.trained[number]["image"])


@pytest.mark.filterwarnings("ignore:.*fork.*", "ignore:.*barrier.*")
def test_two_ranks_are_one(tmp_path, monkeypatch):
    for devices in (1, 2):
        (tmp_path / str(devices)).mkdir()
        monkeypatch.chdir(tmp_path / str(devices))
        trainer(devices=devices, max_epochs=2).fit(Seen(), datamodule=make(steps_per_epoch=3))
    one = torch.load(tmp_path / "1" / "rank_0.pt")
    two = [torch.load(tmp_path / "2" / f"rank_{rank}.pt") for rank in range(2)]
    assert len(one) == 6
    for step, whole in one.items():
        parts = [rank[step] for rank in two]
        for part in parts:
            assert torch.equal(part["label"][:2], part["label"][2:])
        # rank r has every other row of both halves
        both = torch.stack([part["image"] for part in parts], 1).flatten(0, 1)
        assert torch.equal(both, whole["image"])


def test_it_is_named_in_a_config(tmp_path):
    (tmp_path / "unpaired.yaml").write_text("""
model: {class_path: Passthrough}
data:
  class_path: UnpairedDataModule
  init_args:
    dataset: {class_path: Digits}
    generator: {class_path: Augment}
    batch_size: 6
    validation_per_class: 3
    synthetic_transform:
      - {class_path: kornia.augmentation.RandomHorizontalFlip}
""")
    data = ExperimentCLI(["--config", "unpaired.yaml"], run=False).datamodule
    data.setup("fit")
    assert data.batch_size == 6
    batch = data.assemble(next(iter(data.sampler)), 0)
    assert torch.equal(batch["label"][:6], batch["label"][6:])
    assert len(data.examples["label"]) == 60
