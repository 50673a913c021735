"""Numba kernels: the arithmetic under the ops, on arrays that were checked before."""
