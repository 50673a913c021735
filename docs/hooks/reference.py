"""The API reference, made from the living objects when MkDocs builds the site.

Ops are objects that a decorator makes, and most of Tensor's methods are attached by name, so reading the
source does not find them; importing the engine does.  In a page of ``docs/reference/`` a comment stands for
entries:

======================================  ==============================================================
``<!-- reference: MODULE -->``          the public names of the module
``<!-- reference: MODULE from A B -->``  those that are defined in the modules or packages A and B
``<!-- reference: MODULE rest -->``     those that no comment with ``from`` on this module has taken
``<!-- reference: MODULE.Class -->``    one class with all its methods
======================================  ==============================================================

An object has one entry: where it alone is named, else on the first page that has it (``rest`` comes last),
and under its own name.  Elsewhere it is a link to that entry.
"""

from __future__ import annotations

import enum
import functools
import importlib
import inspect
import pathlib
import re
import sys
import types

ROOT = pathlib.Path(__file__).resolve().parents[2]
for folder in (ROOT, pathlib.Path(__file__).parent):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))

from docstrings import markdown  # noqa: E402

from ops.core import Composite, Op  # noqa: E402

PAGES = ROOT / "docs" / "reference"
_COMMENT = re.compile(r"<!-- reference: ([\w.]+)( rest| from ([\w. ]+))? -->")
_NAME = re.compile(r"(?<![`\[])(?<!^- )`([A-Za-z][\w.]*)`(?!`)", re.M)  # but not what a list explains
_OURS = ("tinygrad_hw.", "nets.")
_WIDTH = 88


def on_page_markdown(text: str, page, config, files) -> str:
    """MkDocs' hook: a page's Markdown before it becomes HTML."""
    if not page.file.src_uri.startswith("reference/"):
        return text
    return expanded(text, page.file.src_uri.removeprefix("reference/"))


def expanded(text: str, page: str) -> str:
    """The Markdown of a page with its comments replaced by entries.

    >>> text = expanded("<!-- reference: tinygrad_hw.vision.utils -->", "vision.md")
    >>> print(text.splitlines()[0])
    ### make\\_grid { #tinygrad_hw.vision.utils.make_grid }
    """
    return _COMMENT.sub(lambda found: _entries(found[0], page), text)


# ------------------------------------------------------------------ which object stands where


def public(module: types.ModuleType) -> dict[str, object]:
    """The module's public names: those of ``__all__``, or all that come from this project.

    >>> sorted(public(importlib.import_module("tinygrad_hw.vision.utils")))
    ['make_grid', 'save_image']
    """
    if hasattr(module, "__all__"):
        return {name: getattr(module, name) for name in module.__all__}
    found = {name: getattr(module, name) for name in dir(module) if not name.startswith("_")}
    return {name: one for name, one in found.items() if _belongs(one, module)}


def _belongs(one: object, module: types.ModuleType) -> bool:
    """Whether a module without ``__all__`` offers the object, or has imported it for itself."""
    origin = getattr(one, "__module__", None) or "ops"
    if isinstance(one, types.ModuleType) or origin.split(".")[0] not in ("ops", "tinygrad_hw"):
        return False
    return not inspect.isclass(one) or f"{origin}.".startswith((f"{module.__name__}.", "ops."))


def _taken(comment: str) -> tuple[str, dict[str, object]]:
    """What the names of a comment's objects begin with, and the objects by name."""
    name, how, places = _COMMENT.match(comment).groups()
    if _is_member(name):
        owner, _, member = name.rpartition(".")
        return owner, {member: getattr(importlib.import_module(owner), member)}
    members = public(importlib.import_module(name))
    if places:
        prefixes = tuple(f"{place}." for place in places.split())
        members = {key: one for key, one in members.items()
                   if f"{getattr(one, '__module__', '')}.".startswith(prefixes)}
    if how == " rest":
        others = [_taken(other)[1] for _, other in _comments()
                  if other.startswith(f"<!-- reference: {name} from")]
        members = {key: one for key, one in members.items() if not any(key in other for other in others)}
    return name, members


def _is_member(name: str) -> bool:
    """Whether a dotted name means a class, by its capital."""
    return name.rpartition(".")[2][0].isupper()


