"""How much workers speed up loading: ``python -m bench.loading``.

Photos as large as ImageNet's (500 x 375 JPEG) are decoded, cropped, flipped and turned into batches of
32 Tensors of 224 x 224, once with nothing else to do and once beside a training step that keeps one core
busy for as long as a worker needs for a batch.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from tinygrad_hw.utils.data import DataLoader
from tinygrad_hw.vision import datasets, transforms

COUNT, BATCH, STEP_SECONDS = 384, 32, 0.1


def write_photos(folder: Path) -> None:
    """Smooth random pictures, which shrink to about 40 kB, as photos do."""
    random = np.random.default_rng(0)
    for number in range(COUNT):
        coarse = Image.fromarray(random.integers(0, 256, (38, 50, 3), dtype=np.uint8))
        place = folder / f"class{number % 4}" / f"{number}.jpg"
        place.parent.mkdir(exist_ok=True)
        coarse.resize((500, 375), Image.Resampling.BICUBIC).save(place, quality=90)


def images_per_second(dataset, workers: int, step_seconds: float) -> float:
    """One pass after another that is not timed."""
    loader = DataLoader(dataset, BATCH, num_workers=workers, persistent_workers=workers > 0)
    for timed in (False, True):
        start = time.perf_counter()
        for _ in loader:
            end = time.perf_counter() + step_seconds
            while time.perf_counter() < end:  # a training step on one core
                pass
        if not timed:
            continue
        return len(dataset) / (time.perf_counter() - start)


def main() -> None:
    """Print a table of images per second."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 1, 2])
    options = parser.parse_args()
    transform = transforms.Compose([transforms.RandomResizedCrop(224), transforms.RandomHorizontalFlip(),
                                    transforms.ToTensor(),
                                    transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])])
    with tempfile.TemporaryDirectory() as folder:
        write_photos(Path(folder))
        dataset = datasets.ImageFolder(folder, transform)
        print("images per second   loading alone   beside training")
        for workers in options.workers:
            alone, beside = (images_per_second(dataset, workers, step) for step in (0.0, STEP_SECONDS))
            print(f"{workers} workers {alone:23.0f} {beside:17.0f}")


if __name__ == "__main__":
    main()
