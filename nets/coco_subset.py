"""``python -m nets make-coco-subset``: pictures of a few COCO categories, 64x64, each with one label.

    python -m nets make-coco-subset --annotations instances_train2017.json
        --categories airplane bus cat dog pizza --train 1500 --val 250 --root data/coco5

An image is taken if exactly one of the categories occurs in it. For each category, `train` and then
`val` images are drawn without replacement, by the seed. They come from a folder, or from the address
that the annotations give; one that cannot be had is replaced by the next. `my_dataset.txt` lists them
(JSON), and `contact_sheet.png` shows some. The folder gets its name when all is done; before, it is
called `.NAME.partial`, and another run goes on with what it holds.
"""

import argparse
import os
import shutil
import sys
from collections import Counter
from pathlib import Path

import numpy as np
from PIL import Image

from nets.contact_sheet import contact_sheet
from nets.runs import atomic_write, write_json
from nets.web_images import Failure, Fetcher, fetch_all
from tinygrad_hw.vision.datasets import COCOSubset
from tinygrad_hw.vision.datasets.lists import read_json
from tinygrad_hw.vision.datasets.reading import bad_file, inside, open_image

SIDE = 64
SHOWN = 10  # of each category on the contact sheet


def add_parser(commands) -> None:
    """Add ``make-coco-subset`` to the parser of ``python -m nets``."""
    parser = commands.add_parser("make-coco-subset", help="cut a small labelled set out of COCO",
                                 formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--annotations", required=True, metavar="FILE",
                        help="COCO's instances_train2017.json")
    parser.add_argument("--categories", nargs="+", required=True, metavar="NAME")
    parser.add_argument("--train", type=int, default=1500, metavar="N", help="images of each category")
    parser.add_argument("--val", type=int, default=250, metavar="M", help="images of each category")
    parser.add_argument("--root", required=True, metavar="DIR", help="the new folder")
    parser.add_argument("--images", metavar="DIR",
                        help="folder of COCO's images (none: each is fetched from its address)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=8, help="downloads at a time")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    parser.set_defaults(act=make)


def make(options) -> int:
    """Write the subset; returns the exit code."""
    root = Path(options.root)
    if root.exists():
        raise FileExistsError(f"{root} is there already; name another folder or remove it")
    if (
        len(set(options.categories)) < len(options.categories)
        or min(options.train, options.threads) < 1
        or (options.val < 0)
    ):
        raise ValueError(
            "--categories must differ, --train and --threads be at least 1, --val at least 0"
        )
    candidates = exclusive_images(read_json(options.annotations, limit=2**31), options.categories,
                                  options.annotations)
    need = options.train + options.val
    for name, images in candidates.items():
        if len(images) < need:
            raise ValueError(
                f"{options.annotations} has {len(images)} images with {name!r} alone among the "
                f"categories, but {options.train} + {options.val} are needed"
            )
    working = root.with_name(f".{root.name}.partial")
    working.mkdir(parents=True, exist_ok=True)
    chosen, failures = _collect(options, candidates, working, need)
    for reason, count in failures.most_common():
        print(f"  {count:5} images replaced: {reason}")
    _finish(options, chosen, working)
    os.rename(working, root)
    print(
        f"{root}: {options.train * len(chosen)} training and {options.val * len(chosen)} validation "
        f"images of {', '.join(chosen)}"
    )
    return 0


def exclusive_images(content, categories, path) -> dict[str, list[dict]]:
    """{category: its images}, of the images in which exactly one of the categories occurs, by id.

    content: COCO's dictionary of `images`, `annotations` and `categories`; path: for messages.
    Raises ValueError for other content or an unknown category.

    >>> content = {"categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}],
    ...            "images": [{"id": 7, "file_name": "a.jpg"}, {"id": 8, "file_name": "b.jpg"}],
    ...            "annotations": [{"image_id": 7, "category_id": 1}, {"image_id": 8, "category_id": 1},
    ...                            {"image_id": 8, "category_id": 2}]}
    >>> {name: len(images) for name, images in exclusive_images(content, ["cat", "dog"], "a").items()}
    {'cat': 1, 'dog': 0}
    """
    try:
        names = {entry["name"]: entry["id"] for entry in content["categories"]}
        unknown = [name for name in categories if name not in names]
        if unknown:
            raise ValueError(
                f"{path} has no category {', '.join(unknown)}; there are {', '.join(names)}"
            )
        wanted = {names[name]: name for name in categories}
        present = {}
        for annotation in content["annotations"]:
            if annotation["category_id"] in wanted:
                present.setdefault(annotation["image_id"], set()).add(annotation["category_id"])
        found = {name: [] for name in categories}
        for image in sorted(content["images"], key=lambda image: image["id"]):
            kinds = present.get(image["id"], ())
            if len(kinds) == 1:
                if type(image["id"]) is not int:
                    raise TypeError(f"the id {str(image['id'])[:50]!r} is no whole number")
                found[wanted[next(iter(kinds))]].append(image)
    except (TypeError, KeyError, AttributeError) as error:
        raise bad_file(path, "it lacks what COCO's annotations of instances have "
                       f"({type(error).__name__}: {error})", "give instances_train2017.json") from error
    return found


def _collect(options, candidates, working, need):
    """{category: ids of `need` images in the working folder}, and why others were left out."""
    from tqdm import tqdm

    random = np.random.default_rng(options.seed)
    load = _from_folder(options) if options.images else _from_web()
    chosen, failures = {}, Counter()
    for name, images in candidates.items():
        order = [images[place] for place in random.permutation(len(images))]
        ready = {}
        position = 0
        with tqdm(total=need, desc=name, unit="image", disable=None) as bar:
            # In rounds, so that the choice depends on the seed alone and not on who answers first.
            while len(ready) < need and position < len(order):
                part = order[position:position + need - len(ready)]
                position += len(part)
                for image, result in fetch_all(part, lambda image: _prepare(image, load, working),
                                               options.threads):
                    if isinstance(result, Failure):
                        failures[str(result)] += 1
                    else:
                        ready[image["id"]] = True
                        bar.update()
        if len(ready) < need:
            raise RuntimeError(
                f"only {len(ready)} of {need} images of {name!r} could be had "
                f"({', '.join(f'{count} {reason}' for reason, count in failures.items())}); "
                f"{working} keeps them, run it again"
            )
        chosen[name] = [image["id"] for image in order if image["id"] in ready]
    return chosen, failures


def _prepare(image, load, working):
    """Puts ID.jpg into the working folder, unless it is there."""
    path = working / f"{image['id']}.jpg"
    if not path.exists():
        small = area_resize(load(image), SIDE)
        with atomic_write(path) as file:
            small.save(file, "JPEG", quality=95)


def _from_folder(options):
    def load(image):
        try:
            return open_image(inside(options.images, image["file_name"], options.annotations))
        except FileNotFoundError as error:
            raise Failure("no such file") from error
        except (ValueError, KeyError, OSError) as error:
            raise Failure("damaged image") from error

    return load


def _from_web():
    fetcher = Fetcher()

    def load(image):
        address = image.get("coco_url") or image.get("flickr_url")
        if not isinstance(address, str):
            raise Failure("no address")
        return fetcher(address).image

    return load


def area_resize(image, side):
    """The image with `side` x `side` pixels, each the mean of the area that it covers.

    A pixel that lies in two areas counts in each by its share. A side with fewer pixels than `side` is
    enlarged by linear interpolation, as OpenCV's INTER_AREA does.

    >>> area_resize(Image.fromarray(np.uint8([[[0] * 3, [90] * 3, [30] * 3]])), 1).getpixel((0, 0))
    (40, 40, 40)
    """
    if image.width < side or image.height < side:
        image = image.resize(
            (max(image.width, side), max(image.height, side)), Image.Resampling.BILINEAR
        )
    pixels = np.asarray(image, float)
    rows, columns = (_shares(old, side) for old in pixels.shape[:2])
    means = np.einsum("ih,hwc,jw->ijc", rows, pixels, columns, optimize=True)
    return Image.fromarray(np.rint(means).astype(np.uint8))


def _shares(old: int, new: int):
    """Matrix (new, old): how much of new cell i is old pixel j."""
    edges = np.arange(new + 1)[:, None] * (old / new)
    pixel = np.arange(old)
    overlap = np.minimum(edges[1:], pixel + 1) - np.maximum(edges[:-1], pixel)
    return np.maximum(overlap, 0) * (new / old)


def _finish(options, chosen, working):
    """Names the images, writes the dictionary and the contact sheet, removes what is not used."""
    random = np.random.default_rng(options.seed)
    content = {"train": [], "val": [], "categories": sorted(chosen)}
    for part, start, count, stem in (("train", 0, options.train, "train"),
                                     ("val", options.train, options.val, "valid")):
        (working / part).mkdir(exist_ok=True)
        entries = [
            (image, name) for name in sorted(chosen) for image in chosen[name][start : start + count]
        ]
        for number, place in enumerate(random.permutation(len(entries))):
            image, name = entries[place]
            file = f"{stem}{number:06}.jpg"
            shutil.copyfile(working / f"{image}.jpg", working / part / file)
            content[part].append({"img": file, "label": name})
    write_json(working / COCOSubset.dictionary, content)
    dataset = COCOSubset(working)
    targets = np.asarray(dataset.targets)
    contact_sheet(working / "contact_sheet.png", [
        (name, [dataset[int(index)][0] for index in np.flatnonzero(targets == label)[:SHOWN]])
        for label, name in enumerate(dataset.classes)])
    for path in working.glob("*.jpg"):
        path.unlink()
    print(f"dictionary {COCOSubset.dictionary}, pictures contact_sheet.png", file=sys.stderr)
