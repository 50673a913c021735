"""What pictures show, by a network that knows classes.

    classifier = Classifier(load("resnet18.pth"), load_classes(count=1000))
    classifier.probabilities([image])
"""

from __future__ import annotations

import difflib
import json
from pathlib import Path

import numpy as np

import tinygrad_hw as thw
from nets.pretrained.networks import load
from tinygrad_hw.vision import transforms as T
from tinygrad_hw.vision.datasets.reading import bad_file, read_text

__all__ = ["Classifier", "class_number", "evaluation_transform", "load_classes", "verdict_picture"]

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet's pixels in 0..1
LONGEST = 20  # times the shorter side


def evaluation_transform(size: int = 224, resize: int = 256) -> T.Compose:
    """A PIL image to a Tensor (3, size, size): resized so that its shorter side is ``resize``, its middle,
    normalised by ImageNet's mean and standard deviation; torchvision's ``ImageClassification`` preset.

    >>> from PIL import Image
    >>> evaluation_transform()(Image.new("RGB", (300, 200))).shape
    tinygrad_hw.Size([3, 224, 224])
    """
    return T.Compose([T.Resize(resize), T.CenterCrop(size), T.ToTensor(), T.Normalize(MEAN, STD)])


def load_classes(path=None, count: int = 1000) -> list[str]:
    """The names of ``count`` classes, in the order of a network's scores.

    Args:
        path: a text file with one name a line ("n01440764 tench" and "tench" are both "tench", lines that
            begin with # say something else), or a JSON list; None for ImageNet's 1000, and for numbers if
            ``count`` is another.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no text, or names another number of classes.

    >>> load_classes()[:2], load_classes(count=2)
    (['tench', 'goldfish'], ['class 0', 'class 1'])
    """
    if path is None and count != 1000:
        return [f"class {number}" for number in range(count)]
    source = Path(__file__).with_name("imagenet_classes.txt") if path is None else Path(path).expanduser()
    text = read_text(source)
    if source.suffix == ".json":
        try:
            names = json.loads(text)
        except (json.JSONDecodeError, RecursionError) as error:
            raise bad_file(source, f"it is no JSON ({error})", "mend the file") from None
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise bad_file(source, "it is no list of names", 'write ["cat", "dog", ...]')
    else:
        names = [_without_synset(line.strip()) for line in text.splitlines()
                 if line.strip() and not line.startswith("#")]
    if len(names) != count:
        raise bad_file(source, f"it names {len(names)} classes, but the network tells {count} apart",
                       "take the file that belongs to the weights (--classes FILE)")
    return names


def _without_synset(line):
    first, _, rest = line.partition(" ")
    return rest if rest and len(first) == 9 and first[0] == "n" and first[1:].isdigit() else line


def class_number(text: str, classes: list[str]) -> int:
    """The class that a user means: its number, its name, or a part of a name that only one class has.

    Raises ValueError, which lists what was meant perhaps.

    >>> class_number("1", ["tench", "goldfish"]), class_number("Gold", ["tench", "goldfish"])
    (1, 1)
    """
    if text.isdecimal():
        if int(text) >= len(classes):
            raise ValueError(f"there is no class {text}: the network has the classes 0 to {len(classes) - 1}")
        return int(text)
    wanted, names = text.lower().replace("_", " "), [name.lower() for name in classes]
    if wanted in names:
        return names.index(wanted)
    found = [number for number, name in enumerate(names) if wanted in name]
    if len(found) == 1:
        return found[0]
    near = ([classes[number] for number in found[:5]]
            or difflib.get_close_matches(wanted, classes, cutoff=0.5)
            or classes[:3])
    problem = "more than one class is called" if found else "no class is called"
    raise ValueError(f"{problem} {text!r}; there are {', '.join(near)}, ... (names or numbers)")


class Classifier:
    """A network with the names of its classes.

    Args:
        net: a network of `nets.pretrained`, as from `load`.
        classes: a name for each of its scores.
        transform: a PIL image to what the network takes.

    >>> from nets.pretrained import squeezenet1_1
    >>> from PIL import Image
    >>> classifier = Classifier(squeezenet1_1(num_classes=2).eval(), ["cat", "dog"])
    >>> classifier.probabilities([Image.new("RGB", (30, 20))] * 3).shape
    (3, 2)
    """

    def __init__(self, net, classes: list[str], transform=None):
        self.net, self.classes = net, classes
        self.transform = evaluation_transform() if transform is None else transform

    @classmethod
    def from_files(cls, weights, net: str | None = None, classes=None) -> Classifier:
        """From a file of weights (see `networks.load`), a network's name and a file of names."""
        model = load(weights, net)
        head = model.fc.weight if hasattr(model, "fc") else model.classifier[1].weight
        return cls(model, load_classes(classes, head.shape[0]))

    def probabilities(self, images) -> np.ndarray:
        """Of PIL images, the probability of each class: float32 (N, classes).

        Raises:
            ValueError: an image is more than 20 times as long as wide, or the other way round.
        """
        for image in images:
            if max(image.size) > LONGEST * min(image.size):
                raise ValueError(f"a picture of {image.width} x {image.height} pixels is too narrow: only "
                                 f"its middle would be seen; crop it to less than {LONGEST} to 1")
        with thw.no_grad():
            scores = self.net(thw.stack([self.transform(image.convert("RGB")) for image in images]))
            return thw.softmax(scores, 1).numpy()

    def top(self, probabilities, count: int = 5) -> list[dict]:
        """The likeliest classes of one picture: ``{"class": number, "name": ..., "probability": ...}``."""
        order = np.argsort(-probabilities, kind="stable")[:count]
        return [{"class": int(number), "name": self.classes[number],
                 "probability": float(probabilities[number])} for number in order]


def verdict_picture(path, image, verdict) -> None:
    """Write a PNG: a picture with its label above, and a bar for each of the likeliest classes.

    Args:
        path: the file.
        image: a PIL image.
        verdict: as of `Classifier.top`.
    """
    from nets.pictures import _figure, _save

    figure = _figure(10, 4)
    shown, bars = figure.subplots(1, 2, width_ratios=(1, 1))
    image = image.convert("RGB")
    image.thumbnail((800, 800))
    shown.imshow(np.asarray(image))
    shown.set_axis_off()
    shown.set_title(f"{verdict[0]['name']}, {verdict[0]['probability']:.1%}", parse_math=False)
    heights = range(len(verdict))[::-1]
    values = [one["probability"] for one in verdict]
    bars.barh(heights, values)
    for height, value in zip(heights, values):
        bars.text(min(value + 0.01, 0.86), height, f"{value:.1%}", va="center")
    bars.set_yticks(heights, [one["name"] for one in verdict], parse_math=False)
    bars.set_xlim(0, 1)
    bars.set_xlabel("probability")
    _save(figure, path)
