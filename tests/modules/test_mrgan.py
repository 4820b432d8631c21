"""Training of stacked CycleGANs: step by step as plain PyTorch does it, stage by stage, and to an end that is known."""

import copy
import math
import warnings
from pathlib import Path

import pytest
import torch
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger
from torch.utils.data import DataLoader

from synthreal.datamodules import MixedDataModule, UnpairedDataModule
from synthreal.datasets import Digits
from synthreal.errors import ConfigError, TrainingError
from synthreal.experiment import ExperimentCLI
from synthreal.generators import Glyphs
from synthreal.modules import Classifier, MrGAN
from synthreal.modules.gan_schedule import GanSchedule

# most trainings here are without validation
pytestmark = pytest.mark.filterwarnings("ignore:You defined a `validation_step` but have no")

# 2 + 1 + 2 × 2 batches a stage, 9 optimiser steps
NUMBERS = {
    "iterations": 2,
    "decay_from": 1,
    "generator_updates": 2,
    "pretrain_generators": 2,
    "pretrain_discriminators": 1,
}
PER_STAGE = 7


def mrgan(stages=("r-s", "rr-rs"), **settings):
    torch.manual_seed(0)
    tiny = {"generator": "c7s1-4,d8,R8,u4,c7s1-1", "discriminator": "C4,C8", "in_channels": 1, "pool_size": 5}
    return MrGAN(stages=list(stages), **{**tiny, **NUMBERS, **settings})


def digits(**settings):
    options = {"batch_size": 4, "steps_per_epoch": 5, "test_size": 20, "seed": 1, **settings}
    return UnpairedDataModule(Digits(8, 200), Glyphs(8), **options)


def batches(count, pairs=4, channels=1, seed=0):
    """Smooth bright images, then smooth dark ones, class by class."""
    random = torch.Generator().manual_seed(seed)
    label = torch.arange(pairs).repeat(2)
    domain = torch.tensor([0, 1]).repeat_interleave(pairs)
    light = torch.where(domain == 0, 0.3, 0.1)[:, None, None, None]
    made = []
    for _ in range(count):
        spots = torch.rand(2 * pairs, channels, 2, 2, generator=random) ** 3
        spots = 0.4 * spots.repeat_interleave(4, 2).repeat_interleave(4, 3)
        noise = 0.02 * torch.randn(2 * pairs, channels, 8, 8, generator=random)
        made.append({"image": (spots + light + noise).clamp(0, 1), "label": label, "domain": domain})
    return made


def loader(made):
    return DataLoader(made, batch_size=None)


def quiet(**settings):
    options = {
        "accelerator": "cpu",
        "logger": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "enable_checkpointing": False,
        "use_distributed_sampler": False,
        "max_epochs": -1,
    }
    return Trainer(**{**options, **settings})


def fit(module, made=None, resume=None, data=None, **settings):
    trainer = quiet(**settings)
    source = {"datamodule": data} if data is not None else {"train_dataloaders": loader(made)}
    trainer.fit(module, **source, ckpt_path=resume)
    return trainer


def state(module):
    """Every weight and statistic, pools aside."""
    return {name: value.clone() for name, value in module.state_dict().items() if isinstance(value, torch.Tensor)}


def differing(before, after, prefix=""):
    return [name for name in before if name.startswith(prefix) and not torch.equal(before[name], after[name])]


class Watch(Callback):
    """Calls a function with the module after each training batch."""

    def __init__(self, function):
        self.function = function

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        self.function(trainer, pl_module)


class SeedFirst(Callback):
    """Seeds once the loaders have drawn what they draw."""

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if batch_idx == 0:
            torch.manual_seed(5)


# One update after the other, in plain PyTorch


class PlainPool:
    def __init__(self, size):
        self.size, self.images = size, []

    def __call__(self, images):
        if not self.size:
            return images.detach()
        slots, dice = torch.randint(self.size, (len(images),)), torch.rand(len(images))
        out = []
        for image, slot, die in zip(images.detach(), slots, dice, strict=True):
            if len(self.images) < self.size:
                self.images.append(image)
                out.append(image)
            elif die < 0.5:
                out.append(self.images[slot])
                self.images[slot] = image
            else:
                out.append(image)
        return torch.stack(out)


def plain_labels(count, real, flip):
    uniform, dice = torch.rand(2, count, 1, 1, 1)
    is_real = torch.full_like(dice, real, dtype=torch.bool) ^ (dice < flip)
    return torch.where(is_real, 0.7 + 0.5 * uniform, 0.3 * uniform)


