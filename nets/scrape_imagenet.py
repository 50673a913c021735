"""``python -m nets scrape-imagenet``: 64x64 images of some ImageNet classes, from all over the web.

    python -m nets scrape-imagenet --subclass_list "Siamese cat" "Persian cat" --main_class cat
        --images_per_subclass 200 --data_root data/train --imagenet_info_json imagenet_class_info.json

writes data/train/cat/*.jpg. A class's number (wnid) is looked up by its name; ImageNet's list of
addresses for it is fetched, or read from a folder of lists. Many addresses are dead by now: each failure
is counted under its name and the next address tried. What was fetched is noted in `.scraped.jsonl`, so
that another run goes on where this one ended.
"""

import argparse
import difflib
import hashlib
import json
import re
import sys
from collections import Counter
from pathlib import Path

from PIL import Image

from nets.runs import atomic_write
from nets.web_images import Failure, Fetcher, fetch_all
from tinygrad_hw.vision.datasets.lists import read_json
from tinygrad_hw.vision.datasets.reading import bad_file, read_text

LIST_ADDRESS = "http://www.image-net.org/api/imagenet.synset.geturls?wnid={wnid}"
SIDE = 64
JOURNAL = ".scraped.jsonl"


def add_parser(commands) -> None:
    """Add ``scrape-imagenet`` to the parser of ``python -m nets``."""
    parser = commands.add_parser("scrape-imagenet", help="fetch 64x64 images of ImageNet classes",
                                 formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--subclass_list", nargs="+", required=True, metavar="NAME",
                        help="class names of imagenet_class_info.json, such as 'Siamese cat'")
    parser.add_argument("--images_per_subclass", type=int, required=True, metavar="N")
    parser.add_argument("--data_root", required=True, metavar="DIR",
                        help="the images go to DIR/MAIN_CLASS")
    parser.add_argument("--main_class", required=True, metavar="NAME")
    parser.add_argument("--imagenet_info_json", required=True, metavar="FILE",
                        help="{wnid: {class_name, img_url_count, flickr_img_url_count}}")
    parser.add_argument("--url_lists", metavar="DIR",
                        help="folder of WNID.txt with an address in each line (none: asks ImageNet)")
    parser.add_argument("--list_address", default=LIST_ADDRESS, help="where ImageNet has such lists")
    parser.add_argument(
        "--any_host", action="store_true", help="take images that are not on Flickr, too"
    )
    parser.add_argument("--threads", type=int, default=8, help="downloads at a time")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    parser.set_defaults(act=scrape)


def scrape(options) -> int:
    """Fetch the images of every subclass; prints what failed and why. Returns the exit code."""
    folder = _main_folder(options)
    numbers = {name: wnid_of(name, options.imagenet_info_json) for name in options.subclass_list}
    fetcher = Fetcher("" if options.any_host else "flickr")
    journal = Journal(folder)
    complete = True
    for name, wnid in numbers.items():
        have = journal.count(wnid)
        if have >= options.images_per_subclass:
            print(f"{name} ({wnid}): {have} images are there")
            continue
        addresses = _addresses(options, fetcher, wnid)
        failures = _scrape_class(options, fetcher, journal, name, wnid, addresses)
        have = journal.count(wnid)
        print(f"{name} ({wnid}): {have} of {options.images_per_subclass} images in {folder}")
        for reason, count in failures.most_common():
            print(f"  {count:5}  {reason}")
        complete &= have >= options.images_per_subclass
    if not complete:
        print("some classes have too few images: the lists are used up; run it again later to try the "
              "failed addresses once more", file=sys.stderr)
    return 0 if complete else 1


def _main_folder(options) -> Path:
    name = options.main_class
    if not name or Path(name).name != name or name.startswith("."):
        raise ValueError(f"--main_class names a folder, without slashes; got {name!r}")
    if options.images_per_subclass < 1 or options.threads < 1:
        raise ValueError("--images_per_subclass and --threads must be at least 1")
    folder = Path(options.data_root) / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def wnid_of(name, path) -> str:
    """The number of the class called `name`; of several, that with most images on Flickr.

    Raises ValueError, which suggests similar names, if there is none.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "info.json"
    >>> _ = path.write_text('{"n02123597": {"class_name": "Siamese cat", "flickr_img_url_count": 5}}')
    >>> wnid_of("siamese cat", path)
    'n02123597'
    """
    content = read_json(path)
    if not isinstance(content, dict) or not all(
            isinstance(entry, dict) and isinstance(entry.get("class_name"), str)
            and re.fullmatch(r"n\d{1,12}", wnid) for wnid, entry in content.items()):
        raise bad_file(path, "it is no dictionary of wnid and {class_name, ...}",
                       "give the file imagenet_class_info.json of the course")
    found = [wnid for wnid, entry in content.items() if entry["class_name"].lower() == name.lower()]
    if not found:
        names = {entry["class_name"].lower(): entry["class_name"] for entry in content.values()}
        similar = [names[match] for match in difflib.get_close_matches(name.lower(), names, 5, 0.6)]
        raise ValueError(f"{path} has no class {name!r}"
                         + (f"; did you mean {', '.join(similar)}?" if similar else ""))
    return max(found, key=lambda wnid: int(content[wnid].get("flickr_img_url_count") or 0))


