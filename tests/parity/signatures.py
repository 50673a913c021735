"""PyTorch's signatures: of Python functions by inspection, of C functions from the type stubs."""

import ast
import functools
import inspect
import pathlib

import pytest

torch = pytest.importorskip("torch")


STUBS = {
    torch: ("_C/_VariableFunctions.pyi", None),
    torch.Tensor: ("_C/__init__.pyi", "TensorBase"),
    torch.nn.functional: ("_C/_nn.pyi", None),
}
REQUIRED = inspect.Parameter.empty
IGNORED = {
    "out",
    "out_dtype",
    "generator",
    "_stacklevel",
    "layout",
    "pin_memory",
    "device",
    "requires_grad",
    "implicit",
}
"""Parameters that every op takes (out), or that have no meaning on one device with dense memory."""


@functools.cache
def stubs(namespace):
    """``{name: [overload, ...]}``, an overload being ``{parameter: default}``."""
    path, owner = STUBS[namespace]
    tree = ast.parse((pathlib.Path(torch.__file__).parent / path).read_text())
    body = (
        tree.body
        if owner is None
        else next(n for n in tree.body if getattr(n, "name", "") == owner).body
    )
    found = {}
    for node in body:
        if isinstance(node, ast.FunctionDef):
            found.setdefault(node.name, []).append(_parameters(node.args))
    return found


def _parameters(arguments):
    positional = [*arguments.posonlyargs, *arguments.args]
    defaults = [None] * (len(positional) - len(arguments.defaults)) + arguments.defaults
    pairs = [*zip(positional, defaults), *zip(arguments.kwonlyargs, arguments.kw_defaults)]
    if arguments.vararg:
        pairs.append((arguments.vararg, None))
    return {
        parameter.arg: REQUIRED if default is None else _value(default) for parameter, default in pairs
    }


def _value(node):
    """A default; ``()``, all dimensions or none given, is None where Python code writes it."""
    try:
        value = ast.literal_eval(node)
        return None if value == () else value
    except ValueError:
        return ast.unparse(node)


# functions that dispatch on an argument show the signature of what they call
BEHIND = {
    torch.nn.functional.max_pool1d: torch.nn.functional.max_pool1d_with_indices,
    torch.nn.functional.max_pool2d: torch.nn.functional.max_pool2d_with_indices,
    torch.nn.functional.adaptive_max_pool1d: torch.nn.functional.adaptive_max_pool1d_with_indices,
    torch.nn.functional.adaptive_max_pool2d: torch.nn.functional.adaptive_max_pool2d_with_indices,
    torch.unique: torch.functional._unique_impl,
    torch.unique_consecutive: torch.functional._unique_consecutive_impl,
}


def overloads(name, function):
    """Every way PyTorch lets ``function`` be called, or None where it does not say."""
    function = BEHIND.get(function, function)
    if inspect.isfunction(function):
        parameters = inspect.signature(function).parameters.values()
        return [{p.name: p.default for p in parameters}]
    for namespace in (torch.nn.functional, torch, torch.Tensor):
        if getattr(namespace, name, None) is function and name in stubs(namespace):
            return [
                {"input" if p == "self" else p: default for p, default in overload.items()}
                for overload in stubs(namespace)[name]
            ]
    return None
