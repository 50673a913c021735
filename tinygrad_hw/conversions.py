"""A Tensor and the world outside: dtypes, NumPy, Python numbers, DLPack, copying and pickling."""

from __future__ import annotations

import copy

import numpy as np

import ops
from ops.promotion import as_dtype
from tinygrad_hw import creation, drawing, dtypes
from tinygrad_hw.autograd.mode import mode
from tinygrad_hw.construct import tensor as make_tensor
from tinygrad_hw.device import check_device
from tinygrad_hw.printing import represent
from tinygrad_hw.tensor import Tensor
from tinygrad_hw.waiting import compute_waiting, note_numpy

__all__ = ["from_dlpack"]


class _Conversions:
    """The methods below become methods of Tensor."""

    # ---- dtypes and devices

    def to(self, *args, dtype=None, device=None, non_blocking=False, copy=False, memory_format=None):
        """The Tensor in another dtype: that given, or that of another Tensor; the device is the CPU."""
        for value in args:
            if isinstance(value, Tensor):
                dtype = value.dtype
            elif (
                isinstance(value, dtypes.dtype)
                or value in (float, int, bool)
                or isinstance(value, (np.dtype, type))
            ):
                dtype = value
            elif not isinstance(value, bool):
                device = value
        check_device(device)
        if dtype is not None and as_dtype(dtype) != self.array.dtype:
            return ops.cast(self, as_dtype(dtype))
        return self.clone() if copy else self

    def type(self, dtype=None):
        """Name of the type (``'torch.FloatTensor'`` style), or the Tensor in the dtype given."""
        names = {
            "float32": "Float",
            "float64": "Double",
            "int64": "Long",
            "int32": "Int",
            "int16": "Short",
            "int8": "Char",
            "uint8": "Byte",
            "bool": "Bool",
        }
        if dtype is None:
            return f"torch.{names[self.array.dtype.name]}Tensor"
        if isinstance(dtype, str):
            by_name = {f"torch.{short}Tensor": long for long, short in names.items()}
            if dtype not in by_name:
                raise ValueError(f"invalid type: {dtype!r}; use one of {', '.join(by_name)}")
            dtype = by_name[dtype]
        return self.to(dtype=as_dtype(getattr(dtype, "dtype", dtype)))  # FloatTensor has a dtype

    def type_as(self, other):
        """The Tensor in the dtype of another."""
        return self.to(dtype=other.dtype)

    def cpu(self, memory_format=None):
        """The Tensor itself: it lives on the CPU."""
        return self

    def cuda(self, device=None, non_blocking=False):
        """Refused: there is no other device than the CPU."""
        check_device("cuda" if device is None else f"cuda:{device}")

    def pin_memory(self):
        """The Tensor itself: all memory can be read by the one device."""
        return self

    # ---- Python and NumPy

    def numpy(self, *, force: bool = False):
        """The values as a NumPy array that shares the memory."""
        if mode.recording and not force and self.requires_grad:
            raise RuntimeError("Can't call numpy() on Tensor that requires grad. Use "
                               "tensor.detach().numpy() instead.")
        array = self.array
        compute_waiting(self)  # what waits to read this memory, before the caller may change it
        note_numpy(self)
        return array

    def __array__(self, dtype=None, copy=None):
        array = self.numpy()
        if dtype is None:
            return np.array(array) if copy else array
        return array.astype(dtype, copy=bool(copy))

    def __array_wrap__(self, array, context=None, return_scalar=False):
        return Tensor._wrap(array)

    def item(self):
        """The value of a Tensor of one element as a Python number."""
        if self.array.size != 1:
            raise RuntimeError(f"a Tensor with {self.array.size} elements cannot be converted to Scalar "
                               f"(its shape is {tuple(self.array.shape)}); use tolist() or reduce it "
                               "first")
        return self.array.item()

    def tolist(self):
        """The values as nested lists of Python numbers."""
        return self.array.tolist()

    def __bool__(self):
        if self.array.size != 1:
            what = "more than one value" if self.array.size else "no values"
            raise RuntimeError(f"Boolean value of Tensor with {what} is ambiguous (shape "
                               f"{tuple(self.array.shape)}); use .any() or .all()")
        return bool(self.array.item())

    def _one_element(self):
        if self.array.size != 1:
            raise ValueError("only one element tensors can be converted to Python scalars, got one of "
                             f"shape {tuple(self.array.shape)}")
        return self.array.item()

    def __int__(self):
        return int(self._one_element())

    def __float__(self):
        return float(self._one_element())

    def __complex__(self):
        return complex(self._one_element())

    def __index__(self):
        if self.array.dtype.kind not in "iub" or self.array.size != 1:
            raise TypeError("only integer tensors of a single element can be converted to an index, got "
                            f"{self.dtype} of shape {tuple(self.array.shape)}")
        return int(self.array.item())

    def __len__(self):
        if self.array.ndim == 0:
            raise TypeError("len() of a 0-d tensor")
        return len(self.array)

    def __iter__(self):
        if self.array.ndim == 0:
            raise TypeError("iteration over a 0-d tensor")
        return iter(ops.unbind(self, 0))

    def __reversed__(self):
        return self if self.array.ndim == 0 else ops.flip(self, (0,))

    def __delitem__(self, index):
        raise TypeError("Tensor does not support deleting items; select those to keep")

    def __contains__(self, element):
        if not isinstance(element, (Tensor, int, float)):
            raise RuntimeError("Tensor.__contains__ only supports Tensor or scalar, but you passed in a "
                               f"{type(element).__name__}.")
        return bool((self == element).any())

    def __repr__(self, *, tensor_contents=None):
        return represent(self)

    def __format__(self, spec):
        return self.item().__format__(spec) if self.array.ndim == 0 else object.__format__(self, spec)

    def __hash__(self):
        return id(self)

    def __dir__(self):
        return sorted({*object.__dir__(self), *vars(self)})

    # ---- other libraries, copies, files

    def __dlpack__(self, **options):
        if self.requires_grad:
            raise BufferError("Can't export tensors that require gradient, use tensor.detach()")
        return self.array.__dlpack__(**{k: v for k, v in options.items() if v is not None})

    def __dlpack_device__(self):
        return self.array.__dlpack_device__()

    def __deepcopy__(self, memo):
        if self.grad_fn is not None:
            raise RuntimeError("Only Tensors created explicitly by the user (graph leaves) support the "
                               "deepcopy protocol at the moment; call detach() first")
        if id(self) in memo:
            return memo[id(self)]
        result = type(self).__new__(type(self))._begin(self.array.copy())
        memo[id(self)] = result
        begun = [*vars(result), "_accumulator", "_post_accumulate_hooks"]
        for name, value in vars(self).items():
            if name not in begun:
                setattr(result, name, copy.deepcopy(value, memo))
        return result.requires_grad_(self.requires_grad)

    def __reduce_ex__(self, protocol):
        extra = {
            name: value
            for name, value in vars(self).items()
            if not name.startswith("_") and name != "array"
        }
        return _rebuild, (type(self), self.array, self.requires_grad, extra)

    # ---- new Tensors like this one

    def new_tensor(self, data, *, dtype=None, device=None, requires_grad=False):
        """A Tensor of ``data`` in this dtype."""
        return make_tensor(data, dtype=dtype or self.dtype, device=device, requires_grad=requires_grad)

    def new_full(self, size, fill_value, *, dtype=None, device=None, requires_grad=False):
        """A Tensor of one value in this dtype."""
        return creation.full(
            size, fill_value, dtype=dtype or self.dtype, device=device, requires_grad=requires_grad
        )

    def fill_diagonal_(self, fill_value, wrap: bool = False):
        """Write one number to the main diagonal."""
        self._check_inplace()
        np.fill_diagonal(self.array, fill_value, wrap=wrap)
        self._bump()
        return self

    def apply_(self, function):
        """Replace each element by ``function(element)``; slow, for Python functions on small Tensors."""
        self._check_inplace()
        for index in np.ndindex(self.array.shape):
            self.array[index] = function(self.array[index].item())
        self._bump()
        return self


