"""``python -m nets by-hand`` and ``python -m nets hw02_imagenet_task2``.

    python -m nets by-hand graphs [--samples FILE]     f1 to f4: drawn, checked
    python -m nets by-hand layers                      gradient errors of layers and classifiers
    python -m nets by-hand train [--data DATA]         a two-layer net or a linear classifier
    python -m nets by-hand overfit [--data DATA]       the same without regularization, for longer
    python -m nets by-hand test --weights FILE         saved weights on the test images
    python -m nets by-hand theory                      vanishing gradients, zero start
    python -m nets hw02_imagenet_task2 --imagenet_root DIR --class_list cat dog
"""

from __future__ import annotations

import argparse

__all__ = ["OVERFIT", "SUMMARIES", "TUNED", "add_parser"]

SUMMARIES = {
    "by-hand graphs": "four computational graphs, forward and backward by hand, drawn and checked",
    "by-hand layers": "layers and classifiers by hand: errors of their gradients",
    "by-hand train": "a two-layer net (or a linear classifier) by hand; 10 epochs",
    "by-hand overfit": "the two-layer net fitted to its training images; 20 epochs",
    "by-hand test": "saved weights of 'by-hand train' on the test images",
    "by-hand theory": "vanishing gradients, and why not to start at zero: the plots of docs/theory.md",
    "hw02_imagenet_task2": "12288-1000-256-2 on two classes of pictures, gradients as matrix products",
}
"""What ``python -m nets list`` says about these commands."""

TUNED = dict(learning_rate=0.03, lr_decay=0.85, reg=0.01, epochs=10)
OVERFIT = dict(learning_rate=0.03, lr_decay=0.95, reg=0.0, epochs=20)
"""The hyperparameters of both runs on CIFAR-10; TUNED by the validation images of 10,000."""


def add_parser(commands) -> None:
    """Add both commands to the parser of ``python -m nets``."""
    by_hand = commands.add_parser("by-hand", help="backpropagation by hand, checked by the engine")
    actions = by_hand.add_subparsers(dest="action", required=True, metavar="ACTION")
    graphs = _action(actions, "graphs", "check_graphs")
    graphs.add_argument("--samples", metavar="FILE",
                        help="the course's samples, .npz or .pkl (none: inputs are drawn, outputs not "
                             "compared)")
    _action(actions, "layers", "check_layers")
    for name, defaults in (("train", TUNED), ("overfit", OVERFIT)):
        _hyperparameters(_action(actions, name, "train"), defaults)
    test = _action(actions, "test", "test")
    test.add_argument("--weights", metavar="FILE", required=True, help="best.npz of a run folder")
    _data(test)
    _action(actions, "theory", "show_theory")
    hw02 = _action(commands, "hw02_imagenet_task2", "hw02", "hw02_imagenet_task2")
    hw02.add_argument("--imagenet_root", metavar="DIR",
                      help="folder or archive with train/CLASS and val/CLASS (none: shapes5, drawn)")
    hw02.add_argument("--class_list", nargs="+", metavar="NAME",
                      help="two classes (none: the first two)")
    hw02.add_argument("--epochs", type=_positive, default=10)
    hw02.add_argument("--lr", type=float, default=1e-4,
                      help="learning rate, of losses summed over a batch")
    hw02.add_argument("--batch_size", type=_positive, default=10)
    hw02.add_argument("--seed", type=int, default=0)
    hw02.add_argument("--quiet", action="store_true", help="print nothing before the end")


def _action(actions, name, function, key=None):
    """A parser with what all have; it runs a function of `experiments`, imported only then."""
    parser = actions.add_parser(name, help=SUMMARIES[key or f"by-hand {name}"],
                                formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--out", metavar="DIR", help="the run folder (none: runs/NAME-date-time)")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")

    def act(options):
        from nets.by_hand import experiments

        return getattr(experiments, function)(options)

    parser.set_defaults(act=act)
    return parser


def _data(parser):
    parser.add_argument("--data", metavar="DATA",
                        help="a name of 'python -m nets data list', a folder or an archive "
                             "(none: glyph36)")


def _hyperparameters(parser, defaults):
    _data(parser)
    parser.add_argument("--model", choices=("two-layer", "linear"), default="two-layer")
    parser.add_argument("--hidden-size", type=_positive, default=200, help="units of the hidden layer")
    parser.add_argument("--weight-scale", type=float, metavar="STD",
                        help="of the first weights (none: sqrt(2 / fan_in), linear 0.001)")
    parser.add_argument("--learning-rate", type=float, default=defaults["learning_rate"])
    parser.add_argument("--lr-decay", type=float, default=defaults["lr_decay"],
                        help="factor of the learning rate after each epoch")
    parser.add_argument("--reg", type=float, default=defaults["reg"],
                        help="factor of the L2 regularization")
    parser.add_argument("--batch-size", type=_positive, default=32)
    parser.add_argument("--epochs", type=_positive, default=defaults["epochs"])
    parser.add_argument("--num-train", type=_positive, metavar="N",
                        help="only the first N training images (none: all)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quiet", action="store_true", help="print nothing before the end")


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is not a positive number")
    return value
