"""`Tensor`: a NumPy array that remembers how it was computed.

This file holds what a Tensor *is*: its values, its place in the graph and the backward pass.  Shapes and
strides are in ``layout.py``, views and in-place changes in ``memory.py``, hooks in ``hooks.py``, how an op is
recorded in ``recording.py``, operators and methods in ``methods.py`` and ``conversions.py``, printing in
``printing.py``.
"""

from __future__ import annotations

import numpy as np

from ops.core import Traced, array_of
from ops.lazy import LazyModule
from ops.promotion import as_dtype, can_cast, default_dtype
from tinygrad_hw.autograd.callers import warn_user
from tinygrad_hw.autograd.graph import PLAIN
from tinygrad_hw.autograd.mode import mode
from tinygrad_hw.autograd.nodes import Accumulate, Edge, Node
from tinygrad_hw.hooks import Hooks
from tinygrad_hw.layout import Layout, Size
from tinygrad_hw.memory import SharedMemory, View
from tinygrad_hw.waiting import compute_waiting

__all__ = ["Size", "Tensor", "unwrap"]

_new = object.__new__
_api = LazyModule("tinygrad_hw.autograd.api")  # which imports this file


class Tensor(Hooks, SharedMemory, Layout, Traced):
    """A multi-dimensional array of one dtype that records the ops applied to it.

    Made by `tensor`, `from_numpy`, the creation functions, and by ops on other Tensors.
    ``Tensor(data)`` makes a float32 copy and ``Tensor(2, 3)`` uninitialised memory, as in PyTorch.

    Attributes:
        array: the NumPy array that holds the values, shared and not copied.
        requires_grad: whether gradients flow to or through this Tensor.
        grad: the gradient that `backward` accumulated in a leaf, or None.
        grad_fn: the node of the graph that produced this Tensor, None for a leaf.

    >>> from tinygrad_hw import tensor
    >>> x = tensor([1.0, 2.0], requires_grad=True)
    >>> (x * x).sum().backward()
    >>> x.grad
    tensor([2., 4.])
    """

    __array_priority__ = 1000
    # Every Tensor has these four of its own: an attribute that the class has too costs 10 times as much.
    array: np.ndarray
    _history: Edge | None  # (node, output index) that a gradient for this Tensor goes to
    _view: View | None  # how it was taken from another Tensor, if it is a view
    _version_counter: list  # how often the memory was changed in place, and the call of the last change
    _grad = _accumulator = _post_accumulate_hooks = None
    _used: tuple[int, int] | None = None  # of a gradient: the versions that optimizer.step() used, see there
    deferred = False  # whether the values may be uncomputed, or in another order than they seem
    _begin_chain = None  # set by deferred.py

    def __init__(self, *data, dtype=None, device=None, requires_grad: bool = False):
        dtype = as_dtype(dtype) or default_dtype()
        if len(data) == 1 and isinstance(data[0], (float, str)):
            raise TypeError(f"new(): data must be a sequence (got {type(data[0]).__name__}); use "
                            f"tensor({data[0]!r})")
        if len(data) == 1 and not isinstance(data[0], (int, np.integer, Size)):
            array = np.array(unwrap(data[0]), dtype=dtype)
        else:
            array = np.empty((data[0] if isinstance(data[0], Size) else data) if data else (0,), dtype)
        self._begin(array)
        self.requires_grad_(requires_grad)

    # ------------------------------------------------------------------ making Tensors inside the engine

    def _begin(self, array: np.ndarray) -> Tensor:
        """Set what every Tensor has: it is a constant until told otherwise."""
        self.array, self._history, self._view, self._version_counter = array, None, None, [0, None]
        return self

    @staticmethod
    def _wrap(array) -> Tensor:
        """A constant Tensor around an array (no copy)."""
        self = _new(Tensor)
        self.array = array if type(array) is np.ndarray else np.asarray(array)
        self._history, self._view, self._version_counter = None, None, [0, None]
        return self

    @staticmethod
    def _with_history(array, edge: Edge | None, counter: list) -> Tensor:
        """A Tensor around a saved array: its gradient's edge, and the version counter of its memory."""
        self = _new(Tensor)
        self.array, self._history, self._view, self._version_counter = array, edge, None, counter
        return self

    def receive(self, result) -> Tensor:
        """Take over the value of a call with ``out=self``; the memory is reused where the shape fits."""
        if isinstance(result, Tensor) and result.requires_grad or self.requires_grad and mode.recording:
            raise RuntimeError("functions with out=... arguments don't support automatic "
                               "differentiation, but one of the arguments requires grad; call without "
                               "out=, or under no_grad()")
        array = array_of(result)
        compute_waiting(self)
        if not can_cast(array.dtype, self.array.dtype):
            raise RuntimeError(f"result type {array.dtype} can't be cast to the desired output type "
                               f"{self.array.dtype}")
        if array.shape == self.array.shape:
            np.copyto(self.array, array, casting="unsafe")
        else:
            self.array = array.astype(self.array.dtype)
        self._bump()
        return self

    # ------------------------------------------------------------------ place in the graph

    def _edge(self) -> Edge | None:
        """``(node, output index)`` that a gradient for this Tensor goes to; None if it needs none."""
        if self._view is not None:
            self._refresh_view()
        return self._history

    @property
    def requires_grad(self) -> bool:
        """Whether gradients flow to or through this Tensor; may be set on leaves."""
        return self._edge() is not None

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        self.requires_grad_(value)

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Ask for gradients of this leaf (or stop asking); returns the Tensor itself."""
        if requires_grad is not True and requires_grad is not False:
            raise TypeError("argument 'requires_grad' must be bool, not "
                            f"{type(requires_grad).__name__} ({requires_grad!r})")
        if requires_grad and self.array.dtype.kind != "f":
            raise RuntimeError("only Tensors of floating point dtype can require gradients, not "
                               f"{self.dtype}; convert it first: x.float()")
        if self.grad_fn is not None:
            if not requires_grad:
                raise RuntimeError("you can only change requires_grad flags of leaf variables. If you "
                                   "want to use a computed variable in a subgraph that doesn't require "
                                   "differentiation use var_no_grad = var.detach().")
        elif not requires_grad:
            if self._history is not None:
                compute_waiting(self)  # what was called before this line keeps its gradient
                self._history = None
        elif self._history is None:
            compute_waiting(self)  # and gets none from here on
            if self._accumulator is None:
                self._accumulator = Accumulate(self)
            self._history = (self._accumulator, 0)
        return self

    @property
    def is_leaf(self) -> bool:
        """Whether the Tensor was not computed from one that requires a gradient."""
        return self.grad_fn is None

    @property
    def grad_fn(self) -> Node | None:
        """The node that produced this Tensor."""
        edge = self._edge()
        return None if edge is None or type(edge[0]) is Accumulate else edge[0]

    @property
    def output_nr(self) -> int:
        """Which output of its node this Tensor is."""
        edge = self._edge()
        return 0 if edge is None else edge[1]

    @property
    def grad(self) -> Tensor | None:
        """The accumulated gradient; assign None to clear it.

        A warning says so where there will be none: for a computed Tensor without `retain_grad`.
        """
        if self._grad is None and self.grad_fn is not None and not self.retains_grad:
            warn_user("The .grad attribute of a Tensor that is not a leaf Tensor is being accessed. Its "
                      ".grad attribute won't be populated during autograd.backward(): call retain_grad() "
                      "on it before the backward pass, or read the .grad of the leaf it was computed from")
        return self._grad

    @grad.setter
    def grad(self, value: Tensor | None) -> None:
        if value is not None:
            if not isinstance(value, Tensor):
                raise TypeError(f"assigned grad expected to be a Tensor or None but got grad of type "
                                f"{type(value).__name__}")
            if value.array.shape != self.array.shape:
                raise RuntimeError("attempting to assign a gradient of size "
                                   f"'{list(value.array.shape)}' to a tensor of size "
                                   f"'{list(self.array.shape)}'. Please ensure that the gradient and "
                                   "the tensor are the same size")
            if value.array.dtype != self.array.dtype:
                raise RuntimeError(f"attempting to assign a gradient with dtype '{value.dtype}' to a "
                                   f"tensor of dtype '{self.dtype}'; convert it first: "
                                   "grad.to(tensor.dtype)")
        self._grad = value

    @grad.deleter
    def grad(self) -> None:
        self._grad = None

    # ------------------------------------------------------------------ backward

    def backward(self, gradient=None, retain_graph: bool | None = None, create_graph: bool = False,
                 inputs=None) -> None:
        """Add the gradient of this Tensor to the ``grad`` of the leaves it was computed from.

        Args:
            gradient: cotangent of this Tensor's shape; may be left out for a Tensor of one element.
            retain_graph: keep the saved values for another pass (default: the value of
                ``create_graph``).
            create_graph: record the pass, for gradients of gradients.
            inputs: leaves to add to; all of them by default.

        Raises:
            RuntimeError: if nothing requires a gradient, the gradient's shape is wrong or missing, or
                the graph was freed by an earlier pass.
        """
        _api.backward([self], [gradient], retain_graph, create_graph, inputs=inputs)

    def detach(self) -> Tensor:
        """The same memory without history."""
        result = Tensor._wrap(self.array)
        result._version_counter = self._version_counter
        return result

    def detach_(self) -> Tensor:
        """Forget this Tensor's history."""
        if self._view is not None:
            raise RuntimeError("Can't detach views in-place. Use detach() instead.")
        compute_waiting(self)
        self._history = None
        return self

    @property
    def data(self) -> Tensor:
        """The same memory without history; changes through it are not noticed by the graph."""
        return Tensor._wrap(self.array)

    @data.setter
    def data(self, value: Tensor) -> None:
        if not isinstance(value, Tensor):
            raise TypeError(f"Variable data has to be a tensor, but got {type(value).__name__}")
        if self._history is not None and value.array.dtype.kind != "f":
            raise RuntimeError("data set to a tensor that requires gradients must be floating point, "
                               f"not {value.dtype}")
        self.array = value.array


def unwrap(value):
    """Arrays for Tensors, also inside tuples and lists, and Python numbers for NumPy scalars (not masks).

    >>> unwrap((np.float32(2.0), None))
    (2.0, None)
    """
    kind = type(value)
    if kind is tuple or kind is list:
        for item in value:
            if type(item) not in PLAIN:
                several = [item.array if isinstance(item, Tensor) else unwrap(item) for item in value]
                return several if kind is list else tuple(several)
        return value
    if isinstance(value, Tensor):
        return value.array
    return value.item() if isinstance(value, np.number) else value
