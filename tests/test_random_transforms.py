"""Transforms: their texts, the ranges of chance, and that chance follows from (seed, epoch, index)."""

import pickle

import numpy as np
import pytest
from PIL import Image
from test_transforms import BYTES, as_array, pil, tensor

import tinygrad_hw as thw
from tinygrad_hw.utils.data import (
    ConcatDataset,
    DataLoader,
    Dataset,
    StackDataset,
    Subset,
    transform_generator,
)
from tinygrad_hw.vision import transforms as T

REPRS = [
    (T.ToTensor(), "ToTensor()"),
    (T.PILToTensor(), "PILToTensor()"),
    (T.ToPILImage(), "ToPILImage()"),
    (T.ToPILImage("RGB"), "ToPILImage(mode=RGB)"),
    (T.ConvertImageDtype(thw.uint8), "ConvertImageDtype()"),
    (T.Normalize((0.5,), (0.2,)), "Normalize(mean=(0.5,), std=(0.2,))"),
    (T.Resize((2, 3)), "Resize(size=(2, 3), interpolation=bilinear, max_size=None, antialias=True)"),
    (T.CenterCrop([2, 3]), "CenterCrop(size=(2, 3))"),
    (T.FiveCrop(2), "FiveCrop(size=(2, 2))"),
    (T.TenCrop(2), "TenCrop(size=(2, 2), vertical_flip=False)"),
    (T.Pad((1, 2), 3, "edge"), "Pad(padding=(1, 2), fill=3, padding_mode=edge)"),
    (T.Lambda(abs), "Lambda()"),
    (T.Grayscale(), "Grayscale(num_output_channels=1)"),
    (T.RandomCrop(3, 1), "RandomCrop(size=(3, 3), padding=1)"),
    (T.RandomHorizontalFlip(0.2), "RandomHorizontalFlip(p=0.2)"),
    (T.RandomVerticalFlip(), "RandomVerticalFlip(p=0.5)"),
    (
        T.RandomResizedCrop((3, 4)),
        "RandomResizedCrop(size=(3, 4), scale=(0.08, 1.0), "
        "ratio=(0.75, 1.3333), interpolation=bilinear, antialias=True)",
    ),
    (
        T.RandomRotation((5, 10), center=[1, 2]),
        "RandomRotation(degrees=[5.0, 10.0], "
        "interpolation=nearest, expand=False, center=[1, 2], fill=0)",
    ),
    (
        T.RandomAffine(5, (0.1, 0.1), (1, 2), 3, T.InterpolationMode.BILINEAR, 7),
        "RandomAffine(degrees="
        "[-5.0, 5.0], translate=(0.1, 0.1), scale=(1, 2), shear=[-3.0, 3.0], "
        "interpolation=bilinear, fill=7)",
    ),
    (
        T.ColorJitter(0.4, (0.1, 2)),
        "ColorJitter(brightness=(0.6, 1.4), contrast=(0.1, 2.0), saturation=None, hue=None)",
    ),
    (T.RandomGrayscale(), "RandomGrayscale(p=0.1)"),
    (
        T.RandomErasing(value="random"),
        "RandomErasing(p=0.5, scale=(0.02, 0.33), ratio=(0.3, 3.3), value=random, inplace=False)",
    ),
    (T.GaussianBlur((3, 5), 1.0), "GaussianBlur(kernel_size=(3, 5), sigma=(1.0, 1.0))"),
    (T.Compose([T.ToTensor(), T.PILToTensor()]), "Compose(\n    ToTensor()\n    PILToTensor()\n)"),
    (T.RandomApply([T.ToTensor()], 0.3), "RandomApply(\n    p=0.3\n    ToTensor()\n)"),
    (T.RandomChoice([T.ToTensor()]), "RandomChoice(\n    ToTensor()\n)(p=None)"),
    (T.RandomOrder([T.ToTensor()]), "RandomOrder(\n    ToTensor()\n)"),
]