def plain_judging(judge, real, made, flip):
    scores = judge(real), judge(made)
    wanted = plain_labels(len(real), True, flip), plain_labels(len(made), False, flip)
    return 0.5 * sum(((score - want) ** 2).mean() for score, want in zip(scores, wanted, strict=True))


def plain_training(module, made, settings):
    """The whole training, stage by stage; `module` only lends its networks. Returns the losses of each batch."""
    made, losses, earlier = iter(made), [], []
    weights = settings["cycle_weight"], settings["identity_weight"]
    for number, mapping in enumerate(settings["stages"]):
        stage, judges = module.refiner.stages[number], module.judges[number]
        to_real, to_synthetic = stage.to_real, stage.to_synthetic
        pools = PlainPool(settings["pool_size"]), PlainPool(settings["pool_size"])
        on_real = torch.optim.Adam(stage.parameters(), settings["generator_rate"], (0.5, 0.999))
        on_judges = torch.optim.Adam(judges.parameters(), settings["discriminator_rate"], (0.5, 0.999))

        def sides(mapping=mapping, made=made, earlier=tuple(earlier)):
            real, synthetic = next(made)["image"].chunk(2)
            with torch.no_grad():
                for before in earlier:  # two stages at most here
                    real = before.to_synthetic(real) if mapping.startswith("rr") else real
                    synthetic = before.to_real(synthetic) if mapping.endswith("rs") else synthetic
            return real, synthetic

        def judge(real, synthetic, like_real, like_synthetic, judges=judges, optimizer=on_judges, pools=pools):
            shown = pools[0](like_real), pools[1](like_synthetic)
            loss = plain_judging(judges.real, real, shown[0], settings["flip_probability"])
            loss = loss + plain_judging(judges.synthetic, synthetic, shown[1], settings["flip_probability"])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            return loss.item()

        for _ in range(settings["pretrain_generators"]):
            real, synthetic = sides()
            loss = (to_real(synthetic) - synthetic).abs().mean() + (to_synthetic(real) - real).abs().mean()
            on_real.zero_grad()
            loss.backward()
            on_real.step()
            losses.append({"identity": loss.item()})
        for _ in range(settings["pretrain_discriminators"]):
            real, synthetic = sides()
            with torch.no_grad():
                like_real, like_synthetic = to_real(synthetic), to_synthetic(real)
            losses.append({"discriminator": judge(real, synthetic, like_real, like_synthetic)})
        for iteration in range(settings["iterations"]):
            rate = min(1, (settings["iterations"] - iteration) / (settings["iterations"] - settings["decay_from"]))
            on_real.param_groups[0]["lr"] = rate * settings["generator_rate"]
            on_judges.param_groups[0]["lr"] = rate * settings["discriminator_rate"]
            for _ in range(settings["generator_updates"]):
                real, synthetic = sides()
                like_real, like_synthetic = to_real(synthetic), to_synthetic(real)
                fooling = ((judges.real(like_real) - 1) ** 2).mean() + (
                    (judges.synthetic(like_synthetic) - 1) ** 2
                ).mean()
                cycle = (to_real(like_synthetic) - real).abs().mean() + (
                    to_synthetic(like_real) - synthetic
                ).abs().mean()
                change = (like_real - synthetic).abs().mean() + (like_synthetic - real).abs().mean()
                on_real.zero_grad()
                (fooling + weights[0] * cycle + weights[1] * change).backward()
                on_real.step()
                losses.append({"generator": fooling.item(), "cycle": cycle.item(), "identity": change.item()})
            losses[-1]["discriminator"] = judge(real, synthetic, like_real, like_synthetic)
        stage.eval()
        earlier.append(stage)
    return losses


