"""A nested value as a tree that JSON can hold, and the arrays that it names; and back.

None, booleans, strings, integers, finite floats and lists are themselves in JSON; all else is an object
with one key, the kind: ``{"tuple": [1, 2]}``.  The kinds are listed in this file, so what a file can bring
into being is: nothing else.
"""

from __future__ import annotations

import base64
import collections
import math

import numpy as np

from tinygrad_hw import dtypes
from tinygrad_hw.device import device
from tinygrad_hw.layout import Size
from tinygrad_hw.nn.parameter import Buffer, Parameter
from tinygrad_hw.tensor import Tensor

__all__ = ["DEEPEST", "decode", "encode"]

DEEPEST = 100  # containers inside containers; JSON's reader stops at about 1000, and each takes up to three
_MAPPINGS = {"dict": dict, "OrderedDict": collections.OrderedDict, "Counter": collections.Counter}
_SEQUENCES = {"tuple": tuple, "set": set, "frozenset": frozenset, "Size": Size}
_KINDS = {kind: name for name, kind in (_MAPPINGS | _SEQUENCES).items()}
_ADVICE = ("a file may hold Tensors, arrays of numbers, dicts, lists, tuples, sets, numbers, text, bytes and "
           "None")


def encode(value) -> tuple[object, dict[str, np.ndarray]]:
    """``value`` as a tree for JSON, and its arrays by the names that the tree uses: their paths.

    Tensors that share one memory are one array.  Raises TypeError, which says where it stands, for a value
    of another kind, and ValueError for containers that contain themselves or nest too deep.

    >>> tree, arrays = encode({"weight": Tensor._wrap(np.ones(2)), "betas": (0.9, math.inf)})
    >>> tree["dict"]
    [['weight', {'tensor': ['weight', False]}], ['betas', {'tuple': [0.9, {'float': 'inf'}]}]]
    >>> list(arrays)
    ['weight']
    """
    encoder = _Encoder()
    return encoder.encode(value, ()), encoder.arrays


class _Encoder:
    def __init__(self):
        self.arrays: dict[str, np.ndarray] = {}
        self.names: dict[tuple, str] = {}  # memory -> name
        self.kept: list[np.ndarray] = []  # memory that is noted must not be freed and used anew

    def encode(self, value, path: tuple):
        kind = type(value)
        if value is None or kind in (bool, str, int):
            return value
        if kind is float:
            return value if math.isfinite(value) else {"float": repr(value)}
        if kind is complex:
            return {"complex": [self.encode(part, path) for part in (value.real, value.imag)]}
        if kind is bytes:
            return {"bytes": base64.b64encode(value).decode()}
        if kind is dtypes.dtype:
            return {"dtype": value.name}
        if kind is device:
            return {"device": value.type}
        if isinstance(value, Tensor):
            return self._tensor(value, path)
        if kind is np.ndarray:
            return {"ndarray": self._name(value, path)}
        if isinstance(value, np.generic):
            return {"number": self._name(np.asarray(value), path)}
        if kind is list or kind in _KINDS:
            return self._container(value, kind, path)
        raise TypeError(_refusal(value, path))

    def _container(self, value, kind, path):
        if len(path) >= DEEPEST:
            raise ValueError(f"{_place(path)[:80]}... lies more than {DEEPEST} containers deep, or inside "
                             "itself; save a flatter structure")
        if kind in _MAPPINGS.values():
            return {_KINDS[kind]: [[self.encode(key, (*path, "key")), self.encode(entry, (*path, str(key)))]
                                   for key, entry in value.items()]}
        entries = [self.encode(entry, (*path, str(place))) for place, entry in enumerate(value)]
        return entries if kind is list else {_KINDS[kind]: entries}

    def _tensor(self, value, path):
        name = self._name(value.array, path)
        if isinstance(value, Buffer):
            return {"buffer": [name, value.persistent]}
        return {"parameter" if isinstance(value, Parameter) else "tensor": [name, value.requires_grad]}

    def _name(self, array, path) -> str:
        if array.dtype.kind not in "biuf" or array.dtype.itemsize > 8:
            raise TypeError(f"{_place(path)} is an array of {array.dtype}; a file holds arrays of booleans, "
                            "integers and floats of up to 64 bits: convert it")
        memory = (array.__array_interface__["data"][0], array.shape, array.strides, array.dtype)
        if array.size and memory in self.names:
            return self.names[memory]
        name = stem = "/".join(path) or "value"
        number = 1
        while name in self.arrays or name == "__metadata__":
            number += 1
            name = f"{stem}#{number}"
        self.kept.append(array)
        self.names[memory] = name
        self.arrays[name] = np.ascontiguousarray(array, array.dtype.newbyteorder("=")).reshape(array.shape)
        return name


