"""Operators and methods of Tensor, attached by name.

``x.exp()`` is ``ops.exp(x)``, and ``x.exp_()`` writes the result to x.

The lists are the table of contents: every name stands in one of them, in the group it belongs to.
"""

from __future__ import annotations

import functools

import numpy as np

import ops
from ops.core import Composite, Op
from ops.promotion import as_dtype
from tinygrad_hw.autograd.nodes import node_number
from tinygrad_hw.recorder import recorder, written
from tinygrad_hw.tensor import Tensor

__all__ = ["IN_PLACE", "METHODS", "where"]

METHODS = """
    abs absolute acos acosh add addcdiv addcmul arccos arccosh arcsin arcsinh arctan arctan2 arctanh asin
    asinh atan atan2 atanh bitwise_and bitwise_left_shift bitwise_not bitwise_or bitwise_right_shift
    bitwise_xor ceil clamp clamp_max clamp_min clip copysign cos cosh deg2rad div divide erf erfc erfinv exp
    exp2 expm1 float_power floor floor_divide fmax fmin fmod frac hypot ldexp lerp log log10 log1p log2
    logaddexp logaddexp2 logit maximum minimum mul multiply nan_to_num neg negative positive pow rad2deg
    reciprocal remainder round
    rsqrt sgn sigmoid sign signbit sin sinc sinh sqrt square sub subtract tan tanh true_divide trunc
    xlogy

    allclose eq equal ge greater greater_equal gt isclose isfinite isinf isnan isneginf isposinf le less
    less_equal logical_and logical_not logical_or logical_xor lt ne not_equal

    all amax amin aminmax any argmax argmin count_nonzero cummax cummin cumprod cumsum diff histc
    kthvalue logcumsumexp logsumexp max mean median min mode nanmean nanmedian nansum norm prod std sum var
    argsort sort topk unique unique_consecutive bincount softmax log_softmax relu prelu hardshrink

    addbmm addmm addmv addr baddbmm bmm dot inner kron matmul mm mv outer trace vdot cross

    argwhere broadcast_to chunk clone contiguous diag diag_embed diagonal dsplit flatten fliplr flipud
    gather hsplit index_add index_copy index_fill index_put index_select masked_fill masked_scatter
    masked_select moveaxis movedim narrow nonzero ravel repeat_interleave roll rot90 scatter scatter_add
    scatter_reduce select split squeeze swapaxes swapdims t take take_along_dim tensor_split transpose
    tril triu unbind unflatten unfold unsqueeze vsplit

    cholesky corrcoef cov det diagflat digamma dist gcd heaviside inverse lcm lgamma matrix_exp matrix_power
    nanquantile pinverse quantile
""".split()
"""Names of the ops that are methods under the same name."""

IN_PLACE = """
    abs absolute acos acosh add addbmm addcdiv addcmul addmm addmv addr asin asinh atan atan2 atanh
    baddbmm arccos arccosh arcsin arcsinh arctan arctan2 arctanh bitwise_and bitwise_left_shift bitwise_not
    bitwise_or bitwise_right_shift bitwise_xor ceil clamp clamp_max clamp_min clip copysign
    cos cosh cumprod cumsum deg2rad div divide erf erfc erfinv exp exp2 expm1 float_power floor
    floor_divide fmod frac hypot ldexp lerp log log10 log1p log2 logit mul multiply nan_to_num neg
    negative pow rad2deg reciprocal remainder round rsqrt sgn sigmoid sign sin sinc sinh sqrt square sub
    subtract tan tanh true_divide trunc xlogy relu tril triu digamma gcd heaviside lcm lgamma

    eq ge greater greater_equal gt le less less_equal logical_and logical_not logical_or logical_xor lt
    ne not_equal

    index_add index_copy index_fill index_put masked_fill masked_scatter scatter scatter_add
    scatter_reduce
""".split()
"""Names of the ops that have an in-place method with an underscore."""


_NO_OPTIONS: dict = {}


