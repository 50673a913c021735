"""Hooks: functions that a Module calls before or after its forward and backward pass."""

from __future__ import annotations

from collections import OrderedDict

from tinygrad_hw.autograd.function import Function
from tinygrad_hw.hooks import RemovableHandle
from tinygrad_hw.tensor import Tensor

__all__ = ["Hooks"]


class _Watch(Function):
    """Identity that shows the gradients passing through it to a function, which may replace them."""

    @staticmethod
    def forward(ctx, see, *tensors):
        ctx.see = see
        ctx.set_materialize_grads(False)
        return tensors

    @staticmethod
    def backward(ctx, *gradients):
        return (None, *ctx.see(gradients))


def _watch(values: tuple, see) -> tuple:
    """``values``, the differentiable ones passed through `_Watch`; ``see`` gets a gradient for each."""
    positions = [i for i, v in enumerate(values) if isinstance(v, Tensor) and v.requires_grad]
    if not positions:
        return values

    def see_all(gradients):
        spread = [None] * len(values)
        for position, gradient in zip(positions, gradients):
            spread[position] = gradient
        seen = see(tuple(spread))
        return [seen[position] for position in positions]

    watched = _Watch.apply(see_all, *[values[i] for i in positions])
    result = list(values)
    for position, tensor in zip(positions, watched):
        result[position] = tensor
    return tuple(result)


def _replaced(result, gradients: tuple, name: str) -> tuple:
    """What a backward hook returned, or the gradients it was shown if it returned None."""
    if result is None:
        return gradients
    result = result if isinstance(result, tuple) else (result,)
    if len(result) != len(gradients):
        raise RuntimeError(
            f"Backward hook returned an invalid number of {name}, got {len(result)}, but expected "
            f"{len(gradients)}"
        )
    return result


class Hooks:
    """The part of `Module` that deals with hooks."""

    _hooked = False
    """Whether a hook was ever registered; without any, a call goes straight to ``forward``."""

    def _init_hooks(self) -> None:
        for name in ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks"):
            self.__dict__[name] = OrderedDict()
        self.__dict__["_hook_options"] = {}

    def _register(self, hooks: OrderedDict, hook, prepend: bool, **options) -> RemovableHandle:
        handle = RemovableHandle(hooks, hook)
        if prepend:
            hooks.move_to_end(handle.id, last=False)
        self.__dict__["_hooked"] = True
        self._hook_options[handle.id] = frozenset(name for name, value in options.items() if value)
        return handle

    def register_forward_pre_hook(
        self, hook, *, prepend: bool = False, with_kwargs: bool = False
    ) -> RemovableHandle:
        """Call ``hook(module, args)`` before forward; a result other than None replaces the arguments.

        With ``with_kwargs`` it is ``hook(module, args, kwargs)`` and returns None or ``(args, kwargs)``.
        """
        return self._register(self._forward_pre_hooks, hook, prepend, with_kwargs=with_kwargs)

    def register_forward_hook(self, hook, *, prepend: bool = False, with_kwargs: bool = False,
                              always_call: bool = False) -> RemovableHandle:
        """Call ``hook(module, args, output)`` after forward; a result replaces the output.

        With ``with_kwargs`` it is ``hook(module, args, kwargs, output)``; with ``always_call`` it runs,
        with the output None, even if forward raises.

        >>> from tinygrad_hw import nn, tensor
        >>> layer, seen = nn.Identity(), []
        >>> handle = layer.register_forward_hook(lambda module, args, output: seen.append(output))
        >>> _ = layer(tensor([1.0]))
        >>> handle.remove()
        >>> seen
        [tensor([1.])]
        """
        return self._register(
            self._forward_hooks, hook, prepend, with_kwargs=with_kwargs, always_call=always_call
        )

    def register_full_backward_pre_hook(self, hook, prepend: bool = False) -> RemovableHandle:
        """Call ``hook(module, grad_output)`` before the module's backward pass; a result replaces it."""
        return self._register(self._backward_pre_hooks, hook, prepend)

    def register_full_backward_hook(self, hook, prepend: bool = False) -> RemovableHandle:
        """Call ``hook(module, grad_input, grad_output)`` when the gradients of the inputs are known.

        Both are tuples with None for what carries no gradient; a result replaces ``grad_input``.
        """
        return self._register(self._backward_hooks, hook, prepend)

    register_backward_hook = register_full_backward_hook

    def _call_with_hooks(self, args: tuple, kwargs: dict):
        options = self._hook_options
        for number, hook in list(self._forward_pre_hooks.items()):
            if "with_kwargs" in options[number]:
                result = hook(self, args, kwargs)
                if result is not None:
                    if not isinstance(result, tuple) or len(result) != 2:
                        raise RuntimeError(
                            "forward pre-hook must return None or a tuple of (new_args, new_kwargs), "
                            f"but got {result}."
                        )
                    args, kwargs = result
            else:
                result = hook(self, args)
                if result is not None:
                    args = result if isinstance(result, tuple) else (result,)
        if not (self._backward_hooks or self._backward_pre_hooks):
            return self._after_forward(self._forward(args, kwargs), args, kwargs)
        watch = _BackwardWatch(self, len(args))
        watched = _watch(args, watch.inputs)
        watch.waits = any(new is not old for new, old in zip(watched, args))
        result = self._after_forward(self._forward(watched, kwargs), watched, kwargs)
        if isinstance(result, Tensor):
            return _watch((result,), watch.outputs)[0]
        return _watch(result, watch.outputs) if type(result) is tuple else result

    def _forward(self, args: tuple, kwargs: dict):
        try:
            return self.forward(*args, **kwargs)
        except Exception:
            for number, hook in list(self._forward_hooks.items()):
                if "always_call" in self._hook_options[number]:
                    named = (kwargs,) if "with_kwargs" in self._hook_options[number] else ()
                    hook(self, args, *named, None)
            raise

    def _after_forward(self, result, args: tuple, kwargs: dict):
        for number, hook in list(self._forward_hooks.items()):
            named = (kwargs,) if "with_kwargs" in self._hook_options[number] else ()
            replaced = hook(self, args, *named, result)
            if replaced is not None:
                result = replaced
        return result


class _BackwardWatch:
    """What one call of a module with backward hooks has seen of its gradients."""

    def __init__(self, module, inputs: int):
        self.module, self.count, self.grad_output, self.waits = module, inputs, (), False

    def outputs(self, gradients: tuple) -> tuple:
        """The gradients of the outputs arrived."""
        for hook in list(self.module._backward_pre_hooks.values()):
            gradients = _replaced(hook(self.module, gradients), gradients, "grad_output")
        self.grad_output = gradients
        if not self.waits:  # no input needs a gradient: there is nothing to wait for
            for hook in list(self.module._backward_hooks.values()):
                result = hook(self.module, (None,) * self.count, gradients)
                result = result if isinstance(result, tuple) else (result,)
                if any(value is not None for value in result):
                    raise RuntimeError(
                        "Backward hook for Modules where no input requires gradient should always "
                        "return None or None for all gradients."
                    )
        return gradients

    def inputs(self, gradients: tuple) -> tuple:
        """The gradients of the inputs arrived."""
        for hook in list(self.module._backward_hooks.values()):
            gradients = _replaced(
                hook(self.module, gradients, self.grad_output), gradients, "grad_input"
            )
        return gradients
