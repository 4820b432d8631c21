"""LightningModules, one a method."""

from synthreal.modules.classifier import Classifier

__all__ = ["Classifier"]
