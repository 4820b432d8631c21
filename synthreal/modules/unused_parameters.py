"""Data-parallel training of modules that leave parameters out of some steps."""

from lightning.pytorch.strategies import DDPStrategy, Strategy

from synthreal.errors import ConfigError


def require_unused_parameters(strategy: Strategy, why: str) -> None:
    """Checks, before training, that DDP will not wait for gradients that never come.

    Args:
        strategy: The trainer's.
        why: What leaves parameters out, a sentence.

    Raises:
        ConfigError: If it would wait.
    """
    if isinstance(strategy, DDPStrategy) and not strategy._ddp_kwargs.get("find_unused_parameters"):
        raise ConfigError(f"{why}: use --trainer.strategy=ddp_find_unused_parameters_true.")