@pytest.fixture
def double():
    """In single precision Adam makes steps of the noise where a gradient should be 0."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


class Losses(Callback):
    def __init__(self):
        self.rows = []

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        values = {name.removeprefix("train/"): float(value) for name, value in trainer.callback_metrics.items()}
        names = ("generator", "discriminator", "cycle", "identity")
        self.rows.append({name: values[name] for name in names if not math.isnan(values[name])})


@pytest.mark.parametrize(
    "settings",
    [
        {"stages": ["r-s"], "iterations": 1, "decay_from": 0, "generator_updates": 1, "pool_size": 0},
        {"stages": ["r-s", "rr-rs"], "norm": "batch", "cycle_weight": 3.0, "identity_weight": 0.7},
        {"stages": ["r-s", "r-rs"], "norm": "instance", "generator_rate": 3e-3, "flip_probability": 0.4},
        {"stages": ["r-s", "rr-s"], "discriminator_rate": 5e-3, "pretrain_generators": 0, "pool_size": 3},
    ],
)
@pytest.mark.usefixtures("double")
def test_a_whole_training_is_the_plain_loop(settings):
    settings = {"identity_weight": 0.1, "generator_rate": 1e-3, "discriminator_rate": 1e-3, **settings}
    module = mrgan(**settings)
    plain, made, losses = copy.deepcopy(module), batches(module.schedule.batches), Losses()
    fit(module, made, callbacks=[SeedFirst(), losses], log_every_n_steps=1, precision="64-true")
    torch.manual_seed(5)
    expected = plain_training(plain, made, {**module.hparams})
    found = losses.rows
    assert [row.keys() for row in found] == [row.keys() for row in expected]
    for row, wanted in zip(found, expected, strict=True):
        assert row == pytest.approx(wanted, abs=1e-9)
    before, after = state(plain), state(module)
    start = state(mrgan(**settings))
    assert differing(start, after), "nothing was learned"
    for name, value in before.items():
        torch.testing.assert_close(after[name], value, rtol=0, atol=1e-6, msg=name)


def test_which_networks_learn_in_which_phase():
    module, seen = mrgan(), []
    start = state(module)

    def note(_, trained):
        nonlocal start
        now = state(trained)
        changed = {name.rsplit(".layers")[0] for name in differing(start, now) if name.endswith("weight")}
        seen.append(sorted(changed))
        start = now

    fit(module, batches(14), callbacks=[Watch(note)])
    generators = [[f"refiner.stages.{i}.to_real", f"refiner.stages.{i}.to_synthetic"] for i in (0, 1)]
    judges = [[f"judges.{i}.real", f"judges.{i}.synthetic"] for i in (0, 1)]
    expected = []
    for own, judging in zip(generators, judges, strict=True):
        both = sorted(own + judging)
        expected += [own, own, judging, own, both, own, both]
    assert seen == expected


def test_rates_reach_adam():
    rates = []
    note = Watch(lambda trainer, _: rates.append([round(o.param_groups[0]["lr"], 9) for o in trainer.optimizers]))
    module = mrgan(iterations=4, decay_from=1, generator_rate=3e-3, discriminator_rate=6e-3)
    trainer = fit(module, batches(22), callbacks=[note])
    assert [group["betas"] for o in trainer.optimizers for group in o.param_groups] == [(0.5, 0.999)] * 4
    falling = [1, 1, 1, 1, 1, 1, 1, 2 / 3, 2 / 3, 1 / 3, 1 / 3]
    generators, judges = [3e-3 * factor for factor in falling], [6e-3 * factor for factor in falling]
    first, second = zip(*rates[:11], strict=True), zip(*rates[11:], strict=True)
    for found, wanted in zip(first, (generators, judges, [3e-3] * 11, [6e-3] * 11), strict=True):
        assert found == pytest.approx(wanted)
    for found, wanted in zip(second, ([1e-3] * 11, [2e-3] * 11, generators, judges), strict=True):
        assert found == pytest.approx(wanted)


def test_training_ends_by_itself_in_the_middle_of_an_epoch():
    module = mrgan()
    trainer = fit(module, data=digits(steps_per_epoch=5))
    assert module.batches == 14
    assert trainer.global_step == 18
    assert trainer.current_epoch == 3  # the third is cut short, and counts


@pytest.mark.parametrize("limits", [{"min_steps": 30}, {"min_epochs": 4}])
def test_whoever_must_go_on_changes_nothing(limits):
    module, after = mrgan(), []
    fit(
        module,
        data=digits(),
        callbacks=[Watch(lambda _, trained: after.append(state(trained)))],
        max_epochs=5,
        **limits,
    )
    assert len(after) >= 20
    assert not differing(after[13], after[-1])
    assert module.batches == 14


def test_a_finished_run_that_is_started_again_is_finished():
    module = mrgan()
    fit(module, data=digits()).save_checkpoint("done.ckpt")
    again = mrgan()
    trainer = fit(again, data=digits(), resume="done.ckpt")
    assert not differing(state(module), state(again))
    assert trainer.global_step == 18
    assert again.stage == 1


# Stages before the present one


def snapshot(module):
    """Weights and statistics of both stages' generators, bit for bit."""
    return state(module.refiner)


