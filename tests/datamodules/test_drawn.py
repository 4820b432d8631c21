"""What every data module with a sampler does: it makes images of draws, knows its sets by name, and goes on."""

import pytest
import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from torch import nn

from synthreal.batch import Domain, LabelledImages, synthetic_batch
from synthreal.datamodules.drawn import DrawnDataModule
from synthreal.datamodules.evaluation import GeneratedSet, RealSet
from synthreal.datasets import ImageDataset
from synthreal.errors import ConfigError
from synthreal.generators import ImageGenerator
from synthreal.samplers import even_draws
from synthreal.samplers.epochs import EpochSampler
from synthreal.spaces import Categorical
from tests.datamodules.drawn_parts import Seen
from tests.trainer_parts import quiet_trainer

CLASSES = ("ant", "bee")
STEPS = 3


class Numbers(EpochSampler):
    """Batches of one sample whose seed is 10 · epoch + step."""

    def draw_epoch(self):
        epoch = self.epoch
        return lambda step: {
            "bucket": torch.zeros(1, dtype=torch.int64),
            "parameters": torch.zeros(1, 1),
            "seed": torch.tensor([10 * epoch + step]),
        }


class Grey(ImageGenerator):
    """Images as bright as the seed."""

    num_classes = 2

    def __init__(self):
        self.space = Categorical("class", CLASSES)

    def generate(self, draws, device):
        image = (draws["seed"] % 97 / 97)[:, None, None, None].expand(-1, 1, 2, 2)
        return synthetic_batch(image, draws["parameters"][:, 0].long(), draws)


class Photos(ImageDataset):
    """Five to train on, seven to test on, each of its number's brightness."""

    classes = CLASSES

    def load(self, split):
        number = torch.arange({"train": 5, "test": 7}[split])
        images = number.byte()[:, None, None, None].expand(-1, 1, 2, 2).clone()
        return LabelledImages(images, number % 2, CLASSES)


class Brighter(nn.Module):
    def forward(self, image):
        return image + 2


class Drawn(DrawnDataModule):
    """No more than the base asks for; notes what its sampler has counted whenever it makes a batch."""

    def __init__(self, seed=4, workers=0, eval_batch_size=4, steps=STEPS, **tests):
        super().__init__([Brighter()], 6, eval_batch_size, workers, seed)
        self.steps, self.tests, self.counted = steps, tests, []

    def setup(self, stage=None):
        if stage == "test":
            self.sets = {name: self.evaluation_set(source) for name, source in self.tests.items()}
        else:
            self.sampler = Numbers(self.steps, self.seed)

    def train_dataloader(self):
        return self.training_loader()

    def training_batch(self, draws):
        self.counted.append(self.sampler.trained)
        return {"image": draws["seed"].float().view(1, 1, 1, 1), "label": draws["bucket"]}


def fit(data, resume=None, callbacks=(), **limits):
    model = Seen()
    trainer = quiet_trainer(enable_checkpointing=bool(callbacks), callbacks=list(callbacks), **limits)
    trainer.fit(model, datamodule=data, ckpt_path=resume)
    return model.trained


def test_training_batches_are_made_of_draws_and_counted_first():
    data = Drawn()
    assert fit(data, max_epochs=2) == [0, 1, 2, 10, 11, 12]
    assert data.counted == [1, 2, 3] * 2


@pytest.mark.filterwarnings("ignore:Be aware that when using")
@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize("step", [1, 2, 3, 4])
def test_training_goes_on_with_the_very_next_batch(step, workers):
    every_step = ModelCheckpoint(".", "{step}", save_top_k=-1, every_n_train_steps=1)
    whole = fit(Drawn(), callbacks=[every_step], max_steps=5)
    assert whole == [0, 1, 2, 10, 11]
    assert fit(Drawn(workers=workers), resume=f"step={step}.ckpt", max_steps=5) == whole[step:]


def test_the_place_in_training_is_saved_and_ignored_where_nothing_is_drawn():
    data = Drawn()
    fit(data, max_steps=2)
    assert data.state_dict() == {"epoch": 0, "batch": 2}
    fit(data := Drawn(), max_epochs=1)
    assert data.state_dict() == {"epoch": 1, "batch": 0}
    tested = Drawn(real=Photos())
    tested.setup("test")
    tested.load_state_dict(data.state_dict())
    assert not hasattr(tested, "sampler")
    assert tested.state_dict() == {}


class Stumble(Callback):
    """Fails once in a step, and saves what there is."""

    def __init__(self, step):
        self.step = step

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if trainer.global_step == self.step:
            raise KeyboardInterrupt

    def on_exception(self, trainer, pl_module, exception):
        trainer.save_checkpoint("broken.ckpt")


@pytest.mark.filterwarnings("ignore:Be aware that when using")
@pytest.mark.parametrize("step", [0, 1, 2, 3, 5])
def test_a_batch_that_was_not_trained_on_to_the_end_comes_again(step):
    with pytest.raises(SystemExit):
        fit(Drawn(), callbacks=[Stumble(step)], max_steps=7)
    assert fit(Drawn(), resume="broken.ckpt", max_steps=7) == [0, 1, 2, 10, 11, 12, 20][step:]


