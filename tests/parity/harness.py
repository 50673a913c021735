"""Run the same call in PyTorch and in tinygrad_hw, and compare what comes back.

Both sides get Tensors made of the same NumPy arrays; everything else is passed on as it is, except
dtypes, which are translated.  A call's `Outcome` is its result or the error it raised.
"""

import dataclasses
import functools
import itertools
import warnings

import numpy as np
import pytest

import tinygrad_hw as thw
from tinygrad_hw.dtypes import dtype as OurDtype

torch = pytest.importorskip("torch")

torch.set_num_threads(1)

DTYPES = [np.dtype(name) for name in ("bool", "uint8", "int8", "int32", "int64", "float32", "float64")]


# ------------------------------------------------------------------ translating arguments


def generator(seed=0):
    """The random generator of all samples."""
    return np.random.Generator(np.random.Philox(seed))


def map_values(change, value):
    """``change`` applied to every leaf of nested tuples, lists and slices."""
    if type(value) in (tuple, list):
        return type(value)(map_values(change, item) for item in value)
    return change(np.asarray(value) if isinstance(value, np.generic) else value)


def to_torch(value):
    """Arrays and dtypes as PyTorch's, nested sequences included."""

    def convert(leaf):
        if isinstance(leaf, np.ndarray):
            return torch.from_numpy(np.array(leaf, order="C"))
        if isinstance(leaf, OurDtype):
            return getattr(torch, leaf.name)
        if isinstance(leaf, np.dtype) or isinstance(leaf, type) and issubclass(leaf, np.generic):
            return getattr(torch, np.dtype(leaf).name)
        return leaf

    return map_values(convert, value)


def to_ours(value):
    """Arrays as Tensors of tinygrad_hw, nested sequences included."""
    return map_values(
        lambda leaf: thw.from_numpy(leaf.copy()) if isinstance(leaf, np.ndarray) else leaf, value
    )


def arguments(convert, args, kwargs):
    """Both kinds of arguments through ``convert``."""
    return [convert(a) for a in args], {name: convert(value) for name, value in kwargs.items()}


def arrays_in(args, kwargs):
    """The arrays among the arguments, nested ones included."""
    found = []
    for value in (*args, *kwargs.values()):
        map_values(lambda leaf: found.append(leaf) if isinstance(leaf, np.ndarray) else None, value)
    return found


def cast_floats(args, kwargs, dtype):
    """The arguments with every float array in another dtype."""

    def change(leaf):
        return leaf.astype(dtype) if isinstance(leaf, np.ndarray) and leaf.dtype.kind == "f" else leaf

    return arguments(functools.partial(map_values, change), args, kwargs)


# ------------------------------------------------------------------ other dtypes

NUMBERS = (True, 2, 1.5)


def cast(array, dtype):
    """Small numbers in any dtype; none is negative in an unsigned one, none NaN in an integer one."""
    if dtype.kind == "f":
        return array.astype(dtype)
    array = np.nan_to_num(array)
    return (np.abs(array) if dtype.kind == "u" else array).astype(dtype)


def to_integers(args, kwargs, dtype):
    """The arguments with every float array in an integer dtype or bool."""

    def change(leaf):
        return cast(leaf, dtype) if isinstance(leaf, np.ndarray) and leaf.dtype.kind == "f" else leaf

    return arguments(functools.partial(map_values, change), args, kwargs)


def dtype_pairs():
    """Operands of every two dtypes, as arrays and 0-d arrays, and of every dtype with Python numbers."""
    first, second = np.array([3.0, -2.0]), np.array([2.0, 1.0])
    for left, right in itertools.product(DTYPES, DTYPES):
        for a, b in itertools.product((first, first[0].reshape(())), (second, second[0].reshape(()))):
            yield cast(a, left), cast(b, right)
    for dtype, number in itertools.product(DTYPES, NUMBERS):
        yield cast(first, dtype), number
        yield cast(first[0].reshape(()), dtype), number


# ------------------------------------------------------------------ what a call gives


@dataclasses.dataclass
class Outcome:
    """The value of a call, or the error it raised."""

    value: object = None
    error: Exception | None = None

    def __repr__(self):
        return (
            f"{type(self.error).__name__}: {str(self.error)[:300]}" if self.error else f"{self.value!r}"
        )


