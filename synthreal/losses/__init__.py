"""Loss functions, each with its equation."""

from synthreal.losses.alignment import DANN, DeepCORAL

__all__ = ["DANN", "DeepCORAL"]
