"""Switches of PyTorch's libraries, none of which is used: they can be read and set, and change nothing."""

from tinygrad_hw.backends import cuda, cudnn, mkl, mkldnn, mps, openmp

__all__ = ["cuda", "cudnn", "mkl", "mkldnn", "mps", "openmp"]
