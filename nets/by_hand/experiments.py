"""What the commands do: each runs an experiment and writes a run folder with pictures and report.md."""

from __future__ import annotations

import dataclasses
import sys

import numpy as np

from nets import pictures
from nets.by_hand import classifiers, gradient_errors, graph_pictures, graphs, pixels, report, theory
from nets.by_hand.training import Settings, evaluate
from nets.by_hand.training import train as fit
from nets.metrics import accuracy, confusion_matrix
from nets.runs import Run

__all__ = ["check_graphs", "check_layers", "hw02", "show_theory", "test", "train"]

GRAPH_LIMITS = {"samples": 1e-15, "engine_value": 1e-12, "engine_gradient": 1e-12,
                "central_differences": 1e-9}


def check_graphs(options) -> int:
    """``by-hand graphs``: draw f1 to f4 and check them; returns 1 if an error is above its limit."""
    known = {} if options.samples is None else graphs.samples(options.samples)
    run = Run("by-hand-graphs", {"samples": options.samples}, options.out)
    found, within = {}, True
    for name in graphs.GRAPHS:
        found[name] = graphs.check(name, *known.get(name, ()))
        within &= all(error is None or error <= GRAPH_LIMITS[kind]
                      for kind, error in found[name].items())
        graph_pictures.draw(run.path(f"{name}.png"), name)
    header = ("graph", *(kind.replace("_", " ") for kind in GRAPH_LIMITS))
    text = report.table(header, [(name, *errors.values()) for name, errors in found.items()]
                        + [("limit", *GRAPH_LIMITS.values())])
    report.write(
        run, "Computational graphs by hand",
        "Greatest differences over 100 samples of each graph; the gradients are those of all inputs. "
        "The difference to central differences is relative.", text,
        "Above an edge is the value that goes forward, below it the gradient that comes back.",
        *(report.picture(f"{name}.png", graph.formula) for name, graph in graphs.GRAPHS.items()))
    run.finish(errors=found, limits=GRAPH_LIMITS, within_limits=within)
    return _finished(run, text, within)


def check_layers(options) -> int:
    """``by-hand layers``: gradient errors of layers and classifiers; returns 1 if one is too large."""
    run = Run("by-hand-layers", {}, options.out)
    kinds = {"layer": gradient_errors.layer_errors(), "classifier": gradient_errors.classifier_errors()}
    limits = gradient_errors.LIMITS
    rows, bars, within = [], {}, True
    for kind, errors in kinds.items():
        for name, (quotients, engine) in errors.items():
            rows.append((kind, name, quotients, limits[kind], engine, limits["engine"]))
            bars[name], bars[f"{name}: engine"] = (quotients, limits[kind]), (engine, limits["engine"])
            within &= quotients < limits[kind] and engine < limits["engine"]
    gradient_errors.draw(run.path("errors.png"), bars)
    text = report.table(("kind", "name", "central differences", "limit", "engine", "limit"), rows)
    report.write(run, "Layers and classifiers by hand",
                 "Greatest relative error of the gradients against central differences, greatest "
                 "difference to the engine's; float64.", text,
                 report.picture("errors.png", "errors and limits"))
    run.finish(errors=kinds, limits=limits, within_limits=within)
    return _finished(run, text, within)


def train(options) -> int:
    """``by-hand train`` and ``by-hand overfit``: train a classifier; weights, pictures, report."""
    names = [field.name for field in dataclasses.fields(Settings)]
    settings = Settings(**{name: getattr(options, name) for name in names})
    hyperparameters = dataclasses.asdict(settings)
    data = pixels.load(options.data, seed=settings.seed)
    run = Run(f"by-hand-{options.action}", {**hyperparameters, "data": options.data}, options.out)

    def log(**figures):
        run.log(**figures)
        if not options.quiet:
            print(f"epoch {figures['epoch']:3}: loss {figures['train_loss']:.4f}, accuracy "
                  f"{figures['train_accuracy']:.4f} of training, "
                  f"{figures['validation_accuracy']:.4f} of validation", file=sys.stderr)

    model, results = fit(data, settings, log)
    model.save(run.path("best.npz"), mean=data.normalization.mean,
               std=np.float64(data.normalization.std), shape=np.array(data.shape))
    columns = {name: [row[name] for row in run.history] for name in run.history[0]}
    pictures.training_curves(run.path("curves.png"), columns)
    matrix = confusion_matrix(model.predict(data.validation.x), data.validation.y, len(data.classes))
    pictures.confusion(run.path("confusion.png"), matrix, data.classes)
    text = report.table(("result", "value"), [(name.replace("_", " "), value)
                                              for name, value in results.items()])
    report.write(
        run, {"train": "A classifier by hand", "overfit": "Overfitting by hand"}[options.action],
        f"Data: {options.data or 'glyph36, drawn'}; images {' x '.join(map(str, data.shape))}, "
        f"{len(data.classes)} classes.",
        "## Hyperparameters", report.table(("hyperparameter", "value"), hyperparameters.items()),
        "## Results", text, report.picture("curves.png", "loss and accuracy by epoch"),
        report.picture("confusion.png", "confusions of the validation images"))
    run.finish(**results)
    return _finished(run, text)


