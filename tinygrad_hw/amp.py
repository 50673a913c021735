"""Mixed precision, of which there is none: every number keeps its dtype, and losses need no scaling."""

from __future__ import annotations

import functools

from ops.promotion import as_dtype

__all__ = ["GradScaler", "autocast", "is_autocast_available"]


class autocast:
    """A context and decorator that changes nothing: the computation stays in float32.

    PyTorch computes parts of it in 16 bits on the devices that can; without one it does nothing either.

    Args:
        device_type: ``"cpu"``, ``"cuda"`` or another kind of device.
        dtype: must be one that the engine has.

    >>> from tinygrad_hw import ones
    >>> with autocast("cuda"):
    ...     (ones(2) @ ones(2)).dtype
    tinygrad_hw.float32
    """

    def __init__(
        self, device_type: str, dtype=None, enabled: bool = True, cache_enabled: bool | None = None
    ):
        if not isinstance(device_type, str):
            raise ValueError(f"Expected `device_type` of type `str`, got: `{type(device_type)}`")
        as_dtype(dtype)
        self.device, self._enabled = device_type, False

    def __enter__(self):
        return self

    def __exit__(self, *error) -> bool:
        return False

    def __call__(self, function):
        @functools.wraps(function)
        def wrapped(*args, **kwargs):
            with self:
                return function(*args, **kwargs)

        return wrapped


def is_autocast_available(device_type: str) -> bool:
    """False: there is one precision at a time.

    >>> is_autocast_available("cpu")
    False
    """
    return False


class GradScaler:
    """A scaler that scales by 1, as PyTorch's does where there is no GPU: float32 needs none.

    >>> from tinygrad_hw import nn, ones, optim
    >>> layer, scaler = nn.Linear(2, 1), GradScaler()
    >>> scaler.scale(layer(ones(2)).sum()).backward()
    >>> scaler.step(optim.SGD(layer.parameters()))
    >>> scaler.update()
    >>> scaler.get_scale()
    1.0
    """

    def __init__(
        self,
        device="cuda",
        init_scale=2.0**16,
        growth_factor=2.0,
        backoff_factor=0.5,
        growth_interval=2000,
        enabled=True,
    ):
        self._settings = growth_factor, backoff_factor, growth_interval

    def scale(self, outputs):
        """The outputs as they are."""
        return outputs

    def unscale_(self, optimizer) -> None:
        """Nothing: the gradients are not scaled."""

    def step(self, optimizer, *args, **kwargs):
        """``optimizer.step(*args, **kwargs)``."""
        return optimizer.step(*args, **kwargs)

    def update(self, new_scale=None) -> None:
        """Nothing: the scale stays 1."""

    def is_enabled(self) -> bool:
        """False."""
        return False

    def get_scale(self) -> float:
        """1.0."""
        return 1.0

    def get_growth_factor(self) -> float:
        """The factor that was given; it is not used."""
        return self._settings[0]

    def get_backoff_factor(self) -> float:
        """The factor that was given; it is not used."""
        return self._settings[1]

    def get_growth_interval(self) -> int:
        """The interval that was given; it is not used."""
        return self._settings[2]

    def state_dict(self) -> dict:
        """Empty: there is nothing to remember."""
        return {}

    def load_state_dict(self, state_dict: dict) -> None:
        """Nothing: the scale stays 1, whatever a checkpoint of a GPU says."""
