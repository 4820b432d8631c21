"""LightningModules, one a method, and what else a config names of a trained one."""

from synthreal.modules.classifier import Classifier
from synthreal.modules.classifier_features import ClassifierFeatures
from synthreal.modules.gmcml import GMCML
from synthreal.modules.mrgan import MrGAN
from synthreal.modules.passthrough import Passthrough

__all__ = ["GMCML", "Classifier", "ClassifierFeatures", "MrGAN", "Passthrough"]