@pytest.mark.parametrize("norm", ["batch", "instance"])
def test_the_first_stage_stays_as_it_is_during_the_second(norm):
    module, after = mrgan(norm=norm), []
    data = digits(validation_per_class=1)
    checks = {"callbacks": [Watch(lambda _, trained: after.append((state(trained), modes(trained))))]}
    fit(module, data=data, val_check_interval=1, **checks)
    assert len(after) == 14
    first, last = after[PER_STAGE - 1][0], after[-1][0]
    for part in ("refiner.stages.0", "judges.0"):
        assert not differing(first, last, part)
    statistics = [name for name in differing(first, last, "refiner.stages.1") if "running" in name]
    assert statistics if norm == "batch" else not statistics
    assert differing(after[0][0], first, "refiner.stages.0")
    # after a validation every part is in its own mode again
    assert all(mode == (True, True) for _, mode in after[:PER_STAGE])
    assert all(mode == (False, True) for _, mode in after[PER_STAGE:])


def modes(module):
    """Whether the parts of each stage train; they agree."""
    found = []
    for number in (0, 1):
        parts = [part.training for root in (module.refiner.stages, module.judges) for part in root[number].modules()]
        assert len(set(parts)) == 1
        found.append(parts[0])
    return tuple(found)


class SeedEach(Callback):
    """Whatever was drawn between two batches, each begins with the same state."""

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        torch.manual_seed(batch_idx)


def test_validation_itself_changes_nothing():
    trained = []
    for held_out in (None, loader(batches(2, seed=1))):
        module = mrgan()
        trainer = quiet(callbacks=[SeedEach()], val_check_interval=1)
        trainer.fit(module, loader(batches(14)), held_out)
        trained.append(state(module))
    assert not differing(*trained)


def test_the_stage_is_that_of_the_last_batch():
    module, stages = mrgan(), []
    assert module.stage == 0
    fit(module, batches(14), callbacks=[Watch(lambda _, trained: stages.append(trained.stage))])
    assert stages == [0] * PER_STAGE + [1] * PER_STAGE  # a validation after the last batch of one is of that one


# What it learns


def test_a_shift_in_brightness_is_removed_and_the_picture_kept():
    module = mrgan(
        ["r-s"],
        iterations=100,
        decay_from=50,
        pretrain_generators=150,
        pretrain_discriminators=20,
        generator_rate=2e-3,
        discriminator_rate=2e-3,
        identity_weight=3.0,
        pool_size=50,
    )
    fit(module, batches(module.schedule.batches, pairs=8))
    real, synthetic = batches(1, pairs=200, seed=1)[0]["image"].chunk(2)
    module.eval()
    with torch.no_grad():
        refined, back = module.refiner.refine_synthetic(synthetic), module.refiner.refine_real(real)
    assert float(real.mean() - synthetic.mean()) == pytest.approx(0.2, abs=0.01)
    assert float(refined.mean()) == pytest.approx(float(real.mean()), abs=0.08)
    assert float(back.mean()) == pytest.approx(float(synthetic.mean()), abs=0.08)
    for before, after in ((synthetic, refined), (real, back)):
        assert torch.corrcoef(torch.stack([before.flatten(), after.flatten()]))[0, 1] > 0.7


# What is written


def rows(folder):
    import pandas as pd

    return pd.read_csv(Path(folder) / "metrics.csv")


def test_losses_are_written_where_there_are_any():
    fit(mrgan(), batches(14), logger=CSVLogger(".", name="", version="run"), log_every_n_steps=1)
    table = rows("run")
    assert table["step"].tolist() == list(range(14))
    assert table["train/stage"].tolist() == [1] * 7 + [2] * 7
    assert table["train/iteration"].tolist() == [0, 1, 0, 0, 0, 1, 1] * 2
    # an earlier value must not stand for one that there is not
    present = {name: table[f"train/{name}"].notna().astype(int).tolist() for name in ("generator", "cycle")}
    assert present == {name: [0, 0, 0, 1, 1, 1, 1] * 2 for name in ("generator", "cycle")}
    assert table["train/discriminator"].notna().astype(int).tolist() == [0, 0, 1, 0, 1, 0, 1] * 2
    assert table["train/identity"].notna().astype(int).tolist() == [1, 1, 0, 0, 0, 0, 0] * 2


