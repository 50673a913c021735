"""`gradcheck`: the engine's gradients against central differences, to any order.

The full check compares whole Jacobians.  One row of the engine's Jacobian is a backward pass with a
cotangent that is 1 at one output element; a pass with a random cotangent must then give the same
combination of the rows, since a gradient is linear in what it receives.  (A cotangent of ones alone would
be blind: softmax and normalisations have outputs of constant sum.)  Where the Jacobian would be large,
random cotangents take the place of the single elements; the fast mode also replaces the single input
elements by a random direction, and finds the wrong element by halving.
"""

from __future__ import annotations

import numpy as np

from tinygrad_hw.autograd.api import grad
from tinygrad_hw.tensor import Tensor
from tinygrad_hw.testing.jacobian import argument_names, as_tuple, floating_outputs
from tinygrad_hw.testing.mismatch import GradcheckError
from tinygrad_hw.testing.verify import Tolerance, check_leaves, compare, random_numbers

__all__ = ["GradcheckError", "gradcheck", "gradgradcheck"]

def gradcheck(func, inputs, *, eps: float = 1e-6, atol: float = 1e-5, rtol: float = 1e-3,
              raise_exception: bool = True, nondet_tol: float = 0.0, check_undefined_grad: bool = True,
              check_grad_dtypes: bool = False, check_batched_grad: bool = False,
              check_batched_forward_grad: bool = False, check_forward_ad: bool = False,
              check_backward_ad: bool = True, fast_mode: bool = False, masked: bool | None = None,
              order: int = 1, jacobian_limit: float = 10_000, seed: int = 0) -> bool:
    """Compare the engine's gradients with central differences, for every input that requires a gradient.

    At a kink or a tie (relu at 0, equal values in a max-pool window) the engine's gradient is right if it
    lies between the slopes of the two sides; a `KinkWarning` then tells where.  No random number is taken
    from the global generator, and the inputs are left as they were.

    Args:
        func: takes the inputs, returns a Tensor or several; must be deterministic.
        inputs: Tensor or sequence of arguments; those that require a gradient should be float64.
        eps: step of the difference quotient.
        atol, rtol: tolerances, as ``|analytic - numeric| <= atol + rtol * |numeric|``.
        raise_exception: raise `GradcheckError`; otherwise return False.
        nondet_tol: how much two equal calls or backward passes may differ.
        check_undefined_grad: also try backward passes in which some outputs receive no gradient.
        check_grad_dtypes: gradients are checked to have their input's dtype either way.
        fast_mode: one random direction for each input in place of its elements; for large functions.
        masked: accepted; it concerns sparse tensors only, which there are none of here.
        order: derivatives up to this order are checked.
        jacobian_limit: a Jacobian of more entries is compared along random cotangents.
        seed: of the private generator that draws cotangents and directions.

    Raises:
        GradcheckError: naming the argument, the index, both values, the input there, and what to change.
        ValueError: if no input requires a gradient, or for a step or tolerance that makes no sense.
        RuntimeError: if an input overlaps itself (stride 0) or another one in memory.
        TypeError: if an output is no Tensor.
        NotImplementedError: for ``check_forward_ad`` and the batched checks: the engine has neither
            forward mode nor vmap.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.autograd.gradcheck.gradcheck.html

    >>> import tinygrad_hw
    >>> x = tinygrad_hw.tensor([0.5, 2.0], dtype=tinygrad_hw.float64, requires_grad=True)
    >>> gradcheck(lambda x: x * x, x)
    True
    >>> gradcheck(lambda x: x * x.detach(), x, raise_exception=False)
    False
    >>> gradcheck(lambda x: x.exp(), x, order=3)
    True
    """
    _refuse(check_batched_grad=check_batched_grad, check_batched_forward_grad=check_batched_forward_grad,
            check_forward_ad=check_forward_ad)
    if not check_backward_ad:
        raise AssertionError("Expected at least one of check_forward_ad or check_backward_ad to be True, "
                             "but got both False (and forward mode is not supported)")
    if order < 1:
        raise ValueError(f"gradcheck checks derivatives of order 1 and higher, got {order=}")
    inputs = as_tuple(inputs)
    check = Tolerance(eps, atol, rtol, nondet_tol, check_undefined_grad, fast_mode, jacobian_limit, seed)
    names = argument_names(func, len(inputs))
    try:
        for level in range(1, order + 1):
            if level > 1:
                cotangents = _cotangents(func, inputs, seed + level - 1)
                if not cotangents:
                    break
                func, inputs = _gradient_of(func, inputs, level > 2), (*inputs, *cotangents)
                names = [*names, *(f"grad_outputs[{i}]" for i in range(len(cotangents)))]
            compare(func, inputs, names, level, check)
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


