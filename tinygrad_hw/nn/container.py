"""Containers of layers; those of parameters are in ``parameter_container.py``."""

from __future__ import annotations

import operator
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping

from tinygrad_hw.nn.module import Module

__all__ = ["ModuleDict", "ModuleList", "Sequential"]


def position(index, length: int) -> int:
    """A possibly negative index as a position; IndexError beyond the ends.

    >>> position(-1, 3)
    2
    """
    index = operator.index(index)
    if not -length <= index < length:
        raise IndexError(f"index {index} is out of range")
    return index % length


class _Ordered(Module):
    """What `Sequential` and `ModuleList` share: layers under the names "0", "1", ... in order."""

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[Module]:
        return iter(self._modules.values())

    def __dir__(self):
        return [key for key in super().__dir__() if not key.isdigit()]

    def _key(self, index) -> str:
        return list(self._modules)[position(index, len(self))]

    def __getitem__(self, index):
        if isinstance(index, slice):
            return self._like(list(self._modules.items())[index])
        return self._modules[self._key(index)]

    def __setitem__(self, index, module: Module) -> None:
        setattr(self, self._key(index), module)

    def __delitem__(self, index) -> None:
        keys = list(self._modules)[index] if isinstance(index, slice) else [self._key(index)]
        for key in keys:
            delattr(self, key)
        self._renumber(list(self._modules.values()))

    def _renumber(self, modules: list) -> None:
        """Hold these layers and no others, under the names 0, 1, ..."""
        for name in list(self._modules):
            self._forget(name)
        for index, module in enumerate(modules):
            self.add_module(str(index), module)

    def append(self, module: Module):
        """Add a layer at the end; returns the container."""
        self.add_module(str(len(self)), module)
        return self

    def extend(self, modules: Iterable[Module]):
        """Add layers at the end; returns the container."""
        if not isinstance(modules, Iterable):
            raise TypeError(f"{type(self).__name__}.extend should be called with an iterable, but got "
                            f"{type(modules).__name__}")
        for module in list(modules):
            self.append(module)
        return self

    def insert(self, index: int, module: Module):
        """Put a layer before position ``index``; returns the container."""
        if not isinstance(module, Module):
            raise AssertionError(f"module should be of type: {Module}")
        modules = list(self._modules.values())
        if not -len(modules) <= index <= len(modules):
            raise IndexError(f"Index out of range: {index}")
        modules.insert(index, module)
        self._renumber(modules)
        return self

    def pop(self, index: int = -1) -> Module:
        """Take a layer out and return it."""
        module = self[index]
        del self[index]
        return module


class Sequential(_Ordered):
    """Layers applied one after the other.

    Args:
        args: the layers, or one OrderedDict of named layers.

    >>> net = Sequential(Module(), Module())
    >>> len(net), len(net[1:]), list(net._modules)
    (2, 1, ['0', '1'])
    """

    def __init__(self, *args):
        super().__init__()
        if len(args) == 1 and isinstance(args[0], OrderedDict):
            for name, module in args[0].items():
                self.add_module(name, module)
        else:
            for index, module in enumerate(args):
                self.add_module(str(index), module)

    def _like(self, items: list) -> Sequential:
        return type(self)(OrderedDict(items))

    def forward(self, input):
        for module in self._modules.values():
            input = module(input)
        return input

    def __add__(self, other: Sequential) -> Sequential:
        if not isinstance(other, Sequential):
            raise ValueError(
                f"add operator supports only objects of Sequential class, but {type(other)} is given."
            )
        return Sequential(*self, *other)

    def __iadd__(self, other: Sequential) -> Sequential:
        if not isinstance(other, Sequential):
            raise ValueError(
                f"add operator supports only objects of Sequential class, but {type(other)} is given."
            )
        return self.extend(other)

    def __mul__(self, other: int) -> Sequential:
        if not isinstance(other, int):
            raise TypeError(f"unsupported operand type(s) for *: {type(self)} and {type(other)}")
        if other <= 0:
            raise ValueError(f"Non-positive multiplication factor {other} for {type(self)}")
        return Sequential(*list(self) * other)

    __rmul__ = __mul__

    def __imul__(self, other: int) -> Sequential:
        return self.extend(list(self * other)[len(self):])


class ModuleList(_Ordered):
    """A list of layers that are registered; it has no forward.

    >>> layers = ModuleList([Module()])
    >>> layers.append(Module())
    ModuleList(
      (0-1): 2 x Module()
    )
    """

    def __init__(self, modules: Iterable[Module] | None = None):
        super().__init__()
        if modules is not None:
            self.extend(modules)

    def _like(self, items: list) -> ModuleList:
        return type(self)([module for _, module in items])

    def __add__(self, other: Iterable[Module]) -> ModuleList:
        return ModuleList([*self, *other])

    def __iadd__(self, modules: Iterable[Module]) -> ModuleList:
        return self.extend(modules)

    def __repr__(self) -> str:
        """Like a list's, with equal neighbours counted."""
        runs: list[list] = []
        for index, text in enumerate(map(repr, self)):
            if runs and runs[-1][2] == text:
                runs[-1][1] = index
            else:
                runs.append([index, index, text])
        if not runs:
            return f"{self._get_name()}()"
        lines = [
            f"({first}): {text}" if first == last else f"({first}-{last}): {last - first + 1} x {text}"
            for first, last, text in runs
        ]
        return (
            f"{self._get_name()}(\n  "
            + "\n  ".join(line.replace("\n", "\n  ") for line in lines)
            + "\n)"
        )


class Named:
    """What `ModuleDict` and `ParameterDict` share."""

    def __contains__(self, key: str) -> bool:
        return key in self.keys()

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def __len__(self) -> int:
        return len(self.keys())

    def values(self):
        """The members."""
        return [self[key] for key in self.keys()]

    def items(self):
        """Names and members."""
        return [(key, self[key]) for key in self.keys()]

    def pop(self, key: str):
        """Take a member out and return it."""
        member = self[key]
        del self[key]
        return member

    def clear(self) -> None:
        """Take all members out."""
        for key in list(self.keys()):
            del self[key]

    def update(self, members) -> None:
        """Add members from a mapping or from pairs."""
        if not isinstance(members, Iterable):
            raise TypeError(
                f"{type(self).__name__}.update should be called with an iterable of key/value pairs, but"
                f" got {type(members).__name__}"
            )
        if isinstance(members, (Mapping, Named)):
            members = members.items()
        for position, pair in enumerate(members):
            if not isinstance(pair, Iterable):
                raise TypeError(
                    f"{type(self).__name__} update sequence element #{position} should be Iterable; is "
                    f"{type(pair).__name__}"
                )
            pair = list(pair)
            if len(pair) != 2:
                raise ValueError(
                    f"{type(self).__name__} update sequence element #{position} has length {len(pair)};"
                    " 2 is required"
                )
            self[pair[0]] = pair[1]


class ModuleDict(Named, Module):
    """Named layers that are registered; it has no forward.

    >>> layers = ModuleDict({"first": Module()})
    >>> list(layers), "first" in layers
    (['first'], True)
    """

    def __init__(self, modules: Mapping[str, Module] | None = None):
        super().__init__()
        if modules is not None:
            self.update(modules)

    def keys(self):
        """The names."""
        return self._modules.keys()

    def __getitem__(self, key: str) -> Module:
        return self._modules[key]

    def __setitem__(self, key: str, module: Module) -> None:
        self.add_module(key, module)

    def __delitem__(self, key: str) -> None:
        if key not in self._modules:
            raise KeyError(key)
        delattr(self, key)