@pytest.mark.filterwarnings("ignore:Be aware that when using")
def test_a_place_that_shorter_epochs_do_not_have_is_refused():
    every_step = ModelCheckpoint(".", "{step}", save_top_k=-1, every_n_train_steps=1)
    fit(Drawn(), callbacks=[every_step], max_steps=4)
    with pytest.raises(ConfigError, match=r"after batch 2 of an epoch, and epochs have 2 batches now: .* longer"):
        fit(Drawn(steps=2), resume="step=2.ckpt", max_steps=5)
    assert fit(Drawn(steps=4), resume="step=2.ckpt", max_steps=5) == [2, 3, 10]
    assert fit(Drawn(steps=2), resume="step=3.ckpt", max_steps=5) == [10, 11]


def test_a_trainer_that_has_trained_is_refused():
    trainer, model = quiet_trainer(max_epochs=1), Seen()
    trainer.fit(model, datamodule=Drawn())
    trainer.fit_loop.max_epochs = 2
    with pytest.raises(ConfigError, match=r"trained for 3 steps, .* new Trainer, .* ckpt_path"):
        trainer.fit(model, datamodule=Drawn())


def test_epochs_whose_loader_is_made_anew_go_on():
    assert fit(Drawn(), max_epochs=2, reload_dataloaders_every_n_epochs=1) == [0, 1, 2, 10, 11, 12]


def test_few_batches_again_and_again_are_refused():
    with pytest.raises(ConfigError, match=r"overfit_batches .* limit_train_batches"):
        fit(Drawn(), max_epochs=1, overfit_batches=1)


def test_each_test_set_has_its_own_images_in_the_order_of_its_name():
    data, model = Drawn(real=Photos(), made=Grey()), Seen()
    quiet_trainer().test(model, datamodule=data, verbose=False)
    assert list(data.test_dataloader()) == list(data.sets) == ["real", "made"]
    assert [type(held) for held in data.sets.values()] == [RealSet, GeneratedSet]
    assert [[len(batch["label"]) for batch in model.tested[number]] for number in range(2)] == [[4, 3], [4, 2]]
    real, made = (torch.cat([batch["image"] for batch in model.tested[number]]) for number in range(2))
    torch.testing.assert_close(real[:, 0, 0, 0], torch.arange(7) / 255 + 2)
    draws = even_draws(Grey().space, 6, [0, 30])
    torch.testing.assert_close(made[:, 0, 0, 0], draws["seed"] % 97 / 97 + 2)
    domains = [{int(domain) for batch in model.tested[number] for domain in batch["domain"]} for number in range(2)]
    assert domains == [{Domain.REAL}, {Domain.SYNTHETIC}]
    assert data.counted == []


def test_images_to_look_at_are_not_transformed():
    data = Drawn(made=Grey(), real=Photos())
    data.setup("test")
    assert data.test_images("real", torch.tensor([6, 2]))[:, 0, 0, 0].mul(255).round().tolist() == [6, 2]
    assert data.test_images("made", torch.arange(6)).max() < 1


def test_test_batches_have_at_least_one_image():
    with pytest.raises(ConfigError, match="eval_batch_size is at least 1, not 0"):
        quiet_trainer().test(Seen(), datamodule=Drawn(eval_batch_size=0, real=Photos()), verbose=False)


def test_ranks_are_the_trainer_s():
    data = Drawn()
    assert data.ranks == (0, 1)
    data.trainer = type("Three", (), {"global_rank": 2, "world_size": 3})()
    assert data.ranks == (2, 3)


@pytest.mark.parametrize(
    ("given", "everywhere", "expected"), [(5, "7", 5), (0, "7", 0), (None, "7", 7), (None, None, 0)]
)
def test_the_seed_is_the_own_one_or_that_of_everything(monkeypatch, given, everywhere, expected):
    monkeypatch.delenv("PL_GLOBAL_SEED", raising=False)
    if everywhere is not None:
        monkeypatch.setenv("PL_GLOBAL_SEED", everywhere)
    assert Drawn(seed=given).seed == expected


def test_what_a_training_batch_is_must_be_said():
    class Silent(DrawnDataModule):
        """Has no `training_batch`."""

    with pytest.raises(TypeError, match="training_batch"):
        Silent((), 0, 1, 0, 0)


@pytest.mark.parametrize("precision", ["bf16-true", "64-true"])
def test_precisions_that_would_convert_parameters_are_refused(precision):
    with pytest.raises(ConfigError, match=rf"Precision {precision} converts the parameters .* bf16-mixed"):
        fit(Drawn(), max_steps=1, precision=precision)
    with pytest.raises(ConfigError, match=f"Precision {precision}"):
        quiet_trainer(precision=precision).test(Seen(), datamodule=Drawn(real=Photos()), verbose=False)


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_other_precisions_leave_parameters_alone(precision):
    assert fit(Drawn(), max_steps=2, precision=precision) == [0, 1]
