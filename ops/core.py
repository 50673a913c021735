"""What an op is: one record with its forward function, its gradient rules and the samples that test it.

An op is called with arrays and computes; called with anything `Traced` (the engine's Tensor) it lets
that value record it.  Gradient rules are written with ops, so one rule serves the first order (arrays
in, arrays out, no graph) and every higher order (Tensors in, graph recorded).

    @op(grad=dict(input=lambda g, other: mul(g, other), other=lambda g, input: mul(g, input)),
        broadcasts=True)
    def mul(input, other):
        return np.multiply(*operands(input, other))

A rule is keyed by the argument it differentiates.  Its first parameter is the cotangent; the *names* of
the others say what it needs, and only what some rule names is kept for the backward pass:

==================  =============================================================================
``input``           the value of that argument
``ans``             the op's output; outputs of a multi-output op go by the names in ``outputs=``
``input_shape``     the shape of that argument, which keeps no memory alive
==================  =============================================================================

A first argument named ``tensors`` is a sequence of arrays; its rule returns a gradient for each.
"""

from __future__ import annotations

import abc
import dataclasses
import inspect
import types
from collections.abc import Callable, Iterable

import numpy as np

from ops.refusals import refusal
from ops.results import results_type

__all__ = ["SPELLINGS", "TABLE", "Bad", "Case", "Chain", "Composite", "Joint", "Op", "Rule", "Traced",
           "array_of", "case", "composite", "dtype_of", "op", "shape_of"]

TABLE: dict[str, Op] = {}
"""Every op and composite by name, in the order of definition.  The test-suite is generated from it."""


class Traced:
    """What a value must offer to be recorded: ``array`` and `recorder`; the engine's Tensor is one.

    Attributes:
        array: the NumPy array that holds the values.
        array_dtype: its dtype.
        array_shape: its shape.
    """

    array: np.ndarray
    array_dtype: np.dtype
    array_shape: tuple[int, ...]

    @staticmethod
    def recorder(op: Op) -> Callable:
        """The function that computes ``op`` and records it in the graph of its arguments, `Op.recorded`."""
        raise NotImplementedError

    def receive(self, result) -> Traced:
        """Take over ``result``, the value of a call with ``out=self``."""
        raise NotImplementedError


def array_of(value):
    """The array behind a traced value; anything else unchanged.

    >>> array_of(3.0)
    3.0
    """
    return value.array if isinstance(value, Traced) else value


def _arrays_of(value):
    """The arrays behind an argument's traced values, sequences included."""
    several = type(value) in (tuple, list) and any(isinstance(item, Traced) for item in value)
    return type(value)(map(array_of, value)) if several else array_of(value)


def dtype_of(value) -> np.dtype:
    """The NumPy dtype of an array or a traced value.

    >>> dtype_of(np.ones(2))
    dtype('float64')
    """
    return value.array_dtype if isinstance(value, Traced) else value.dtype


def shape_of(value) -> tuple[int, ...]:
    """The shape of an array or a traced value.

    >>> shape_of(np.ones((2, 3)))
    (2, 3)
    """
    return value.array_shape if isinstance(value, Traced) else value.shape


# ------------------------------------------------------------------ samples: what an op is tested with


@dataclasses.dataclass(frozen=True)
class Case:
    """Arguments of one test call of an op."""

    args: tuple
    kwargs: dict


@dataclasses.dataclass(frozen=True)
class Bad:
    """A call that must be refused: arguments, type of the error, regular expression of its text."""

    args: tuple
    kwargs: dict
    error: type
    match: str


def case(*args, **kwargs) -> Case:
    """A `Case` written like a call.

    >>> case(1, dim=0)
    Case(args=(1,), kwargs={'dim': 0})
    """
    return Case(args, kwargs)


# ------------------------------------------------------------------ the record