@functools.cache
def _comments() -> list[tuple[str, str]]:
    """Page and text of every comment, single objects first and those with ``rest`` last."""
    found = [(page.name, comment[0]) for page in sorted(PAGES.glob("*.md"))
             for comment in _COMMENT.finditer(page.read_text(encoding="utf-8"))]

    def order(pair):
        name, how, _ = _COMMENT.match(pair[1]).groups()
        return not _is_member(name), how == " rest"

    return sorted(found, key=order)


@functools.cache
def homes() -> dict[int, tuple[str, str]]:
    """Page and full name of the entry of every object, by its id."""
    found: dict[int, tuple[str, str]] = {}
    for page, comment in _comments():
        prefix, members = _taken(comment)
        own_names_first = sorted(members, key=lambda name: name != getattr(members[name], "__name__", ""))
        for name in own_names_first:
            if callable(members[name]):
                found.setdefault(id(members[name]), (page, f"{prefix}.{name}"))
    return found


# ------------------------------------------------------------------ entries


def _entries(comment: str, page: str) -> str:
    prefix, members = _taken(comment)
    entries, elsewhere, values = [], [], []
    for name, one in sorted(members.items(), key=lambda item: item[0].lower()):
        full = f"{prefix}.{name}"
        if not callable(one):
            values.append(f"`{name}`")
        elif homes().get(id(one), (page, full)) != (page, full):
            elsewhere.append(_link(name, one))
        else:
            entries.append(entry(full, one))
    if elsewhere:
        entries.append("Described on another page or under another name: " + ", ".join(elsewhere) + ".")
    if values and " rest" in comment:
        entries.append("Values: " + ", ".join(values) + ".")
    return "\n\n".join(entries)


def _link(label: str, one: object) -> str:
    page, full = homes()[id(one)]
    return f"[`{label}`]({page}#{full})"


def entry(full: str, one, level: int = 3, bound: bool = False) -> str:
    """Heading, signature, origin and docstring of a function, an op or a class with its methods.

    ``bound`` leaves out a method's first parameter, which is the object.
    """
    name = full.rpartition(".")[2]
    parts = [_heading(full, level), f"```python\n{signature(name, one, bound)}\n```", origin(one),
             linked(markdown(inspect.getdoc(one) or ""), full)]
    if inspect.isclass(one):
        parts += _methods(full, one)
    return "\n\n".join(part for part in parts if part)


def linked(text: str, full: str) -> str:
    """Markdown in which `names` of entries are links, if it is clear what they mean.

    Clear are names with capitals, underscores or dots that one entry only has; ``x`` and ``range`` may be
    arguments.

    >>> linked("See `Conv2d` and `x`.", "tinygrad_hw.exp")
    'See [`Conv2d`](nn.md#tinygrad_hw.nn.Conv2d) and `x`.'
    """
    def link(found):
        pages = _pages_by_name().get(found[1].rpartition(".")[2], ())
        pages = [(page, other) for page, other in pages if f".{other}".endswith(f".{found[1]}")]
        clear = re.search(r"[A-Z_.]", found[1]) and len(pages) == 1 and pages[0][1] != full
        return f"[{found[0]}]({pages[0][0]}#{pages[0][1]})" if clear else found[0]

    parts = re.split(r"(^```.*?^```)", text, flags=re.S | re.M)
    parts[::2] = [_NAME.sub(link, part) for part in parts[::2]]
    return "".join(parts)


@functools.cache
def _pages_by_name() -> dict[str, list[tuple[str, str]]]:
    found: dict[str, list] = {}
    for page, full in homes().values():
        found.setdefault(full.rpartition(".")[2], []).append((page, full))
    return found


def _heading(full: str, level: int) -> str:
    name = full.rpartition(".")[2].replace("_", r"\_")
    return f"{'#' * level} {name} {{ #{full} }}"


