"""From data to Tensors: `tensor`, `as_tensor` and `from_numpy`."""

from __future__ import annotations

import functools

import numpy as np

from ops.promotion import as_dtype, default_dtype, promote_types
from tinygrad_hw import dtypes
from tinygrad_hw.device import check_device
from tinygrad_hw.tensor import Tensor
from tinygrad_hw.waiting import note_numpy

__all__ = ["as_tensor", "asarray", "from_numpy", "tensor"]


def tensor(
    data, dtype=None, device=None, requires_grad: bool = False, pin_memory: bool = False
) -> Tensor:
    """A Tensor with a copy of ``data``: numbers, nested sequences, arrays, or Tensors.

    Python floats become the default dtype (float32), integers int64; an array keeps its dtype.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.tensor.html

    >>> tensor([[1, 2], [3, 4]]).dtype
    tinygrad_hw.int64
    """
    check_device(device)
    return Tensor._wrap(_to_array(data, as_dtype(dtype), copy=True)).requires_grad_(requires_grad)


def as_tensor(data, dtype=None, device=None) -> Tensor:
    """``data`` as a Tensor, sharing memory where it is a Tensor or an array of the dtype asked for.

    >>> import numpy as np
    >>> a = np.zeros(2)
    >>> as_tensor(a).array is a
    True
    """
    check_device(device)
    dtype = as_dtype(dtype)
    if isinstance(data, Tensor):
        return data if dtype is None or data.array.dtype == dtype else data.to(dtypes.of(dtype))
    tensor = Tensor._wrap(_to_array(data, dtype, copy=False))
    note_numpy(tensor)
    return tensor


def asarray(
    obj, *, dtype=None, device=None, copy: bool | None = None, requires_grad: bool = False
) -> Tensor:
    """`as_tensor`, with the choice to copy.

    >>> asarray([1, 2])
    tensor([1, 2])
    """
    result = tensor(obj, dtype) if copy else as_tensor(obj, dtype, device)
    return result.requires_grad_() if requires_grad else result


def from_numpy(array: np.ndarray) -> Tensor:
    """A Tensor that shares the memory of a NumPy array.

    >>> import numpy as np
    >>> from_numpy(np.arange(3))
    tensor([0, 1, 2])
    """
    if not isinstance(array, np.ndarray):
        raise TypeError(f"expected np.ndarray (got {type(array).__name__}); use tensor() for other data")
    tensor = Tensor._wrap(_to_array(array, None, copy=False))
    note_numpy(tensor)
    return tensor


def _to_array(data, dtype, copy: bool) -> np.ndarray:
    """NumPy array of ``data`` in a supported dtype."""
    if isinstance(data, Tensor):
        data = data.array
    typed = isinstance(data, (np.ndarray, np.generic)) or hasattr(data, "__array__")
    if not typed and isinstance(data, (list, tuple)):
        data, typed, common = _strip_tensors(data)
        dtype = common if dtype is None and common is not None else dtype
    try:
        array = np.array(data, copy=True if copy else None)
    except ValueError as error:
        kind = TypeError if _mixes_depths(data) else ValueError
        raise kind(f"cannot make a tensor of data with uneven lengths: {error}") from None
    if array.dtype.kind not in "biuf":
        raise _no_numbers(data, array, typed)
    if dtype is None:
        dtype = array.dtype
        if not typed:
            dtype = (
                default_dtype()
                if array.size == 0 or dtype.kind == "f"
                else np.dtype("int64")
                if dtype.kind in "iu"
                else dtype
            )
    dtype = as_dtype(dtype)
    if not typed and dtype.kind in "iu" and array.dtype.kind in "iu":
        _check_range(array, dtype)
    return array.astype(dtype, copy=False)


def _check_range(array: np.ndarray, dtype: np.dtype) -> None:
    """Refuse Python integers that the dtype cannot hold; negative ones wrap in uint8, as in PyTorch."""
    info = np.iinfo(dtype)
    low = -info.max if dtype.kind == "u" else info.min
    if array.size and (int(array.max()) > info.max or int(array.min()) < low):
        wrong = array.max() if int(array.max()) > info.max else array.min()
        if dtype == np.int64:
            raise ValueError("Overflow when unpacking long long: the integers of a tensor have 64 bits, got "
                             f"{wrong}")
        raise RuntimeError(f"value cannot be converted to type {dtype} without overflow: {wrong} is "
                           f"outside of [{info.min}, {info.max}]")


def _mixes_depths(data) -> bool:
    """Whether a number stands beside a sequence somewhere."""
    below = [isinstance(item, (list, tuple)) for item in data]
    return any(below) and (not all(below) or any(map(_mixes_depths, data)))


def _no_numbers(data, array: np.ndarray, typed: bool) -> Exception:
    """The error for data that a Tensor cannot hold, of the type that PyTorch raises."""
    leaf, row = data, ()
    while isinstance(leaf, (list, tuple)) and leaf:
        row, leaf = leaf, leaf[0]
    if isinstance(leaf, (int, float)) and any(isinstance(item, str) for item in row):
        return TypeError(f"invalid data type 'str' beside numbers: {row!r:.80}")
    if isinstance(leaf, int):
        return ValueError("Overflow when unpacking long long: the integers of a tensor have 64 bits, "
                          f"got {leaf}")
    if isinstance(leaf, str) and isinstance(data, (list, tuple)):
        return ValueError(f"too many dimensions 'str': a tensor holds numbers, got {leaf!r}")
    if typed or isinstance(leaf, str):
        return TypeError(f"can't convert data of type {array.dtype} to a tensor; the supported dtypes "
                         "are float32, float64, int8, int16, int32, int64, uint8 and bool")
    return RuntimeError(f"Could not infer dtype of {type(leaf).__name__}: a tensor holds numbers")


def _strip_tensors(data):
    """Nested sequences with Tensors replaced by values, whether all leaves carry a dtype, and the common one.

    The common dtype is what all leaves promote to; None where no leaf carries one, or a leaf is no number.
    """
    if isinstance(data, (list, tuple)):
        items = [_strip_tensors(item) for item in data]
        typed, common = [typed for _, typed, _ in items], None
        if any(common is not None for _, _, common in items):
            kinds = {common or _python_dtype(item) for item, _, common in items}
            common = None if None in kinds else functools.reduce(promote_types, kinds)
        return [item for item, _, _ in items], bool(items) and all(typed), common
    if isinstance(data, Tensor):
        data = data.array
    typed = isinstance(data, (np.ndarray, np.generic))
    return data, typed, data.dtype if typed and data.dtype.kind in "biuf" else None


def _python_dtype(data) -> np.dtype | None:
    """The dtype of a Python number or of nested sequences of them."""
    try:
        kind = np.asarray(data).dtype.kind
    except ValueError:  # of different lengths: refused where all of it is read
        return None
    if kind == "f":
        return default_dtype()
    return np.dtype({"b": "bool", "i": "int64"}[kind]) if kind in "bi" else None
