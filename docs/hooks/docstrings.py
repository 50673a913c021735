"""Docstrings to Markdown: sections to lists, doctests to code blocks, and no accidental emphasis.

Docstrings are written for ``help()``: names in one or two backticks, sections such as ``Args:``, doctests
without fences, tables drawn with equals signs.
"""

from __future__ import annotations

import re
import textwrap

__all__ = ["markdown"]

SECTIONS = {"Args": "Arguments", "Arguments": "Arguments", "Attributes": "Attributes", "Raises": "Raises",
            "Returns": "Returns", "Yields": "Yields"}
_SECTION = re.compile(rf"({'|'.join(SECTIONS)}):$")
_RULER = re.compile(r"\s*=+(\s+=+)*$")
_CODE = re.compile(r"(``.+?``|`.+?`|https?://\S+)", re.S)


def markdown(docstring: str) -> str:
    r"""The text of a docstring (without common indentation) as Markdown.

    >>> print(markdown("Half of it.\n\nArgs:\n    input: of shape (*, n)."))
    Half of it.
    <BLANKLINE>
    **Arguments**
    <BLANKLINE>
    - `input`: of shape (\*, n).
    """
    lines, pieces = docstring.splitlines(), []
    while lines:
        if not lines[0].strip():
            lines.pop(0)
        elif found := _SECTION.match(lines[0]):
            lines.pop(0)
            pieces += [f"**{SECTIONS[found[1]]}**", _section(textwrap.dedent("\n".join(_indented(lines))))]
        elif lines[0].lstrip().startswith(">>>"):
            pieces.append(_fence("pycon", _paragraph(lines)))
        elif _RULER.match(lines[0]):
            pieces.append(_fence("text", _table(lines)))
        elif lines[0].startswith("    "):
            pieces.append(_fence("python", _indented(lines)))
        else:
            pieces.append(escaped("\n".join(_paragraph(lines))))
    return "\n\n".join(pieces)


def escaped(text: str) -> str:
    r"""Text whose characters mean themselves, except for code in backticks and *emphasis* of whole words.

    >>> print(escaped("of (*, n) to (*, m), *really*: `a * b * c`::"))
    of (\*, n) to (\*, m), *really*: `a * b * c`:
    """
    parts = _CODE.split(re.sub(r"::$", ":", text))
    for place in range(0, len(parts), 2):
        part = re.sub(r"([_\[\]|])", r"\\\1", parts[place]).replace("<", "&lt;")
        part = re.sub(r"(?<![\w*])\*(\w[^*\n]*)\*(?![\w*])", "\0\\1\0", part)  # emphasis stays
        parts[place] = part.replace("*", r"\*").replace("\0", "*")
    parts[1::2] = [re.sub(r"^`([^`<]+) <[^`]*>`$", r"`\1`", code) for code in parts[1::2]]  # `text <target>`
    return "".join(parts)


def _paragraph(lines: list[str]) -> list[str]:
    """The lines up to an empty one, or up to a section; removed from ``lines``."""
    taken = [lines.pop(0)]
    while lines and lines[0].strip() and not _SECTION.match(lines[0]) and not _RULER.match(lines[0]):
        taken.append(lines.pop(0))
    return taken


def _indented(lines: list[str]) -> list[str]:
    """The lines that are indented or empty, without the empty ones at the end."""
    taken = []
    while lines and (not lines[0].strip() or lines[0].startswith(" ")):
        taken.append(lines.pop(0))
    while taken and not taken[-1].strip():
        taken.pop()
    return taken


def _table(lines: list[str]) -> list[str]:
    taken = [lines.pop(0)]
    while lines and lines[0].strip():
        taken.append(lines.pop(0))
    return taken


def _fence(language: str, lines: list[str]) -> str:
    return f"```{language}\n{textwrap.dedent(chr(10).join(lines))}\n```"


def _section(text: str) -> str:
    """``name: meaning`` entries as a list; text of another form as it is."""
    entries: list[str] = []
    for line in text.splitlines():
        if line.startswith(" ") and entries:
            entries[-1] += " " + line.strip()
        elif line.strip():
            entries.append(line.strip())
    named = [re.match(r"([\w*., ]+?)( \([^)]*\))?: (.*)$", entry) for entry in entries]
    if not all(named):
        return escaped(text)
    return "\n".join(f"- `{entry[1]}`{escaped(entry[2] or '')}: {escaped(entry[3])}" for entry in named)
