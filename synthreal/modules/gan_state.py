"""What each process has of its own while a GAN trains: running statistics of batch norm, and image pools."""

from typing import Any

import torch.distributed as dist
from lightning.fabric.utilities import move_data_to_device
from lightning.pytorch import Trainer
from lightning.pytorch.strategies import Strategy
from lightning.pytorch.utilities import rank_zero_warn
from torch import nn

State = dict[str, Any]


def average_statistics(module: nn.Module, strategy: Strategy) -> None:
    """Gives all processes the mean of their statistics, for DDP shares none under manual optimisation."""
    for table in module.buffers():
        if table.is_floating_point():
            table.copy_(strategy.reduce(table, reduce_op="mean"))


def gather_states(module: nn.Module) -> list[State]:
    """Returns what is no parameter of each process's module, by rank, on the CPU; nothing if there is one process."""
    if not dist.is_available() or not dist.is_initialized() or dist.get_world_size() == 1:
        return []
    shared = {name for name, _ in module.named_parameters()}
    own = {name: value for name, value in module.state_dict().items() if name not in shared}
    states: list[State] = [{} for _ in range(dist.get_world_size())]
    dist.all_gather_object(states, move_data_to_device(own, "cpu"))
    return states


def restore_state(module: nn.Module, states: list[State], trainer: Trainer) -> None:
    """Gives this process's module its own of what `gather_states` returned.

    Must come after the first forward pass has begun, in which DDP copies the first process's buffers to all. Warns, and
    changes nothing, if there were more or fewer processes.
    """
    count = max(1, len(states))
    if count != trainer.world_size:
        rank_zero_warn(
            f"The checkpoint is of {count} processes, and this run has {trainer.world_size}: all go on with the first "
            "one's image pools and running statistics, which is another run than the one that was interrupted."
        )
    elif states:
        module.load_state_dict(states[trainer.global_rank], strict=False)