def attempt(function, *args, **kwargs):
    """Call and catch: warnings are silent, errors are part of the outcome."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return Outcome(function(*args, **kwargs))
        except Exception as error:  # any error of PyTorch's is what ours is compared with
            return Outcome(error=error)


def check_errors(ours, theirs, call):
    """Both raised, with the same type (a subclass will do), or neither."""
    if theirs.error is None:
        assert ours.error is None, f"{call}: PyTorch computes {theirs}, we raise {ours}"
        return
    assert ours.error is not None, f"{call}: PyTorch raises {theirs}, we compute {ours}"
    assert isinstance(ours.error, type(theirs.error)), (
        f"{call}: PyTorch raises {theirs}, we raise {ours}"
    )


def no_kernel(outcome):
    """Whether PyTorch refused only because nobody wrote the kernel for this dtype; we may compute it."""
    return outcome.error is not None and (
        isinstance(outcome.error, NotImplementedError) or "not implemented for" in str(outcome.error)
    )


# ------------------------------------------------------------------ comparing values


def tolerance(dtype):
    """Relative and absolute tolerance: rounding of another order of summation, nothing more."""
    return (1e-5, 2e-6) if dtype == np.float32 else (1e-10, 1e-11)


def check_arrays(ours, theirs, call, exact=False, signed_zero=False, precision=None):
    """Same shape, dtype and values of two Tensors; ``precision`` is that of a coarser dtype."""
    assert isinstance(ours, thw.Tensor), f"{call}: got {type(ours).__name__}, PyTorch gives a Tensor"
    mine, other = ours.detach().numpy(), theirs.detach().numpy(force=True)
    assert mine.dtype == other.dtype, f"{call}: dtype {mine.dtype}, PyTorch gives {other.dtype}"
    assert mine.shape == other.shape, f"{call}: shape {mine.shape}, PyTorch gives {other.shape}"
    if exact or mine.dtype.kind != "f":
        np.testing.assert_array_equal(mine, other, err_msg=call)
    else:
        rtol, atol = tolerance(precision or mine.dtype)
        np.testing.assert_allclose(mine, other, rtol=rtol, atol=atol, err_msg=call)
    if signed_zero:
        zeros = other == 0
        np.testing.assert_array_equal(
            np.signbit(mine)[zeros], np.signbit(other)[zeros], err_msg=f"{call}: -0.0"
        )


def check_values(ours, theirs, call, values=True, first_only=False, **options):
    """Same structure, and the same Tensors in it.

    With ``values=False`` only shapes and dtypes are compared, with ``first_only`` those alone of
    all outputs but the first.
    """
    if isinstance(theirs, torch.Tensor):
        if values:
            check_arrays(ours, theirs, call, **options)
        else:
            assert (tuple(ours.shape), str(ours.dtype)[12:]) == (
                tuple(theirs.shape),
                str(theirs.dtype)[6:],
            ), call
    elif isinstance(theirs, (tuple, list)):
        kinds = list if isinstance(theirs, list) else tuple
        assert isinstance(ours, kinds), (
            f"{call}: got {type(ours).__name__}, PyTorch gives {type(theirs).__name__}"
        )
        assert len(ours) == len(theirs), f"{call}: {len(ours)} outputs, PyTorch gives {len(theirs)}"
        for i, (mine, other) in enumerate(zip(ours, theirs)):
            check_values(mine, other, f"{call}[{i}]", values and not (i and first_only), **options)
        for field in getattr(ours, "_fields", ()):
            assert hasattr(theirs, field), f"{call}: PyTorch's result has no field {field}"
    else:
        assert type(ours) is type(theirs), (
            f"{call}: got {type(ours).__name__}, PyTorch gives {type(theirs).__name__}"
        )
        assert ours == theirs or ours != ours and theirs != theirs, (
            f"{call}: {ours}, PyTorch gives {theirs}"
        )


def check_calls(ours, theirs, args, kwargs, name=None, **options):
    """Run both functions on the arguments and compare results or errors; returns PyTorch's outcome.

    Where PyTorch refuses because it has no kernel for the dtype, nothing is compared.
    """
    call = describe(name or getattr(theirs, "__name__", "call"), args, kwargs)
    their_args, their_kwargs = arguments(to_torch, args, kwargs)
    our_args, our_kwargs = arguments(to_ours, args, kwargs)
    expected = attempt(theirs, *their_args, **their_kwargs)
    found = attempt(ours, *our_args, **our_kwargs)
    if no_kernel(expected):
        return expected
    check_errors(found, expected, call)
    if expected.error is None:
        check_values(found.value, expected.value, call, **options)
    return expected


def describe(name, args, kwargs):
    """The call as text; arrays by dtype and shape."""

    def show(value):
        if isinstance(value, np.ndarray):
            return f"{value.dtype}{list(value.shape)}"
        if type(value) in (tuple, list):
            return ("({})" if type(value) is tuple else "[{}]").format(", ".join(map(show, value)))
        return repr(value)

    return f"{name}({', '.join([*map(show, args), *(f'{k}={show(v)}' for k, v in kwargs.items())])})"


# ------------------------------------------------------------------ comparing gradients


def tensors_in(value, kind):
    """The Tensors of one library in nested sequences."""
    found = []
    map_values(
        lambda leaf: found.append(leaf) if isinstance(leaf, kind) else None,
        tuple(value) if isinstance(value, tuple) else value,
    )
    return found


def flat_outputs(value, kind):
    """The Tensors in a result that carry a gradient."""
    several = value if isinstance(value, (tuple, list)) else (value,)
    return [v for v in several if isinstance(v, kind) and v.requires_grad]


def check_gradients(ours, theirs, args, kwargs, name=None, precision=None):
    """Gradients with respect to every float array among the arguments, with the same random cotangents.

    Where PyTorch refuses that (for targets, mostly), with respect to the first float array alone.
    Returns the number of arguments whose gradients were compared, 0 if PyTorch refuses again.
    """
    call = describe(name or getattr(theirs, "__name__", "call"), args, kwargs)
    return _check_gradients(ours, theirs, args, kwargs, call, precision, None) or _check_gradients(
        ours, theirs, args, kwargs, call, precision, 1
    )


def _check_gradients(ours, theirs, args, kwargs, call, precision, count):
    """`check_gradients` with respect to the first ``count`` float arrays; None for all."""
    their_args, their_kwargs = arguments(to_torch, args, kwargs)
    our_args, our_kwargs = arguments(to_ours, args, kwargs)
    their_leaves = [
        t for v in (*their_args, *their_kwargs.values()) for t in tensors_in(v, torch.Tensor)
    ]
    our_leaves = [t for v in (*our_args, *our_kwargs.values()) for t in tensors_in(v, thw.Tensor)]
    assert len(their_leaves) == len(our_leaves)
    pairs = [(o, t) for o, t in zip(our_leaves, their_leaves) if t.is_floating_point()]
    pairs = pairs[:count]
    for mine, other in pairs:
        mine.requires_grad_(), other.requires_grad_()
    expected = attempt(theirs, *their_args, **their_kwargs)
    if expected.error is not None:
        return 0
    their_outputs = flat_outputs(expected.value, torch.Tensor)
    rng = generator(1)
    cotangents = [
        np.asarray(rng.standard_normal(tuple(o.shape))).astype(o.detach().numpy().dtype)
        for o in their_outputs
    ]
    if their_outputs and pairs:
        their_grads = attempt(
            torch.autograd.grad,
            their_outputs,
            [t for _, t in pairs],
            to_torch(cotangents),
            allow_unused=True,
        )
        if their_grads.error is not None:
            return 0
    found = ours(*our_args, **our_kwargs)
    our_outputs = flat_outputs(found, thw.Tensor)
    assert len(our_outputs) == len(their_outputs), (
        f"{call}: {len(our_outputs)} outputs require gradients, in PyTorch {len(their_outputs)}"
    )
    if not their_outputs or not pairs:
        return 0
    our_grads = thw.autograd.grad(
        our_outputs, [o for o, _ in pairs], to_ours(cotangents), allow_unused=True
    )
    for i, (mine, other, (leaf, _)) in enumerate(zip(our_grads, their_grads.value, pairs)):
        mine = thw.zeros_like(leaf) if mine is None else mine
        other = torch.zeros(tuple(leaf.shape), dtype=to_torch(leaf.dtype)) if other is None else other
        check_arrays(mine, other, f"gradient {i} of {call}", precision=precision)
    return len(pairs)


# ------------------------------------------------------------------ functions that make Tensors


def check_creation(name, *args, values=True, **kwargs):
    """The same call of ``torch.name`` and ``thw.name``; a dtype is given by its name."""

    def call(library, *args, **kwargs):
        if isinstance(kwargs.get("dtype"), str):
            kwargs["dtype"] = getattr(library, kwargs["dtype"])
        return getattr(library, name)(*args, **kwargs)

    theirs = attempt(call, torch, *map(to_torch, args), **{k: to_torch(v) for k, v in kwargs.items()})
    ours = attempt(call, thw, *map(to_ours, args), **{k: to_ours(v) for k, v in kwargs.items()})
    text = f"{name}({args}, {kwargs})"
    check_errors(ours, theirs, text)
    if theirs.error is None:
        check_values(ours.value, theirs.value, text, values)
        if isinstance(theirs.value, torch.Tensor):
            assert ours.value.requires_grad == theirs.value.requires_grad
    return ours.value
