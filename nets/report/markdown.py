"""The Markdown that the studies write (`nets.classification.report`) as HTML: no links, all text escaped."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import escape

__all__ = ["to_html"]


def to_html(text: str, picture: Callable[[str, str], str]) -> str:
    """Headings, paragraphs, lists, tables, pictures, ``code`` and **bold**; all else stays as it is written.

    Args:
        text: the Markdown. Its title (``# ...``) becomes a heading like the others.
        picture: ``picture(file, caption)`` gives the HTML of a picture.

    >>> print(to_html("# Who wins\\n\\nThe *second*: **0.9** <b>.", lambda file, caption: ""))
    <h3>Who wins</h3>
    <p>The *second*: <b>0.9</b> &lt;b&gt;.</p>
    """
    return "\n".join(_block(block, picture) for block in re.split(r"\n\s*\n", text.strip()) if block.strip())


def _block(block, picture):
    heading = re.fullmatch(r"(#+) (.+)", block)
    if heading:
        level = "h3" if len(heading[1]) == 1 else "h4"
        return f"<{level}>{_inline(heading[2])}</{level}>"
    pictures = re.findall(r"!\[([^\n]*)\]\(([^\n)]*)\)", block)
    if pictures and not re.sub(r"!\[[^\n]*\]\([^\n)]*\)", "", block).strip():
        return "\n".join(picture(file, caption) for caption, file in pictures)
    if block.startswith("|"):
        return _table(block.splitlines())
    if block.startswith("- "):
        return f"<ul>{''.join(f'<li>{_inline(item)}</li>' for item in re.split(r'(?m)^- ', block)[1:])}</ul>"
    return f"<p>{_inline(block)}</p>"


def _inline(text):
    text = re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text.strip()))
    return re.sub(r"\*\*([^*]+)\*\*", r"<b>\1</b>", text)


def _table(lines):
    rows = [[_inline(cell) for cell in line.strip().strip("|").split("|")] for line in lines
            if not re.fullmatch(r"[|\s:-]+", line)]
    head = "".join(f"<th>{cell}</th>" for cell in rows[0]) if rows else ""
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows[1:])
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