def gradgradcheck(func, inputs, grad_outputs=None, *, eps: float = 1e-6, atol: float = 1e-5,
                  rtol: float = 1e-3, gen_non_contig_grad_outputs: bool = False,
                  raise_exception: bool = True, nondet_tol: float = 0.0,
                  check_undefined_grad: bool = True, check_grad_dtypes: bool = False,
                  check_batched_grad: bool = False, check_fwd_over_rev: bool = False,
                  check_rev_over_rev: bool = True, fast_mode: bool = False, masked: bool = False,
                  jacobian_limit: float = 10_000, seed: int = 0) -> bool:
    """`gradcheck` of the gradient function: second order, in the inputs and in the cotangents.

    Args:
        grad_outputs: cotangents of the outputs that require a gradient; random ones by default.
        gen_non_contig_grad_outputs: let the random cotangents lie scattered in memory.
        check_fwd_over_rev: refused, there is no forward mode.
        check_rev_over_rev: must be True.

    The other arguments, and what is raised, are those of `gradcheck`.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.autograd.gradcheck.gradgradcheck.html

    >>> import tinygrad_hw
    >>> x = tinygrad_hw.tensor([0.5, 2.0], dtype=tinygrad_hw.float64, requires_grad=True)
    >>> gradgradcheck(lambda x: x * x * x, x)
    True
    """
    _refuse(check_batched_grad=check_batched_grad, check_fwd_over_rev=check_fwd_over_rev)
    if not check_rev_over_rev:
        raise AssertionError("Expected at least one of check_fwd_over_rev or check_rev_over_rev to be True "
                             "(and forward mode is not supported)")
    inputs = as_tuple(inputs)
    names = argument_names(func, len(inputs))
    check_leaves(inputs)
    if grad_outputs is None:
        cotangents = _cotangents(func, inputs, seed + 1, gen_non_contig_grad_outputs)
    else:
        cotangents = as_tuple(grad_outputs)
    if not cotangents:
        return True
    names = [*names, *(f"grad_outputs[{i}]" for i in range(len(cotangents)))]
    check = Tolerance(eps, atol, rtol, nondet_tol, check_undefined_grad, fast_mode, jacobian_limit, seed)
    try:
        compare(_gradient_of(func, inputs), (*inputs, *cotangents), names, 2, check)
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


def _refuse(**options) -> None:
    for name, value in options.items():
        if value:
            missing = "vmap" if "batched" in name else "forward-mode differentiation"
            raise NotImplementedError(f"{name}=True is not supported: the engine has no {missing}; leave "
                                      "it at False")


# ------------------------------------------------------------------ higher orders


def _cotangents(func, inputs, seed: int, scattered: bool = False) -> tuple[Tensor, ...]:
    """A random cotangent for each output that requires a gradient."""
    rng = np.random.Generator(np.random.Philox(seed))
    cotangents = []
    for output in floating_outputs(func(*inputs)):
        if output.requires_grad:
            values = random_numbers(rng, output.array.shape).astype(output.array.dtype)
            if scattered and values.ndim:
                values = np.stack([values, values], axis=-1)[..., 0]
            cotangents.append(Tensor._wrap(values).requires_grad_())
    return tuple(cotangents)


def _gradient_of(func, inputs, every_output: bool = False):
    """The function of inputs and cotangents that returns the gradients by the inputs that need one."""
    positions = [i for i, t in enumerate(inputs) if isinstance(t, Tensor) and t.requires_grad]

    def gradient(*arguments):
        values, cotangents = arguments[:len(inputs)], arguments[len(inputs):]
        outputs = [out for out in floating_outputs(func(*values)) if out.requires_grad]
        return grad(outputs, [values[i] for i in positions], cotangents, create_graph=True,
                    allow_unused=True, materialize_grads=True)

    return gradient
