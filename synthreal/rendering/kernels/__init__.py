"""Kernels in Warp's dialect of Python: C types as annotations, compiled for CPU and CUDA from one source."""
