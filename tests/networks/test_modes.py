"""Evaluation mode ends, and every part is in its own mode again."""

import pytest
from torch import nn

from synthreal.networks.modes import evaluating


class Fixed(nn.Sequential):
    """Its first part stays in evaluation mode, whatever is asked for."""

    def train(self, mode=True):
        super().train(mode)
        self[0].eval()
        return self


def modes(module):
    return [part.training for part in module.modules()]


def nested():
    module = nn.Sequential(nn.BatchNorm1d(2), nn.Sequential(nn.Dropout(), nn.BatchNorm1d(2)), nn.Linear(2, 2))
    module[1][0].eval()
    module[2].eval()
    return module


def test_all_parts_evaluate_inside_and_have_their_own_mode_afterwards():
    module = nested()
    before = modes(module)
    assert before == [True, True, True, False, True, False]
    with evaluating(module):
        assert not any(modes(module))
    assert modes(module) == before


def test_also_after_an_exception():
    module = nested()
    before = modes(module)
    with pytest.raises(KeyError), evaluating(module):
        raise KeyError
    assert modes(module) == before


def test_inside_each_other():
    module = nested()
    before = modes(module)
    with evaluating(module):
        with evaluating(module[1]):
            pass
        assert not any(modes(module))
    assert modes(module) == before


def test_a_module_with_a_mode_of_its_own():
    module = Fixed(nn.BatchNorm1d(2), nn.Linear(2, 2))
    for mode in (True, False):
        module.train(mode)
        with evaluating(module):
            assert modes(module) == [False, False, False]
        assert modes(module) == [mode, False, mode]
