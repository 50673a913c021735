"""What all optimizers share: parameter groups, state, stepping, hooks, saving and loading."""

from __future__ import annotations

import collections
import copy
import itertools
import warnings
from collections.abc import Iterable

import numpy as np

from ops.promotion import default_dtype
from tinygrad_hw.autograd.callers import call_site
from tinygrad_hw.autograd.mode import enable_grad
from tinygrad_hw.hooks import RemovableHandle
from tinygrad_hw.optim.advice import no_parameters, note_use, warn_of_replaced
from tinygrad_hw.optim.step_hooks import (
    hooked,
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)
from tinygrad_hw.tensor import Tensor
from tinygrad_hw.waiting import compute_waiting, waiting

__all__ = ["Optimizer", "register_optimizer_step_post_hook", "register_optimizer_step_pre_hook",
           "required"]

required = object()
"""Marks an option that every parameter group has to give."""

_LABELS = {"lr": "learning rate", "eps": "epsilon value"}


class Optimizer:
    """Base class: an optimizer defines `update`, which changes one parameter by its gradient.

    Args:
        params: Tensors, ``(name, Tensor)`` pairs, or dicts with such ``params`` and their own options.
        defaults: options for groups that do not give them.

    Attributes:
        param_groups: list of dicts with ``params`` and the options of that group.
        state: what the algorithm remembers of each parameter, as a dict of Tensors.
        defaults: as given.

    Raises:
        ValueError: for an empty parameter list, or a parameter in two groups.
        TypeError: if ``params`` is a single Tensor or holds anything else than Tensors.

    Source: https://docs.pytorch.org/docs/stable/optim.html

    >>> from tinygrad_hw import tensor
    >>> class SignDescent(Optimizer):
    ...     def update(self, parameter, gradient, state, group):
    ...         parameter -= group["lr"] * np.sign(gradient)
    >>> p = tensor([3.0], requires_grad=True)
    >>> p.grad = tensor([20.0])
    >>> SignDescent([p], {"lr": 0.5}).step()
    >>> p
    tensor([2.5000], requires_grad=True)
    """

    _stepping = False
    """Whether `step` is running."""

    _first_step = True
    """Whether `step` has not run yet."""

    _stepped: bool | None = None
    """False once a learning-rate schedule watches this optimizer, then True after the first step."""

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        if "step" in vars(cls):
            cls.step = hooked(cls.step)
        if "update" in vars(cls) and "update_group" not in vars(cls):
            cls.update_group = Optimizer.update_group  # not that of a superclass with another update

    def __init__(self, params, defaults: dict):
        if isinstance(params, Tensor):
            raise TypeError("params argument given to the optimizer should be an iterable of Tensors or "
                            f"dicts, but got {type(params).__name__}; put it into a list")
        if defaults.get("differentiable"):
            raise NotImplementedError("differentiable=True (gradients that flow through step()) is not "
                                      "supported; leave it False, or write the update with ops")
        if defaults.get("fused") and defaults.get("foreach"):
            raise RuntimeError("`fused` and `foreach` cannot be `True` together.")
        self.defaults = defaults
        self.state: dict = collections.defaultdict(dict)
        self.param_groups: list[dict] = []
        self._hooks = collections.defaultdict(collections.OrderedDict)
        if not isinstance(params, Iterable):
            raise no_parameters(params)
        groups = list(params)
        if not groups:
            raise ValueError("optimizer got an empty parameter list; does the model register its "
                             "layers, and were its parameters() used up by an earlier loop?")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        for group in groups:
            self.add_param_group(group)

    # ------------------------------------------------------------------ groups

    def add_param_group(self, param_group: dict) -> None:
        """Add parameters with options of their own, such as a new layer of a fine-tuned network."""
        if not isinstance(param_group, dict):
            raise TypeError(f"param_group must be a dict, but got {type(param_group).__name__}")
        group = {**param_group, **_parameters(param_group["params"])}
        for parameter in group["params"]:
            if not isinstance(parameter, Tensor):
                raise TypeError("optimizer can only optimize Tensors, but one of the params is "
                                f"{type(parameter).__name__}")
            if not parameter.is_leaf and not parameter.retains_grad:
                raise ValueError("can't optimize a non-leaf Tensor: it is computed anew in every step; "
                                 "optimize the Tensors that it is computed from")
        for name, default in self.defaults.items():
            if default is required and name not in group:
                raise ValueError("parameter group didn't specify a value of required optimization "
                                 f"parameter {name}")
            group.setdefault(name, default)
        own = {id(parameter) for parameter in group["params"]}
        names = "with" if "param_names" in group else "without"
        if len(own) != len(group["params"]):
            warnings.warn("optimizer contains a parameter group with duplicate parameters; each step "
                          "changes them more than once", stacklevel=3)
        for other in self.param_groups:
            if ("param_names" in group) != ("param_names" in other):
                raise ValueError("all optimizer param groups should be with/without names; the new "
                                 f"group is {names} names, the others are not")
            if not own.isdisjoint(map(id, other["params"])):
                raise ValueError("some parameters appear in more than one parameter group")
        self.param_groups.append(group)

    # ------------------------------------------------------------------ stepping

    def update(self, parameter: np.ndarray, gradient: np.ndarray, state: dict, group: dict) -> None:
        """Change ``parameter`` in place; to be defined by each algorithm.

        Args:
            parameter: values of one parameter.
            gradient: its gradient, of the same shape; not to be changed.
            state: what was remembered of this parameter: name -> Tensor.
            group: options of the parameter's group.
        """
        raise NotImplementedError(f"{type(self).__name__} defines neither update() nor step()")

    def update_group(self, entries: list, group: dict) -> None:
        """Change the parameters of a group in place, by default one after the other with `update`.

        Args:
            entries: ``(parameter, gradient, state)`` of each parameter that has a gradient; as for
                `update`, but with the gradient as it is also where the group is to ``maximize``.
            group: options of the group.
        """
        for parameter, gradient, state in entries:
            self.update(parameter, -gradient if group.get("maximize") else gradient, state, group)

    @hooked
    def step(self, closure=None):
        """Update all parameters that have a gradient.

        Args:
            closure: computes the loss anew with gradients and returns it.

        Returns:
            What ``closure`` returned, else None.
        """
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        where = call_site(), "optimizer.step()"
        for group in self.param_groups:
            self._step_group(group, where)
        if self._first_step:
            self._first_step = False
            warn_of_replaced(self.param_groups)
        return loss

    def _step_group(self, group: dict, where: tuple) -> None:
        """Update the parameters of a group and count the change, made by the call ``where``."""
        changed, entries, new = [], [], {}
        known = self.state.get
        for parameter in group["params"]:
            gradient = parameter._grad
            if gradient is None:
                continue
            state = known(parameter)
            if state is None:
                state = new.setdefault(parameter, {})
            changed.append(parameter)
            entries.append((parameter.array, gradient.array, state))
        if not entries:
            return
        note_use(changed[0]._grad)
        if waiting:
            compute_waiting(*(array for entry in entries for array in entry[:2]),
                            *(value for *_, state in entries for value in state.values()
                              if isinstance(value, Tensor)))
        try:
            self.update_group(entries, group)
        finally:
            for parameter in changed:
                parameter._bump(where)
            for parameter, state in new.items():
                if state:
                    self.state[parameter] = state

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of all parameters, or (``set_to_none=False``) fill them with zeros."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if set_to_none:
                    parameter._grad = None
                    continue
                if parameter._grad is None:
                    continue
                if parameter._grad.grad_fn is not None:
                    parameter._grad = parameter._grad.detach()
                gradient = parameter._grad.requires_grad_(False)
                gradient._check_inplace()
                gradient.array[...] = 0
                gradient._bump("optimizer.zero_grad()")

    # ------------------------------------------------------------------ hooks

    def register_step_pre_hook(self, hook) -> RemovableHandle:
        """Call ``hook(optimizer, args, kwargs)`` before each step; it may return other ones."""
        return self._register("step_pre", hook)

    def register_step_post_hook(self, hook) -> RemovableHandle:
        """Call ``hook(optimizer, args, kwargs)`` after each step."""
        return self._register("step_post", hook)

    def register_state_dict_pre_hook(self, hook, prepend: bool = False) -> RemovableHandle:
        """Call ``hook(optimizer)`` before `state_dict`."""
        return self._register("state_dict_pre", hook, prepend)

    def register_state_dict_post_hook(self, hook, prepend: bool = False) -> RemovableHandle:
        """Call ``hook(optimizer, state_dict)`` after `state_dict`; what it returns replaces the dict."""
        return self._register("state_dict_post", hook, prepend)

    def register_load_state_dict_pre_hook(self, hook, prepend: bool = False) -> RemovableHandle:
        """Call ``hook(optimizer, state_dict)`` before `load_state_dict`; what it returns is loaded."""
        return self._register("load_state_dict_pre", hook, prepend)

    def register_load_state_dict_post_hook(self, hook, prepend: bool = False) -> RemovableHandle:
        """Call ``hook(optimizer)`` after `load_state_dict`."""
        return self._register("load_state_dict_post", hook, prepend)

    def _register(self, moment: str, hook, prepend: bool = False) -> RemovableHandle:
        handle = RemovableHandle(self._hooks[moment], hook)
        self._hooks[moment].move_to_end(handle.id, last=not prepend)
        return handle

    # ------------------------------------------------------------------ saving and loading

    def state_dict(self) -> dict:
        """State and options, with parameters replaced by their numbers in order of the groups."""
        for hook in self._hooks["state_dict_pre"].values():
            hook(self)
        numbers: dict = {}
        for number, parameter in enumerate(itertools.chain(*(g["params"] for g in self.param_groups))):
            numbers.setdefault(id(parameter), number)
        groups = [{**{name: value for name, value in group.items() if name != "params"},
                   "params": [numbers[id(p)] for p in group["params"]]} for group in self.param_groups]
        state = {numbers[id(key)] if isinstance(key, Tensor) else key: value
                 for key, value in self.state.items()}
        saved = {"state": state, "param_groups": groups}
        for hook in self._hooks["state_dict_post"].values():
            changed = hook(self, saved)
            saved = saved if changed is None else changed
        return saved

    def load_state_dict(self, state_dict: dict) -> None:
        """Take over what `state_dict` returned; Tensors are copied and cast to the parameters' dtypes.

        Raises:
            ValueError: if the groups do not have the sizes of this optimizer's groups.
        """
        state_dict = dict(state_dict)
        for hook in self._hooks["load_state_dict_pre"].values():
            changed = hook(self, state_dict)
            state_dict = state_dict if changed is None else changed
        saved = copy.deepcopy(state_dict["param_groups"])
        if len(saved) != len(self.param_groups):
            raise ValueError("loaded state dict has a different number of parameter groups: "
                             f"{len(saved)}, the optimizer has {len(self.param_groups)}")
        sizes = [(len(s["params"]), len(g["params"])) for s, g in zip(saved, self.param_groups)]
        if any(theirs != ours for theirs, ours in sizes):
            raise ValueError("loaded state dict contains a parameter group that doesn't match the size "
                             f"of optimizer's group: (loaded, here) = {sizes}")
        parameters: dict = {}
        for theirs, ours in zip(saved, self.param_groups):
            parameters.update(zip(theirs["params"], ours["params"]))
            theirs["params"] = ours["params"]
            if "param_names" in ours:
                theirs.setdefault("param_names", ours["param_names"])
        state: dict = collections.defaultdict(dict)
        for number, value in state_dict["state"].items():
            parameter = parameters.get(number)
            state[number if parameter is None else parameter] = _loaded(value, parameter)
        self.__setstate__({"state": state, "param_groups": saved})
        for hook in self._hooks["load_state_dict_post"].values():
            hook(self)

    def __getstate__(self) -> dict:
        return {"defaults": self.defaults, "state": self.state, "param_groups": self.param_groups}

    def __setstate__(self, state: dict) -> None:
        self.__dict__.update(state)
        self.__dict__.setdefault("_hooks", collections.defaultdict(collections.OrderedDict))
        for group in self.param_groups:  # options that a checkpoint of an older version does not know
            for name, default in self.defaults.items():
                group.setdefault(name, default)

    def __repr__(self) -> str:
        lines = []
        for number, group in enumerate(self.param_groups):
            lines.append(f"\nParameter Group {number}\n")
            lines += [f"    {name}: {group[name]}\n" for name in sorted(group) if name != "params"]
        return f"{type(self).__name__} ({''.join(lines)})"

    # ------------------------------------------------------------------ helpers of the algorithms

    @staticmethod
    def _buffer(state: dict, name: str, like: np.ndarray, value: float = 0.0) -> np.ndarray:
        """The array that ``state`` remembers under ``name``, made on first use."""
        if name not in state:
            state[name] = Tensor._wrap(np.full_like(like, value))
        return state[name].array

    @staticmethod
    def _scalar(state: dict, name: str, value: float) -> np.ndarray:
        """The 0-d array of the default dtype that ``state`` keeps under ``name``, made on first use."""
        known = state.get(name, value)
        if not isinstance(known, Tensor):
            state[name] = known = Tensor._wrap(np.array(known, default_dtype()))
        return known.array

    @classmethod
    def _count(cls, state: dict) -> int:
        """Number of this step, from 1."""
        step = state.get("step")
        step = step.array if type(step) is Tensor else cls._scalar(state, "step", 0.0)
        count = int(step.item()) + 1
        step[...] = count  # four times as fast as step += 1
        return count

    @staticmethod
    def _check(**options) -> None:
        """Refuse options out of range: ``name=(value, lowest, highest)``, the highest is excluded."""
        for name, (value, low, high) in options.items():
            if isinstance(value, Tensor):
                if value.array.size != 1:
                    raise ValueError(f"Tensor {name} must be 1-element, got shape {tuple(value.shape)}")
                value = value.array.item()
            if not low <= value or (high is not None and not value < high):
                bounds = f">= {low}" if high is None else f"in [{low}, {high})"
                label = _LABELS.get(name) or (name if " " in name else f"{name} value")
                raise ValueError(f"Invalid {label}: {value}; it must be {bounds}")


def _parameters(params) -> dict:
    """``params`` of a group as a list, with ``param_names`` if they came as pairs of name and Tensor."""
    if isinstance(params, Tensor):
        params = [params]
    elif isinstance(params, set):
        raise TypeError("optimizer parameters need to be organized in ordered collections, but the "
                        "ordering of tensors in sets changes between runs; use a list")
    params = list(params)
    named = [entry for entry in params if isinstance(entry, tuple)]
    if not named:
        return {"params": params}
    if len(named) != len(params):
        raise ValueError("all optimizer params should be with/without names. Some param names are "
                         f"missing: {len(named)} of {len(params)} have one")
    return {"params": [entry[1] for entry in named], "param_names": [entry[0] for entry in named]}


def _loaded(value, parameter: Tensor | None, name: str | None = None):
    """A copy of saved state; its Tensors get the parameter's dtype, apart from the step count."""
    if isinstance(value, Tensor):
        keep = name == "step" or parameter is None or parameter.array.dtype.kind != "f"
        return Tensor._wrap(np.array(value.array, value.array.dtype if keep else parameter.array.dtype))
    if isinstance(value, dict):
        return {key: _loaded(entry, parameter, key) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_loaded(entry, parameter) for entry in value)
    return copy.deepcopy(value)
