"""``torch.cuda.amp``: the former place of `tinygrad_hw.amp`."""

from __future__ import annotations

from tinygrad_hw import amp as _amp

__all__ = ["GradScaler", "autocast"]


class GradScaler(_amp.GradScaler):
    """`tinygrad_hw.amp.GradScaler` with the arguments of its former place."""

    def __init__(self, init_scale=2.0**16, growth_factor=2.0, backoff_factor=0.5, growth_interval=2000,
                 enabled=True):
        super().__init__("cuda", init_scale, growth_factor, backoff_factor, growth_interval, enabled)


class autocast(_amp.autocast):
    """`tinygrad_hw.amp.autocast` with the arguments of its former place."""

    def __init__(self, enabled=True, dtype=None, cache_enabled=True):
        super().__init__("cuda", dtype, enabled, cache_enabled)