def test_every_few_batches_and_the_last_are_written():
    logs = {"logger": CSVLogger(".", name="", version="run"), "log_every_n_steps": 4}
    fit(mrgan(), batches(14), **logs)
    table = rows("run")
    assert table["step"].tolist() == [3, 7, 11, 13]
    assert table["train/iteration"].tolist() == [0, 0, 0, 1]
    assert table["train/discriminator"].notna().tolist() == [False, False, True, True]


@pytest.mark.filterwarnings("ignore:.*barebones.*")
@pytest.mark.parametrize("settings", [{"log_every_n_steps": 0}, {"barebones": True, "logger": None}])
def test_nothing_is_written_if_nothing_is_asked_for(settings):
    options = dict.fromkeys(("enable_progress_bar", "enable_model_summary", "enable_checkpointing"), None)
    module = mrgan()
    fit(module, batches(14), **(options if "barebones" in settings else {}), **settings)
    assert module.batches == 14


def test_a_loss_that_is_no_number_stops_training():
    made = batches(14)
    made[5]["image"][:] = math.nan
    with pytest.raises(TrainingError, match=r"The generator loss is nan in stage 1, iteration 1\. Lower"):
        fit(mrgan(), made, log_every_n_steps=1)


def score(module, image, real):
    """Change and cycle of the present stage, by hand."""
    stage = module.refiner.stages[module.stage]
    there, back = (stage.to_synthetic, stage.to_real) if real else (stage.to_real, stage.to_synthetic)
    side = image
    if module.stage:
        before = module.refiner.stages[0]
        side = before.to_synthetic(image) if real else before.to_real(image)
    return [float((there(side) - side).abs().mean()), float((back(there(side)) - side).abs().mean())]


@pytest.mark.filterwarnings("ignore:The trainer stops before")
@pytest.mark.parametrize("max_steps", [5, 18])
def test_scores_of_each_test_set(max_steps):
    module = mrgan()
    fit(module, batches(14), max_steps=max_steps)
    data = digits(tests={"plain": Glyphs(8, rotation=(0, 0)), "again": Digits(8, 1700)})
    trainer = quiet()
    trainer.test(module, datamodule=data, verbose=False)
    found, module = trainer.callback_metrics, module.eval()
    assert len(found) == 8
    for name, held in data.sets.items():
        image = held.batch(held.select(torch.arange(len(held))))["image"]
        with torch.no_grad():
            expected = score(module, image, name in ("real", "again"))
        assert [float(found[f"test/{name}/{kind}"]) for kind in ("change", "cycle")] == pytest.approx(
            expected, abs=1e-5
        )


def test_scores_of_both_domains_in_validation():
    module, data = mrgan(), digits(validation_per_class=2)
    trainer = quiet()
    trainer.validate(module, datamodule=data, verbose=False)
    module.eval()
    for name, held in zip(("real", "synthetic"), data.sets.values(), strict=True):
        image = held.batch(held.select(torch.arange(len(held))))["image"]
        with torch.no_grad():
            expected = score(module, image, name == "real")
        found = [float(trainer.callback_metrics[f"val/{name}/{kind}"]) for kind in ("change", "cycle")]
        assert found == pytest.approx(expected, abs=1e-5)


# Warnings and refusals


def test_the_paper_s_flips_are_warned_of():
    with pytest.warns(UserWarning, match=r"flip_probability 0\.9, as the paper prints it"):
        mrgan(flip_probability=0.9)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        mrgan(flip_probability=0.5)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"flip_probability": -0.1}, r"flip_probability is 0 to 1, not -0\.1"),
        ({"flip_probability": 1.5}, r"flip_probability is 0 to 1, not 1\.5"),
        ({"flip_probability": math.nan}, "flip_probability is 0 to 1, not nan"),
        ({"cycle_weight": -1.0}, "Weights and learning rates are at least 0"),
        ({"identity_weight": -1.0}, "Weights and learning rates are at least 0"),
        ({"generator_rate": -1e-4}, "Weights and learning rates are at least 0"),
        ({"discriminator_rate": math.nan}, "Weights and learning rates are at least 0"),
        ({"stages": ["rr-rs"]}, "begin with 'r-s'"),
        ({"stages": []}, "begin with 'r-s'"),
        ({"iterations": 0}, "at least 1"),
        ({"decay_from": 3}, "decay_from is 0 to 2"),
        ({"pool_size": -1}, "0 images or more, not -1"),
        ({"discriminator": "C4,d8"}, "'d8' in 'C4,d8' is no layer"),
        ({"in_channels": 3}, "c7s1-3 for the 3 channels"),
    ],
)
def test_bad_numbers_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        mrgan(**settings)


