"""LightningModules, one a method."""

from synthreal.modules.classifier import Classifier
from synthreal.modules.mrgan import MrGAN
from synthreal.modules.passthrough import Passthrough

__all__ = ["Classifier", "MrGAN", "Passthrough"]
