"""Layers and parameters in plain Python containers.

PyTorch does not see a layer in ``self.layers = [nn.Linear(2, 2)]``: it is not trained, not saved and
not listed, without a word.  Here the attributes of a Module that are lists, tuples or dicts are
searched when parameters or layers are asked for, so appending later works too.  The names continue with
the index or key: the state_dict has ``layers.0.weight``.

A container often only *refers* to layers that live elsewhere.  What is registered below the module
itself, and a parent (the common ``self.parent = [parent]``), is left out.
"""

from __future__ import annotations

from collections.abc import Iterator

__all__ = ["plain_modules", "plain_parameters", "registered"]

_BOOKKEEPING = frozenset(
    (
        "_parameters",
        "_buffers",
        "_modules",
        "_non_persistent_buffers_set",
        "_forward_hooks",
        "_forward_pre_hooks",
        "_backward_hooks",
        "_backward_pre_hooks",
        "_state_dict_hooks",
        "_state_dict_pre_hooks",
        "_load_state_dict_pre_hooks",
        "_load_state_dict_post_hooks",
        "_hook_options",
    )
)


def registered(module) -> set:
    """The module and all layers that are registered below it as attributes.

    >>> from tinygrad_hw import nn
    >>> len(registered(nn.Sequential(nn.ReLU(), nn.ReLU())))
    3
    """
    found, stack = {module}, [module]
    while stack:
        for child in stack.pop()._modules.values():
            if child is not None and child not in found:
                found.add(child)
                stack.append(child)
    return found


def _search(prefix: str, container, kind: type, above: tuple) -> Iterator[tuple[str, object]]:
    items = container.items() if isinstance(container, dict) else enumerate(container)
    for key, value in items:
        if isinstance(value, kind):
            yield f"{prefix}.{key}", value
        elif isinstance(value, (list, tuple, dict)) and not any(value is outer for outer in above):
            yield from _search(f"{prefix}.{key}", value, kind, (*above, value))


def _found(module, kind: type) -> list[tuple[str, object]]:
    found = []
    for name, value in module.__dict__.items():
        if isinstance(value, (list, tuple, dict)) and value and name not in _BOOKKEEPING:
            found.extend(_search(name, value, kind, (value,)))
    return found


def plain_modules(module, kind: type) -> list[tuple[str, object]]:
    """Modules in the plain containers of a module, with their dotted names.

    >>> from tinygrad_hw import nn
    >>> net = nn.Module()
    >>> net.layers = [nn.ReLU()]
    >>> plain_modules(net, nn.Module)
    [('layers.0', ReLU())]
    """
    found = _found(module, kind)
    if not found:
        return found
    known, unique = registered(module), []
    for name, layer in found:
        if layer not in known and module not in registered(layer):
            known.add(layer)
            unique.append((name, layer))
    return unique


def plain_parameters(module, kind: type) -> list[tuple[str, object]]:
    """Parameters in the plain containers of a module, with their dotted names.

    >>> from tinygrad_hw import nn, zeros
    >>> net = nn.Module()
    >>> net.scales = {"x": nn.Parameter(zeros(1))}
    >>> [name for name, _ in plain_parameters(net, nn.Parameter)]
    ['scales.x']
    """
    found = _found(module, kind)
    if not found:
        return found
    known = set(map(id, module._parameters.values()))
    for layer in module.modules():
        if layer is not module:
            known.update(id(parameter) for _, parameter in layer._own_parameters())
    unique = []
    for name, parameter in found:
        if id(parameter) not in known:
            known.add(id(parameter))
            unique.append((name, parameter))
    return unique
