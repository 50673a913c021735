"""How to mend what is often got wrong with a Module: texts of errors, PyTorch's words first."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping

from tinygrad_hw.tensor import Tensor

__all__ = ["key_advice", "missing_attribute", "missing_forward", "no_state", "not_a_module"]


def missing_attribute(module, name: str) -> AttributeError:
    """The error for an attribute that a module has not; Python adds similar names when it prints it.

    >>> class Net:
    ...     _modules = {}
    >>> missing_attribute(Net(), "backward").args[0]  # doctest: +ELLIPSIS
    "'Net' object has no attribute 'backward'; Tensors have one: is Net(...) called on data where ..."
    """
    kind = type(module).__name__
    text = f"'{kind}' object has no attribute '{name}'"
    if "_modules" not in vars(module) and not hasattr(type(module), "_modules"):
        text += (f"; {kind}.__init__ did not call super().__init__(), which has to come first, so the module "
                 "has no layers and no parameters")
    elif not name.startswith("_") and hasattr(Tensor, name):
        text += (f"; Tensors have one: is {kind}(...) called on data where {kind}()(...) is meant? The first "
                 "brackets make the layer, the second ones apply it")
    return AttributeError(text, name=name, obj=module)


def missing_forward(module) -> NotImplementedError:
    """The error for a call of a module that defines no ``forward``.

    >>> class Net:
    ...     def foward(self, x):
    ...         return x
    >>> missing_forward(Net())
    NotImplementedError('Module [Net] is missing the required "forward" function; is foward() misspelt?')
    """
    kind = type(module).__name__
    text = f'Module [{kind}] is missing the required "forward" function'
    own = [name for name in vars(type(module)) if callable(getattr(module, name))]
    similar = difflib.get_close_matches("forward", own, 1)
    if similar:
        text += f"; is {similar[0]}() misspelt?"
    elif kind in ("ModuleList", "ModuleDict"):
        text += f"; a {kind} only holds layers: call them one by one, or use nn.Sequential"
    return NotImplementedError(text)


def not_a_module(value, typename: str) -> TypeError:
    """The error for what was given where a layer belongs.

    >>> not_a_module([], "list")
    TypeError('list is not a Module subclass; give the layers one by one: Sequential(*layers)')
    """
    text = f"{typename} is not a Module subclass"
    if isinstance(value, type):
        name = value.__name__
        return TypeError(f"{text}; that is the class {name}: make a layer of it, {name}(...)")
    if isinstance(value, (list, tuple)):
        return TypeError(f"{text}; give the layers one by one: Sequential(*layers)")
    if callable(value):
        name = getattr(value, "__name__", typename)
        return TypeError(f"{text}; call {name} in forward(), or use the layer of that kind, such as "
                         "nn.ReLU() for relu")
    return TypeError(text)


def no_state(value) -> TypeError:
    """The error for what is no state_dict.

    >>> no_state("net.pt").args[0]
    "Expected state_dict to be dict-like, got <class 'str'>.; load the file first: torch.load('net.pt')"
    """
    text = f"Expected state_dict to be dict-like, got {type(value)}."
    if hasattr(value, "state_dict"):
        return TypeError(f"{text}; give its state: value.state_dict()")
    return TypeError(f"{text}; load the file first: torch.load({str(value)!r})")


def key_advice(missing: list[str], unexpected: list[str], state: Mapping) -> Iterable[str]:
    """Why names of a file and of a network may differ, and what to do about it.

    >>> list(key_advice(["fc.weight"], ["fc1.weight"], {"fc1.weight": 0}))
    ['Did you mean: "fc1.weight" for "fc.weight"?']
    >>> list(key_advice(["weight"], ["module.weight"], {}))  # doctest: +ELLIPSIS
    ['All keys carry the prefix "module.": load {key.removeprefix("module."): value for ...}.']
    """
    if not missing or not unexpected:
        return
    inner = [key for key in unexpected if isinstance(state.get(key), Mapping)]
    if inner:
        yield f'That looks like a checkpoint of several things: load its part, checkpoint["{inner[0]}"].'
        return
    ends = [key for key in unexpected if key.endswith(f".{missing[0]}")]
    prefix = ends[0][:-len(missing[0])] if ends else None
    if prefix and all(key.startswith(prefix) for key in unexpected):
        yield (f'All keys carry the prefix "{prefix}": load {{key.removeprefix("{prefix}"): value for key, '
               "value in state_dict.items()}.")
        return
    starts = [key for key in missing if key.endswith(f".{unexpected[0]}")]
    prefix = starts[0][:-len(unexpected[0])] if starts else None
    if prefix and all(key.startswith(prefix) for key in missing):
        yield (f'The keys lack the prefix "{prefix}": load {{"{prefix}" + key: value for key, value in '
               f'state_dict.items()}}, or load into that layer, net.{prefix[:-1]}.')
        return
    pairs = {name: difflib.get_close_matches(name, unexpected, 1, 0.8) for name in missing[:50]}
    similar = [f'"{found[0]}" for "{name}"' for name, found in pairs.items() if found]
    if similar:
        yield f"Did you mean: {', '.join(similar)}?"
