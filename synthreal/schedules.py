"""Learning-rate schedules that torch does not have."""

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR


class InverseDecay(LambdaLR):
    """Caffe's "inv" policy: rate = base · (1 + gamma · step)^(-power). It does not depend on the total steps.

    Args:
        optimizer: Optimizer to schedule.
        gamma: Decay for each step.
        power: Exponent.
    """

    def __init__(self, optimizer: Optimizer, gamma: float = 1e-4, power: float = 0.75) -> None:
        super().__init__(optimizer, lambda step: (1 + gamma * step) ** -power)
