"""Mutants that are no bugs: what they compute is what the right rule computes.

Each is set aside by a pattern of its name, with the reason.  The runner does not take the reason's word:
a mutant that is set aside has to pass every check and to give the same gradients, of first and second
order, on ten draws of all samples; otherwise it counts as a survivor.
"""

from __future__ import annotations

from fnmatch import fnmatchcase

__all__ = ["SET_ASIDE", "reason_for"]

SET_ASIDE = {
    "the rule is never called: the op returns its argument itself": ["positive.input: *"],
    "the rule returns the cotangent, which the engine casts and sums": [
        f"{name}: passed through" for name in (
            "add.input", "sub.input", "remainder.input", "fmod.input", "frac.input", "clone.input",
            "contiguous.input", "cast.input", "scatter_add.input", "index_add.input")],
    "only where nothing is reduced or repeated has the gradient the cotangent's shape; there it is the "
    "cotangent": [
        f"{name}.input: passed through" for name in (
            "expand", "sum_to", "along_axis", "squeeze", "repeat", "repeat_each", "narrow", "sum", "mean",
            "prod", "logsumexp", "amax", "amin", "max_all", "min_all", "median_all", "nanmedian_all",
            "max_dim", "min_dim", "median_dim", "nanmedian_dim", "kthvalue", "mode")],
    "the gradient is constant between kinks, so it does not depend on this value": [
        f"{name}: graph lost ({value})" for names, values in (
            (("abs.input", "threshold.input", "hardtanh.input", "relu6.input", "hardsigmoid.input",
              "leaky_relu.input", "softshrink.input", "hardshrink.input", "nan_to_num.input",
              "xlogy.input"), ("input",)),
            (("relu.input",), ("ans",)),
            (("remainder.other", "fmod.other"), ("input", "other")),
            ([f"{op}.{argument}" for op in ("maximum", "minimum", "fmax", "fmin")
              for argument in ("input", "other")], ("input", "other")),
            (("clamp.input", "clamp.min", "clamp.max"), ("input", "min", "max")),
            (("clamp_min.input", "clamp_min.min"), ("input", "min")),
            (("clamp_max.input", "clamp_max.max"), ("input", "max")),
            (("copysign.input",), ("input", "ans")),
            (("absolute_error.input", "absolute_error.target"), ("input", "target")),
            (("amax.input", "amin.input", "max_all.input", "min_all.input", "median_all.input",
              "nanmedian_all.input"),
             ("input", "ans")),
            (("pow.exponent",), ("exponent",)),
        ) for name in names for value in values],
    "a product's derivative by one factor does not depend on it; an extreme's is constant": [
        "scatter_fold.input: graph lost (input)", "scatter_fold.input: graph lost (ans)"],
    "the op moves no value across the bound that the rule asks about": [
        "relu.input: wrong value saved (input for ans)",
        "hardtanh.input: wrong value saved (ans for input)",
        "relu6.input: wrong value saved (ans for input)",
        "hardshrink.input: wrong value saved (ans for input)",
        "fm??.input: wrong value saved (ans for other)",
        "fm??.other: wrong value saved (ans for other)",
        "clamp.input: wrong value saved (ans for max)",
        "clamp.min: wrong value saved (ans for min)",
        "clamp.max: wrong value saved (ans for max)",
        "clamp_m??.*: wrong value saved (ans for m??)"],
    "the result is 0 where the input is, and otherwise only where log(other) is": [
        "xlogy.input: wrong value saved (ans for input)"],
    "the indices name a set of places, whose order does not matter": [
        "index_put.input: stale value (indices)", "index_copy.input: stale value (index)",
        "index_fill.input: stale value (index)", "index_fill.value: stale value (index)"],
    "both pieces have the slope 1 at the bound": ["celu.input: wrong tie (bound)"],
    "one rule gives the gradients of all arguments, and is handed what any of them needs": [
        f"{op}.{argument}: {kind} ({value})"
        for op in ("convolution", "convolution_block", "signal_convolution")
        for argument, values in (("input", ("input",)), ("weight", ("weight",)),
                                 ("bias", ("input", "weight", "places")))
        for kind in ("stale value", "graph lost") for value in values] + [
        "channel_norm.weight: * (weight)", "channel_norm.bias: stale value (*)",
        "channel_norm.bias: graph lost (input)", "channel_norm.bias: graph lost (weight)",
        "gru_update.hidden: stale value (hidden)", "gru_update.hidden: graph lost (hidden)"],
    "higher orders are computed from the arguments, not from the saved output": [
        "lstm_update.*: graph lost (state)"],
    "the maxima and the relu only say which elements pass": [
        f"convolution_block.{argument}: graph lost (values)"
        for argument in ("input", "weight", "bias")],
    "two signs cancel: that of the place-holder for a zero and that of its product": [
        "scatter_fold.src: wrong call (sub for add)"],
}
"""Patterns of mutants' names by the reason for which they are no bugs."""


def reason_for(name: str) -> str | None:
    """Why the mutant of that name is no bug, or None.

    >>> reason_for("celu.input: wrong tie (bound)")
    'both pieces have the slope 1 at the bound'
    """
    for reason, patterns in SET_ASIDE.items():
        if any(fnmatchcase(name, pattern) for pattern in patterns):
            return reason
    return None