def short_of(**limits):
    with pytest.warns(
        UserWarning, match="stops before the last of 2 stages is trained. Set max_epochs=-1 and max_steps=-1"
    ):
        fit(mrgan(), data=digits(), **limits)


@pytest.mark.parametrize("limits", [{"max_steps": 17}, {"max_epochs": 2}, {"max_epochs": 4, "limit_train_batches": 3}])
def test_a_trainer_that_stops_early_is_warned_of(limits):
    short_of(**limits)


@pytest.mark.parametrize("limits", [{"max_steps": 18}, {"max_epochs": 3}, {"max_epochs": 5, "limit_train_batches": 3}])
def test_one_that_does_not_is_not(limits):
    module = mrgan()
    fit(module, data=digits(), **limits)  # warnings are errors in tests
    assert module.batches == 14


@pytest.mark.filterwarnings("ignore:The trainer stops before")
@pytest.mark.parametrize(("limits", "enough"), [({"max_steps": 18}, True), ({"max_steps": 17}, False)])
def test_a_resumed_run_is_warned_of_by_what_is_left(limits, enough):
    fit(mrgan(), data=digits(), max_steps=10).save_checkpoint("half.ckpt")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit(mrgan(), data=digits(), resume="half.ckpt", **limits)
    assert enough != any("stops before the last" in str(warning.message) for warning in caught)


def test_batches_without_pairs_are_refused():
    mixed = MixedDataModule(Digits(8, 200), Glyphs(8), batch_size=8, steps_per_epoch=5)
    with pytest.raises(ConfigError, match="give it an UnpairedDataModule"):
        fit(mrgan(), data=mixed)


@pytest.mark.parametrize("held_out", [0, 1])
def test_images_of_other_channels_are_refused(held_out):
    module = mrgan(in_channels=3, generator="c7s1-4,c7s1-3")
    with pytest.raises(ConfigError, match="The images have 1 channels, and the MrGAN's in_channels is 3"):
        fit(module, data=digits(validation_per_class=held_out))


@pytest.mark.parametrize("strategy", ["ddp", "ddp_fork", "ddp_spawn"])
def test_plain_data_parallel_training_is_refused(strategy):
    module = mrgan()
    module.trainer = quiet(strategy=strategy, devices=2)
    with pytest.raises(ConfigError, match="strategy=ddp_find_unused_parameters_true"):
        module.on_fit_start()
    module.trainer = quiet(strategy=f"{strategy}_find_unused_parameters_true", devices=2)
    module.on_fit_start()


# Precision, processes


def test_half_precision():
    module = mrgan()
    start = state(module)
    fit(module, data=digits(), precision="bf16-mixed")
    assert module.batches == 14
    assert differing(start, state(module), "refiner.stages.1")
    assert all(value.isfinite().all() for value in state(module).values())


class RankStates(Callback):
    """Writes each rank's weights and pools after some batches."""

    def __init__(self, after):
        self.after = after

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if pl_module.batches in self.after:
            seen = {**state(pl_module), "images": batch["image"]}
            torch.save(seen, f"batches_{pl_module.batches}_rank_{trainer.global_rank}.pt")

    def on_train_end(self, trainer, pl_module):
        torch.save(state(pl_module), f"end_rank_{trainer.global_rank}.pt")


TWO = {"devices": 2, "strategy": "ddp_fork_find_unused_parameters_true"}


def both_ranks(name):
    return [torch.load(f"{name}_rank_{rank}.pt") for rank in range(2)]