def _methods(full: str, owner: type) -> list[str]:
    """Entries of the methods and properties that a class defines; links for those that are functions as well.

    What it inherits is described with the base class, if that has an entry.
    """
    described = [base for base in owner.__mro__[1:] if id(base) in homes()]
    members: dict[str, object] = {}
    for base in reversed(owner.__mro__):
        if base.__module__.startswith(_OURS) and not any(issubclass(one, base) for one in described):
            members.update(vars(base))
    entries, same, in_place = [], [], []
    for name, member in sorted(members.items()):
        if name.startswith("_") or name in ("forward", "extra_repr", "array"):
            continue
        one = getattr(member, "__func__", member)  # of a static or class method
        if any(_as_in(base, name, one) for base in described):
            continue
        base = members.get(name.removesuffix("_"))
        if id(one) in homes():
            same.append(_link(name, one))
        elif name.endswith("_") and id(base) in homes():
            in_place.append(_link(name, base))
        elif isinstance(one, property) and one.__doc__:
            text = linked(markdown(inspect.getdoc(one)), full)
            entries.append(f"{_heading(f'{full}.{name}', 4)}\n\n{text}")
        elif (inspect.isfunction(one) or isinstance(one, Op)) and one.__doc__:
            bound = not isinstance(member, staticmethod)
            entries.append(entry(f"{full}.{name}", one, level=4, bound=bound))
    if same:
        entries.append("Functions that are methods, too: " + ", ".join(same) + ".")
    if in_place:
        entries.append("Functions whose methods also write in place: " + ", ".join(in_place) + ".")
    return entries


def _as_in(base: type, name: str, one) -> bool:
    """Whether a method does what the docstring of the base class's says."""
    return (getattr(base, name, None) is one
            or f"see `{base.__name__}.{name}`" in (getattr(one, "__doc__", None) or ""))


def origin(one) -> str:
    """Where the object is defined, and which arguments of an op carry gradients."""
    function = one.forward if isinstance(one, Op) else one
    code = getattr(function, "__code__", None)
    module = getattr(function, "__module__", None)
    if module not in sys.modules or not getattr(sys.modules[module], "__file__", None):
        return ""
    path = pathlib.Path(sys.modules[module].__file__)
    line = f", line {code.co_firstlineno}" if code is not None and code.co_filename == str(path) else ""
    differentiable = one.differentiable if isinstance(one, Composite) else ()
    differentiable = differentiable or (tuple(one.rules) if isinstance(one, Op) else ())
    gradient = " · gradient: " + ", ".join(f"`{name}`" for name in differentiable) if differentiable else ""
    package = "/__init__" if path.name == "__init__.py" else ""
    return f"<small>`{module.replace('.', '/')}{package}.py`{line}{gradient}</small>"


def signature(name: str, one, bound: bool = False) -> str:
    """A call as one writes it: names, annotations and defaults, over several lines if it is long.

    >>> def scale(x, factor: float = 2.0, *, out=None): ...
    >>> signature("scale", scale)
    'scale(x, factor: float = 2.0, *, out=None)'
    """
    if inspect.isclass(one) and issubclass(one, enum.Enum):
        return name
    try:
        parameters = list(inspect.signature(one).parameters.values())[bound:]
    except ValueError:
        return name  # a warning or an error
    words, keyword_only = [], False
    for parameter in parameters:
        if parameter.kind is parameter.KEYWORD_ONLY and not keyword_only:
            if not any(other.kind is other.VAR_POSITIONAL for other in parameters):
                words.append("*")
            keyword_only = True
        star = {parameter.VAR_POSITIONAL: "*", parameter.VAR_KEYWORD: "**"}.get(parameter.kind, "")
        words.append(star + _parameter(parameter))
    line = f"{name}({', '.join(words)})"
    return line if len(line) <= _WIDTH else f"{name}(\n" + "".join(f"    {word},\n" for word in words) + ")"


def _parameter(parameter: inspect.Parameter) -> str:
    text, equals = parameter.name, "="
    if parameter.annotation is not parameter.empty:
        kind = parameter.annotation
        text, equals = f"{text}: {kind if isinstance(kind, str) else inspect.formatannotation(kind)}", " = "
    if parameter.default is parameter.empty:
        return text
    default = parameter.default
    shown = default.__name__ if inspect.isfunction(default) or inspect.isclass(default) else repr(default)
    return text + equals + re.sub(r" at 0x[0-9a-f]+", "", shown)
