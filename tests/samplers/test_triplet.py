"""Triplet sets against their definition, looked up in the table of all pairs."""

from math import ceil

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats
from scipy.spatial.transform import Rotation

from synthreal.errors import ConfigError, DatasetError
from synthreal.samplers import TripletSampler, TripletTable

TOLERANCE = 5e-4  # degrees: float32 angles, and what counts as the same pose


def distances(viewpoint):
    """Geodesic distance of all pairs, degrees."""
    azimuth, elevation, tilt = np.asarray(viewpoint, dtype=np.float64).T
    rotations = Rotation.from_euler("ZXZ", np.stack([tilt, elevation - 90, -azimuth], 1), degrees=True)
    return np.stack([np.degrees((rotations * each.inv()).magnitude()) for each in rotations], 1)


@st.composite
def samples(draw):
    """Class, viewpoint and light of any samples, on a grid or not, of classes near or far around."""
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    counts = draw(st.lists(st.integers(2, 14), min_size=2, max_size=5))
    label = random.permutation(2 * np.arange(len(counts)).repeat(counts))  # some classes have none
    spread = draw(st.lists(st.sampled_from([1, 0.05]), min_size=5, max_size=5))
    view = random.uniform([0, -90, -180], [360, 90, 180], (len(label), 3)) * np.array(spread)[label // 2, None]
    step = draw(st.sampled_from([None, 5, 30, 90]))
    view = view if step is None else np.round(view / step) * step
    lights = draw(st.sampled_from([None, 1, 3]))
    light = None if lights is None else torch.from_numpy(random.integers(0, 2, (len(label), lights))).float()
    return torch.from_numpy(label), torch.from_numpy(view).float(), light


@given(samples(), st.sampled_from([10.0, 45.0, 100.0, 180.0]), st.integers(0, 2**32))
def test_sets_are_what_the_definition_says(data, far, seed):
    label, view, light = data
    apart, classes = distances(view), label.numpy()
    fellows = (classes[:, None] == classes) & ~np.eye(len(label), dtype=bool)
    nearest = np.where(fellows, apart, np.inf).min(1)
    farthest = np.where(fellows, apart, 0).max(1)
    assume((farthest > nearest + 0.01).all())  # all have a far pose

    reference = torch.arange(len(label)).repeat(4)
    sets = TripletTable(label, view, light, 10, far).draw(reference, np.random.default_rng(seed)).numpy()
    own, positive, other_pose, *others = sets.T
    assert own.tolist() == reference.tolist()
    assert fellows[own, positive].all()
    assert (apart[own, positive] <= nearest[own] + TOLERANCE).all()
    assert fellows[own, other_pose].all()
    got = apart[own, other_pose]
    assert (got >= np.minimum(far, farthest[own]) - TOLERANCE).all()
    assert (got > apart[own, positive] + TOLERANCE / 10).all()
    assert all((classes[other] != classes[own]).all() for other in others)
    assert (others[0] != others[1]).all()


def lit(count=3):
    """Four poses of two classes, each under `count` lights twice, in no order."""
    pose, light, label = (each.ravel() for each in np.meshgrid(range(4), [*range(count)] * 2, range(2)))
    order = np.random.default_rng(5).permutation(len(pose))
    view = torch.zeros(len(pose), 3)
    view[:, 0] = torch.from_numpy(30.0 * pose[order])
    return torch.from_numpy(label[order]), view, torch.from_numpy(light[order]).float()[:, None].repeat(1, 2)


def test_half_of_the_positives_and_the_chance_ones_of_the_rest_have_another_light():
    label, view, light = lit()
    table = TripletTable(label, view, light, 2)
    sets = table.draw(torch.arange(len(label)).repeat(250), np.random.default_rng(0))
    own, positive = sets[:, 0], sets[:, 1]
    assert torch.equal(view[own], view[positive])
    assert torch.equal(label[own], label[positive])
    # Of the 5 others with the pose, 4 have another light. Both kinds of positive: 1/2 + 1/2 · 4/5.
    differs = (light[own] != light[positive]).all(1).sum().item()
    assert abs(differs - 0.9 * len(own)) < 4 * np.sqrt(0.9 * 0.1 * len(own))


def test_a_pose_under_one_light_has_positives_under_it():
    label, view, light = lit()
    light[view[:, 0] == 60] = 7
    sets = TripletTable(label, view, light, 2).draw(torch.arange(len(label)).repeat(20), np.random.default_rng(0))
    same = view[sets[:, 0], 0] == 60
    assert torch.equal(view[sets[:, 0]], view[sets[:, 1]])
    assert light[sets[same, 1]].eq(7).all()


def test_another_light_is_any_of_its_samples_and_never_the_own():
    label, view, light = lit()
    own = 11
    sets = TripletTable(label, view, light, 2).draw(torch.full((6000,), own), np.random.default_rng(1))
    fellows = ((label == label[own]) & (view == view[own]).all(1)).numpy()
    another = (light[:, 0] != light[own, 0]).numpy() & fellows
    same = fellows & ~another
    same[own] = False
    count = np.bincount(sets[:, 1], minlength=len(label))
    assert count[~fellows].sum() == count[own] == 0
    expected = 6000 * (another * (1 / 8 + 1 / 10) + same / 10)
    assert stats.chisquare(count[expected > 0], expected[expected > 0]).pvalue > 1e-4


def test_lights_without_another_and_no_lights_are_the_same():
    label, view, _ = lit()
    reference = torch.arange(len(label))
    with_one = TripletTable(label, view, torch.ones(len(label), 3), 2).draw(reference, np.random.default_rng(3))
    assert torch.equal(with_one, TripletTable(label, view, None, 2).draw(reference, np.random.default_rng(3)))


def unequal(counts=(9, 20, 30)):
    """Classes of unequal numbers, random viewpoints."""
    random = np.random.default_rng(2)
    label = torch.from_numpy(random.permutation(np.arange(len(counts)).repeat(counts)))
    view = torch.from_numpy(random.uniform([0, -90, -180], [360, 90, 180], (len(label), 3)))
    return label, view.float(), None


@pytest.mark.parametrize("column", [3, 4])
def test_negatives_of_other_classes_are_uniform_over_their_samples(column):
    label, view, light = unequal()
    own = 17
    sets = TripletTable(label, view, light, 3).draw(torch.full((20_000,), own), np.random.default_rng(0))
    count = np.bincount(sets[:, column], minlength=len(label))
    other = (label != label[own]).numpy()
    assert count[~other].sum() == 0
    assert stats.chisquare(count[other]).pvalue > 1e-4


def test_the_two_of_other_classes_are_any_two():
    label, view, light = unequal((6, 3, 5))
    own = int((label == 2).nonzero()[0])
    sets = TripletTable(label, view, light, 3).draw(torch.full((20_000,), own), np.random.default_rng(0))
    pairs = np.bincount(len(label) * sets[:, 3] + sets[:, 4], minlength=len(label) ** 2)
    assert (pairs > 0).sum() == 9 * 8
    assert stats.chisquare(pairs[pairs > 0]).pvalue > 1e-4


def test_far_poses_are_uniform_over_those_beyond_the_angle():
    label, view, light = unequal()
    own = 17
    sets = TripletTable(label, view, light, 3, far=120).draw(torch.full((20_000,), own), np.random.default_rng(0))
    count = np.bincount(sets[:, 2], minlength=len(label))
    beyond = (distances(view)[own] >= 120) & (label == label[own]).numpy()
    assert count[~beyond].sum() == 0
    assert stats.chisquare(count[beyond]).pvalue > 1e-4


def test_views_on_a_coarse_grid_are_not_positive_and_far_at_once():
    # Of four views a quarter turn apart, those beside the reference are beyond 45 degrees, and nearest.
    view = torch.tensor([[90.0 * turn, 0, 0] for turn in range(4)]).repeat(2, 1)
    sets = TripletTable(torch.arange(2).repeat_interleave(4), view, None, 2).draw(
        torch.zeros(200, dtype=torch.int64), np.random.default_rng(0)
    )
    assert set(sets[:, 1].tolist()) == {1, 3}
    assert set(sets[:, 2].tolist()) == {2}


def test_a_view_exactly_as_far_as_asked_is_far_in_float32_too():
    view = torch.tensor([[azimuth, 0, 0] for azimuth in (50.2, 60.2, 50.2 + 22.5, 95.2)]).repeat(2, 1)
    assert view[2, 0].double() - view[0, 0].double() < 22.5  # as rounded
    table = TripletTable(torch.arange(2).repeat_interleave(4), view, None, 2, far=22.5)
    assert set(table.draw(torch.zeros(300, dtype=torch.int64), np.random.default_rng(0))[:, 2].tolist()) == {2, 3}


def test_azimuth_nought_and_a_full_turn_are_the_same_pose():
    view = torch.tensor([[0.0, 10, 0], [360, 10, 360], [0.5, 10, 0], [90, 0, 0]] * 2)
    sets = TripletTable(torch.arange(2).repeat_interleave(4), view, None, 2).draw(
        torch.tensor([0, 1] * 20), np.random.default_rng(0)
    )
    assert sets[:, 1].tolist() == [1, 0] * 20


# What allows no sets


def change(column, row, value):
    """The samples with one of their numbers changed."""
    data = [None if each is None else each.clone() for each in lit()]
    data[column][row] = value
    return data


@pytest.mark.parametrize(
    ("data", "settings", "error", "message"),
    [
        (lit(), {"far": 0.5}, ConfigError, "far is 1 to 180 degrees, not 0.5"),
        (lit(), {"far": 181.0}, ConfigError, "not 181"),
        (lit(), {"num_classes": 1}, ConfigError, "Labels of 1 classes are 0 to 0, not 0 to 1"),
        (change(0, 0, -1), {}, ConfigError, "0 to 2, not -1 to 1"),
        (change(0, 4, 2), {}, DatasetError, r"classes \[2\] have one sample each"),
        (change(0, slice(None), 2), {}, DatasetError, "two classes at least, but the 48 samples are of 1"),
        ([each[:0] for each in lit()], {}, DatasetError, "but the 0 samples are of 0"),
        (change(1, slice(5, 9), torch.nan), {}, DatasetError, "4 of 48 samples have no viewpoint, .* number 5"),
        (change(1, (3, 2), torch.inf), {}, DatasetError, "1 of 48 samples have no viewpoint, .* number 3"),
        (change(2, (7, 1), torch.nan), {}, DatasetError, "1 of 48 samples have no light, .* number 7"),
        (change(1, lit()[0] == 1, 20.0), {}, DatasetError, r"classes \[1\] have too few poses: .* Add samples"),
        # two poses, one sample each
        (
            change(0, [0, int((lit()[1][:, 0] != lit()[1][0, 0]).nonzero()[0])], 2),
            {},
            DatasetError,
            r"\[2\] have too few",
        ),
    ],
)
def test_samples_without_sets_are_refused(data, settings, error, message):
    with pytest.raises(error, match=message):
        TripletTable(*data, **{"num_classes": 3, **settings})


# Batches


def fixed(label, view):
    """Draws that tell which sample they are."""
    number = torch.arange(len(label))
    return {"bucket": label, "parameters": torch.cat([view, number[:, None]], 1), "seed": 100 + number}


def make(sets=6, data=None, **settings):
    label, view, light = lit() if data is None else data
    return TripletSampler(fixed(label, view), TripletTable(label, view, light, 3), sets, **settings)


def epoch(sampler, number=0):
    """All batches of an epoch."""
    sampler.resume(number, 0)
    return list(sampler)


def joined(batches):
    return {key: torch.cat([batch[key] for batch in batches]) for key in batches[0]}


def equal(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


def test_batches_are_sets_one_after_the_other():
    label, view, _ = unequal()
    batches = epoch(make(7, unequal()))
    assert len(batches) == ceil(59 / 7)
    for batch in batches:
        assert batch["role"].tolist() == [0, 1, 2, 3, 4] * 7
        assert torch.equal(batch["bucket"], label[batch["index"]])
        assert torch.equal(batch["parameters"], torch.cat([view[batch["index"]], batch["index"][:, None]], 1))
        assert torch.equal(batch["seed"], 100 + batch["index"])
        own, positive, far, *others = batch["bucket"].view(7, 5).T
        assert torch.equal(own, positive)
        assert torch.equal(own, far)
        assert not any((own == other).any() for other in others)


def test_every_sample_is_a_reference_once_and_some_again_at_the_end():
    made = make(7, unequal())
    orders = []
    for number in range(3):
        order = joined(epoch(made, number))["index"][::5].tolist()
        assert sorted(order[:59]) == list(range(59))
        assert len(order) == 63
        orders.append(tuple(order))
    assert len(set(orders)) == 3
    assert len(epoch(make(7, unequal(), steps_per_epoch=2))) == 2


@given(st.integers(1, 3), st.integers(1, 4), st.one_of(st.none(), st.integers(1, 4)), st.integers(0, 3))
def test_the_ranks_together_are_one_and_each_has_whole_sets(world_size, sets, steps, number):
    settings = {"sets": world_size * sets, "steps_per_epoch": steps, "seed": 2}
    whole = epoch(make(**settings), number)
    ranks = [epoch(make(**settings, rank=rank, world_size=world_size), number) for rank in range(world_size)]
    assert {len(part) for part in ranks} == {len(whole)} == {steps or ceil(48 / (world_size * sets))}
    for step, batch in enumerate(whole):
        for key, rows in batch.items():
            parts = [part[step][key].unflatten(0, (sets, 5)) for part in ranks]
            # rank r has every world_size-th set from r on
            assert torch.equal(torch.stack(parts, 1).flatten(0, 2), rows)


def test_draws_are_a_pure_function_of_seed_and_epoch():
    first = joined(epoch(make(seed=3), 7))
    torch.manual_seed(0)
    made = make(seed=3)
    epoch(made, 2)  # what was drawn before does not matter
    assert equal(first, joined(epoch(made, 7)))
    for other in (epoch(made, 8), epoch(make(seed=4), 7)):
        # other sets, and not only their order
        assert {*map(tuple, first["index"].view(-1, 5).tolist())} != {
            *map(tuple, joined(other)["index"].view(-1, 5).tolist())
        }


@pytest.mark.parametrize("batch", [0, 3, 8])
def test_a_resumed_epoch_is_the_tail_of_the_full_one(batch):
    tail = make()
    tail.resume(3, batch)
    expected, got = epoch(make(), 3)[batch:], list(tail)
    assert len(got) == len(expected) == 8 - batch
    assert all(equal(a, b) for a, b in zip(expected, got, strict=True))


def test_batches_do_not_carry_the_epoch_with_them():
    for batch in make():
        for rows in batch.values():
            assert rows.untyped_storage().nbytes() == rows.nbytes


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"sets": 0}, "at least one for each: 0 do not divide by 1"),
        ({"sets": 1, "world_size": 2}, "1 do not divide by 2"),
        ({"sets": 5, "world_size": 2}, "5 do not divide by 2"),
        ({"steps_per_epoch": 0}, "at least 1, not 0"),
    ],
)
def test_sets_that_cannot_be_drawn_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        make(**settings)


def test_a_table_of_other_samples_is_refused():
    label, view, light = lit()
    with pytest.raises(ConfigError, match="47 draws, but the table is of 48"):
        TripletSampler(fixed(label[1:], view[1:]), TripletTable(label, view, light, 2), 4)