@pytest.mark.filterwarnings("ignore:.*fork.*", "ignore:.*barrier.*", "ignore:.*find_unused_parameters.*")
def test_two_ranks_stay_in_step():
    module = mrgan(generator_rate=1e-2, discriminator_rate=1e-2)
    start, names = state(module), [name for name, _ in module.named_parameters()]
    fit(module, data=digits(), callbacks=[RankStates([PER_STAGE - 1, PER_STAGE, PER_STAGE + 1])], **TWO)
    for moment in ("batches_6", "batches_7", "batches_8", "end"):
        one, other = both_ranks(moment)
        assert not [name for name in names if not torch.equal(one[name], other[name])]
    for number in (0, 1):
        for part in (f"refiner.stages.{number}.to_real", f"judges.{number}.synthetic"):
            assert differing(start, one, part)
    seen = [rank["images"] for rank in both_ranks("batches_8")]
    assert not torch.equal(*seen), "both ranks trained on the same images"
    # the first stage is fixed with the mean of both ranks' statistics, and is the same map on both from then on
    before, fixed, end = both_ranks("batches_7"), both_ranks("batches_8"), both_ranks("end")
    statistics = [name for name in one if name.startswith("refiner.stages.0") and "running" in name]
    assert statistics
    for name in statistics:
        assert not torch.equal(before[0][name], before[1][name])
        torch.testing.assert_close(fixed[0][name], (before[0][name] + before[1][name]) / 2)
    for later in (fixed[1], *end):
        assert not differing(fixed[0], later, "refiner.stages.0")


@pytest.mark.filterwarnings("ignore:.*fork.*", "ignore:.*barrier.*", "ignore:.*find_unused_parameters.*")
@pytest.mark.filterwarnings("ignore:The trainer stops before")
def test_two_ranks_are_one_where_nothing_is_random():
    settings = {"norm": "instance", "pretrain_generators": 5, "generator_rate": 1e-3}
    alone = mrgan(**settings)
    fit(alone, data=digits(), max_steps=5)
    fit(mrgan(**settings), data=digits(), max_steps=5, callbacks=[RankStates([])], **TWO)
    for rank in both_ranks("end"):
        for name, value in state(alone.refiner.stages[0]).items():
            torch.testing.assert_close(rank[f"refiner.stages.0.{name}"], value, rtol=0, atol=1e-5)


# Checkpoints


def trained_checkpoint(name="first.ckpt", stages=("r-s",), **settings):
    module = mrgan(stages, generator_rate=1e-2, **settings)
    fit(module, data=digits()).save_checkpoint(name)
    return module


def test_pretrained_stages_are_taken_over_and_the_next_is_trained():
    first, seen = trained_checkpoint(), []
    module = mrgan(pretrained="first.ckpt", generator_rate=1e-2)
    assert differing(state(first.refiner.stages[0]), state(module.refiner.stages[0])), "only fit reads it"
    trainer = fit(module, data=digits(), callbacks=[Watch(lambda _, trained: seen.append(trained.batches))])
    assert seen == list(range(PER_STAGE + 1, 2 * PER_STAGE + 1))
    assert trainer.global_step == 9
    assert not differing(state(first.refiner.stages[0]), state(module.refiner.stages[0]))
    fresh = mrgan()
    assert differing(state(fresh.refiner.stages[1]), state(module.refiner.stages[1]))


def test_pretrained_stages_leave_as_many_steps_as_are_needed():
    trained_checkpoint()
    fit(mrgan(pretrained="first.ckpt"), data=digits(), max_steps=9)
    fit(mrgan(pretrained="first.ckpt"), data=digits(), max_epochs=2)
    with pytest.warns(UserWarning, match="stops before the last"):
        fit(mrgan(pretrained="first.ckpt"), data=digits(), max_steps=8)


def test_after_pretrained_stages_losses_are_written_at_the_usual_batches():
    trained_checkpoint()
    logs = {"logger": CSVLogger(".", name="", version="run"), "log_every_n_steps": 3}
    fit(mrgan(pretrained="first.ckpt"), batches(PER_STAGE), **logs)
    table = rows("run")
    assert table["step"].tolist() == [2, 5, 6]
    assert table["train/stage"].tolist() == [2, 2, 2]
    assert table["train/iteration"].tolist() == [0, 1, 1]


@pytest.mark.filterwarnings("ignore:The trainer stops before")
def test_a_resumed_run_does_not_take_them_over_again():
    trained_checkpoint()
    settings = {"pretrained": "first.ckpt", "generator_rate": 1e-2}
    fit(mrgan(**settings), data=digits(), max_steps=4).save_checkpoint("half.ckpt")
    Path("first.ckpt").unlink()  # nobody reads it again
    again = mrgan(**settings)
    seen = []
    fit(again, data=digits(), resume="half.ckpt", callbacks=[Watch(lambda _, trained: seen.append(trained.batches))])
    assert seen == list(range(PER_STAGE + 5, 2 * PER_STAGE + 1))


