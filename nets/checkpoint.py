"""Weights and optimizer state in one safetensors file: no code in it, and never half a file."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import safetensors
import safetensors.numpy

import tinygrad_hw as thw
from nets.runs import atomic_write

__all__ = ["load", "save"]


def save(path, net, optimizer=None, **facts) -> None:
    """Write a network's weights, the optimizer's state and some facts (epoch, figures) to ``path``.

    Args:
        path: the file; it is replaced only when the new one is complete.
        net: a Module.
        optimizer: its state is stored under ``optimizer/<parameter number>/<name>``.
        facts: values that JSON can hold, stored in the file's metadata.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "net.safetensors"
    >>> save(path, thw.nn.Linear(2, 1), epoch=3)
    >>> load(path, thw.nn.Linear(2, 1))["epoch"]
    3
    """
    arrays = {f"model/{name}": value.numpy() for name, value in net.state_dict().items()}
    metadata = {"facts": json.dumps(facts)}
    if optimizer is not None:
        state = optimizer.state_dict()
        metadata["param_groups"] = json.dumps(state["param_groups"])
        for number, values in state["state"].items():
            for name, value in values.items():
                arrays[f"optimizer/{number}/{name}"] = value.numpy()
    arrays = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    with atomic_write(path) as file:
        file.write(safetensors.numpy.save(arrays, metadata))


def load(path, net, optimizer=None) -> dict:
    """Read what `save` wrote into a network (and an optimizer) of the same shape; returns the facts.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is not a whole safetensors file.
        RuntimeError: if the weights do not fit the network (the text lists the names).
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no checkpoint {path}")
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}
    except safetensors.SafetensorError as error:
        raise ValueError(f"{path} is not a whole safetensors file ({error}); "
                         "it may be cut short") from error
    weights = {name[len("model/"):]: thw.from_numpy(array) for name, array in arrays.items()
               if name.startswith("model/")}
    net.load_state_dict(weights)
    if optimizer is not None and "param_groups" in metadata:
        state: dict = {}
        for name, array in arrays.items():
            if name.startswith("optimizer/"):
                _, number, key = name.split("/")
                state.setdefault(int(number), {})[key] = thw.from_numpy(array)
        optimizer.load_state_dict({"state": state, "param_groups": json.loads(metadata["param_groups"])})
    return json.loads(metadata.get("facts", "{}"))