def _place(path) -> str:
    return f"the entry {'/'.join(path)!r}" if path else "the object"


def _refusal(value, path) -> str:
    name = type(value).__name__
    if hasattr(value, "state_dict"):
        return (f"{_place(path)} is a {name}: save its state_dict() and load it into a new one with "
                "load_state_dict(); an object as a whole would need code in the file")
    if callable(value):
        return f"{_place(path)} is {name} {getattr(value, '__name__', '')!r}, which is code; {_ADVICE}"
    return f"{_place(path)} is of type {name}; {_ADVICE}: convert it"


# ------------------------------------------------------------------ back


def decode(tree, arrays: dict[str, np.ndarray]):
    """The value that `encode` took apart; ``arrays`` are taken over, not copied.

    Raises ValueError if the tree is not one of `encode`'s or names an array that is not there.

    >>> decode(*encode([1, (2.5, {"a": np.arange(2)})]))
    [1, (2.5, {'a': array([0, 1])})]
    """
    try:
        return _Decoder(arrays).decode(tree, 0)
    except (TypeError, ValueError, KeyError, AttributeError, OverflowError, RuntimeError) as error:
        raise ValueError(f"its structure is damaged ({type(error).__name__}: {str(error)[:200]})") from error


class _Decoder:
    def __init__(self, arrays):
        self.arrays = arrays
        self.tensors: dict[tuple, Tensor] = {}

    def decode(self, tree, depth: int):
        if depth > DEEPEST:
            raise ValueError(f"containers nest more than {DEEPEST} deep")
        if type(tree) is list:
            return [self.decode(entry, depth + 1) for entry in tree]
        if type(tree) is not dict:
            return tree
        (kind, content), = tree.items()
        if kind in _MAPPINGS:
            pairs = [(self.decode(key, depth + 1), self.decode(entry, depth + 1)) for key, entry in content]
            return _MAPPINGS[kind](dict(pairs) if kind == "Counter" else pairs)
        if kind in _SEQUENCES:
            return _SEQUENCES[kind](self.decode(list(content), depth))
        return getattr(self, f"_{_checked(kind)}")(content)

    def _float(self, content):
        return {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}[content]

    def _complex(self, content):
        real, imaginary = (self.decode(part, DEEPEST) for part in content)
        return complex(real, imaginary)

    def _bytes(self, content):
        return base64.b64decode(content, validate=True)

    def _dtype(self, content):
        return dtypes.of(content)

    def _device(self, content):
        return device("cpu")

    def _ndarray(self, content):
        return self.arrays[content]

    def _number(self, content):
        return self.arrays[content][()] if self.arrays[content].ndim == 0 else _wrong(content)

    def _tensor(self, content):
        name, requires_grad = content
        return self._shared("tensor", name, requires_grad,
                            lambda array: Tensor._wrap(array).requires_grad_(requires_grad))

    def _parameter(self, content):
        name, requires_grad = content
        return self._shared("parameter", name, requires_grad,
                            lambda array: Parameter(Tensor._wrap(array), requires_grad))

    def _buffer(self, content):
        name, persistent = content
        return self._shared("buffer", name, persistent,
                            lambda array: Buffer(Tensor._wrap(array), persistent=persistent))

    def _shared(self, kind, name, flag, make):
        """One Tensor for one memory."""
        if type(flag) is not bool:
            raise ValueError(f"{name} is followed by {flag!r}, not by true or false")
        if (kind, name, flag) not in self.tensors:
            array = self.arrays[name]
            dtypes.of(array.dtype)  # refuses what no Tensor holds, such as float16
            self.tensors[kind, name, flag] = make(array)
        return self.tensors[kind, name, flag]


_LEAVES = ("float", "complex", "bytes", "dtype", "device", "ndarray", "number", "tensor", "parameter",
           "buffer")


def _checked(kind: str) -> str:
    if kind not in _LEAVES:
        raise ValueError(f"{kind!r} is no kind of value")
    return kind


def _wrong(name):
    raise ValueError(f"{name} is no single number")
