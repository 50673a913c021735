"""A look at a script before it starts: which names of PyTorch's does it use that the engine does not have?

The script is parsed, never run.  A name that is surely looked up counts as missing; one that stands behind a
guard (``try``, ``hasattr``, ``is_available()``), or a method that only may be a Tensor's, is told as
"perhaps".
"""

from __future__ import annotations

import ast
import dataclasses
import functools
import importlib.resources
import inspect
import pathlib
import random
import types
from collections.abc import Iterator

import numpy as np

from ops.core import Op
from tinygrad_hw.compat.alias import ROOTS, Missing, resolve
from tinygrad_hw.compat.suggest import advice

__all__ = ["Finding", "common_names", "public_names", "scan"]

_GUARDS = {"is_available", "device_count", "hasattr", "is_built", "TYPE_CHECKING", "is_initialized"}
_CATCHING = {"ImportError", "ModuleNotFoundError", "AttributeError", "Exception", "BaseException"}


@dataclasses.dataclass(frozen=True, order=True)
class Finding:
    """A name that is missing: where it stands, what it is, whether that is sure, and what to do."""

    file: str
    line: int
    name: str
    sure: bool
    advice: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.name}: {self.advice}"


@functools.cache
def public_names() -> dict[str, tuple[str, ...]]:
    """PyTorch's public names by namespace, from the list that is kept with this module.

    >>> "relu" in public_names()["torch.nn.functional"]
    True
    """
    return _read("names.txt")


@functools.cache
def common_names() -> tuple[str, ...]:
    """The names that course scripts use, as ``common.txt`` has them: dotted, from ``torch`` on.

    >>> "torch.nn.Linear" in common_names()
    True
    """
    return tuple(f"{space}.{name}" for space, names in _read("common.txt").items() for name in names)


def _read(file: str) -> dict[str, tuple[str, ...]]:
    """Names by namespace."""
    text = importlib.resources.files(__package__).joinpath(file).read_text()
    blocks = (block.partition("\n") for block in text.split("\n\n") if not block.startswith("#"))
    return {head.strip("[]"): tuple(names.split()) for head, _, names in blocks}


@functools.cache
def _missing_methods() -> frozenset[str]:
    """Methods that PyTorch's Tensor has, ours has not, and nothing else that scripts use has."""
    from tinygrad_hw.nn import Module
    from tinygrad_hw.tensor import Tensor

    others = (
        str,
        bytes,
        list,
        dict,
        set,
        tuple,
        int,
        float,
        pathlib.Path,
        random.Random,
        np.ndarray,
        Module,
        np,
    )
    elsewhere = {name for kind in others for name in dir(kind)}
    return frozenset(set(public_names()["torch.Tensor"]) - set(dir(Tensor)) - elsewhere)


