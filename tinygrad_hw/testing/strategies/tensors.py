"""Strategies of shapes, dtypes, arrays and tensors, and of the ways they may lie in memory."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tinygrad_hw.tensor import Tensor

__all__ = ["arrays", "as_tensor", "broadcastable_shapes", "broadcastable_tensors", "dims", "dtypes",
           "kink_free", "kink_free_arrays", "layouts", "numbers", "shapes", "tensors"]


def shapes(min_dims: int = 0, max_dims: int = 3, min_side: int = 0, max_side: int = 4):
    """Shapes, 0-d and empty ones included unless excluded by the arguments.

    >>> from hypothesis import find
    >>> find(shapes(), lambda shape: 0 in shape)
    (0,)
    """
    return st.lists(st.integers(min_side, max_side), min_size=min_dims, max_size=max_dims).map(tuple)


def broadcastable_shapes(count: int = 2, max_dims: int = 3, min_side: int = 0, max_side: int = 4):
    """Lists of ``count`` shapes that broadcast with each other.

    >>> from hypothesis import find
    >>> one, two = find(broadcastable_shapes(2, min_side=1), lambda pair: pair[0] != pair[1])
    >>> len(np.broadcast_shapes(one, two))
    1
    """
    return hnp.mutually_broadcastable_shapes(
        num_shapes=count, max_dims=max_dims, min_side=min_side, max_side=max_side
    ).map(lambda drawn: list(drawn.input_shapes))


def dtypes(kinds: str = "fiub"):
    """NumPy dtypes that the engine has, of these kinds: float, int, unsigned, bool.

    >>> from hypothesis import find
    >>> find(dtypes("f"), lambda dtype: True)
    dtype('float32')
    """
    names = ("float32", "float64", "int64", "int32", "int16", "int8", "uint8", "bool")
    return st.sampled_from([np.dtype(name) for name in names if np.dtype(name).kind in kinds])


def numbers(dtype=np.float64, low: float | None = None, high: float | None = None):
    """Elements of a dtype between ``low`` and ``high``.

    Floats are finite; without bounds their magnitude is at most the square root of the greatest one, so
    that products do not overflow.

    >>> from hypothesis import find
    >>> find(numbers(np.int8, 3, 9), lambda n: True)
    3
    """
    dtype = np.dtype(dtype)
    if dtype.kind == "b":
        return st.booleans()
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        return st.integers(max(info.min, math.ceil(info.min if low is None else low)),
                           min(info.max, math.floor(info.max if high is None else high)))
    largest = float(np.sqrt(np.finfo(dtype).max))
    low, high = -largest if low is None else low, largest if high is None else high
    if dtype == np.float32:
        low, high = (_inward(value, toward) for value, toward in ((low, math.inf), (high, -math.inf)))
    return st.floats(low, high, width=8 * dtype.itemsize, allow_subnormal=False)


def _inward(bound: float, toward: float) -> float:
    """The bound itself or the next float32 on the inner side of it."""
    value = np.float32(bound)
    inside = value >= bound if toward > 0 else value <= bound
    return float(value if inside else np.nextafter(value, np.float32(toward)))


# ------------------------------------------------------------------ memory


def _transposed(array):
    return np.array(array, order="F")


def _spread(array):
    wide = np.zeros(tuple(2 * n for n in array.shape), array.dtype)
    view = wide[(..., *(slice(None, None, 2) for _ in array.shape))]
    view[...] = array
    return view


def _offset(array):
    storage = np.zeros(array.size + 3, array.dtype)
    view = storage[3:].reshape(array.shape)
    view[...] = array
    return view


def layouts():
    """Functions that lay an array out differently in memory: transposed, strided, at an offset.

    >>> from hypothesis import find
    >>> change = find(layouts(), lambda f: not f(np.ones((2, 3))).flags.c_contiguous)
    >>> change(np.ones((2, 3))).strides
    (8, 16)
    """
    return st.sampled_from([np.array, _transposed, _spread, _offset])


def arrays(dtype=np.float64, shape=None, low: float | None = -10, high: float | None = 10,
           layout=None):
    """Arrays of a dtype (or a strategy of dtypes), of a shape (or a strategy of shapes).

    Args:
        dtype: NumPy dtype or strategy.
        shape: tuple or strategy; `shapes` by default.
        low, high: bounds of the elements; None for those of `numbers`.
        layout: strategy of functions that lay out memory; `layouts` by default.

    >>> from hypothesis import find
    >>> find(arrays(np.int64, (2,), 3, 5), lambda a: True)
    array([3, 3])
    """
    shape = shapes() if shape is None else shape
    layout = layouts() if layout is None else layout

    @st.composite
    def draw_array(draw):
        kind = np.dtype(draw(dtype) if isinstance(dtype, st.SearchStrategy) else dtype)
        size = draw(shape) if isinstance(shape, st.SearchStrategy) else shape
        bounds = (None, None) if kind.kind == "b" else (low, high)
        return draw(layout)(draw(hnp.arrays(kind, size, elements=numbers(kind, *bounds))))

    return draw_array()


def tensors(dtype=np.float64, shape=None, low: float | None = -10, high: float | None = 10,
            requires_grad: bool = False, layout=None):
    """Tensors; the arguments are those of `arrays`.

    >>> from hypothesis import find
    >>> find(tensors(shape=(2,), requires_grad=True), lambda t: True)
    tensor([0., 0.], dtype=tinygrad_hw.float64, requires_grad=True)
    """
    found = arrays(dtype, shape, low, high, layout)
    return found.map(lambda array: as_tensor(array, requires_grad))


def as_tensor(array: np.ndarray, requires_grad: bool = False) -> Tensor:
    """A Tensor that shares the array's memory, however it is laid out."""
    tensor = Tensor._wrap(array)
    return tensor.requires_grad_() if requires_grad and array.dtype.kind == "f" else tensor


