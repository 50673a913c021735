"""``report.html``: the folder of a run on one page that needs no other file and no network."""

from __future__ import annotations

import base64
import string
from html import escape
from pathlib import Path

from nets.report.curves import history_charts
from nets.report.folder import RunFolder, command_line, headline, read_folder
from nets.report.markdown import to_html
from tinygrad_hw.utils.files import atomic_write

__all__ = ["page", "write_report"]

HEADINGS = {"most_confused": ("true class", "taken for", "times")}


def write_report(folder) -> Path:
    """Write ``report.html`` into the folder of a run and into those of its parts; the file's path.

    Raises FileNotFoundError and ValueError as `nets.report.folder.read_folder`.

    >>> import tempfile
    >>> from nets.runs import Run
    >>> run = Run("demo", {"lr": 0.1}, out=Path(tempfile.mkdtemp()) / "first")
    >>> write_report(run.folder).name
    'report.html'
    """
    run, path = read_folder(folder), Path(folder) / "report.html"
    for part in run.parts:
        write_report(run.path / part)
    text = page(run)
    with atomic_write(path) as file:
        file.write(text.encode())
    return path


def page(run: RunFolder) -> str:
    """The HTML of a run. Everything that comes from the folder is escaped, and the page forbids scripts.

    Args:
        run: from `nets.report.folder.read_folder`.
    """
    study, shown = _study(run)
    sections = {
        "Curves": _charts(run.history),
        "Study": study,
        "Pictures": "\n".join(_figure(picture, picture.caption) for picture in run.pictures
                              if picture.path.name not in shown
                              and not picture.path.stem.endswith("curves")),
        "Results": _results(run.results),
        "Network": "\n".join(f"<h3>{escape(name)}</h3>\n<pre>{escape(text)}</pre>" if name else
                             f"<pre>{escape(text)}</pre>" for name, text in run.tables.items()),
        "Configuration": _pairs(run.config),
        "Environment": _pairs(_flat(run.environment)),
        "How to reproduce": _reproduce(run),
        "History": _rows(run.history),
    }
    sections = {title: text for title, text in sections.items() if text}
    template = string.Template(Path(__file__).with_name("page.html").read_text(encoding="utf-8"))
    return template.substitute(
        title=escape(run.name),
        result="\n".join(f'<p class="result">{escape(line)}</p>' for line in _result(run)),
        about=escape(_about(run)),
        contents=" ".join(f'<a href="#{_anchor(title)}">{title}</a>' for title in sections),
        sections="\n".join(f'<section id="{_anchor(title)}">\n<h2>{title}</h2>\n{text}\n</section>'
                           for title, text in sections.items()))


def _anchor(title):
    return title.lower().replace(" ", "-")


def _result(run):
    lines = headline(run.results, run.config.get("epochs"))
    if lines:
        return lines
    plain = [f"{key.replace('_', ' ')} {_text(value)}" for key, value in run.results.items()
             if isinstance(value, (int, float))]
    return [", ".join(plain[:4])] if plain else []


def _about(run):
    if not run.results:
        state = f"not finished: {len(run.history)} rows of history so far"
    elif run.results.get("interrupted"):
        state = "interrupted; everything up to there is kept, and the run can go on (--resume)"
    else:
        state = f"finished after {run.seconds:,.1f} s in all" if run.seconds else "finished"
    return f"Run folder {run.path.resolve().name}, {state}."


def _charts(history):
    charts = history_charts(history)
    return f'<div class="charts">{"".join(charts)}</div>' if charts else ""


def _study(run):
    """report.md, with its pictures, and the names of the files that it has shown."""
    known, shown = {picture.path.name: picture for picture in run.pictures}, set()

    def figure(file, caption):
        shown.add(file)
        return _figure(known[file], caption) if file in known else f"<p>(no picture {escape(file)})</p>"

    return (to_html(run.study, figure) if run.study else ""), shown


