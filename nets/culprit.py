"""Which value was the first that is not finite: an input, a parameter, a layer's output, or the loss."""

from __future__ import annotations

import numpy as np

from tinygrad_hw import Tensor

__all__ = ["first_nonfinite", "nonfinite_parameter"]

_LOWER = "lower the learning rate (--lr), or clip the gradients"


def nonfinite_parameter(net) -> str | None:
    """The first parameter or buffer that holds NaN or infinity, described; None if all are finite.

    >>> import tinygrad_hw as thw
    >>> net = thw.nn.Linear(2, 1)
    >>> nonfinite_parameter(net) is None
    True
    >>> with thw.no_grad():
    ...     net.weight[0, 1] = thw.inf
    >>> nonfinite_parameter(net)
    'weight holds inf (1 of its 2 values are not finite)'
    """
    for name, value in net.state_dict().items():
        if not _is_finite(value):
            return f"{name} holds {_sample(value)}"
    return None


def first_nonfinite(net, loss_of, batch, value: float) -> str:
    """Why the loss of ``batch`` is ``value``, and what to do; the forward pass is repeated to find out.

    Args:
        net: the network, as it was when the loss was computed.
        loss_of: ``loss_of(net, batch)`` gives the loss.
        batch: nested lists, tuples and dicts of Tensors.
        value: the loss, NaN or infinite.

    >>> import tinygrad_hw as thw
    >>> class Log(thw.nn.Module):
    ...     def forward(self, x):
    ...         return thw.log(x)
    >>> net = thw.nn.Sequential(thw.nn.Identity(), Log())
    >>> print(first_nonfinite(net, lambda net, x: net(x).sum(), thw.tensor([1.0, -1.0]), thw.nan))
    the output of layer 1 (Log) holds nan (1 of its 2 values are not finite), its inputs are finite; check \
what the layer computes, or lower the learning rate (--lr), or clip the gradients
    """
    parameter = nonfinite_parameter(net)
    if parameter is not None:
        return f"the parameter {parameter}: an earlier step made it so; {_LOWER}"
    for name, tensor in _tensors(batch, "batch"):
        if not _is_finite(tensor):
            return f"the input {name} holds {_sample(tensor)}; mend the data"
    found: list[str] = []
    handles = [layer.register_forward_hook(_looker(path, found)) for path, layer in net.named_modules()]
    try:
        with np.errstate(all="ignore"):
            loss = loss_of(net, batch)
    finally:
        for handle in handles:
            handle.remove()
    if found:
        return found[0]
    return (f"all layers' outputs are finite; the loss function makes {value} of them"
            f"{_op(loss)}; look at the targets and at the size of the outputs, or {_LOWER}")


def _looker(path, found):
    """A forward hook that notes the first layer whose output is not finite though its inputs are."""

    def look(layer, inputs, output):
        for _, tensor in _tensors(output, "output"):
            if not found and not _is_finite(tensor):
                where = f"layer {path} ({type(layer).__name__})" if path else f"the {type(layer).__name__}"
                if all(_is_finite(one) for _, one in _tensors(inputs, "input")):
                    facts = f"{_sample(tensor)}, its inputs are finite{_largest(layer)}{_op(tensor)}"
                    found.append(f"the output of {where} holds {facts}; check what the layer computes, or "
                                 f"{_LOWER}")

    return look


def _largest(layer) -> str:
    sizes = [float(np.abs(p.detach().numpy()).max()) for p in layer.parameters() if p.numel()]
    return f", its parameters reach {max(sizes):.3g}" if sizes else ""


def _op(tensor) -> str:
    node = getattr(tensor, "grad_fn", None)
    return f"; its last op is {node.op.name}" if hasattr(node, "op") else ""


def _tensors(value, name):
    """All Tensors in nested containers, with their places."""
    if isinstance(value, Tensor):
        yield name, value
    elif isinstance(value, dict):
        for key, entry in value.items():
            yield from _tensors(entry, f"{name}[{key!r}]")
    elif isinstance(value, (list, tuple)):
        for place, entry in enumerate(value):
            yield from _tensors(entry, f"{name}[{place}]")


def _is_finite(tensor) -> bool:
    array = tensor.detach().numpy()
    return array.dtype.kind != "f" or bool(np.isfinite(array).all())


def _sample(tensor) -> str:
    array = tensor.detach().numpy()
    wrong = array[~np.isfinite(array)]
    return f"{wrong.flat[0]} ({wrong.size:,} of its {array.size:,} values are not finite)"
