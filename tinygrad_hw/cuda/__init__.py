"""``torch.cuda`` where there is no GPU: `is_available` is False, and what needs one refuses."""

from __future__ import annotations

from tinygrad_hw.absent import absent, absent_tensor, answers, device
from tinygrad_hw.cuda import amp

globals().update(answers("cuda"))

for _name in (
    "Event",
    "ExternalStream",
    "Stream",
    "current_device",
    "current_stream",
    "default_stream",
    "get_arch_list",
    "get_device_capability",
    "get_device_name",
    "get_device_properties",
    "get_rng_state",
    "init",
    "max_memory_allocated",
    "max_memory_reserved",
    "mem_get_info",
    "memory_allocated",
    "memory_reserved",
    "memory_summary",
    "reset_peak_memory_stats",
    "set_device",
    "set_rng_state",
    "stream",
    "synchronize",
    "utilization",
):
    globals()[_name] = absent("cuda", _name)
for _name in (
    "BoolTensor",
    "ByteTensor",
    "CharTensor",
    "DoubleTensor",
    "FloatTensor",
    "HalfTensor",
    "IntTensor",
    "LongTensor",
    "ShortTensor",
):
    globals()[_name] = absent_tensor("cuda", _name)


def is_bf16_supported(including_emulation: bool = True) -> bool:
    """False: there is no GPU.

    >>> is_bf16_supported()
    False
    """
    return False


def get_rng_state_all() -> list:
    """The states of all GPUs: none.

    >>> get_rng_state_all()
    []
    """
    return []


def set_rng_state_all(new_states) -> None:
    """Nothing for an empty list; RuntimeError for states of GPUs.

    >>> set_rng_state_all([])
    """
    if list(new_states):
        absent("cuda", "set_rng_state_all")()


def ipc_collect() -> None:
    """Nothing: no memory of a GPU is shared.

    >>> ipc_collect()
    """
