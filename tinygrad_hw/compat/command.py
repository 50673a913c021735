"""``python -m tinygrad_hw run``: a script that imports torch, unchanged, on this engine."""

from __future__ import annotations

import argparse
import importlib.util
import os
import pathlib
import sys
import types

from tinygrad_hw.compat.alias import STANDIN
from tinygrad_hw.compat.scan import Finding, scan

__all__ = ["add_command", "report", "run"]

_ROOT = str(pathlib.Path(__file__).resolve().parents[2])


def add_command(commands) -> None:
    """Add ``run`` to the commands of ``python -m tinygrad_hw``."""
    parser = commands.add_parser(
        "run",
        help="run a script that imports torch and torchvision on this engine",
        description="Run a script or module unchanged: its imports of torch and torchvision find this "
        "engine. "
        "First the script is searched for names that are missing; if there are any, they are "
        "listed and nothing runs (exit code 2).",
    )
    parser.add_argument("--list", action="store_true", help="only list the names that are missing")
    parser.add_argument("--anyway", action="store_true", help="run even if names are missing")
    parser.add_argument(
        "-m", dest="as_module", action="store_true", help="SCRIPT is the name of a module"
    )
    parser.add_argument("script", metavar="SCRIPT", help="path of the script")
    parser.add_argument(
        "arguments", nargs=argparse.REMAINDER, metavar="...", help="arguments of the script"
    )
    parser.set_defaults(run=_run_command)


def _run_command(options: argparse.Namespace) -> int:
    return run(
        options.script,
        options.arguments,
        as_module=options.as_module,
        only_list=options.list,
        anyway=options.anyway,
    )


def report(findings: list[Finding]) -> str:
    """The findings as text: what is surely missing first.

    >>> print(report([Finding("net.py", 2, "torch.fft.fft", True, "there are no complex numbers")]))
    tinygrad_hw does not have 1 name that this script uses:
      net.py:2: torch.fft.fft: there are no complex numbers
    """
    sure = [finding for finding in findings if finding.sure]
    perhaps = [finding for finding in findings if not finding.sure]
    lines = []
    if sure:
        count = len({finding.name for finding in sure})
        lines.append(f"tinygrad_hw does not have {count} name{'s' * (count > 1)} that this script uses:")
        lines += [f"  {finding}" for finding in sure]
    if perhaps:
        lines.append("perhaps missing, depending on what the script does:")
        lines += [f"  {finding}" for finding in perhaps]
    return "\n".join(lines)


def _find(script: str, as_module: bool):
    """The file, its import spec (None for a script) and the folder that becomes ``sys.path[0]``."""
    if not as_module:
        path = pathlib.Path(script)
        if path.is_dir():
            path = path / "__main__.py"
        if not path.is_file():
            raise FileNotFoundError(f"there is no script {str(path)!r}")
        return path, None, str(path.resolve().parent)
    sys.path.insert(0, os.getcwd())
    try:
        spec = importlib.util.find_spec(script)
        if spec is not None and spec.submodule_search_locations is not None:
            spec = importlib.util.find_spec(f"{script}.__main__")
    except ModuleNotFoundError:
        spec = None
    finally:
        sys.path.pop(0)
    if spec is None or not spec.has_location:
        raise FileNotFoundError(f"there is no module {script!r} that can be run in {os.getcwd()}")
    return pathlib.Path(spec.origin), spec, os.getcwd()


def _set_path(folder: str) -> None:
    """``sys.path`` as the script expects it, with torch and torchvision in second place.

    Processes that the script starts inherit it: multiprocessing hands on ``sys.path``, and others read
    PYTHONPATH.
    """
    standin = str(STANDIN)
    sys.path[0] = folder
    sys.path.insert(1, standin)
    if _ROOT not in sys.path:
        sys.path.append(_ROOT)
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join([standin, *([before] if before else []), _ROOT])


def run(
    script: str,
    arguments: list[str],
    *,
    as_module: bool = False,
    only_list: bool = False,
    anyway: bool = False,
) -> int:
    """Scan a script and run it as ``__main__``, with torch and torchvision standing for this engine.

    Args:
        script: path, or with ``as_module`` the name of a module.
        arguments: what the script finds in ``sys.argv[1:]``.
        only_list: scan only.
        anyway: run even if names are missing.

    Returns:
        The exit code: 0, 1 after an error, 2 if names are missing or there is no such script.
    """
    try:
        file, spec, folder = _find(script, as_module)
        findings = scan(file, folder)
    except FileNotFoundError as error:
        print(f"python -m tinygrad_hw run: {error}", file=sys.stderr)
        return 2
    except SyntaxError as error:
        sys.excepthook(type(error), error, None)
        return 1
    missing = any(finding.sure for finding in findings)
    if only_list:
        print(report(findings) or "nothing is missing")
        return 2 if missing else 0
    if missing:
        print(report(findings), file=sys.stderr)
        if not anyway:
            print("nothing was run; --anyway runs it all the same", file=sys.stderr)
            return 2
    return _execute(file, spec, folder, arguments)


def _execute(file: pathlib.Path, spec, folder: str, arguments: list[str]) -> int:
    _set_path(folder)
    path = str(file)
    sys.argv = [str(file.resolve()) if spec else path, *arguments]
    main = types.ModuleType("__main__")
    main.__dict__.update(
        __file__=path,
        __builtins__=__builtins__,
        __spec__=spec,
        __package__=spec.parent if spec else None,
    )
    sys.modules["__main__"] = main
    try:
        exec(compile(file.read_bytes(), path, "exec", dont_inherit=True), main.__dict__)
    except (Exception, KeyboardInterrupt) as error:
        error.__traceback__ = error.__traceback__.tb_next  # it begins at the script's own lines
        sys.excepthook(type(error), error, error.__traceback__)
        return 130 if isinstance(error, KeyboardInterrupt) else 1
    return 0
