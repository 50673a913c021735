"""Samples to a batch: stack tensors, arrays and numbers along a new first axis, inside any nesting.

The meaning is that of https://pytorch.org/docs/stable/data.html#torch.utils.data.default_collate.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, MutableMapping, MutableSequence, Sequence

import numpy

__all__ = ["default_collate", "default_convert"]


def default_collate(batch):
    """Turn a list of samples into one batch.

    ========================  ==========================================================
    sample                    batch
    ========================  ==========================================================
    Tensor, numpy array       Tensor with a new first axis
    numpy scalar              Tensor of that dtype, 1-d
    float, int, bool          Tensor of float64, int64, bool, 1-d
    str, bytes                the list as it is
    mapping                   the same kind of mapping, each value collated
    namedtuple                the same namedtuple, each field collated
    tuple, list, sequence     list (or the same kind of sequence), each position collated
    ========================  ==========================================================

    Raises:
        TypeError: a type that is not in the table; pass your own ``collate_fn``.
        RuntimeError: tensors of different shapes, or sequences of different lengths.

    >>> images, labels = default_collate([([1.0, 2.0], 3), ([4.0, 5.0], 6)])
    >>> labels.tolist()
    [3, 6]
    >>> default_collate([{"name": "a", "x": 0.5}, {"name": "b", "x": 1.5}])["name"]
    ['a', 'b']
    """
    from tinygrad_hw import Tensor, from_numpy, tensor

    first = batch[0]
    if isinstance(first, Tensor):
        return _stack(batch)
    if isinstance(first, numpy.ndarray):
        if first.dtype.kind in "SUO":
            raise TypeError(_unsupported(first.dtype))
        return _stack([from_numpy(numpy.asarray(array)) for array in batch])
    if isinstance(first, (numpy.bool_, numpy.number)):
        return from_numpy(numpy.array(batch))
    if isinstance(first, float):
        return from_numpy(numpy.array(batch, dtype=numpy.float64))
    if isinstance(first, int):  # bool too
        return tensor(list(batch))
    if isinstance(first, (str, bytes)):
        return batch
    if isinstance(first, Mapping):
        return _rebuild_mapping(
            first, {key: default_collate([sample[key] for sample in batch]) for key in first}
        )
    if isinstance(first, Sequence):
        lengths = {len(sample) for sample in batch}
        if len(lengths) > 1:
            raise RuntimeError(
                f"each element in list of batch should be of equal size, but got lengths "
                f"{sorted(lengths)}; pad them, or pass your own collate_fn"
            )
        columns = [default_collate(column) for column in zip(*batch)]
        return columns if type(first) is tuple else _rebuild_sequence(first, columns)
    raise TypeError(_unsupported(type(first)))


def default_convert(data):
    """Turn the numpy arrays of one sample into Tensors, leave the rest; for ``batch_size=None``.

    >>> import numpy
    >>> default_convert({"x": numpy.zeros(2), "name": "a"})["x"].tolist()
    [0.0, 0.0]
    """
    from tinygrad_hw import from_numpy

    if isinstance(data, (numpy.ndarray, numpy.bool_, numpy.number)):
        return data if data.dtype.kind in "SUO" else from_numpy(numpy.asarray(data))
    if isinstance(data, Mapping):
        return _rebuild_mapping(data, {key: default_convert(value) for key, value in data.items()})
    if isinstance(data, Sequence) and not isinstance(data, (str, bytes)):
        items = [default_convert(item) for item in data]
        return items if type(data) is tuple else _rebuild_sequence(data, items)
    return data


def _unsupported(found) -> str:
    return (
        "default_collate: batch must contain tensors, numpy arrays, numbers, dicts or lists; "
        f"found {found}. Pass a collate_fn that knows this type"
    )


def _stack(tensors):
    """Stack equal tensors by numpy alone: it runs in workers, where nothing may start a thread pool."""
    from tinygrad_hw import from_numpy, stack

    alike = len({(tensor.array.shape, tensor.array.dtype) for tensor in tensors}) == 1
    if alike and not any(tensor.requires_grad for tensor in tensors):
        return from_numpy(numpy.stack([tensor.array for tensor in tensors]))
    return stack(list(tensors))  # promotes dtypes, records the graph, explains unequal shapes


def _rebuild_mapping(original, values: dict):
    """``values`` in a mapping like ``original``, as a plain dict where its type cannot be rebuilt."""
    try:
        if isinstance(original, MutableMapping):
            clone = copy.copy(original)  # keeps extras such as a default factory
            clone.update(values)
            return clone
        return type(original)(values)
    except TypeError:
        return values


def _rebuild_sequence(original, items: list):
    """``items`` in a sequence like ``original``, as a plain list where its type cannot be rebuilt."""
    if isinstance(original, tuple) and hasattr(original, "_fields"):
        return type(original)(*items)
    if isinstance(original, tuple):
        return items
    try:
        if isinstance(original, MutableSequence):
            clone = copy.copy(original)
            for position, item in enumerate(items):
                clone[position] = item
            return clone
        return type(original)(items)
    except TypeError:
        return items
