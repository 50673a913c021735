"""Walking through the layers of a Module and listing their parameters and buffers."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tinygrad_hw.nn.parameter import Parameter
from tinygrad_hw.nn.plain import plain_modules, plain_parameters
from tinygrad_hw.tensor import Tensor

__all__ = ["Tree"]


class Tree:
    """The part of `Module` that knows what is below it, registered or in a plain container."""

    def _own_parameters(self) -> Iterator[tuple[str, Parameter]]:
        for name, parameter in self._parameters.items():
            if parameter is not None:
                yield name, parameter
        yield from plain_parameters(self, Parameter)

    def _own_children(self) -> Iterator[tuple[str, Tree]]:
        for name, module in self._modules.items():
            if module is not None:
                yield name, module
        yield from plain_modules(self, Tree)

    def named_modules(self, memo: set | None = None, prefix: str = "",
                      remove_duplicate: bool = True) -> Iterator[tuple[str, Tree]]:
        """The module and all layers below it with dotted names, each once unless asked otherwise."""
        memo = set() if memo is None else memo
        if self in memo:
            return
        if remove_duplicate:
            memo.add(self)
        yield prefix, self
        for name, child in self._own_children():
            yield from child.named_modules(
                memo, f"{prefix}.{name}" if prefix else name, remove_duplicate
            )

    def _named_members(self, members: Callable, prefix: str = "", recurse: bool = True,
                       remove_duplicate: bool = True) -> Iterator:
        seen: set[int] = set()
        modules = (
            self.named_modules(prefix=prefix, remove_duplicate=remove_duplicate)
            if recurse
            else [(prefix, self)]
        )
        for path, module in modules:
            for name, value in members(module):
                if value is None or id(value) in seen:
                    continue
                if remove_duplicate:
                    seen.add(id(value))
                yield f"{path}.{name}" if path else name, value

    def named_parameters(self, prefix: str = "", recurse: bool = True,
                         remove_duplicate: bool = True) -> Iterator[tuple[str, Parameter]]:
        """Parameters with their dotted names."""
        return self._named_members(Tree._own_parameters, prefix, recurse, remove_duplicate)

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """Parameters of the module and of all layers below it."""
        for _, parameter in self.named_parameters(recurse=recurse):
            yield parameter

    def named_buffers(self, prefix: str = "", recurse: bool = True,
                      remove_duplicate: bool = True) -> Iterator[tuple[str, Tensor]]:
        """Buffers with their dotted names."""
        return self._named_members(
            lambda module: module._buffers.items(), prefix, recurse, remove_duplicate
        )

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """Buffers of the module and of all layers below it."""
        for _, buffer in self.named_buffers(recurse=recurse):
            yield buffer

    def named_children(self) -> Iterator[tuple[str, Tree]]:
        """The layers directly below, with their names."""
        seen = set()
        for name, module in self._own_children():
            if module not in seen:
                seen.add(module)
                yield name, module

    def children(self) -> Iterator[Tree]:
        """The layers directly below."""
        for _, module in self.named_children():
            yield module

    def modules(self) -> Iterator[Tree]:
        """The module itself and all layers below it."""
        for _, module in self.named_modules():
            yield module

    def get_submodule(self, target: str) -> Tree:
        """The layer of a dotted name; AttributeError if there is none."""
        found = self
        for item in target.split(".") if target else ():
            owner = found
            if isinstance(owner, (list, tuple)) and item.isdigit() and int(item) < len(owner):
                found = owner[int(item)]
            elif isinstance(owner, dict) and item in owner:
                found = owner[item]
            elif not hasattr(owner, item):
                raise AttributeError(f"{type(owner).__name__} has no attribute `{item}`")
            else:
                found = getattr(owner, item)
            if not isinstance(found, (Tree, list, tuple, dict)):
                raise AttributeError(f"`{item}` is not an nn.Module")
        if not isinstance(found, Tree):
            raise AttributeError(f"`{target}` is not an nn.Module")
        return found

    def set_submodule(self, target: str, module: Tree, strict: bool = False) -> None:
        """Replace the layer of a dotted name; without ``strict`` it may also be a new name.

        Raises:
            ValueError: if the name is empty or ``module`` is no Module.
            AttributeError: if the path does not exist or leads to something else.
        """
        if target == "":
            raise ValueError("Cannot set the submodule without a target name!")
        if not isinstance(module, Tree):
            raise ValueError(f"`module` is not an nn.Module, found {type(module)}")
        path, _, name = target.rpartition(".")
        parent = self.get_submodule(path)
        if strict and not hasattr(parent, name):
            raise AttributeError(f"{type(parent).__name__} has no attribute `{name}`")
        if not isinstance(getattr(parent, name, module), Tree):
            raise AttributeError(f"`{name}` is not an nn.Module")
        setattr(parent, name, module)

    def _get_member(self, target: str, registry: str, kind: str) -> Tensor:
        path, _, name = target.rpartition(".")
        module = self.get_submodule(path)
        if not hasattr(module, name):
            raise AttributeError(f"{type(module).__name__} has no attribute `{name}`")
        if name not in module.__dict__[registry]:
            raise AttributeError(f"`{name}` is not {kind}")
        return module.__dict__[registry][name]

    def get_parameter(self, target: str) -> Parameter:
        """The parameter of a dotted name."""
        return self._get_member(target, "_parameters", "an nn.Parameter")

    def get_buffer(self, target: str) -> Tensor:
        """The buffer of a dotted name."""
        return self._get_member(target, "_buffers", "a buffer")
