"""A Module's state: ``state_dict`` and ``load_state_dict``."""

from __future__ import annotations

from collections import OrderedDict, namedtuple
from collections.abc import Iterator, Mapping

import numpy as np

from tinygrad_hw.hooks import RemovableHandle
from tinygrad_hw.nn.advice import key_advice, no_state
from tinygrad_hw.nn.parameter import Parameter
from tinygrad_hw.tensor import Tensor
from tinygrad_hw.waiting import compute_waiting

__all__ = ["State"]

_EXTRA = "_extra_state"


class _IncompatibleKeys(namedtuple("IncompatibleKeys", ("missing_keys", "unexpected_keys"))):
    """Result of ``load_state_dict``."""

    __slots__ = ()

    def __repr__(self) -> str:
        if not self.missing_keys and not self.unexpected_keys:
            return "<All keys matched successfully>"
        return super().__repr__()

    __str__ = __repr__


class State:
    """The part of `Module` that saves and restores its state."""

    _version = 1

    def _init_state(self) -> None:
        for name in ("_state_dict_hooks", "_state_dict_pre_hooks", "_load_state_dict_pre_hooks",
                     "_load_state_dict_post_hooks"):
            self.__dict__[name] = OrderedDict()

    def get_extra_state(self):
        """Further state for the ``state_dict``, under the key ``_extra_state``; to be overridden."""
        raise NotImplementedError(f"{type(self).__name__} has no extra state; define get_extra_state")

    def set_extra_state(self, state) -> None:
        """Restore what `get_extra_state` returned; to be overridden."""
        raise NotImplementedError(
            f"{type(self).__name__} cannot restore an extra state; define set_extra_state"
        )

    def _has_extra_state(self) -> bool:
        return type(self).get_extra_state is not State.get_extra_state

    def _own_state(self) -> Iterator[tuple[str, Tensor]]:
        """Parameters and persistent buffers of this module alone."""
        yield from self._own_parameters()
        for name, buffer in self._buffers.items():
            if buffer is not None and name not in self._non_persistent_buffers_set:
                yield name, buffer

    # ------------------------------------------------------------------ saving

    def state_dict(
        self, *args, destination: dict | None = None, prefix: str = "", keep_vars: bool = False
    ) -> dict:
        """All parameters and persistent buffers by their dotted names, without history.

        The Tensors share memory with the module: copy them to keep a snapshot.

        Args:
            destination: dict to add to; a new one by default.
            prefix: put before each name.
            keep_vars: return the parameters themselves in place of detached Tensors.

        Source:
            https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html

        >>> from tinygrad_hw import nn
        >>> list(nn.Sequential(nn.Linear(2, 3), nn.ReLU()).state_dict())
        ['0.weight', '0.bias']
        """
        if args:  # the older form with positional arguments
            destination, prefix, keep_vars = (*args, *(destination, prefix, keep_vars)[len(args):])
        if destination is None:
            destination = OrderedDict()
            destination._metadata = OrderedDict()
        metadata = {"version": self._version}
        if hasattr(destination, "_metadata"):
            destination._metadata[prefix[:-1]] = metadata
        for hook in self._state_dict_pre_hooks.values():
            hook(self, prefix, keep_vars)
        self._save_to_state_dict(destination, prefix, keep_vars)
        for name, child in self._own_children():
            child.state_dict(destination=destination, prefix=f"{prefix}{name}.", keep_vars=keep_vars)
        for hook in self._state_dict_hooks.values():
            result = hook(self, destination, prefix, metadata)
            destination = destination if result is None else result
        return destination

    def _save_to_state_dict(self, destination: dict, prefix: str, keep_vars: bool) -> None:
        """Add the state of this module alone."""
        for name, value in self._own_state():
            destination[prefix + name] = value if keep_vars else value.detach()
        if self._has_extra_state():
            destination[prefix + _EXTRA] = self.get_extra_state()

    def register_state_dict_pre_hook(self, hook) -> RemovableHandle:
        """Call ``hook(module, prefix, keep_vars)`` before the state is collected."""
        return RemovableHandle(self._state_dict_pre_hooks, hook)

    def register_state_dict_post_hook(self, hook) -> RemovableHandle:
        """Call ``hook(module, state_dict, prefix, local_metadata)`` after the state was collected."""
        return RemovableHandle(self._state_dict_hooks, hook)

    _register_state_dict_hook = register_state_dict_post_hook

    # ------------------------------------------------------------------ loading

    def load_state_dict(
        self, state_dict: Mapping, strict: bool = True, assign: bool = False
    ) -> _IncompatibleKeys:
        """Copy parameters and buffers from a dict that `state_dict` returned.

        Args:
            state_dict: Tensors (or NumPy arrays) by name.
            strict: refuse missing and unexpected names.
            assign: take over the given Tensors themselves in place of copying their values.

        Returns:
            ``missing_keys`` and ``unexpected_keys``.

        Raises:
            RuntimeError: listing every missing and unexpected key and every size mismatch.

        >>> from tinygrad_hw import nn
        >>> a, b = nn.Linear(2, 3), nn.Linear(2, 3)
        >>> a.load_state_dict(b.state_dict())
        <All keys matched successfully>
        """
        if not isinstance(state_dict, Mapping):
            raise no_state(state_dict)
        metadata = getattr(state_dict, "_metadata", None)
        state_dict = OrderedDict(state_dict)
        missing: list[str] = []
        unexpected: list[str] = []
        errors: list[str] = []

        def load(module, state: dict, prefix: str) -> None:
            local = {} if metadata is None else metadata.get(prefix[:-1], {})
            options = {**local, "assign_to_params_buffers": assign}
            module._load_from_state_dict(state, prefix, options, True, missing, unexpected, errors)
            for name, child in module._own_children():
                below = f"{prefix}{name}."
                load(child, {key: state[key] for key in state if key.startswith(below)}, below)
            keys = _IncompatibleKeys(missing, unexpected)
            for hook in module._load_state_dict_post_hooks.values():
                if hook(module, keys) is not None:
                    raise AssertionError(
                        "Hooks registered with register_load_state_dict_post_hook are not expected to "
                        "return new values; change incompatible_keys in place."
                    )

        load(self, state_dict, "")
        if strict:
            listed = [("Missing", missing), ("Unexpected", unexpected)]
            errors[:0] = [f"{kind} key(s) in state_dict: " + ", ".join(f'"{key}"' for key in keys) + ". "
                          for kind, keys in listed if keys]
        if errors:
            errors += key_advice(missing, unexpected, state_dict)
            raise RuntimeError(
                f"Error(s) in loading state_dict for {type(self).__name__}:\n\t" + "\n\t".join(errors)
            )
        return _IncompatibleKeys(missing, unexpected)

    def _load_from_state_dict(self, state_dict: dict, prefix: str, local_metadata: dict, strict: bool,
                              missing_keys: list, unexpected_keys: list, error_msgs: list) -> None:
        """Restore the state of this module alone; problems go to the lists."""
        for hook in self._load_state_dict_pre_hooks.values():
            hook(state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs)
        assign = local_metadata.get("assign_to_params_buffers", False)
        for name, value in list(self._own_state()):
            key = prefix + name
            if key not in state_dict:
                missing_keys.append(key)
                continue
            new = state_dict[key]
            if isinstance(new, (np.ndarray, np.generic)):
                new = Tensor._wrap(new)
            if not isinstance(new, Tensor):
                error_msgs.append(
                    f'While copying the parameter named "{key}", expected Tensor or Tensor-like object '
                    f"from checkpoint but received {type(new)}"
                )
                continue
            if value.ndim == 0 and new.array.shape == (1,):  # files of PyTorch before 0.4
                new = Tensor._wrap(new.array.reshape(()))
            if new.array.shape != value.array.shape:
                error_msgs.append(
                    f"size mismatch for {key}: copying a param with shape {new.shape} from checkpoint, "
                    f"the shape in current model is {value.shape}."
                )
            elif assign:
                self._take_over(name, value, new)
            else:
                compute_waiting(value)
                np.copyto(value.array, new.array, casting="unsafe")
                value._bump()
        if self._has_extra_state():
            if prefix + _EXTRA in state_dict:
                self.set_extra_state(state_dict[prefix + _EXTRA])
            else:
                missing_keys.append(prefix + _EXTRA)
        unexpected_keys.extend(self._unknown(state_dict, prefix))

    def _unknown(self, state_dict: dict, prefix: str) -> Iterator[str]:
        """Keys that belong to this module but to none of its members."""
        known = {prefix + name for name, _ in self._own_state()}
        if self._has_extra_state():
            known.add(prefix + _EXTRA)
        below = tuple(f"{prefix}{name}." for name, _ in self._own_children())
        for key in state_dict:
            if key.startswith(prefix) and key not in known and not key.startswith(below):
                yield key

    def _take_over(self, name: str, old: Tensor, new: Tensor) -> None:
        """Make ``new`` the parameter or buffer; one in a plain container takes over its memory."""
        if "." in name:
            old.array = new.array
        elif isinstance(old, Parameter) and not isinstance(new, Parameter):
            setattr(self, name, Parameter(new.detach(), old.requires_grad))
        else:
            setattr(self, name, new)

    def register_load_state_dict_pre_hook(self, hook) -> RemovableHandle:
        """Call ``hook(module, state_dict, prefix, metadata, strict, missing, unexpected, errors)``."""
        return RemovableHandle(self._load_state_dict_pre_hooks, lambda *args: hook(self, *args))

    def _register_load_state_dict_pre_hook(self, hook, with_module: bool = False) -> RemovableHandle:
        if with_module:
            return self.register_load_state_dict_pre_hook(hook)
        return RemovableHandle(self._load_state_dict_pre_hooks, hook)

    def register_load_state_dict_post_hook(self, hook) -> RemovableHandle:
        """Call ``hook(module, incompatible_keys)`` after loading; it may change the lists."""
        return RemovableHandle(self._load_state_dict_post_hooks, hook)
