"""A whole training of stacked CycleGANs is what a loop in plain PyTorch does."""

import copy
import math

import pytest
import torch
from lightning.pytorch import Callback

from tests.modules.mrgan_parts import batches, differing, fit, mrgan, state

# most trainings here are without validation
pytestmark = pytest.mark.filterwarnings("ignore:You defined a `validation_step` but have no")


class SeedFirst(Callback):
    """Seeds once the loaders have drawn what they draw."""

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if batch_idx == 0:
            torch.manual_seed(5)


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
