"""Triplet sets against their definition, looked up in the table of all pairs."""

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats
from scipy.spatial.transform import Rotation

from synthreal.errors import ConfigError, DatasetError
from synthreal.samplers import TripletTable
from tests.samplers.triplet_parts import lit, unequal

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
