"""Parameter spaces U of image generators, and their buckets B_1 … B_K (SampleAhead, sec. 3.3).

A space is an axis, a product of spaces or a union of spaces. Each maps (bucket, uniform numbers) to parameters u
with `place`, and u back to its bucket with `assign`, on whole batches; buckets are never listed, so 10^6 cost nothing.
"""

from synthreal.spaces.axes import Categorical, Circular, Constant, Continuous
from synthreal.spaces.base import ParameterSpace
from synthreal.spaces.combined import Product, Union
from synthreal.spaces.view_densities import DensityViews
from synthreal.spaces.view_lists import BenchmarkViews, FixedViews, IcosphereViews
from synthreal.spaces.viewpoints import UniformViews

__all__ = [
    "BenchmarkViews",
    "Categorical",
    "Circular",
    "Constant",
    "Continuous",
    "DensityViews",
    "FixedViews",
    "IcosphereViews",
    "ParameterSpace",
    "Product",
    "UniformViews",
    "Union",
]
