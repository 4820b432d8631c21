"""Datamodules: what each batch is made of."""

from synthreal.datamodules.bucket import BucketDataModule
from synthreal.datamodules.foreground import ForegroundDataModule
from synthreal.datamodules.generated import GeneratedDataModule
from synthreal.datamodules.mixed import MixedDataModule
from synthreal.datamodules.unpaired import UnpairedDataModule

__all__ = [
    "BucketDataModule",
    "ForegroundDataModule",
    "GeneratedDataModule",
    "MixedDataModule",
    "UnpairedDataModule",
]
