"""What PyTorch leaves unsaid when an optimizer is used wrongly."""

from __future__ import annotations

import sys

from tinygrad_hw.autograd.callers import warn_user
from tinygrad_hw.nn.parameter import Parameter
from tinygrad_hw.tensor import Tensor

__all__ = ["no_parameters", "note_use", "warn_of_replaced"]


def no_parameters(params) -> TypeError:
    """The error for what is no sequence of parameters, in PyTorch's words and with the mend.

    >>> no_parameters([].copy)
    TypeError("'builtin_function_or_method' object is not iterable: call it, model.parameters()")
    """
    text = f"'{type(params).__name__}' object is not iterable"
    if hasattr(params, "parameters"):
        return TypeError(f"{text}: give its parameters, model.parameters()")
    return TypeError(f"{text}: call it, model.parameters()" if callable(params) else text)


def note_use(gradient: Tensor) -> None:
    """Remember that a step used a gradient; warn if an earlier step did, and backward only added to it.

    Gradients may be summed over several backward passes for one step.  To add to what a step has used
    already is hardly ever meant.
    """
    version, used = gradient._version, gradient._used
    if used is not None and used[0] != version == used[1]:
        warn_user("the gradients still hold those of an earlier step(), because nothing cleared them in "
                  "between: call optimizer.zero_grad() before backward() in every step")
    gradient._used = version, version


def _is_idle(parameter: Tensor) -> bool:
    """Whether a parameter should have got a gradient and has none."""
    return isinstance(parameter, Parameter) and parameter.requires_grad and parameter._grad is None


def warn_of_replaced(groups: list) -> None:
    """Warn of parameters without a gradient that nobody but the optimizer knows.

    They belonged to layers that were replaced after the optimizer was made.
    """
    probe = [object()]
    known = sys.getrefcount(probe[0])  # of what stands in one list and nowhere else
    lost = []
    for parameters in (group["params"] for group in groups):
        for place in range(len(parameters)):
            if sys.getrefcount(parameters[place]) == known and _is_idle(parameters[place]):
                lost.append(tuple(parameters[place].shape))
    if lost:
        count = sum(len(group["params"]) for group in groups)
        warn_user(f"{len(lost)} of the {count} parameters of this optimizer belong to no module any more, "
                  f"the first has shape {lost[0]}: was a layer replaced after the optimizer was made? Make "
                  "the optimizer when the network is complete")
