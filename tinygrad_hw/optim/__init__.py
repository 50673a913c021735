"""Optimizers and learning-rate schedules, with torch.optim's names and update rules."""

from tinygrad_hw.optim import lr_scheduler, swa_utils
from tinygrad_hw.optim.adam import Adam, Adamax, AdamW, NAdam, RAdam
from tinygrad_hw.optim.adaptive import Adadelta, Adagrad, RMSprop
from tinygrad_hw.optim.asgd import ASGD
from tinygrad_hw.optim.lbfgs import LBFGS
from tinygrad_hw.optim.optimizer import Optimizer
from tinygrad_hw.optim.rprop import Rprop
from tinygrad_hw.optim.sgd import SGD

__all__ = ["ASGD", "Adadelta", "Adagrad", "Adam", "AdamW", "Adamax", "LBFGS", "NAdam", "Optimizer",
           "RAdam", "RMSprop", "Rprop", "SGD", "lr_scheduler", "swa_utils"]