@dataclasses.dataclass(frozen=True)
class Rule:
    """A gradient rule and the names of what it needs besides the cotangent."""

    function: Callable
    needs: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Joint:
    """One gradient rule for several arguments, where their gradients share most of the work.

    ``function(g, wanted, ...)`` gets a boolean for each name and returns a gradient, or None, for each.
    """

    names: tuple[str, ...]
    function: Callable

    def alone(self, name: str) -> Callable:
        """The rule of a single argument, for who asks for no other."""
        place = self.names.index(name)
        wanted = tuple(other == name for other in self.names)
        return lambda g, *needs: self.function(g, wanted, *needs)[place]


class Chain(abc.ABC):
    """Ops in a row that one fused op computes in one pass, such as a convolution, relu and max-pooling.

    Whoever records ops may put off an op that has a `Op.chain` and see whether the chain goes on.

    Attributes:
        shape: of the result so far.
        complete: whether no further op can follow.
        further: arrays that it will read besides the arguments of the first op.
    """

    shape: tuple[int, ...]
    complete: bool
    further: tuple[np.ndarray, ...]

    @abc.abstractmethod
    def then(self, op: Op, args: tuple, recording: bool) -> Chain | None:
        """The chain with one more op; None if it ends here.

        Args:
            args: the op's arguments after the first.
            recording: whether gradients are recorded.
        """

    @abc.abstractmethod
    def fused(self, arguments: tuple) -> tuple[Op, tuple]:
        """The op that computes the chain and its arguments, from those of the chain's first op."""


SPELLINGS = {"axis": "dim", "keepdims": "keepdim"}
"""NumPy's names of arguments, which every op understands."""
_LENIENT = {"return_indices", "full"}  # PyTorch only asks whether these are true
_NO_RULES: types.MappingProxyType = types.MappingProxyType({})


