"""The phases of a GAN of several stages: by hand, and against nested loops for any numbers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthreal.errors import ConfigError
from synthreal.modules.gan_schedule import GanSchedule, Moment


def test_two_stages_by_hand():
    schedule = GanSchedule(2, 3, 1, 2, 2, 1)
    assert schedule.batches_per_stage == 9
    assert schedule.batches == 18
    assert schedule.steps_per_stage == 12
    rows = [
        ("identity", 0, False, 1.0),
        ("identity", 1, False, 1.0),
        ("discriminator", 0, True, 1.0),
        ("adversarial", 0, False, 1.0),
        ("adversarial", 0, True, 1.0),
        ("adversarial", 1, False, 1.0),
        ("adversarial", 1, True, 1.0),
        ("adversarial", 2, False, 0.5),
        ("adversarial", 2, True, 0.5),
    ]
    expected = [Moment(stage, *row) for stage in (0, 1) for row in rows]
    assert [schedule.at(batch) for batch in range(18)] == expected
    assert schedule.at(18).stage == 2
    assert [schedule.steps(batches) for batches in range(10)] == [0, 1, 2, 3, 4, 6, 7, 9, 10, 12]
    assert schedule.steps(18) == 24


def test_the_paper_s_numbers():
    schedule = GanSchedule(2, 40_000, 20_000, 5, 1000, 500)
    assert schedule.batches == 2 * 201_500
    assert schedule.steps_per_stage == 241_500
    # batch → phase, iteration, whether the discriminators learn, rate
    table = {
        999: ("identity", 999, False, 1.0),
        1000: ("discriminator", 0, True, 1.0),
        1499: ("discriminator", 499, True, 1.0),
        1500: ("adversarial", 0, False, 1.0),
        1504: ("adversarial", 0, True, 1.0),
        1505: ("adversarial", 1, False, 1.0),
        101_500: ("adversarial", 20_000, False, 1.0),
        101_509: ("adversarial", 20_001, True, 1 - 1 / 20_000),
        151_500: ("adversarial", 30_000, False, 0.5),
        201_499: ("adversarial", 39_999, True, 1 / 20_000),
    }
    for batch, row in table.items():
        assert schedule.at(batch) == Moment(0, *row)
        assert schedule.at(201_500 + batch) == Moment(1, *row)


numbers = st.tuples(
    st.integers(1, 3),
    st.integers(1, 7).flatmap(lambda count: st.tuples(st.just(count), st.integers(0, count))),
    st.integers(1, 6),
    st.integers(0, 4),
    st.integers(0, 4),
)


@given(numbers)
def test_the_phases_are_nested_loops(numbers):
    stages, (iterations, decay_from), updates, generators, discriminators = numbers
    schedule = GanSchedule(stages, iterations, decay_from, updates, generators, discriminators)
    expected, steps = [], [0]
    for stage in range(stages):
        for i in range(generators):
            expected.append(Moment(stage, "identity", i, False, 1.0))
            steps.append(steps[-1] + 1)
        for i in range(discriminators):
            expected.append(Moment(stage, "discriminator", i, True, 1.0))
            steps.append(steps[-1] + 1)
        for i in range(iterations):
            rate = 1.0 if i <= decay_from else (iterations - i) / (iterations - decay_from)
            for update in range(1, updates + 1):
                last = update == updates
                expected.append(Moment(stage, "adversarial", i, last, rate))
                steps.append(steps[-1] + 1 + last)
    assert [schedule.at(batch) for batch in range(schedule.batches)] == expected
    assert [schedule.steps(batches) for batches in range(schedule.batches + 1)] == steps
    assert len(expected) == schedule.batches == stages * schedule.batches_per_stage
    assert steps[-1] == stages * schedule.steps_per_stage
    assert schedule.at(schedule.batches).stage == stages


@given(numbers)
def test_each_iteration_updates_the_discriminators_once(numbers):
    stages, (iterations, decay_from), updates, *pretraining = numbers
    schedule = GanSchedule(stages, iterations, decay_from, updates, *pretraining)
    found = {}
    for moment in map(schedule.at, range(schedule.batches)):
        if moment.phase == "adversarial":
            found.setdefault((moment.stage, moment.iteration), []).append(moment.update_discriminators)
    assert len(found) == stages * iterations
    assert all(batches == [False] * (updates - 1) + [True] for batches in found.values())


@given(numbers)
def test_rates_fall_in_equal_steps_to_the_last_above_zero(numbers):
    _, (iterations, decay_from), updates, *_ = numbers
    schedule = GanSchedule(1, iterations, decay_from, updates, 0, 0)
    rates = [schedule.at(i * updates).rate for i in range(iterations)]
    assert all(rate == 1 for rate in rates[: decay_from + 1])
    falls = [before - after for before, after in zip(rates[decay_from:], rates[decay_from + 1 :], strict=False)]
    assert falls == pytest.approx([1 / max(1, iterations - decay_from)] * len(falls))
    assert rates[-1] > 0


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ((1, 0, 0, 1, 0, 0), "iterations and generator_updates are at least 1"),
        ((1, 4, 0, 0, 0, 0), "iterations and generator_updates are at least 1"),
        ((1, 4, 5, 1, 0, 0), "decay_from is 0 to 4, the number of iterations, not 5"),
        ((1, 4, -1, 1, 0, 0), "decay_from is 0 to 4, the number of iterations, not -1"),
        ((1, 4, 0, 1, -1, 0), "pretrain_generators and pretrain_discriminators are at least 0"),
        ((1, 4, 0, 1, 0, -2), "pretrain_generators and pretrain_discriminators are at least 0"),
    ],
)
def test_numbers_out_of_range_are_refused(numbers, message):
    with pytest.raises(ConfigError, match=message):
        GanSchedule(*numbers)
