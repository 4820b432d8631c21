"""LightningDataModules, one a method."""

from synthreal.datamodules.bucket import BucketDataModule

__all__ = ["BucketDataModule"]