def _in_place(op):
    """The method that computes ``op`` and writes the result to the Tensor."""

    @functools.wraps(op.forward if hasattr(op, "forward") else op)
    def method(self, *args, **kwargs):
        since = node_number()
        return self._assign(op(self, *args, **kwargs), since)

    return method


def _integers(values: tuple) -> tuple:
    """Sizes given one by one or as one sequence: ``x.view(2, 3)`` and ``x.view((2, 3))``."""
    if len(values) == 1 and isinstance(values[0], (tuple, list)):
        values = tuple(values[0])
    for value in values:
        if type(value) is not int:
            return tuple(map(int, values))
    return values


def _varargs(op):
    """A method whose sizes or dimensions may be given one by one."""
    plain = type(op) is Op

    def method(self, *sizes, **kwargs):
        for name in kwargs:
            if name in ("size", "shape", "dims", "repeats"):
                return op(self, tuple(kwargs[name]))
        for size in sizes:
            if type(size) is not int:
                sizes = _integers(sizes)
                break
        if plain and isinstance(self, Tensor):
            return (op.recorded or self.recorder(op))(self, sizes)
        return op(self, sizes)

    method.__name__ = method.__qualname__ = op.__name__
    method.__doc__ = op.__doc__
    return method


def _method(op, recorded=None):
    """The op as a method; the function that records it takes the method's place at the first call.

    A composite is recorded as the op that it is `alone`, or as the one that is given.
    """
    recorded = recorded or (op.alone if isinstance(op, Composite) else op)
    if recorded is None:
        return _composite_method(op, op.unflagged - 1)

    @functools.wraps(op.forward)
    def method(self, *args, **kwargs):
        if not isinstance(self, Tensor):
            return op(self, *args, **kwargs)
        function = recorder(op) if recorded is op else written(recorded, op)
        for name, value in list(vars(Tensor).items()):
            if value is method:
                setattr(Tensor, name, function)
        return function(self, *args, **kwargs)

    return method


def _composite_method(op, most: int):
    """The same for an op that is written with ops; ``most`` arguments need no check of flags."""
    forward = op.forward

    @functools.wraps(forward)
    def method(self, *args, **kwargs):
        if kwargs or len(args) > most:
            return op(self, *args, **kwargs)
        try:
            return forward(self, *args)
        except Exception as error:
            better = op.explain(error, (self, *args), _NO_OPTIONS)
            if better is error:
                raise
            raise better from None

    return method


def _operator(op, swapped: bool = False):
    """A binary operator; foreign types get their chance through NotImplemented."""
    composite = _composite_method(op, 2) if isinstance(op, Composite) else None

    def method(self, other):
        try:
            if composite is not None:
                return composite(other, self) if swapped else composite(self, other)
            function = op.recorded or self.recorder(op)
            return function(other, self, traced=True) if swapped else function(self, other)
        except (TypeError, RuntimeError):
            if _is_operand(other):
                raise
            return NotImplemented

    return method


def _assignment(op):
    """An operator such as ``+=``."""
    in_place = _in_place(op)

    def method(self, other):
        try:
            return in_place(self, other)
        except (TypeError, RuntimeError):
            if _is_operand(other):
                raise
            return NotImplemented

    return method


def _invert(self):
    """``~x`` of integers and booleans."""
    if self.array.dtype.kind == "f":
        raise TypeError("~ (operator.invert) is only implemented on integer and Boolean-type tensors, "
                        f"not on {self.dtype}")
    return ops.bitwise_not(self)


def _is_operand(value) -> bool:
    return isinstance(value, (Tensor, int, float)) or hasattr(value, "__array__")


for _name in METHODS:
    setattr(Tensor, _name, _method(getattr(ops, _name)))
for _name in IN_PLACE:
    setattr(Tensor, _name + "_", _in_place(getattr(ops, _name)))
for _name in ("expand", "flip", "permute", "repeat", "reshape", "tile"):
    setattr(Tensor, _name, _varargs(getattr(ops, _name)))
for _name in ("expand", "reshape", "view"):
    setattr(Tensor, _name + "_as", _method(getattr(ops, _name + "_as"), getattr(ops, _name)))

