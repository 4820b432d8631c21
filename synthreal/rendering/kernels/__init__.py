"""Kernels in Warp's dialect of Python: C types as annotations, compiled for CPU and CUDA from one source."""

import warp as wp

wp.config.log_level = wp.LOG_WARNING  # no banner
