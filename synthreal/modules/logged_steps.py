"""Which training steps are logged."""

from lightning.pytorch import Trainer


def is_logged(trainer: Trainer) -> bool:
    """Whether Lightning writes what is logged in this training step, or batch where the model steps by itself.

    Lightning counts these steps itself; after a resume its count may be one ahead of `global_step`.
    """
    every = trainer.log_every_n_steps  # type: ignore[attr-defined]
    return bool(every) and (trainer.fit_loop.epoch_loop._batches_that_stepped + 1) % every == 0