def _rebuild(cls, array, requires_grad: bool, extra: dict) -> Tensor:
    """What unpickling calls."""
    result = cls.__new__(cls)._begin(array)
    vars(result).update(extra)
    return result.requires_grad_(requires_grad)


def _new(name: str):
    def method(self, *size, dtype=None, device=None, requires_grad=False, **options):
        return getattr(creation, name)(
            *size, dtype=dtype or self.dtype, device=device, requires_grad=requires_grad, **options
        )

    method.__name__ = method.__qualname__ = f"new_{name}"
    method.__doc__ = f"``{name}`` of the given sizes in this dtype."
    return method


def _as(name: str, dtype: dtypes.dtype):
    def method(self, memory_format=None):
        return self if self.array.dtype == dtype.dtype else ops.cast(self, dtype.dtype)

    method.__name__ = method.__qualname__ = name
    method.__doc__ = f"The Tensor in {dtype.name}; itself if it has that dtype."
    return method


def _unsupported(name: str):
    def method(self, *args, **kwargs):
        raise TypeError(f"{name}() is not supported: the floating dtypes of tinygrad_hw are float32 and "
                        f"float64; leave {name}() out, or use float()")

    method.__name__ = method.__qualname__ = name
    method.__doc__ = "Refused: the floating dtypes are float32 and float64."
    return method


