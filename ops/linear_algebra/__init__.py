"""Inverse, determinant and decompositions of matrices, for `tinygrad_hw.linalg`."""
