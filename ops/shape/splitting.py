"""`tensor_split` along a named direction: `hsplit`, `vsplit` and `dsplit`."""

from __future__ import annotations

import numpy as np

from ops.core import Bad, array_of, case, composite
from ops.samples import spaced
from ops.shape.join import tensor_split

__all__ = ["dsplit", "hsplit", "vsplit"]


def _split(name: str, input, indices_or_sections, dim: int, ndim: int):
    """Equal parts, or those between indices, of an input of at least ``ndim`` dimensions."""
    if not isinstance(array_of(input), np.ndarray):
        raise TypeError(f"{name}(): argument 'input' (position 1) must be Tensor, not "
                        f"{type(input).__name__}")
    if input.ndim < ndim:
        raise RuntimeError(f"torch.{name} requires a tensor with at least {ndim} dimension, but got a "
                           f"tensor with {input.ndim} dimensions!")
    if not isinstance(indices_or_sections, (int, tuple, list)):
        raise TypeError(f"{name}(): argument 'indices_or_sections' (position 2) must be int or tuple of "
                        f"ints, not {type(indices_or_sections).__name__}")
    if isinstance(indices_or_sections, int):
        size, sections = input.shape[dim], indices_or_sections
        if sections <= 0 or size % sections:
            raise RuntimeError(f"torch.{name} attempted to split along dimension {dim}, but the size of "
                               f"the dimension {size} is not divisible by the split_size {sections}!")
    return tensor_split(input, indices_or_sections, dim)


def _record(shape: tuple[int, ...], function) -> dict:
    """Samples, reference and refused calls of a split of arrays of at least the rank of ``shape``."""

    def samples(rng):
        yield case(spaced(rng, shape), 2)
        yield case(spaced(rng, shape), (1, 3))
        yield case(spaced(rng, (0,) * len(shape)), 1)

    return dict(
        samples=samples,
        reference=lambda input, indices_or_sections: tuple(function(input, indices_or_sections)),
        exempt=dict(zero_dim="there is no dimension to split"),
        bad=[Bad((np.ones(shape), 3), {}, RuntimeError, "4 is not divisible by the split_size 3"),
             Bad((np.array(1.0), 1), {}, RuntimeError, "but got a tensor with 0 dimensions"),
             Bad((np.ones(shape), 1.5), {}, TypeError, "must be int or tuple of ints, not float"),
             Bad(([1.0], 1), {}, TypeError, r"'input' \(position 1\) must be Tensor, not list")])


@composite(**_record((2, 4), np.hsplit))
def hsplit(input, indices_or_sections):
    """Parts side by side: `tensor_split` along dimension 1, or 0 if there is only one.

    >>> hsplit(np.array([[1, 2], [3, 4]]), 2)
    (array([[1],
           [3]]), array([[2],
           [4]]))
    """
    return _split("hsplit", input, indices_or_sections, 1 if getattr(input, "ndim", 1) > 1 else 0, 1)


@composite(**_record((4, 2), np.vsplit))
def vsplit(input, indices_or_sections):
    """Parts below each other: `tensor_split` along dimension 0 of two or more.

    >>> vsplit(np.array([[1, 2], [3, 4]]), 2)
    (array([[1, 2]]), array([[3, 4]]))
    """
    return _split("vsplit", input, indices_or_sections, 0, 2)


@composite(**_record((2, 1, 4), np.dsplit))
def dsplit(input, indices_or_sections):
    """Parts behind each other: `tensor_split` along dimension 2 of three or more.

    >>> dsplit(np.array([[[1, 2]]]), 2)
    (array([[[1]]]), array([[[2]]]))
    """
    return _split("dsplit", input, indices_or_sections, 2, 3)
