"""``torch.mps`` where there is no such device: `is_available` is False, and what needs one refuses."""

from __future__ import annotations

from tinygrad_hw.absent import absent, answers

globals().update(answers("mps"))

for _name in ("Event", "Stream", "current_device", "current_stream", "get_device_name", "get_rng_state",
              "set_device", "set_rng_state", "stream", "synchronize"):
    globals()[_name] = absent("mps", _name)