for _name, _op in dict(
    add="add",
    sub="sub",
    mul="mul",
    truediv="div",
    floordiv="floor_divide",
    mod="remainder",
    pow="pow",
    matmul="matmul",
    **{"and": "bitwise_and", "or": "bitwise_or"},
    xor="bitwise_xor",
    lshift="bitwise_left_shift",
    rshift="bitwise_right_shift",
).items():
    _op = getattr(ops, _op)
    setattr(Tensor, f"__{_name}__", _operator(_op))
    setattr(Tensor, f"__r{_name}__", _operator(_op, swapped=True))
    setattr(Tensor, f"__i{_name}__", _assignment(_op))
Tensor.__rdiv__ = Tensor.__rtruediv__
for _name in ("eq", "ne", "lt", "le", "gt", "ge"):
    setattr(Tensor, f"__{_name}__", _operator(getattr(ops, _name)))
for _name, _op in dict(neg=ops.neg, pos=ops.positive, abs=ops.abs, getitem=ops.getitem).items():
    setattr(Tensor, f"__{_name}__", _method(_op))
Tensor.__invert__, Tensor.__setitem__ = _invert, Tensor._assign_item


# ------------------------------------------------------------------ methods that take more than a name


def _view(self, *shape, dtype=None, size=()):
    """The same memory in another shape, ``x.view(-1, 4)``, or as another dtype,
    ``x.view(torch.int32)``."""
    if dtype is None and isinstance(self, Tensor) and not size:
        for length in shape:
            if type(length) is not int:
                break
        else:
            return (ops.view.recorded or self.recorder(ops.view))(self, shape)
    if dtype is not None or (len(shape) == 1 and not isinstance(shape[0], (int, tuple, list, Tensor))):
        try:
            return Tensor._wrap(self.array.view(as_dtype(dtype or shape[0])))
        except ValueError as error:
            raise RuntimeError(f"cannot view {self.dtype} of shape {tuple(self.array.shape)} as another "
                               f"dtype: {error}") from None
    return ops.view(self, _integers(shape or size))


def where(condition, *branches, **named):
    """One Tensor where the condition holds, else the other; with the condition alone its places.

    >>> from tinygrad_hw import tensor
    >>> where(tensor([False, True, True]))
    (tensor([1, 2]),)
    """
    if not branches and not named:
        return ops.nonzero(condition, as_tuple=True)
    return ops.where(condition, *branches, **named)


where.__signature__ = ops.where.__signature__


def _where(self, condition, other):
    """``self`` where the condition holds, else ``other``."""
    return ops.where(condition, self, other)


def _sum_to_size(self, *size):
    """Sum over broadcast dimensions down to ``size``."""
    size, shape = _integers(size), tuple(self.array.shape)
    if len(size) > len(shape) or any(n not in (1, m) for n, m in zip(size[::-1], shape[::-1])):
        raise RuntimeError(f"size {list(size)} is not expandable to size {list(shape)}.")
    return ops.sum_to(self, size)


def _copy_(self, source, non_blocking: bool = False):
    """Write the values of ``source``, broadcast and cast, into this Tensor."""
    if not isinstance(source, Tensor):
        raise TypeError("copy_(): argument 'other' (position 1) must be Tensor, not "
                        f"{type(source).__name__}")
    return self._assign(
        ops.expand(ops.cast(source, self.array.dtype), tuple(self.array.shape)), overwrite=True
    )


def _fill_(self, value):
    """Write one number everywhere."""
    if not isinstance(value, Tensor):
        if not isinstance(value, (int, float, np.generic, np.ndarray)):
            raise TypeError("fill_(): argument 'value' (position 1) must be Number, not "
                            f"{type(value).__name__}")
        value = Tensor._wrap(value)
    if value.ndim:
        raise RuntimeError("fill_ only supports 0-dimension value tensor but got tensor with "
                           f"{value.ndim} dimensions.")
    return _copy_(self, value)