@pytest.mark.parametrize("transform, text", REPRS, ids=lambda value: type(value).__name__)
def test_repr_and_pickle(transform, text):
    assert repr(transform) == text
    assert repr(pickle.loads(pickle.dumps(transform))) == text  # spawned workers get them this way


RANDOM = [T.RandomCrop(3), T.RandomCrop(12, pad_if_needed=True), T.RandomResizedCrop(4),
          T.RandomHorizontalFlip(), T.RandomVerticalFlip(), T.RandomRotation(30, expand=False),
          T.RandomAffine(10, (0.2, 0.2), (0.8, 1.2), 5), T.ColorJitter(0.5, 0.5, 0.5, 0.2),
          T.RandomGrayscale(0.5), T.GaussianBlur(3), T.RandomApply([T.RandomCrop(5)]),
          T.RandomChoice([T.RandomCrop(5), T.RandomCrop(6)]), T.RandomOrder([T.RandomCrop(5), T.Pad(1)])]


@pytest.mark.parametrize("transform", RANDOM, ids=lambda transform: type(transform).__name__)
def test_a_seed_repeats_it_for_both_kinds_of_image(transform):
    for image in (pil(), tensor(BYTES)):
        results = []
        for seed in (1, 1, *range(2, 30)):
            thw.manual_seed(seed)
            results.append(as_array(transform(image)))
        assert results[0].tobytes() == results[1].tobytes() and results[0].dtype == np.uint8
        assert len({result.tobytes() for result in results}) > 1


class TestRandomParameters:
    def test_crop_covers_every_place(self):
        places = {T.RandomCrop.get_params(pil(), (6, 8))[:2] for _ in range(200)}
        assert places == {(0, 0), (0, 1), (1, 0), (1, 1)}
        assert T.RandomCrop.get_params(pil(), (7, 9)) == (0, 0, 7, 9)
        with pytest.raises(ValueError, match=r"Required crop size \(8, 8\) is larger than .*\(7, 9\)"):
            T.RandomCrop(8)(pil())

    def test_resized_crop_stays_in_its_ranges(self):
        image = Image.new("L", (200, 100))
        for _ in range(200):
            top, left, height, width = T.RandomResizedCrop.get_params(image, (0.1, 0.5), (0.5, 2.0))
            assert 0 <= top <= 100 - height and 0 <= left <= 200 - width
            assert 0.09 < height * width / 20000 < 0.51 and 0.48 < width / height < 2.1
        # Nothing fits: the largest part in the middle with the ratio nearest to the image's.
        assert T.RandomResizedCrop.get_params(image, (5, 6), (1, 1)) == (0, 50, 100, 100)
        assert T.RandomResizedCrop.get_params(image, (5, 6), (1, 4)) == (0, 0, 100, 200)

    def test_flip_chances(self):
        flips = sum(np.asarray(T.RandomHorizontalFlip(0.3)(pil()))[0, 0, 0] != BYTES[0, 0, 0]
                    for _ in range(1000))
        assert 230 < flips < 370
        for p, changed in ((0.0, False), (1.0, True)):
            assert (np.asarray(T.RandomVerticalFlip(p)(pil()))[0, 0, 0] != BYTES[0, 0, 0]) == changed

    def test_erasing(self):
        image = thw.ones(3, 40, 50)
        erase = T.RandomErasing(p=1.0, scale=(0.1, 0.2), ratio=(0.5, 2.0), value=(0.0, 2.0, 3.0))
        for _ in range(50):
            hole = erase(image).array != 1
            rows, columns = np.flatnonzero(hole[0].any(1)), np.flatnonzero(hole[0].any(0))
            assert hole[0].sum() == len(rows) * len(columns) and 0.09 < hole[0].mean() < 0.21
            assert 0.45 < len(rows) / len(columns) < 2.2
        assert (image.array == 1).all()
        assert len(np.unique(T.RandomErasing(1.0, value="random")(image).array)) > 10
        same = T.RandomErasing(1.0, value=0, inplace=True)(image)
        assert same is image and (image.array == 0).any()
        assert T.RandomErasing(0.0)(image) is image

    @pytest.mark.parametrize(
        "call, error, text",
        [
            (lambda: T.RandomErasing(value="x"), ValueError, "it should be 'random'"),
            (lambda: T.RandomErasing(p=2), ValueError, "probability should be between 0 and 1"),
            (lambda: T.RandomErasing(scale=(0, 2)), ValueError, "Scale should be between 0 and 1"),
            (
                lambda: T.RandomErasing(1.0, value=(1, 2))(thw.zeros(3, 9, 9)),
                ValueError,
                "3 .number of input",
            ),
            (lambda: T.RandomErasing(1.0)(pil()), TypeError, "put ToTensor before"),
            (lambda: T.Lambda(3), TypeError, "lambd should be callable, got 'int'"),
            (lambda: T.RandomChoice(3), TypeError, "transforms should be a sequence"),
            (lambda: T.RandomChoice([abs], p=[1, 2]), ValueError, "2 weights for 1"),
        ],
    )
    def test_errors(self, call, error, text):
        with pytest.raises(error, match=text):
            call()

    def test_choice_by_weights(self):
        picked = [T.RandomChoice([lambda x: 0, lambda x: 1, lambda x: 2], p=[0, 3, 1])(None)
                  for _ in range(400)]
        assert 0 not in picked and 230 < picked.count(1) < 370

    def test_sequential_of_modules(self):
        net = thw.nn.Sequential(T.CenterCrop(4), T.ConvertImageDtype(thw.float32))
        assert net(tensor(BYTES)).shape == (3, 4, 4)


