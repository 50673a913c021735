"""Helpers around a training loop, `nets.training.fit` or one of your own; none of them is needed.

    patience    when a training has had enough: fit(..., enough=patience("validation_accuracy", 5))
    rate_test   which learning rate to begin with: rate_test(net, optimizer, loss_of, loader).steepest
"""

from nets.train.early_stopping import patience
from nets.train.learning_rates import RateTest, rate_test
from nets.training import fit, predict

__all__ = ["RateTest", "fit", "patience", "predict", "rate_test"]
