"""The settings of a run: the system's own, those of a run that goes on, of a file, and those given by hand.

Later ones win: the system's own < the run's that goes on < ``--config FILE`` < ``--set key=value`` < options.
"""

from __future__ import annotations

import dataclasses
import difflib
import json
from pathlib import Path

__all__ = ["given", "of_system", "own_fields", "settings"]

ALWAYS = {"seed": 0, "data": None, "workers": 0, "hold_out": 0.0}
"""Settings of every system besides its own ``epochs``, ``batch_size`` and ``lr``, and their defaults."""
EXTRA = ("resume", "weights")
"""Settings of those systems that name them in ``options``."""
PATHS = ("data", *EXTRA)
POSITIVE = ("epochs", "batch_size", "threads")
NOT_SET = ("summary", "title", "remark", "figure", "epochs", "batch_size", "lr")


def own_fields(system) -> dict:
    """The numbers and words in which a system's recipe can be changed, such as ``weight_decay``.

    >>> from nets.systems import SYSTEMS
    >>> own_fields(SYSTEMS["nist36-mlp-rates"])
    {'system': 'nist36-mlp'}
    """
    return {field.name: getattr(system, field.name) for field in dataclasses.fields(system)
            if field.name not in NOT_SET and isinstance(getattr(system, field.name), (bool, int, float, str))}


def settings(options, system, stored: dict | None) -> tuple[dict, dict]:
    """What the system's ``run`` is called with, and the changes to the system itself.

    Args:
        options: of the command line; those that were not given are None.
        system: an entry of `nets.systems.SYSTEMS`.
        stored: config.json of the run that goes on, or None.

    Raises:
        ValueError: a key is unknown, a value of the wrong kind, or the stored run another system's.
        FileNotFoundError: there is no ``--config`` file.
    """
    values = {name: getattr(system, name) for name in ("epochs", "batch_size", "lr")} | ALWAYS
    own = own_fields(system)
    if stored is not None:
        if stored["name"] != options.name:
            raise ValueError(f"{options.resume} holds a run of {stored['name']}; name that system")
        known = {*values, *own, *EXTRA}
        values.update({name: value for name, value in stored["config"].items() if name in known})
    values.update(given(options, {**own, **values}, getattr(system, "options", ())))
    values.update({name: getattr(options, name) for name in (*values,)
                   if name not in (*EXTRA, *own) and getattr(options, name) is not None})
    for name in EXTRA:
        if getattr(options, name) is not None and not (name == "resume" and stored):
            if name not in getattr(system, "options", ()):
                raise ValueError(f"{options.name} takes no --{name}" + _ONLY_FOLDERS * (name == "resume"))
            values[name] = getattr(options, name)
    if options.threads is None:
        options.threads = values.get("threads")
    values.pop("threads", None)
    changes = {name: values.pop(name) for name in own if name in values}
    return values, {name: value for name, value in changes.items() if value != own[name]}


_ONLY_FOLDERS = " FILE; give the folder of a run, with its config.json"


def given(options, known: dict, extra=()) -> dict:
    """What ``--config`` and ``--set`` say, checked; the keys and kinds of ``known`` are allowed."""
    allowed = {**known, "threads": 1, **{name: None for name in extra}}
    found = {} if options.config is None else _file(options.config, options.name)
    for text in options.set or ():
        key, equals, value = text.partition("=")
        if not equals:
            raise ValueError(f"--set {text}: write it as key=value, such as --set epochs=3")
        found[key.strip().replace("-", "_")] = _parsed(value)
    return {key: _checked(key, value, allowed, options.name) for key, value in found.items()}


def of_system(system, changes: dict):
    """The system with some fields changed.

    >>> from nets.systems import SYSTEMS
    >>> of_system(SYSTEMS["imbalance"], {"weight": 5.0}).weight
    5.0
    """
    return dataclasses.replace(system, **changes) if changes else system


def _parsed(text):
    try:
        return json.loads(text)
    except ValueError:
        return text.strip()


def _file(path, name) -> dict:
    """The settings of a JSON file, or of config.json of a run of the same system."""
    file = Path(path).expanduser()
    if not file.is_file():
        raise FileNotFoundError(f"no file {path}; --config takes JSON such as {{\"epochs\": 3}}")
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not JSON ({error}); write it like {{\"epochs\": 3}}") from error
    if isinstance(values, dict) and isinstance(values.get("config"), dict):
        if values.get("name") != name:
            raise ValueError(f"{path} is of a run of {values.get('name')}, not of {name}")
        values = values["config"]
    if not isinstance(values, dict):
        raise ValueError(f"{path} must hold one JSON object of settings, got {type(values).__name__}")
    return {str(key).replace("-", "_"): value for key, value in values.items()}


def _checked(key, value, allowed, name):
    """The value as what the setting's default is."""
    if key not in allowed:
        near = difflib.get_close_matches(key, allowed, 1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ValueError(f"{name} has no setting {key!r}; {hint}there are {', '.join(sorted(allowed))}")
    default = allowed[key]
    if key in PATHS:
        kind, fits = "a path", value is None or isinstance(value, str)
    elif isinstance(default, bool):
        kind, fits = "true or false", isinstance(value, bool)
    elif isinstance(default, str):
        kind, fits = "a word", isinstance(value, str)
    elif isinstance(default, float):
        kind, fits = "a number", isinstance(value, (int, float)) and not isinstance(value, bool)
        value = float(value) if fits else value
    else:
        kind, fits = "a whole number", isinstance(value, int) and not isinstance(value, bool)
    if fits and key in POSITIVE and value < 1:
        kind, fits = "a positive whole number", False
    if fits and key == "hold_out" and not 0 <= value < 1:
        kind, fits = "a share, at least 0 and less than 1", False
    if not fits:
        raise ValueError(f"the setting {key} must be {kind}, got {value!r}")
    return value
