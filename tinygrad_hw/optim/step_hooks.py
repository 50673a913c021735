"""Functions that run before and after each step of an optimizer."""

from __future__ import annotations

import collections
import functools

from tinygrad_hw.hooks import RemovableHandle

__all__ = ["hooked", "register_optimizer_step_post_hook", "register_optimizer_step_pre_hook"]

_all_pre_hooks: dict = collections.OrderedDict()
_all_post_hooks: dict = collections.OrderedDict()


def register_optimizer_step_pre_hook(hook) -> RemovableHandle:
    """Call ``hook(optimizer, args, kwargs)`` before each step of every optimizer."""
    return RemovableHandle(_all_pre_hooks, hook)


def register_optimizer_step_post_hook(hook) -> RemovableHandle:
    """Call ``hook(optimizer, args, kwargs)`` after each step of every optimizer."""
    return RemovableHandle(_all_post_hooks, hook)


def hooked(step):
    """Let a ``step`` method run the hooks around it, once if it calls the ``step`` of its superclass."""

    @functools.wraps(step)
    def step_with_hooks(self, *args, **kwargs):
        if self._stepping:
            return step(self, *args, **kwargs)
        args = (self, *args)
        for hook in (*_all_pre_hooks.values(), *self._hooks["step_pre"].values()):
            changed = hook(self, args, kwargs)
            if changed is not None:
                if not isinstance(changed, tuple) or len(changed) != 2:
                    raise RuntimeError("a hook before step() must return None or a tuple of (new_args, "
                                       f"new_kwargs), but got {changed}")
                args, kwargs = changed
        self._stepping = True
        try:
            result = step(*args, **kwargs)
        finally:
            self._stepping = False
        if self._stepped is False:
            self._stepped = True
        for hook in (*self._hooks["step_post"].values(), *_all_post_hooks.values()):
            hook(self, args, kwargs)
        return result

    return step_with_hooks
