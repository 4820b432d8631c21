"""Training of stacked CycleGANs: phase by phase, at the scheduled rates, and to an end that is known."""

import pytest
import torch

from tests.modules.mrgan_parts import Watch, batches, differing, digits, fit, mrgan, state

# most trainings here are without validation
pytestmark = pytest.mark.filterwarnings("ignore:You defined a `validation_step` but have no")


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


def test_half_precision():
    module = mrgan()
    start = state(module)
    fit(module, data=digits(), precision="bf16-mixed")
    assert module.batches == 14
    assert differing(start, state(module), "refiner.stages.1")
    assert all(value.isfinite().all() for value in state(module).values())