_REVERSED = [tuple(range(ndim))[::-1] for ndim in range(65)]  # of all numbers of dimensions in NumPy


def _reversed(tensor):
    """The dimensions in reverse order."""
    return (ops.permute.recorded or tensor.recorder(ops.permute))(tensor, _REVERSED[tensor.ndim])


def _transposed(tensor, name: str, most: int | None = None):
    """The last two dimensions swapped; a number stays as it is."""
    if tensor.ndim == 0:
        return tensor
    if tensor.ndim == 1 or most is not None and tensor.ndim > most:
        kinds = "matrices (2-D tensors)" if most else "matrices or batches of matrices"
        raise RuntimeError(f"tensor.{name} is only supported on {kinds}. Got {tensor.ndim}-D tensor.")
    return ops.transpose(tensor, -2, -1)


for _name, _value in vars(_Conversions).items():
    if callable(_value):
        setattr(Tensor, _name, _value)
for _name in ("zeros", "ones", "empty"):
    setattr(Tensor, f"new_{_name}", _new(_name))
for _name in ("float", "double", "long", "int", "short", "bool"):
    setattr(Tensor, _name, _as(_name, getattr(dtypes, _name)))
Tensor.char, Tensor.byte = _as("char", dtypes.int8), _as("byte", dtypes.uint8)
for _name in ("half", "bfloat16"):
    setattr(Tensor, _name, _unsupported(_name))
Tensor.bernoulli, Tensor.multinomial = drawing.bernoulli, drawing.multinomial

Tensor.T = property(_reversed, doc="Dimensions reversed.")
Tensor.mT = property(lambda self: _transposed(self, "mT"), doc="The last two dimensions swapped.")
Tensor.mH = property(lambda self: _transposed(self, "mH"), doc="The last two dimensions swapped.")
Tensor.H = property(lambda self: _transposed(self, "H", 2), doc="A matrix transposed.")


def from_dlpack(source) -> Tensor:
    """A Tensor that shares the memory of any object with ``__dlpack__``: NumPy, PyTorch, JAX arrays.

    >>> from_dlpack(np.arange(3))
    tensor([0, 1, 2])
    """
    array = np.from_dlpack(source)
    as_dtype(array.dtype)
    return Tensor._wrap(array)
