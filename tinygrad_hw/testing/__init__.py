"""Proof for gradients: compare what the engine derives with difference quotients."""

from tinygrad_hw.testing.gradcheck import GradcheckError, gradcheck, gradgradcheck

__all__ = ["GradcheckError", "gradcheck", "gradgradcheck"]