def _zero_(self):
    """Write zeros everywhere."""
    return _fill_(self, 0)


def _metadata_in_place(op):
    def method(self, *args, **kwargs):
        """Change the Tensor's shape in place; memory is shared as before."""
        view = op(self, *args, **kwargs)
        self.array, self._history = view.array, view._edge()
        if self._view is not None:
            self._view = view._view
        return self

    return method


Tensor.view, Tensor.where, Tensor.sum_to_size = _view, _where, _sum_to_size
Tensor.copy_, Tensor.fill_, Tensor.zero_ = _copy_, _fill_, _zero_
for _name in ("squeeze", "unsqueeze", "transpose", "t", "swapaxes", "swapdims"):
    setattr(Tensor, _name + "_", _metadata_in_place(getattr(ops, _name)))


# ------------------------------------------------------------------ random numbers in place


def _random_(name: str, draw, summary: str, integers: bool = False):
    """Attach a method that fills the Tensor with ``draw(numpy generator, array, *args)``."""

    def method(self, *args, generator=None, **kwargs):
        if not integers and self.array.dtype.kind != "f":
            raise NotImplementedError(f"\"{name}\" not implemented for '{self.dtype}': these random "
                                      "numbers are float32 or float64")
        self._check_inplace()
        self.array[...] = draw(
            (generator or ops.random.default_generator).numpy, self.array, *args, **kwargs
        )
        self._bump()
        self._rebase(None)
        return self

    method.__name__ = method.__qualname__ = name
    method.__doc__ = summary
    setattr(Tensor, name, method)


def _uniform(rng, array, low=0.0, high=1.0, **bounds):
    """``uniform_(from, to)``; ``from``, a Python keyword, can be given by position or by ``**``."""
    low, high = bounds.get("from", low), bounds.get("to", high)
    if low > high:
        raise RuntimeError(f"uniform_ expects to return a [from, to) range, but found from={low} > "
                           f"to={high}")
    return rng.random(array.shape, array.dtype) * array.dtype.type(high - low) + array.dtype.type(low)


def _normal(rng, array, mean=0.0, std=1.0):
    if std < 0:
        raise RuntimeError(f"normal expects std >= 0.0, but found std {std}")
    values = ops.random.standard_normal(rng, array.shape, array.dtype)
    return values * array.dtype.type(std) + array.dtype.type(mean)


def _bernoulli(rng, array, p=0.5):
    p = ops.core.array_of(p)
    if not np.all((0 <= p) & (p <= 1)):
        raise RuntimeError(f"bernoulli_ expects p to be in [0, 1], but got p={p}")
    return rng.random(array.shape) < p


def _exponential(rng, array, lambd=1.0):
    if lambd <= 0:
        raise RuntimeError(f"exponential_ expects lambda > 0.0, but found lambda={lambd}")
    return rng.standard_exponential(array.shape) / lambd


def _integers_between(rng, array, *bounds, **named):
    """``random_(to)``, ``random_(from, to)`` or the whole range that the dtype holds exactly."""
    low, high = bounds if len(bounds) == 2 else (named.get("from", 0), *bounds, named.get("to"))[:2]
    if high is None:
        high = 2 ** {"float32": 24, "float64": 53, "bool": 1}.get(
            array.dtype.name, array.dtype.itemsize * 8 - 1
        )
    if low >= high:
        raise RuntimeError(f"random_ expects 'from' to be less than 'to', but got from={low} >= "
                           f"to={high}")
    return rng.integers(low, high, size=array.shape)


_random_("uniform_", _uniform, "Uniform random numbers of [from, to), by default [0, 1).")
_random_("normal_", _normal, "Normal random numbers of the given mean and standard deviation.")
_random_("exponential_", _exponential, "Exponential random numbers of rate ``lambd``.")
_random_(
    "bernoulli_", _bernoulli, "0 or 1 with probability ``p`` of 1; ``p`` may be a Tensor.", integers=True
)
_random_(
    "random_",
    _integers_between,
    "Random integers of [from, to), or of all the dtype can hold.",
    integers=True,
)
