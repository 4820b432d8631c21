"""LightningDataModules, one a method."""

from synthreal.datamodules.bucket import BucketDataModule
from synthreal.datamodules.generated import GeneratedDataModule

__all__ = ["BucketDataModule", "GeneratedDataModule"]