class Op:
    """A differentiable function on arrays; see the module's text.

    Attributes:
        name: the public name, also the key in `TABLE`.
        forward: the function on arrays.
        parameters: names of the forward function's parameters.
        flags: ``(position, name)`` of those that must be True or False.
        unflagged: the number of arguments before the first of these.
        rules: a `Rule` for every differentiable argument.
        outputs: names of the outputs if there are several; only the first carries a gradient.
        result_type: the named tuple that several outputs come in, else ``None``.
        broadcasts: whether gradients have to be summed back over broadcast axes.
        view: whether the output may share memory with the first argument.
        parts: whether the output is a tuple of views of the first argument, all of which carry gradient; the
            cotangent ``g`` of its rule is then a list, with None for a part that nobody used.
        samples: ``samples(generator)`` yields the test `Case`s.
        reference: an independent NumPy implementation that the values are tested against.
        bad: calls that must be refused.
        exempt: names of checks that do not apply, with the reason (see ``tests/test_table.py``).
        joint: the rule for all differentiable arguments together, if there is one.
        ruled: ``(bit, position)`` of each argument with a rule; the bits name sets of them.
        plans: by such a set, what whoever records the op keeps for these rules.
        recorded: the function that computes and records a call, once somebody has written it.
        chain: ``chain(*arguments)`` gives the `Chain` that begins with this op, or None.
        any_layout: whether images may be channels-last in memory; if so the result is, too.
    """

    __slots__ = ("__call__", "__dict__", "__weakref__")  # each op may have a way of its own to be called

    rules = _NO_RULES
    joint: Rule | None = None

    def __init__(self, forward: Callable, *, grad: dict | Joint | None = None, outputs: tuple[str, ...] = (),
                 broadcasts: bool = False, view: bool = False, parts: bool = False,
                 samples: Callable | None = None,
                 reference: Callable | None = None, bad: Iterable[Bad] = (),
                 exempt: dict[str, str] | None = None, name: str | None = None,
                 chain: Callable | None = None, any_layout: bool = False):
        self.name = self.__name__ = name or forward.__name__
        self.__qualname__, self.__module__ = self.name, forward.__module__
        self.__doc__, self.__wrapped__ = forward.__doc__, forward
        self.forward = forward
        signature = inspect.signature(forward)
        self.__signature__ = signature
        self.parameters = tuple(signature.parameters)
        self.defaults = tuple(p.default for p in signature.parameters.values())
        self.flags = tuple((position, name) for position, name in enumerate(self.parameters)
                           if type(self.defaults[position]) is bool and name not in _LENIENT)
        self.unflagged = self.flags[0][0] if self.flags else len(self.parameters)
        self.outputs, self.broadcasts, self.view, self.parts = outputs, broadcasts, view, parts
        self.result_type = results_type(self.name, outputs) if outputs else None
        self.samples, self.reference = samples, reference
        self.bad, self.exempt = tuple(bad), exempt or {}
        self.chain, self.any_layout = chain, any_layout
        if isinstance(grad, Joint):
            self.joint = self._rule(grad.names[0], grad.function, given=2)
            self.rules = {name: Rule(grad.alone(name), self.joint.needs) for name in grad.names}
        elif grad:
            self.rules = {name: self._rule(name, function) for name, function in grad.items()}
        self.ruled = tuple((1 << bit, self.parameters.index(name)) for bit, name in enumerate(self.rules))
        self.plans: dict = {}
        self.recorded: Callable | None = None
        self.__call__ = self.call
        TABLE[self.name] = self

    def _rule(self, name: str, function: Callable, given: int = 1) -> Rule:
        """The rule of an argument; its first ``given`` parameters are no needs."""
        needs = list(inspect.signature(function).parameters)[given:]
        known = {*self.parameters, *self.outputs, "ans", *(f"{p}_shape" for p in self.parameters)}
        unknown = sorted({name, *needs} - known)
        if unknown:
            raise TypeError(f"the gradient rule of {self.name} names {', '.join(unknown)}, "
                            "which it has not")
        return Rule(function, tuple(needs))

    def __repr__(self) -> str:
        return f"<op {self.name}>"

    def __get__(self, instance, owner=None):
        """As a class attribute an op is a method."""
        return self if instance is None else types.MethodType(self, instance)

    def call(self, *args, **kwargs):
        """The call of the op for arguments of any kind; its ``__call__`` until somebody records it."""
        if kwargs:
            if "out" in kwargs:
                return self._write(kwargs.pop("out"), args, kwargs)
            for numpy_name, name in SPELLINGS.items():
                if numpy_name in kwargs and name in self.parameters:
                    kwargs[name] = kwargs.pop(numpy_name)
            if not args and self.parameters[0] in kwargs:
                args = (kwargs.pop(self.parameters[0]),)
            if self.flags:
                self.check_flags(args, kwargs)
            for value in kwargs.values():
                for item in value if type(value) in (tuple, list) else (value,):
                    if isinstance(item, Traced):
                        return (self.recorded or item.recorder(self))(*args, **kwargs, traced=True)
        elif len(args) > self.unflagged:
            self.check_flags(args, kwargs)
        for value in args:
            if isinstance(value, Traced):
                return (self.recorded or value.recorder(self))(*args, **kwargs, traced=True)
            if type(value) in (tuple, list):
                for item in value:
                    if isinstance(item, Traced):
                        return (self.recorded or item.recorder(self))(*args, **kwargs, traced=True)
        try:
            result = self.forward(*args, **kwargs)
        except Exception as error:
            better = self.explain(error, args, kwargs)
            if better is error:
                raise
            raise better from None
        return self.result_type(*result) if self.result_type else result

    def check_flags(self, args: tuple, kwargs: dict) -> None:
        """Refuse anything but True and False where a flag is asked for.

        >>> TABLE["sum"](np.ones((2, 3)), 0, 1)
        Traceback (most recent call last):
        ...
        TypeError: sum(): argument 'keepdim' (position 3) must be bool, not int; several dimensions go into \
a tuple: dim=(0, 1)
        """
        for position, name in self.flags:
            value = args[position] if position < len(args) else kwargs.get(name, False)
            if value is not False and value is not True:
                kind, before = type(value), args[position - 1] if 0 < position < len(args) else None
                several = name == "keepdim" and kind is int and type(before) is int
                mend = f"; several dimensions go into a tuple: dim=({before}, {value})" if several else ""
                owner = "" if kind.__module__ == "builtins" else f"{kind.__module__}."
                raise TypeError(f"{self.name}(): argument '{name}' (position {position + 1}) must be bool, "
                                f"not {owner}{kind.__name__}{mend}")

    def _write(self, out, args: tuple, kwargs: dict):
        """The call with ``out=``: one array or Tensor, or a tuple of them for several outputs."""
        result = self(*args, **kwargs)
        if out is None:
            return result
        if isinstance(out, (tuple, list)):
            return type(result)(*(self._into(o, r) for o, r in zip(out, result, strict=True)))
        return self._into(out, result)

    @staticmethod
    def _into(out, result):
        if isinstance(out, Traced):
            return out.receive(result)
        np.copyto(out, array_of(result), casting="same_kind")
        return out

    def explain(self, error: Exception, args: tuple, kwargs: dict) -> Exception:
        """PyTorch's error for the argument that the forward function failed for, or the very error."""
        names = self.parameters + self.parameters[-1:] * len(args)
        arguments = [(name, _arrays_of(value)) for name, value in [*zip(names, args), *kwargs.items()]]
        return refusal(self.name, arguments, error)

    def bind(self, args: tuple, kwargs: dict) -> tuple:
        """The arguments of a call that succeeded, in the order of `parameters`, defaults filled in."""
        if not kwargs:
            return args + self.defaults[len(args):]
        return args + tuple(map(kwargs.get, self.parameters[len(args):], self.defaults[len(args):]))


