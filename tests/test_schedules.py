import pytest
import torch

from synthreal.schedules import InverseDecay


def optimizer():
    weight, bias = torch.nn.Parameter(torch.zeros(2)), torch.nn.Parameter(torch.zeros(2))
    return torch.optim.SGD([{"params": [weight]}, {"params": [bias], "lr": 0.02}], lr=0.01)


@pytest.mark.parametrize(("gamma", "power"), [(1e-4, 0.75), (0.1, 0.5), (0.5, 2.0)])
def test_rate_follows_the_formula_in_every_group(gamma, power):
    rates = optimizer()
    schedule = InverseDecay(rates, gamma, power)
    for step in range(200):
        factor = (1 + gamma * step) ** (-power)
        assert [group["lr"] for group in rates.param_groups] == pytest.approx([0.01 * factor, 0.02 * factor])
        rates.step()
        schedule.step()


def test_defaults_are_those_of_the_paper():
    rates = optimizer()
    schedule = InverseDecay(rates)
    rates.step()
    schedule.step()
    assert rates.param_groups[0]["lr"] == pytest.approx(0.01 * 1.0001**-0.75, rel=1e-12)


def test_state_comes_back():
    first, second = optimizer(), optimizer()
    schedule = InverseDecay(first, 0.1)
    for _ in range(5):
        first.step()
        schedule.step()
    resumed = InverseDecay(second, 0.1)
    second.load_state_dict(first.state_dict())
    resumed.load_state_dict(schedule.state_dict())
    second.step()
    resumed.step()
    assert second.param_groups[1]["lr"] == pytest.approx(0.02 * 1.6**-0.75)
