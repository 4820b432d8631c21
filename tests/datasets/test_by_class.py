"""Every member of a class can be chosen, and nothing else."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from synthreal.datasets.by_class import by_class, by_label

LAST = 1 - 2**-24  # the largest number that a draw can be


def chosen(table, label, positions):
    position = torch.as_tensor(positions, dtype=torch.float32)
    return table.choose(torch.full(position.shape, label), position).tolist()


def test_equal_shares_in_order():
    table = by_class([[7, 3], [5], [1, 7, 2, 0]])
    assert table.count.tolist() == [2, 1, 4]
    assert chosen(table, 0, [0, 0.49, 0.5, LAST]) == [7, 7, 3, 3]
    assert chosen(table, 1, [0, LAST]) == [5, 5]
    assert chosen(table, 2, [0, 0.3, 0.5, 0.8, LAST]) == [1, 7, 2, 0, 0]
    assert table.choose(torch.tensor([2, 0, 1]), torch.tensor([0.0, 0.9, 0.5])).tolist() == [1, 3, 5]


@settings(max_examples=30)
@given(st.lists(st.lists(st.integers(0, 50), min_size=1, max_size=9, unique=True), min_size=1, max_size=6))
def test_every_member_is_reached_and_only_members(members):
    table = by_class(members)
    for label, group in enumerate(members):
        middles = (np.arange(len(group)) + 0.5) / len(group)
        assert chosen(table, label, middles) == group
        fine = chosen(table, label, np.linspace(0, LAST, 101))
        assert set(fine) <= set(group)
        assert (fine[0], fine[-1]) == (group[0], group[-1])


def test_the_end_of_the_axis_is_the_last_member():
    # A space holds both ends of its axes, and so may a list of parameters.
    assert chosen(by_class([[7, 3], [5]]), 0, [1.0]) == [3]


@settings(max_examples=30)
@given(st.lists(st.integers(0, 4), min_size=1, max_size=40))
def test_labels_are_sorted_by_class(labels):
    table = by_label(torch.tensor(labels), 5)
    assert table.count.tolist() == [labels.count(label) for label in range(5)]
    for label in set(labels):
        group = [i for i, other in enumerate(labels) if other == label]
        assert chosen(table, label, (np.arange(len(group)) + 0.5) / len(group)) == group


@settings(max_examples=30)
@given(st.lists(st.integers(0, 4), min_size=1, max_size=40), st.integers(0, 99))
def test_members_have_numbers_within_their_class_and_are_found_by_them(labels, turns):
    table = by_label(torch.tensor(labels), 5)
    number = table.numbers()
    assert number.tolist() == [labels[:i].count(labels[i]) for i in table.order.tolist()]
    label = torch.tensor(labels)[table.order]
    count = torch.tensor([labels.count(i) for i in label.tolist()])
    assert torch.equal(table.nth(label, number + turns * count), table.order)


def test_it_moves_to_a_device_whole():
    table = by_class([[4, 2], [0]])
    moved = table.to(torch.device("cpu"))
    assert [getattr(moved, name).tolist() for name in ("order", "first", "count")] == [[4, 2, 0], [0, 2], [2, 1]]
