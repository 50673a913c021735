"""Learning-rate schedules, with torch.optim.lr_scheduler's names and formulas.

Call ``scheduler.step()`` after ``optimizer.step()``: once an epoch, or once a batch for `CyclicLR` and
`OneCycleLR`.
"""

from tinygrad_hw.optim.lr_scheduler.base import LRScheduler
from tinygrad_hw.optim.lr_scheduler.composed import ChainedScheduler, SequentialLR
from tinygrad_hw.optim.lr_scheduler.cosine import CosineAnnealingLR, CosineAnnealingWarmRestarts
from tinygrad_hw.optim.lr_scheduler.cyclic import CyclicLR, OneCycleLR
from tinygrad_hw.optim.lr_scheduler.plateau import ReduceLROnPlateau
from tinygrad_hw.optim.lr_scheduler.simple import (
    ConstantLR,
    ExponentialLR,
    LambdaLR,
    LinearLR,
    MultiplicativeLR,
    MultiStepLR,
    PolynomialLR,
    StepLR,
)

__all__ = ["ChainedScheduler", "ConstantLR", "CosineAnnealingLR", "CosineAnnealingWarmRestarts",
           "CyclicLR", "ExponentialLR", "LRScheduler", "LambdaLR", "LinearLR", "MultiStepLR",
           "MultiplicativeLR", "OneCycleLR", "PolynomialLR", "ReduceLROnPlateau", "SequentialLR",
           "StepLR"]

_LRScheduler = LRScheduler  # the name before PyTorch 2.0, which scripts still derive from
