"""What belongs around a training loop: use all of it, parts of it, or a loop of your own and none of it.

    fit                  the loop that the systems share: fit(net, optimizer, loss_of, loader, epochs=20)
    evaluate, predict    figures of a network by batches; its outputs for arrays
    lr_find              which learning rate to begin with: lr_find(...).suggestion()

and what watches or changes a training, `fit`'s ``callbacks``:

    EarlyStopping        end when a figure has not become better for some epochs
    BestModel            leave the network with the weights of its best epoch
    ModelCheckpoint      keep weights in files, of every epoch or of those that were better
    LearningRateFinder   begin with the rate that `lr_find` suggests
    TensorBoard          figures and weights as event files
    ProgressBar          bar or lines on stderr; there unless ``quiet``
    Callback             the base of one's own
"""

from nets.train.callbacks import BestModel, Callback, EarlyStopping, ModelCheckpoint, ProgressBar
from nets.train.evaluation import evaluate, predict
from nets.train.learning_rates import LearningRateFinder, LearningRates, lr_find
from nets.train.loop import Training, fit
from nets.train.tensorboard import TensorBoard

__all__ = ["BestModel", "Callback", "EarlyStopping", "LearningRateFinder", "LearningRates", "ModelCheckpoint",
           "ProgressBar", "TensorBoard", "Training", "evaluate", "fit", "lr_find", "predict"]