class Composite(Op):
    """A function written with ops alone.  It needs no gradient rule, but it is tested like any op.

    Attributes:
        differentiable: names of the arguments that gradients are checked for.
        alone: the op that it is for its first argument alone, if there is one: the way to it is shorter.
    """

    def __init__(self, forward: Callable, *, differentiable: tuple[str, ...] = ("input",),
                 alone: Op | None = None, **record):
        super().__init__(forward, **record)
        self.differentiable, self.alone = differentiable, alone

    def call(self, *args, **kwargs):
        """The call of the composite; its ``__call__``."""
        if kwargs:
            if "out" in kwargs:
                return self._write(kwargs.pop("out"), args, kwargs)
            for numpy_name, name in SPELLINGS.items():
                if numpy_name in kwargs and name in self.parameters:
                    kwargs[name] = kwargs.pop(numpy_name)
        if self.flags and (kwargs or len(args) > self.unflagged):
            self.check_flags(args, kwargs)
        try:
            return self.forward(*args, **kwargs)
        except Exception as error:
            better = self.explain(error, args, kwargs)
            if better is error:
                raise
            raise better from None


def op(**record) -> Callable[[Callable], Op]:
    """Decorator: make a forward function on arrays an `Op` (arguments: those of `Op`).

    >>> @op(grad=dict(input=lambda g: halve(g)), name="halve_example")
    ... def halve(input):
    ...     return input / 2
    >>> halve(np.array(3.0)), halve.rules["input"].needs
    (np.float64(1.5), ())
    >>> del TABLE["halve_example"]
    """
    return lambda forward: Op(forward, **record)


def composite(**record) -> Callable[[Callable], Composite]:
    """Decorator: register a function that is written with ops alone (arguments: those of `Composite`).

    >>> @composite(name="same_example")
    ... def same(input):
    ...     return input
    >>> same(4.0)
    4.0
    >>> del TABLE["same_example"]
    """
    return lambda forward: Composite(forward, **record)
