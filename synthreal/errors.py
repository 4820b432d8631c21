"""Errors that say what was looked for, where, and what to do."""


class SynthrealError(Exception):
    """Base of every error that synthreal raises about its user's input or data."""


class ConfigError(SynthrealError, ValueError):
    """A setting is out of range, contradicts another one, or names something that does not exist."""


class DatasetNotFoundError(SynthrealError, FileNotFoundError):
    """Files of a dataset are missing.

    Args:
        dataset: Name of the dataset.
        looked_for: The file or folder that is missing.
        remedy: What the user can do, as an imperative sentence.
    """

    def __init__(self, dataset: str, looked_for: str, remedy: str) -> None:
        super().__init__(f"{dataset}: nothing at {looked_for!r}. {remedy}")


class DatasetError(SynthrealError, ValueError):
    """Files of a dataset are there, but not what they should be."""


class MeshError(SynthrealError, ValueError):
    """A mesh cannot be drawn: it is empty, or its numbers make no sense."""


class TrainingError(SynthrealError, RuntimeError):
    """Training cannot go on, for example because the loss is not a number."""
