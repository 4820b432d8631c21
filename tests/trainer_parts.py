"""A trainer without a word, for the tests that train, test or predict."""

from lightning.pytorch import Trainer


def quiet_trainer(**settings):
    """On the CPU, without log, bars, summaries and checkpoints, but for what the settings say."""
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    return Trainer(**{"accelerator": "cpu", "enable_checkpointing": False, **quiet, **settings})