@st.composite
def broadcastable_tensors(draw, count: int = 2, dtype=np.float64, max_dims: int = 3, min_side: int = 0,
                          max_side: int = 4, low: float | None = -10, high: float | None = 10,
                          requires_grad: bool = False):
    """Lists of ``count`` tensors whose shapes broadcast with each other.

    >>> from hypothesis import find
    >>> one, two = find(broadcastable_tensors(2), lambda pair: pair[0].shape != pair[1].shape)
    >>> (one + two).ndim
    1
    """
    return [draw(tensors(dtype, shape, low, high, requires_grad))
            for shape in draw(broadcastable_shapes(count, max_dims, min_side, max_side))]


def dims(ndim: int, several: bool = False):
    """A dimension of a tensor, counted from either end; or, if ``several``, a tuple of different ones.

    >>> from hypothesis import find
    >>> find(dims(3), lambda dim: True), find(dims(3, several=True), lambda dim: len(dim) == 2)
    (0, (0, 1))
    """
    if ndim == 0:
        return st.sampled_from([0, -1]) if not several else st.just(())
    one = st.integers(0, ndim - 1)
    signed = st.builds(lambda dim, back: dim - ndim if back else dim, one, st.booleans())
    if not several:
        return signed
    return st.lists(one, unique=True, min_size=1, max_size=ndim).flatmap(
        lambda chosen: st.tuples(*(st.sampled_from([dim, dim - ndim]) for dim in chosen)))


# ------------------------------------------------------------------ away from kinks


@st.composite
def kink_free_arrays(draw, shape=None, low: float = -2.0, high: float = 2.0, avoid=(0.0,)):
    """Float64 arrays of shuffled, evenly spaced values: no two are equal, none is near ``avoid``.

    Difference quotients are then taken where relu, max, sort and pooling are smooth.

    >>> from hypothesis import find
    >>> find(kink_free_arrays((3,), 0, 3), lambda a: True)
    array([0.5, 1.5, 2.5])
    """
    shape = draw(shapes() if shape is None else shape) if not isinstance(shape, tuple) else shape
    count = math.prod(shape)
    gap = (high - low) / max(count, 1)
    values = low + gap * (np.arange(count) + 0.5)
    for fraction in (0.0, 0.17, 0.31, -0.23):
        moved = values + fraction * gap
        if all(np.abs(moved - point).min(initial=gap) > gap / 20 for point in avoid):
            break
    order = draw(st.permutations(range(count))) if count <= 20 else np.random.Generator(
        np.random.Philox(draw(st.integers(0, 1000)))).permutation(count)
    return draw(layouts())(moved[np.array(order, int)].reshape(shape))


def kink_free(shape=None, low: float = -2.0, high: float = 2.0, avoid=(0.0,), requires_grad: bool = True):
    """Float64 tensors for `gradcheck`; the arguments are those of `kink_free_arrays`.

    >>> from hypothesis import find
    >>> find(kink_free((2,)), lambda t: True)
    tensor([-1.,  1.], dtype=tinygrad_hw.float64, requires_grad=True)
    """
    return kink_free_arrays(shape, low, high, avoid).map(lambda array: as_tensor(array, requires_grad))
