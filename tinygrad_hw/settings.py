"""Global switches of PyTorch's; most are accepted and remembered, and change nothing."""

from __future__ import annotations

from ops.promotion import set_default_dtype
from tinygrad_hw.device import device as _device

__all__ = [
    "are_deterministic_algorithms_enabled",
    "compile",
    "get_default_device",
    "get_deterministic_debug_mode",
    "get_float32_matmul_precision",
    "get_num_interop_threads",
    "is_deterministic_algorithms_warn_only_enabled",
    "is_warn_always_enabled",
    "set_anomaly_enabled",
    "set_default_device",
    "set_default_tensor_type",
    "set_deterministic_debug_mode",
    "set_float32_matmul_precision",
    "set_flush_denormal",
    "set_num_interop_threads",
    "set_warn_always",
    "use_deterministic_algorithms",
]

_state = {
    "deterministic": False,
    "warn_only": False,
    "precision": "highest",
    "interop": 1,
    "warn_always": False,
}


def compile(
    model=None,
    *,
    fullgraph=False,
    dynamic=None,
    backend="inductor",
    mode=None,
    options=None,
    disable=False,
):
    """The model or function itself: the engine fuses and compiles its kernels without being asked.

    >>> from tinygrad_hw import nn
    >>> compile(nn.Linear(2, 1))
    Linear(in_features=2, out_features=1, bias=True)
    >>> @compile(mode="reduce-overhead")
    ... def double(x):
    ...     return 2 * x
    >>> double(4)
    8
    """
    return (lambda function: function) if model is None else model


def use_deterministic_algorithms(mode: bool, *, warn_only: bool = False) -> None:
    """Remembered, and always so: the engine gives the same bits for any number of threads.

    >>> use_deterministic_algorithms(True)
    >>> are_deterministic_algorithms_enabled()
    True
    >>> use_deterministic_algorithms(False)
    """
    _state.update(deterministic=bool(mode), warn_only=bool(warn_only))


def are_deterministic_algorithms_enabled() -> bool:
    """What `use_deterministic_algorithms` was last told.

    >>> are_deterministic_algorithms_enabled()
    False
    """
    return _state["deterministic"]


def is_deterministic_algorithms_warn_only_enabled() -> bool:
    """What `use_deterministic_algorithms` was last told.

    >>> is_deterministic_algorithms_warn_only_enabled()
    False
    """
    return _state["warn_only"]


def set_deterministic_debug_mode(debug_mode) -> None:
    """``"default"``, ``"warn"`` or ``"error"`` (or 0, 1, 2), remembered.

    >>> set_deterministic_debug_mode("default")
    """
    names = ("default", "warn", "error")
    if debug_mode not in names and debug_mode not in (0, 1, 2):
        raise RuntimeError(
            "invalid value of debug_mode, expected one of `default`, `warn`, `error`, but got "
            f"{debug_mode}"
        )
    level = names.index(debug_mode) if debug_mode in names else debug_mode
    use_deterministic_algorithms(level > 0, warn_only=level == 1)


def get_deterministic_debug_mode() -> int:
    """0, 1 or 2, see `set_deterministic_debug_mode`.

    >>> get_deterministic_debug_mode()
    0
    """
    return 0 if not _state["deterministic"] else 1 if _state["warn_only"] else 2


def set_float32_matmul_precision(precision: str) -> None:
    """``"highest"``, ``"high"`` or ``"medium"``, remembered; products are always computed in full float32.

    >>> set_float32_matmul_precision("highest")
    """
    if precision not in ("highest", "high", "medium"):
        raise RuntimeError(f"Expected precision to be one of highest, high or medium, got {precision!r}")
    _state["precision"] = precision


def get_float32_matmul_precision() -> str:
    """What `set_float32_matmul_precision` was last told.

    >>> get_float32_matmul_precision()
    'highest'
    """
    return _state["precision"]


def set_num_interop_threads(threads: int) -> None:
    """Remembered; one op runs at a time, on all the threads of `tinygrad_hw.set_num_threads`.

    >>> set_num_interop_threads(1)
    """
    if threads < 1:
        raise RuntimeError(f"set_num_interop_threads expects a positive integer, got {threads}")
    _state["interop"] = int(threads)


def get_num_interop_threads() -> int:
    """What `set_num_interop_threads` was last told.

    >>> get_num_interop_threads()
    1
    """
    return _state["interop"]


def set_flush_denormal(mode: bool) -> bool:
    """False: subnormal numbers are kept.

    >>> set_flush_denormal(True)
    False
    """
    return False


def set_warn_always(b: bool) -> None:
    """Remembered; Python's own filters say which warnings are shown.

    >>> set_warn_always(False)
    """
    _state["warn_always"] = bool(b)


def is_warn_always_enabled() -> bool:
    """What `set_warn_always` was last told.

    >>> is_warn_always_enabled()
    False
    """
    return _state["warn_always"]


def set_default_device(device) -> None:
    """The CPU, or None for it; other devices are refused.

    >>> set_default_device("cpu")
    """
    if device is not None:
        _device(device)


def get_default_device() -> _device:
    """The CPU.

    >>> get_default_device()
    device(type='cpu')
    """
    return _device("cpu")


def set_default_tensor_type(t) -> None:
    """Former name of `set_default_dtype`: ``torch.FloatTensor`` or ``torch.DoubleTensor``, or their names.

    >>> set_default_tensor_type("torch.FloatTensor")
    """
    from tinygrad_hw import typed_tensors

    if isinstance(t, str):
        name = t.removeprefix("torch.")
        if name not in typed_tensors.__all__:
            raise TypeError(f"type {t!r} not available; use 'torch.FloatTensor' or 'torch.DoubleTensor'")
        t = getattr(typed_tensors, name)
    set_default_dtype(getattr(t, "dtype", t))


def set_anomaly_enabled(mode: bool, check_nan: bool = True) -> None:
    """`autograd.set_detect_anomaly`.

    >>> set_anomaly_enabled(False)
    """
    from tinygrad_hw.autograd import set_detect_anomaly

    set_detect_anomaly(mode, check_nan)
