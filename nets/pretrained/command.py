"""``python -m nets classify`` and ``python -m nets classify-video``.

    python -m nets classify --weights resnet18.pth cat.jpg dog.jpg
    python -m nets classify-video --weights resnet18.pth --class "tabby" clip.mp4
"""

from __future__ import annotations

import argparse
from pathlib import Path

__all__ = ["SUMMARIES", "add_parser"]

SUMMARIES = {"classify": "what pictures show, by a ResNet or SqueezeNet with weights from a file",
             "classify-video": "the same for every frame of a video or of a folder, with its accuracy"}


def add_parser(commands) -> None:
    """Add both commands to the parser of ``python -m nets``."""
    classify = _command(commands, "classify", _classify)
    classify.add_argument("images", nargs="+", metavar="IMAGE", help="picture files")
    classify.add_argument("--top", type=_positive, default=5, metavar="COUNT",
                          help="how many classes to print")
    video = _command(commands, "classify-video", _classify_video)
    video.add_argument("video", metavar="VIDEO_OR_FOLDER",
                       help="a video file (needs PyAV: pip install '.[video]') or a folder of pictures")
    video.add_argument("--class", dest="wanted", metavar="NAME_OR_INDEX",
                       help="the class that the frames show; the accuracy is measured against it")
    video.add_argument("--quiet", action="store_true", help="no progress bar")


def _command(commands, name, act):
    parser = commands.add_parser(
        name, help=SUMMARIES[name], description=f"Say {SUMMARIES[name]}.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--weights", metavar="FILE", required=True,
                        help="learned weights with torchvision's names: .pth, .safetensors or .npz")
    parser.add_argument("--net", metavar="NAME",
                        help="resnet18, 34, 50, 101, 152, squeezenet1_0 or squeezenet1_1 (none: as the "
                             "weights say)")
    parser.add_argument("--classes", metavar="FILE",
                        help="names of the classes, one a line or a JSON list (none: ImageNet's 1000)")
    parser.add_argument("--threads", type=_positive, help="threads of the kernels (none: all cores)")
    parser.add_argument("--out", metavar="DIR", help=f"folder of results (none: runs/{name}-date-time)")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    parser.set_defaults(act=act)
    return parser


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is not a positive number")
    return value


def _classifier(options):
    import tinygrad_hw as thw
    from nets.pretrained.classify import Classifier

    if options.threads:
        thw.set_num_threads(options.threads)
    return Classifier.from_files(options.weights, options.net, options.classes)


def _config(options) -> dict:
    return {name: value for name, value in vars(options).items() if name not in ("act", "command", "debug")}


def _classify(options) -> int:
    from nets.pretrained.classify import verdict_picture
    from nets.runs import Run, write_json
    from tinygrad_hw.vision.datasets.reading import open_image

    paths = [Path(path).expanduser() for path in options.images]
    for path in paths:  # a typing error shows before the first picture is judged
        if not path.is_file():
            raise FileNotFoundError(f"no picture {path}")
    classifier = _classifier(options)
    run = Run("classify", _config(options), options.out)
    verdicts = []
    for number, path in enumerate(paths):
        image = open_image(path)
        verdict = classifier.top(classifier.probabilities([image])[0], options.top)
        print(f"{path.name}:")
        for one in verdict:
            print(f"  {one['probability']:6.1%}  {one['name']} ({one['class']})")
        alone = [other.stem for other in paths].count(path.stem) == 1
        picture = f"{path.stem}.png" if alone else f"{number}-{path.stem}.png"
        verdict_picture(run.path(picture), image, verdict)
        verdicts.append({"image": str(path), "picture": picture, "top": verdict})
        write_json(run.path("verdicts.json"), verdicts)
    run.finish(pictures=len(verdicts))
    print(f"pictures and JSON: {run.folder}")
    return 0


def _classify_video(options) -> int:
    import sys

    from nets.pretrained.classify import class_number
    from nets.pretrained.video import classify_frames, open_frames, strip
    from nets.runs import Run

    frames = open_frames(options.video)
    classifier = _classifier(options)
    wanted = None if options.wanted is None else class_number(options.wanted, classifier.classes)
    run = Run("classify-video", _config(options), options.out)
    result = classify_frames(classifier, frames, run.path("frames.csv"), wanted, quiet=options.quiet)
    samples = result.pop("samples")
    if wanted is not None:
        result.update({"class": wanted, "name": classifier.classes[wanted]})
    run.finish(**result)
    if result["frames"]:
        strip(run.path("strip.png"), samples)
    print(f"{result['frames']} frames: "
          + ", ".join(f"{name} {count}" for name, count in list(result["names"].items())[:5]))
    if "accuracy" in result:
        print(f"{result['name']}: first in {result['accuracy']:.1%} of the frames, among the first five in "
              f"{result['top5_accuracy']:.1%}")
    print(f"frames.csv, metrics.json and strip.png: {run.folder}")
    if result["problem"]:
        print(f"error: {result['problem']}; what came before it was classified", file=sys.stderr)
        return 1
    return 130 if result["interrupted"] else 0