class Pictures(Dataset):
    """The same image again and again, changed at random."""

    def __init__(self, length=12):
        self.transform = T.Compose([T.RandomCrop(4), T.RandomHorizontalFlip(), T.ToTensor(),
                                    T.RandomErasing(0.5), lambda image: image + noise()])
        self.length = length

    def __len__(self):
        return self.length

    def __getitem__(self, index):
        return self.transform(pil()), index


def noise():
    """A user's own random transform."""
    return float(transform_generator().random())


def by_index(loader, passes=2):
    """{(pass, index): image} of some passes."""
    images = {}
    for number in range(passes):
        for batch, indices in loader:
            for image, index in zip(batch.array, indices.tolist()):
                images[number, index] = image.tobytes()
    return images


class TestSeedEpochIndex:
    """Numbers follow from (seed, epoch, index) alone."""

    def load(self, seed=3, passes=2, dataset=None, **options):
        generator = thw.Generator().manual_seed(seed)
        return by_index(DataLoader(dataset or Pictures(), generator=generator, **options), passes)

    def test_workers_batch_size_and_order_do_not_matter(self):
        alone = self.load(batch_size=3)
        assert self.load(batch_size=3, num_workers=1) == alone
        assert self.load(batch_size=3, num_workers=2, persistent_workers=True) == alone
        assert self.load(batch_size=3, num_workers=2, in_order=False) == alone
        assert self.load(batch_size=5, num_workers=2) == alone
        assert self.load(passes=1, batch_size=4, shuffle=True) == {
            key: image for key, image in alone.items() if key[0] == 0}

    def test_seeds_epochs_and_indices_differ(self):
        alone = self.load()
        assert len(set(alone.values())) == 24
        assert not set(alone.values()) & set(self.load(seed=4).values())

    def test_subsets_and_chains(self):
        subset = Subset(Pictures(), [7, 8, 9])
        assert self.load(dataset=subset, num_workers=1) == self.load(dataset=subset, batch_size=2)
        twice = Pictures(3) + Pictures(3)
        assert isinstance(twice, ConcatDataset)
        images = [image.tobytes() for batch, _ in DataLoader(twice) for image in batch.array]
        assert len(set(images)) == 6  # the second copy gets numbers of its own

    @pytest.mark.parametrize("batch_size", [None, 4])
    def test_parts_of_a_stack_change_alike(self, batch_size):
        pairs = StackDataset(Pictures(4), Pictures(4))
        for (image, _), (mask, _) in DataLoader(pairs, batch_size=batch_size):
            np.testing.assert_array_equal(image.array, mask.array)
