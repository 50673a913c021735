"""The proof kit: what this project proves its own ops with, for the ops of its users."""

from tinygrad_hw.testing.check_op import check_op
from tinygrad_hw.testing.comparison import assert_close
from tinygrad_hw.testing.gradcheck import GradcheckError, gradcheck, gradgradcheck
from tinygrad_hw.testing.jacobian import numerical_gradient, relative_error
from tinygrad_hw.testing.kinks import KinkWarning
from tinygrad_hw.testing.report import OpCheckError, OpReport

__all__ = ["GradcheckError", "KinkWarning", "OpCheckError", "OpReport", "assert_close", "check_op",
           "gradcheck", "gradgradcheck", "numerical_gradient", "relative_error"]