def _figure(picture, caption):
    """A picture as part of the page, at the size in inches for which it was drawn (120 points an inch)."""
    content, caption = base64.b64encode(picture.path.read_bytes()).decode(), escape(caption)
    return (f'<figure><img src="data:image/png;base64,{content}" alt="{caption}" '
            f'width="{max(picture.width * 96 // 120, 1)}"><figcaption>{caption} '
            f"<small>({escape(picture.path.name)})</small></figcaption></figure>")


# ------------------------------------------------------------------ tables


def _results(results):
    """Plain figures first; then a table for each dictionary of dictionaries, and lists as they are."""
    plain = {key: value for key, value in results.items() if not isinstance(value, (dict, list))}
    pieces = [_pairs(plain)] if plain else []
    for key, value in results.items():
        if isinstance(value, dict) and value:
            nested = all(isinstance(entry, dict) for entry in value.values())
            rows = [{"": name, **entry} for name, entry in value.items()] if nested else None
            pieces.append(f"<h3>{escape(_title(key))}</h3>\n{_rows(rows) if nested else _pairs(value)}")
        elif isinstance(value, list) and value:
            rows = [row if isinstance(row, list) else [row] for row in value]
            lines = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
            head = "".join(f'<th scope="col">{title}</th>' for title in HEADINGS.get(key, ()))
            pieces.append(f"<h3>{escape(_title(key))}</h3>\n"
                          + _table(lines, f"<thead><tr>{head}</tr></thead>" if head else ""))
    return "\n".join(pieces)


def _title(key):
    return str(key).replace("_", " ")


def _text(value, digits=8):
    if isinstance(value, float):
        return f"{value:.{digits}g}"
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _table(body, head=""):
    return f'<div class="wide"><table>{head}<tbody>{body}</tbody></table></div>'


def _is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _cell(value):
    kind = ' class="number"' if _is_number(value) else ""
    return f"<td{kind}>{escape(_text(value, digits=4))}</td>"


def _pairs(values):
    rows = "".join(f'<tr><th scope="row">{escape(_title(key))}</th><td>{escape(_text(value))}</td></tr>'
                   for key, value in values.items())
    return _table(rows) if rows else ""


def _rows(rows):
    """A table of dictionaries, a row each; the columns in the order in which they first appear."""
    columns = list(dict.fromkeys(key for row in rows or () for key in row))
    if not columns:
        return ""
    kinds = ["number" if any(_is_number(row.get(key)) for row in rows) else "text" for key in columns]
    head = "".join(f'<th scope="col" class="{kind}">{escape(_title(key))}</th>'
                   for key, kind in zip(columns, kinds))
    body = "".join(f"<tr>{''.join(_cell(row.get(key)) for key in columns)}</tr>" for row in rows)
    return _table(body, f"<thead><tr>{head}</tr></thead>")


def _flat(environment):
    """The dictionaries in it as one line each."""
    return {key: ", ".join(f"{name} {entry}" for name, entry in value.items()) or "-"
            if isinstance(value, dict) else value for key, value in environment.items()}


def _reproduce(run):
    """The command, where ``python -m nets run`` made the folder; for a part of a study the study's."""
    if (run.path.resolve().parent / "config.json").is_file():
        whole = read_folder(run.path.resolve().parent)
        return f"<p>This run is a part of another, {escape(whole.name)}.</p>\n{_reproduce(whole)}"
    from nets.systems import SYSTEMS

    if run.name not in SYSTEMS or "hold_out" not in run.config:  # other commands have other options
        return ""
    parts = ", ".join(f"<code>{escape(part)}</code>" for part in run.parts)
    inner = f"\n<p>Its parts have reports of their own, in {parts}.</p>" if parts else ""
    processes = run.environment.get("processes")
    processes = processes if isinstance(processes, int) else 1
    but = "; with another number of processes the last ones may differ" if processes > 1 else ""
    return (f"<pre>{escape(command_line(run.name, run.config, processes))}</pre>\n<p>In the folder where it "
            "was run, with the versions above. The same seed, settings and versions on the same processor "
            f"give the same bits, for any number of threads and workers{but}.</p>{inner}")