@pytest.mark.parametrize(
    ("stages", "settings", "message"),
    [
        (["r-s"], {}, r"\['r-s'\] does not go on from there"),
        (["r-s", "rr-s"], {"generator": "c7s1-4,c7s1-1"}, "generators of other layers"),
        (["r-s", "rr-s"], {"pretrained": "none.ckpt"}, r"No checkpoint at none\.ckpt: pretrained names"),
    ],
)
def test_a_checkpoint_that_does_not_fit_is_refused(stages, settings, message):
    mrgan_checkpoint = {"pretrained": "first.ckpt", **settings}
    trained_checkpoint()
    with pytest.raises(ConfigError, match=message):
        fit(mrgan(stages, **mrgan_checkpoint), data=digits())


@pytest.mark.filterwarnings("ignore:The trainer stops before")
def test_it_loads_from_python_as_it_was():
    module = mrgan(identity_weight=0.3)
    fit(module, data=digits(), max_steps=12).save_checkpoint("a.ckpt")
    loaded = MrGAN.load_from_checkpoint("a.ckpt")
    assert not differing(state(module), state(loaded))
    assert (loaded.batches, loaded.stage) == (module.batches, 1)
    assert loaded.hparams == module.hparams
    for mine, theirs in zip(module.judges, loaded.judges, strict=True):
        assert torch.equal(mine.real_pool.images, theirs.real_pool.images)


def test_another_module_s_checkpoint_is_no_start():
    module = Classifier(network_args={"image_size": 16})
    trainer = quiet(max_epochs=1, limit_train_batches=1)
    trainer.fit(module, datamodule=MixedDataModule(Digits(16, 200), Glyphs(16), batch_size=8))
    trainer.save_checkpoint("other.ckpt")
    with pytest.raises(ConfigError, match="none of an MrGAN"):
        fit(mrgan(), data=digits(), resume="other.ckpt")


CONFIG = """
seed_everything: 3
model:
  class_path: MrGAN
  init_args:
    stages: [r-s, rr-s]
    generator: c7s1-4,d8,R8,u4,c7s1-1
    discriminator: C4,C8
    in_channels: 1
    iterations: 2
    decay_from: 1
    generator_updates: 2
    pretrain_generators: 2
    pretrain_discriminators: 1
data:
  class_path: UnpairedDataModule
  init_args:
    dataset: {class_path: Digits, init_args: {image_size: 8, train_size: 200}}
    generator: {class_path: Glyphs, init_args: {image_size: 8}}
    batch_size: 4
    steps_per_epoch: 5
    test_size: 20
trainer: {max_epochs: -1, accelerator: cpu, enable_progress_bar: false, enable_model_summary: false}
"""


def test_from_a_config_to_a_checkpoint_and_back(capsys):
    Path("gan.yaml").write_text(CONFIG)
    fitted = ExperimentCLI(["fit", "--config", "gan.yaml"])
    assert fitted.model.batches == 14
    best = fitted.trainer.checkpoint_callback.best_model_path
    tested = ExperimentCLI(["test", "--config", "gan.yaml", "--ckpt_path", best])
    assert not differing(state(fitted.model), state(tested.model))
    assert "test/synthetic/cycle" in tested.trainer.callback_metrics
    with pytest.raises(
        ConfigError, match=r"stages: \['r-s', 'rr-s'\] in the checkpoint, \['r-s', 'r-rs'\] in the config"
    ):
        ExperimentCLI(["test", "--config", "gan.yaml", "--model.stages=[r-s, r-rs]", "--ckpt_path", best])
    assert not differing(state(fitted.model), state(MrGAN.load_from_checkpoint(best)))


@pytest.mark.filterwarnings("ignore:Using ModelCheckpoint with manual optimization")
def test_every_checkpoint_says_how_far_training_is():
    saver = ModelCheckpoint(".", "{step}", save_top_k=-1, every_n_train_steps=1)
    fit(mrgan(), data=digits(), callbacks=[saver], enable_checkpointing=True)
    schedule = GanSchedule(2, 2, 1, 2, 2, 1)
    files = {int(path.stem.partition("=")[2]): torch.load(path)["batches"] for path in Path().glob("step=*.ckpt")}
    assert len(files) == 14
    assert all(schedule.steps(done) == step for step, done in files.items())