def test(options) -> int:
    """``by-hand test``: judge saved weights on the test images (without them, the validation's)."""
    model, arrays = classifiers.load(options.weights)
    normalization = pixels.Normalization(arrays["mean"], float(arrays["std"]))
    data = pixels.load(options.data, seed=model.facts["settings"]["seed"], normalization=normalization)
    if data.classes != model.facts["classes"] or list(data.shape) != arrays["shape"].tolist():
        raise ValueError(f"{options.weights} was trained on images {tuple(arrays['shape'].tolist())} of "
                         f"{', '.join(model.facts['classes'])}; --data {options.data} has "
                         f"{data.shape} of {', '.join(data.classes)}")
    part, which = (data.test, "test") if data.test is not None else (data.validation, "validation")
    run = Run("by-hand-test", {"weights": options.weights, "data": options.data}, options.out)
    figures = evaluate(model, part)
    matrix = confusion_matrix(model.predict(part.x), part.y, len(data.classes))
    pictures.confusion(run.path("confusion.png"), matrix, data.classes)
    text = (f"{len(part.y)} {which} images: loss {figures['loss']:.4f}, "
            f"accuracy {figures['accuracy']:.4f}")
    report.write(run, "Test of a classifier by hand", f"Weights {options.weights}.", text,
                 report.picture("confusion.png", "confusions"))
    run.finish(part=which, **figures)
    return _finished(run, text)


def show_theory(options) -> int:
    """``by-hand theory``: the two experiments of docs/theory.md."""
    run = Run("by-hand-theory", {}, options.out)
    norms = theory.vanishing_picture(run.path("vanishing_gradients.png"))
    starts = theory.zero_start_picture(run.path("zero_start.png"))
    vanishing = report.table(("activation", "gradient at the first of 20 layers, over that at the end"),
                             [(name, float(values[0])) for name, values in norms.items()])
    zero = report.table(("start", "accuracy", "rank of W1"),
                        [(start, *result) for start, result in starts.items()])
    report.write(run, "Theory", "Explained in docs/theory.md.", "## Vanishing gradients", vanishing,
                 report.picture("vanishing_gradients.png", "gradient by layer"), "## Why not zero", zero,
                 report.picture("zero_start.png", "loss from three starts"))
    run.finish(gradient_norms=norms, starts=starts)
    return _finished(run, f"{vanishing}\n\n{zero}")


def hw02(options) -> int:
    """``hw02_imagenet_task2``: train the network of three matrices; prints and writes output.txt."""
    from nets.by_hand import cat_dog

    training, validation = cat_dog.splits(options.imagenet_root, options.class_list)
    names = ("imagenet_root", "epochs", "lr", "batch_size", "seed")
    settings = {name: getattr(options, name) for name in names} | {"class_list": training.classes}
    run = Run("hw02_imagenet_task2", settings, options.out)
    weights = cat_dog.new_weights(seed=options.seed)
    rows = range(min(options.batch_size, len(training)))
    x, y = (np.stack([training[row][part].numpy() for row in rows]) for part in (0, 1))
    engine = cat_dog.measure(x, y, weights)

    def log(**figures):
        run.log(**figures)
        if not options.quiet:
            print(f"Epoch {figures['epoch']}: {figures['train_loss']:.4f}", file=sys.stderr)

    losses = cat_dog.train(training, weights, epochs=options.epochs, lr=options.lr,
                           batch_size=options.batch_size, seed=options.seed, log=log)
    cat_dog.save_weights(run.path("weights.safetensors"), weights)
    reloaded = cat_dog.load_weights(run.path("weights.safetensors"))
    loss, true, predicted = cat_dog.validate(validation, reloaded)
    right = accuracy(predicted, true)
    text = cat_dog.output_text(losses, loss, right)
    run.path("output.txt").write_text(text)
    matrix = confusion_matrix(predicted, true, 2)
    pictures.confusion(run.path("confusion.png"), matrix, training.classes)
    pictures.training_curves(run.path("curves.png"), {"train_loss": losses})
    results = {"validation_loss": loss, "validation_accuracy": right,
               "accuracy_of_the_larger_class": float(max(np.bincount(true)) / len(true)), **engine}
    report.write(
        run, "Three matrices by hand: " + " and ".join(training.classes),
        f"{len(training)} training and {len(validation)} validation images; losses are sums over the "
        "images. Validation is with the weights as saved and reloaded.",
        report.table(("setting", "value"), settings.items()), "```\n" + text + "```",
        report.table(("result", "value"), [(name.replace("_", " "), value)
                                           for name, value in results.items()]),
        "The factor 2 of the squared error stands once, at the error of the outputs. The exercise's "
        "sheet has it again in every layer, which makes the gradients of w3, w2 and w1 1, 2 and 4 times "
        "the true ones.",
        report.picture("curves.png", "training loss"), report.picture("confusion.png", "confusions"))
    run.finish(**results)
    return _finished(run, f"{text}\ngradients by hand and by the engine differ by "
                          f"{engine['greatest_difference']:.1e}; loss and gradients take "
                          f"{engine['by_hand_ms']:.0f} ms by hand, {engine['engine_ms']:.0f} ms "
                          f"by the engine")


def _finished(run, text, within=True) -> int:
    print(text)
    if not within:
        print("error: a figure is above its limit", file=sys.stderr)
    print(f"results and pictures: {run.folder}")
    return 0 if within else 1
