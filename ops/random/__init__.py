"""Random numbers: the generator, draws of arrays, and dropout."""

from ops.random.generator import (
    Generator,
    bernoulli,
    bounded_integers,
    cauchy,
    default_generator,
    exponential,
    geometric,
    integers,
    keep_mask,
    log_normal,
    normal,
    standard_normal,
    truncated_normal,
    uniform,
)

__all__ = ["Generator", "bernoulli", "bounded_integers", "cauchy", "default_generator", "exponential",
           "geometric", "integers", "keep_mask", "log_normal", "normal", "standard_normal",
           "truncated_normal", "uniform"]
