"""The networks for pictures in PyTorch: the figures that ours must reach on the same data and settings.

    python -m bench.classification_torch net1 --data coco5.zip          # also net2, net3, net4
    python -m bench.classification_torch dogs --data dogs5.zip --seed 1
    python -m bench.classification_torch imbalance --data dogcat_imbalanced.zip
    python -m bench.classification_torch fashion --data fashion-mnist
    python -m bench.classification_torch net1 --data coco5.zip --fast    # channels-last, fused optimizer

Prints one JSON object a network. Without --data they learn the same drawn pictures as ours.
"""

import argparse
import json
import time

import numpy as np
import torch

from bench.classification_studies import STUDIES, Learner
from nets.classification import SYSTEMS
from nets.classification.binary import average_precision, figures
from nets.classification.images import as_input


def train(name, data, seed, epochs=None, weight=None, fast=False):
    """Train one network; returns its figures and seconds."""
    study = STUDIES[name]
    epochs = epochs or SYSTEMS[study.system].epochs
    training, validation, test = study.data(data)
    learner = Learner(torch, study, training, seed, epochs, weight, fast)
    history, seconds = [], 0.0
    for _ in range(epochs):
        learner.net.train()
        started = time.perf_counter()
        for images, labels in learner.loader:
            learner.step(images, labels)
        seconds += time.perf_counter() - started
        history.append(_accuracy(_scores(learner, validation), validation))
    result = {"network": name, "seed": seed, "epochs": epochs, "best_accuracy": max(history),
              "best_epoch": int(np.argmax(history)) + 1, "final_accuracy": history[-1],
              "seconds": round(seconds, 1), "torch": torch.__version__, "fast": fast}
    if test is not None:
        result["test_accuracy"] = _accuracy(_scores(learner, test), test)
    if name == "imbalance":
        probabilities = _scores(learner, validation).softmax(1)[:, 1].numpy()
        one = figures(probabilities > 0.5, validation.labels)
        result.update(weight=weight, precision=one.precision, recall=one.recall, f1=one.f1,
                      average_precision=average_precision(probabilities, validation.labels))
    return result


@torch.no_grad()
def _scores(learner, part):
    learner.judged.eval()
    scores = []
    for i in range(0, len(part), 500):
        images = torch.from_numpy(as_input(part.pixels[i:i + 500], learner.mean, learner.std))
        scores.append(learner.judged(images))
        if learner.study.decay is not None:
            scores[-1] = (scores[-1] + learner.judged(images.flip(3))) / 2
    return torch.cat(scores)


def _accuracy(scores, part):
    return float((scores.argmax(1).numpy() == part.labels).mean())


def main():
    """Parse the command line, train, print JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("net", choices=STUDIES)
    parser.add_argument("--data", help="folder or archive of pictures; none: drawn ones")
    parser.add_argument("--epochs", type=int, help="instead of the system's own number")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--fast", action="store_true", help="channels-last memory and a fused optimizer")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    for weight in (1.0, 20.0) if arguments.net == "imbalance" else (None,):
        print(json.dumps(train(arguments.net, arguments.data, arguments.seed, arguments.epochs, weight,
                               arguments.fast)))


if __name__ == "__main__":
    main()