def _dotted(node: ast.AST) -> list[str] | None:
    """The names of ``a.b.c``; None if it does not begin with a name."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return [*parts, node.id][::-1] if isinstance(node, ast.Name) else None


class _Script(ast.NodeVisitor):
    """Collects the findings of one file."""

    def __init__(self, file: str, tree: ast.Module):
        self.file, self.tree = file, tree
        self.findings: dict[tuple[int, str], Finding] = {}
        self.bindings: dict[str, str] = {}
        self.aliases: set[str] = set()
        self.foreign: set[str] = set()  # names that are modules of others
        self.guarded = 0
        nodes = list(ast.walk(tree))
        for node in nodes:
            self._bind(node)
        for node in nodes:
            self._bind_alias(node)
        stored = {
            node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
        }
        stored |= {node.arg for node in nodes if isinstance(node, ast.arg)}
        self.rebound = stored - self.aliases
        self.own = {node.name for node in nodes if isinstance(node, (ast.FunctionDef, ast.ClassDef))}
        self.own |= {
            node.attr
            for node in nodes
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)
        }

    # ------------------------------------------------------------------ which names are PyTorch's

    def _bind(self, node: ast.AST) -> None:
        if isinstance(node, ast.Import):
            for item in node.names:
                root = item.name.partition(".")[0]
                if root in ROOTS:
                    self.bindings[item.asname or root] = item.name if item.asname else root
                else:
                    self.foreign.add(item.asname or root)
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            if node.module.partition(".")[0] in ROOTS:
                for item in node.names:
                    self.bindings[item.asname or item.name] = f"{node.module}.{item.name}"

    def _bind_alias(self, node: ast.AST) -> None:
        """``F = torch.nn.functional`` is a name for a module, like an import."""
        if (
            isinstance(node, ast.Assign)
            and len(node.targets) == 1
            and isinstance(node.targets[0], ast.Name)
        ):
            path = self._path(node.value)
            if path is not None and isinstance(_resolved(path), types.ModuleType):
                self.bindings[node.targets[0].id] = path
                self.aliases.add(node.targets[0].id)

    def _path(self, node: ast.AST) -> str | None:
        """PyTorch's dotted name of an expression, None if it is another's."""
        parts = _dotted(node)
        if parts is None or parts[0] not in self.bindings:
            return None
        return ".".join([self.bindings[parts[0]], *parts[1:]])

    # ------------------------------------------------------------------ looking names up

    def _look_up(self, path: str, line: int, sure: bool = True) -> None:
        try:
            resolve(path)
        except Missing as missing:
            self._report(missing.path, line, sure, advice(missing.path))

    def _report(self, name: str, line: int, sure: bool, text: str) -> None:
        sure = sure and not self.guarded
        before = self.findings.get((line, name))
        if before is None or sure and not before.sure:
            self.findings[line, name] = Finding(self.file, line, name, sure, text)

    def visit_Import(self, node: ast.Import) -> None:
        for item in node.names:
            if item.name.partition(".")[0] in ROOTS:
                self._look_up(item.name, node.lineno)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        if node.level or not node.module or node.module.partition(".")[0] not in ROOTS:
            return
        for item in node.names:
            self._look_up(node.module if item.name == "*" else f"{node.module}.{item.name}", node.lineno)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        path = self._path(node)
        if path is not None:
            self._look_up(path, node.lineno, sure=_dotted(node)[0] not in self.rebound)
            return
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        path = self._path(node.func)
        if path is not None:
            self._check_arguments(path, node)
        elif (isinstance(node.func, ast.Attribute) and node.func.attr in _missing_methods() - self.own
              and (_dotted(node.func) or [""])[0] not in self.foreign):
            name = node.func.attr
            self._report(
                f".{name}()",
                node.lineno,
                False,
                f"if this is a Tensor: {advice('torch.Tensor.' + name)}",
            )
        self.generic_visit(node)

    def _check_arguments(self, path: str, node: ast.Call) -> None:
        """Keyword arguments that a function of ours does not take."""
        function = _resolved(path)
        if getattr(function, "refuses", False):
            self._report(
                f"{path}()", node.lineno, False, "it is refused when it is called: there is only the CPU"
            )
            return
        try:
            parameters = inspect.signature(function).parameters.values()
        except (TypeError, ValueError):
            return
        if any(p.kind is p.VAR_KEYWORD for p in parameters):
            return
        known = {p.name for p in parameters}
        known |= {"out", "axis", "keepdims"} if isinstance(function, Op) else set()
        for keyword in node.keywords:
            if keyword.arg is not None and keyword.arg not in known:
                self._report(
                    f"{path}({keyword.arg}=...)",
                    node.lineno,
                    True,
                    f"no such argument; there are {', '.join(sorted(known)) or 'none'}",
                )

    # ------------------------------------------------------------------ guards

    def _guarded(self, nodes: list) -> None:
        self.guarded += 1
        for node in nodes:
            self.visit(node)
        self.guarded -= 1

    def visit_Try(self, node: ast.Try) -> None:
        caught = {
            part.id
            for handler in node.handlers
            if handler.type is not None
            for part in ast.walk(handler.type)
            if isinstance(part, ast.Name)
        }
        bare = any(handler.type is None for handler in node.handlers)
        if bare or caught & _CATCHING:
            self._guarded([*node.body, *node.handlers])
        else:
            for part in (*node.body, *node.handlers):
                self.visit(part)
        for part in (*node.orelse, *node.finalbody):
            self.visit(part)

    def visit_If(self, node: ast.If | ast.IfExp) -> None:
        named = {
            part.id if isinstance(part, ast.Name) else part.attr
            for part in ast.walk(node.test)
            if isinstance(part, (ast.Name, ast.Attribute))
        }
        if named & _GUARDS:
            self._guarded([*ast.iter_child_nodes(node)])
        else:
            self.generic_visit(node)

    visit_IfExp = visit_If


def _resolved(path: str):
    try:
        return resolve(path)
    except Missing:
        return None


def _imported_files(
    tree: ast.Module, file: pathlib.Path, folder: pathlib.Path
) -> Iterator[pathlib.Path]:
    """Files below ``folder`` that the script imports, ``from . import x`` included."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names, start = [item.name for item in node.names], folder
        elif isinstance(node, ast.ImportFrom):
            base = f"{node.module}." if node.module else ""
            names = [*([node.module] if node.module else []), *(base + item.name for item in node.names)]
            start = file.parents[node.level - 1] if node.level else folder
        else:
            continue
        for name in names:
            stem = start.joinpath(*name.split("."))
            for candidate in (stem.with_suffix(".py"), stem / "__init__.py"):
                if candidate.is_file() and folder in candidate.parents:
                    yield candidate


def scan(script, folder=None) -> list[Finding]:
    """What a script, and the modules beside it that it imports, use of PyTorch and the engine has not.

    Args:
        script: path of the script.
        folder: where its own modules are; by default the script's folder.

    Raises:
        SyntaxError: if one of the files is no Python.

    >>> import tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "net.py"
    >>> _ = path.write_text("import torch.nn as nn\\nnet = nn.Linaer(2, 1)")
    >>> [(finding.line, finding.name, finding.advice) for finding in scan(path)]
    [(2, 'torch.nn.Linaer', 'the nearest name is torch.nn.Linear')]
    """
    script = pathlib.Path(script)
    folder = (pathlib.Path(folder) if folder else script.parent).resolve()
    waiting, seen, findings = [script], set(), []
    while waiting:
        file = waiting.pop(0)
        if file.resolve() in seen:
            continue
        seen.add(file.resolve())
        tree = ast.parse(file.read_bytes(), str(file))
        reader = _Script(str(file), tree)
        reader.visit(tree)
        findings += sorted(reader.findings.values())
        waiting += _imported_files(tree, file.resolve(), folder)
    return findings