def _addresses(options, fetcher, wnid) -> list[str]:
    """The addresses of a class's images, each once."""
    if options.url_lists:
        text = read_text(Path(options.url_lists) / f"{wnid}.txt")
    else:
        address = options.list_address.format(wnid=wnid)
        try:
            text = fetcher.content(address).decode("utf-8", "replace")
        except Failure as failure:
            raise RuntimeError(
                f"the list of images cannot be fetched from {address} ({failure}); put the "
                f"list into a folder as {wnid}.txt and name it by --url_lists"
            ) from failure
    return list(dict.fromkeys(line.strip() for line in text.splitlines() if line.strip()))


def _scrape_class(options, fetcher, journal, name, wnid, addresses) -> Counter:
    from tqdm import tqdm

    failures = Counter()
    wanted = options.images_per_subclass
    new = [address for address in addresses if address not in journal.addresses]

    def fetch(address):
        fetched = fetcher(address)
        small = fetched.image.resize((SIDE, SIDE), Image.Resampling.BOX)
        return small, hashlib.sha256(fetched.content).hexdigest(), fetched.name

    results = fetch_all(new, fetch, options.threads)
    with tqdm(total=wanted, initial=journal.count(wnid), desc=name, unit="image", disable=None) as bar:
        try:
            for address, result in results:
                if isinstance(result, Failure):
                    failures[str(result)] += 1
                elif not journal.save(wnid, address, *result):
                    failures["duplicate"] += 1
                else:
                    bar.update()
                    if journal.count(wnid) >= wanted:
                        break
                bar.set_postfix(failed=sum(failures.values()), refresh=False)
        finally:
            results.close()
    return failures


class Journal:
    """The images in a folder: which address and content each came from.

    Each image is written whole or not at all, then a line is added to the journal. A line that was cut
    off, and the line of an image that has been removed since, do not count.

    >>> import tempfile
    >>> journal = Journal(Path(tempfile.mkdtemp()))
    >>> journal.save("n1", "http://a/1.jpg", Image.new("RGB", (64, 64)), "digest", "1.jpg")
    True
    >>> journal.save("n1", "http://b/1.jpg", Image.new("RGB", (64, 64)), "digest", "1.jpg")
    False
    """

    def __init__(self, folder):
        self.folder = Path(folder)
        self.addresses, self.digests, self._counts = set(), set(), Counter()
        path = self.folder / JOURNAL
        for line in path.read_text("utf-8", "replace").splitlines() if path.exists() else ():
            try:
                wnid, address, digest, name = json.loads(line)
            except ValueError:
                continue
            if (self.folder / str(name)).is_file():
                self._note(wnid, address, digest)

    def _note(self, wnid, address, digest):
        self.addresses.add(address)
        self.digests.add(digest)
        self._counts[wnid] += 1

    def count(self, wnid) -> int:
        """How many images of a class are there."""
        return self._counts[wnid]

    def save(self, wnid, address, image, digest, name) -> bool:
        """Store an image as JPEG under a name like `name`; False if its content is there already."""
        if digest in self.digests:
            return False
        stem = re.sub(r"[^\w-]+", "_", name.rsplit(".", 1)[0])[:80].strip("_") or "image"
        path = self.folder / f"{stem}.jpg"
        if path.exists():
            path = self.folder / f"{stem}-{digest[:12]}.jpg"
        with atomic_write(path) as file:
            image.save(file, "JPEG", quality=95)
        with open(self.folder / JOURNAL, "a", encoding="utf-8") as file:
            # The line end comes first: so a line that a crash cut off does not spoil this one.
            file.write("\n" + json.dumps([wnid, address, digest, path.name]) + "\n")
        self._note(wnid, address, digest)
        return True
