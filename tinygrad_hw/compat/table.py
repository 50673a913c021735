"""``python -m tinygrad_hw.compat.table``: write docs/compat.md, the table of PyTorch's names.

PyTorch's names come from ``names.txt``; whether the engine has them is looked up, so the page cannot be wrong
about that, and a test fails when it is out of date.
"""

from __future__ import annotations

import pathlib
import textwrap
from collections.abc import Iterator

from tinygrad_hw.compat.alias import PYTORCH, Missing, resolve
from tinygrad_hw.compat.notes import REFUSED, note
from tinygrad_hw.compat.scan import common_names, public_names
from tinygrad_hw.compat.suggest import advice

__all__ = ["PAGE", "page", "status"]

PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs" / "compat.md"

_HEAD = f"""# PyTorch's names

Every public name of PyTorch {PYTORCH} and torchvision in the namespaces of training scripts, and whether it
is here.
Written by `python -m tinygrad_hw.compat.table`; do not edit.

* **There**: the name is there and no difference is known. Ops, layers, losses, optimizers and schedulers
  are compared with PyTorch's values, gradients and errors by `tests/parity`; small helpers are not always.
* **Differs**: there, with the difference named. What differs on purpose in general, and why, is in
  [differences](differences.md).
* **Refused**: the name is there so that scripts can ask for it; a call raises an error that says what to do.
* **Not there**: `python -m tinygrad_hw run SCRIPT.py` lists such names before the script starts,
  with the same advice.

{{measured}}

Under `run`, `torch.__version__` is `{PYTORCH}+tinygrad_hw.` and the engine's version, so comparisons of
versions hold.
"""


def status(path: str) -> str:
    """``"there"``, ``"differs"``, ``"refused"`` or ``"missing"``.

    >>> status("torch.exp"), status("torch.compile"), status("torch.cuda.synchronize"), status("torch.fft")
    ('there', 'differs', 'refused', 'missing')
    """
    try:
        value = resolve(path)
    except Missing:
        return "missing"
    if path in REFUSED or getattr(value, "refuses", False):
        return "refused"
    return "differs" if note(path) else "there"


def _wrapped(names: list[str], indent: str = "") -> str:
    return textwrap.fill(
        " ".join(f"`{name}`" for name in names),
        118,
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _grouped(pairs: list[tuple[str, str]]) -> Iterator[str]:
    """Lines ``* text: names`` for names of equal text, in order of their first name."""
    texts = dict.fromkeys(text for _, text in pairs)
    for text in texts:
        names = " ".join(f"`{name}`" for name, other in pairs if other == text)
        yield textwrap.fill(
            f"* {text}: {names}",
            118,
            subsequent_indent="  ",
            break_long_words=False,
            break_on_hyphens=False,
        )


def _section(namespace: str, names: tuple[str, ...]) -> Iterator[str]:
    found = {name: status(f"{namespace}.{name}") for name in names}
    by_status = {
        kind: [name for name in names if found[name] == kind]
        for kind in ("there", "differs", "refused", "missing")
    }
    offered = len(by_status["there"]) + len(by_status["differs"])
    yield f"## {namespace}: {offered} of {len(names)}"
    if by_status["there"]:
        yield f"There ({len(by_status['there'])}):\n{_wrapped(by_status['there'])}"
    for title, kind, text in (("Differs", "differs", note), ("Not there", "missing", advice)):
        if by_status[kind]:
            pairs = [(name, text(f"{namespace}.{name}")) for name in by_status[kind]]
            yield f"{title} ({len(pairs)}):\n\n" + "\n".join(_grouped(pairs))
    if by_status["refused"]:
        yield f"Refused ({len(by_status['refused'])}):\n{_wrapped(by_status['refused'])}"


def _measured() -> str:
    """How much there is of what course scripts use."""
    found = [status(name) for name in common_names()]
    there = found.count("there") + found.count("differs")
    differing, refused, missing = (found.count(kind) for kind in ("differs", "refused", "missing"))
    text = f"""Course scripts use few of these names. Of the {len(found)} in `tinygrad_hw/compat/common.txt`,
        a list made with public scripts on MLPs, CNNs, autoencoders, VAEs, GANs, character RNNs,
        transformers and optimisation in view, **{there} are there** ({differing} of them with a difference
        that is named), {refused} are refused and {missing} are missing, each with the nearest alternative:
        volumes, complex, half, sparse and quantized tensors, compilation and export, torchvision's models,
        and data sets and transforms that few courses use."""
    return textwrap.fill(" ".join(text.split()), 118, break_on_hyphens=False)


def page() -> str:
    """The text of docs/compat.md.

    >>> page().startswith("# PyTorch's names")
    True
    """
    parts = [_HEAD.strip().replace("{measured}", _measured())]
    for namespace, names in public_names().items():
        parts += _section(namespace, names)
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page())
