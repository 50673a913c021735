"""Frames of videos and folders, and what a network sees in each of them."""

from __future__ import annotations

import csv
import dataclasses
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from nets.contact_sheet import contact_sheet
from tinygrad_hw.vision.datasets.reading import MAX_PIXELS, bad_file, open_image

__all__ = ["Frames", "Sample", "classify_frames", "open_frames", "strip"]

PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".ppm", ".tif", ".tiff", ".webp")
COLUMNS = ("frame", "source", "class", "name", "probability")
BATCH = 8
TILE = 160


@dataclasses.dataclass(frozen=True)
class Frames:
    """Frames to come: an iterator of (what it is called, PIL image), and how many, None if unknown."""

    images: Iterator
    count: int | None


def open_frames(path) -> Frames:
    """The frames of a video, or the pictures of a folder in the order of the numbers in their names.

    Raises:
        FileNotFoundError: there is nothing at the path, or no picture in the folder.
        ImportError: it is a video and PyAV is not installed.
        ValueError: it is no video; later, a frame is damaged.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> for number in (10, 9):
    ...     Image.new("RGB", (4, 3)).save(folder / f"frame{number}.png")
    >>> [(name, image.size) for name, image in open_frames(folder).images]
    [('frame9.png', (4, 3)), ('frame10.png', (4, 3))]
    """
    path = Path(path).expanduser()
    if path.is_dir():
        files = sorted((file for file in path.iterdir() if file.suffix.lower() in PICTURES), key=_by_number)
        if not files:
            raise FileNotFoundError(f"the folder {path} holds no pictures ({', '.join(PICTURES)})")
        return Frames(((file.name, open_image(file)) for file in files), len(files))
    if not path.is_file():
        raise FileNotFoundError(f"no video or folder of frames {path}")
    try:
        import av
    except ImportError as error:
        raise ImportError(f"{path} is a file, and videos need PyAV: pip install '.[video]' (or cut it into "
                          f"pictures, ffmpeg -i {path.name} frames/%06d.png, and name the folder)") from error
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise bad_file(path, "it holds no pictures", "name a video")
            count = container.streams.video[0].frames
    except av.FFmpegError as error:
        raise bad_file(path, f"it is no video that PyAV reads ({error.strerror})", "name a video or a folder "
                       "of frames") from error
    return Frames(_decoded(path), count or None)


def _by_number(file):
    """frame9 before frame10."""
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", file.name)]


def _decoded(path):
    import av

    try:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            for frame in container.decode(stream):
                if frame.width * frame.height > MAX_PIXELS:
                    raise bad_file(path, f"a frame has {frame.width} x {frame.height} pixels, allowed are "
                                   f"{MAX_PIXELS:,}", "make the video smaller")
                yield f"{frame.time or 0:.3f} s", frame.to_image()
    except av.FFmpegError as error:
        raise bad_file(path, f"the video is damaged or cut short ({error.strerror})",
                       "copy it again") from error


class Sample:
    """At most ``most`` of any number of items, evenly spread over those that came, in their order.

    >>> sample = Sample(4)
    >>> for number in range(100):
    ...     sample.add(number)
    >>> sample.items()
    [0, 32, 64, 96]
    """

    def __init__(self, most: int):
        self.most, self.step, self.seen = most, 1, 0
        self.kept: list = []

    def add(self, item):
        """Take the item, or leave it; when twice as many as wanted are there, every second one goes."""
        if self.seen % self.step == 0:
            self.kept.append(item)
            if len(self.kept) >= 2 * self.most:
                self.kept, self.step = self.kept[::2], 2 * self.step
        self.seen += 1

    def items(self) -> list:
        """Those that stayed."""
        count = min(self.most, len(self.kept))
        return [self.kept[number * (len(self.kept) - 1) // max(1, count - 1)] for number in range(count)]


def classify_frames(classifier, frames: Frames, table, wanted: int | None = None, *, shown: int = 8,
                    quiet: bool = False) -> dict:
    """Classify every frame and write a row for it at once.

    Args:
        classifier: a `nets.pretrained.classify.Classifier`.
        frames: as of `open_frames`.
        table: a path; the rows are CSV with the columns `COLUMNS`, and with ``rank`` (of the wanted class,
            from 1 on) and ``hit`` if one is wanted.
        wanted: the class that all frames show; None for unknown.
        shown: how many hits, and how many misses, to keep for the strip.
        quiet: no progress bar.

    Ctrl-C, and a frame that cannot be read, end it early: what was done stays.

    Returns ``{"frames": ..., "interrupted": ..., "problem": text or None, "names": {name: how often},
    "accuracy", "top5_accuracy", "samples": {"hits": ..., "misses": ...}}``; without ``wanted`` no accuracies,
    and ``{"frames": ...}`` as samples.
    """
    from tqdm import tqdm

    names, ranks = Counter(), []
    samples = {key: Sample(shown) for key in (("frames",) if wanted is None else ("hits", "misses"))}
    result = {"frames": 0, "interrupted": False, "problem": None}
    bar = tqdm(total=frames.count, unit="frame", disable=True if quiet else None)
    with open(table, "w", newline="", encoding="utf-8") as file, bar:
        rows = csv.writer(file)
        rows.writerow(COLUMNS if wanted is None else (*COLUMNS, "rank", "hit"))
        try:
            for batch in _batches(frames.images):
                probabilities = classifier.probabilities([image for _, image in batch])
                for (source, image), each in zip(batch, probabilities):
                    best = classifier.top(each, 1)[0]
                    row = [result["frames"], source, best["class"], best["name"],
                           f"{best['probability']:.4f}"]
                    key, text = "frames", f"{source}: {best['name']}"
                    if wanted is not None:
                        ranks.append(1 + int((each > each[wanted]).sum()))
                        hit = best["class"] == wanted
                        row += [ranks[-1], int(hit)]
                        key = "hits" if hit else "misses"
                    rows.writerow(row)
                    samples[key].add(_labelled(image, text))
                    names[best["name"]] += 1
                    result["frames"] += 1
                file.flush()
                bar.update(len(batch))
        except KeyboardInterrupt:
            result["interrupted"] = True
        except ValueError as error:
            result["problem"] = str(error)
    result["names"] = dict(names.most_common())
    if ranks:
        result["accuracy"] = sum(rank == 1 for rank in ranks) / len(ranks)
        result["top5_accuracy"] = sum(rank <= 5 for rank in ranks) / len(ranks)
    return {**result, "samples": samples}


def _batches(images):
    """Lists of up to `BATCH` frames; those before a damaged one come before its error."""
    batch, problem = [], None
    images = iter(images)
    while problem is None:
        try:
            batch.append(next(images))
        except StopIteration:
            break
        except ValueError as error:
            problem = error
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
    if problem is not None:
        raise problem


def _labelled(image, text):
    """A small square of a frame with its label at the bottom."""
    tile = Image.new("RGB", (TILE, TILE), "white")
    small = image.convert("RGB")
    small.thumbnail((TILE, TILE - 16))
    tile.paste(small, ((TILE - small.width) // 2, (TILE - 16 - small.height) // 2))
    font = ImageFont.load_default(11)
    while text and font.getlength(text) > TILE:
        text = text[:-1]
    ImageDraw.Draw(tile).text((0, TILE - 15), text, fill="black", font=font)
    return tile


def strip(path, samples: dict) -> None:
    """Write a PNG with a row for the hits and one for the misses (or one for all frames), with counts."""
    rows = [(f"{sample.seen} {name}", sample.items()) for name, sample in samples.items() if sample.seen]
    contact_sheet(path, rows, tile=TILE)
