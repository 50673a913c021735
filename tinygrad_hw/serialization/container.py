"""One safetensors file for a tree and its arrays, with a checksum over both.

The format is that of https://huggingface.co/docs/safetensors: the length of a JSON header, the header, the
arrays.  Any reader of it finds the arrays under their paths.  Two entries of the header's metadata are ours:
the tree, and the SHA-256 of the tree and the arrays.
"""

from __future__ import annotations

import hashlib
import json

import numpy as np

__all__ = ["pack", "unpack"]

_TREE, _CHECKSUM = "tinygrad_hw", "sha256"
_VERSION = 1


def pack(tree, arrays: dict[str, np.ndarray]) -> bytes:
    """The content of the file.

    >>> unpack(pack([1, 2], {"a": np.arange(2)}))
    ({'version': 1, 'value': [1, 2]}, {'a': array([0, 1])})
    """
    import safetensors.numpy

    text = json.dumps({"version": _VERSION, "value": tree}, allow_nan=False, separators=(",", ":"))
    return safetensors.numpy.save(arrays, {_TREE: text, _CHECKSUM: _checksum(text, arrays)})


def unpack(content: bytes) -> tuple[dict | None, dict[str, np.ndarray]]:
    """The tree under ``value``, None for a safetensors file of others, and the arrays, which may be changed.

    Raises ValueError if the content is cut short, damaged or no safetensors file.

    >>> unpack(b"half")
    Traceback (most recent call last):
    ...
    ValueError: it is no whole safetensors file (Error while deserializing: header too small)
    """
    import safetensors.numpy

    try:
        arrays = safetensors.numpy.load(content)
    except safetensors.SafetensorError as error:
        raise ValueError(f"it is no whole safetensors file ({str(error)[:200]})") from error
    except (KeyError, TypeError, ValueError) as error:  # an element type that NumPy does not have
        raise ValueError(f"it holds an array that NumPy has no type for ({str(error)[:200]}); convert it to "
                         "float32 where it comes from") from error
    length = int.from_bytes(content[:8], "little")
    metadata = json.loads(content[8:8 + length]).get("__metadata__") or {}
    text = metadata.get(_TREE)
    if text is not None and metadata.get(_CHECKSUM) != _checksum(text, arrays):
        raise ValueError("its checksum is wrong: the content was damaged after it was written")
    try:
        tree = None if text is None else json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"its structure is no JSON ({type(error).__name__}: {str(error)[:200]})") from error
    if tree is not None and (type(tree) is not dict or tree.get("version") != _VERSION):
        raise ValueError(f"it is of another version than {_VERSION}; read it with the release that wrote it")
    return tree, {name: _clean(array) for name, array in arrays.items()}


def _clean(array: np.ndarray) -> np.ndarray:
    """The array in memory that may be written to; booleans of strangers may hold bytes other than 0 and 1."""
    if array.dtype == bool:
        return array.view(np.uint8) != 0
    return array if array.flags.writeable else array.copy()


def _checksum(text: str, arrays: dict[str, np.ndarray]) -> str:
    digest = hashlib.sha256(text.encode())
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(f"\0{name}\0{array.dtype}\0{array.shape}\0".encode())
        digest.update(array.reshape(-1).view(np.uint8))
    return digest.hexdigest()
