"""tinygrad_hw.utils.data: datasets, samplers and collation."""

import collections

import numpy as np
import pytest
from data_helpers import Rows, Stream, generator, no_process_stays_behind, plain  # noqa: F401

import tinygrad_hw
from tinygrad_hw.utils.data import (
    BatchSampler,
    ChainDataset,
    ConcatDataset,
    DataLoader,
    RandomSampler,
    StackDataset,
    Subset,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
    default_collate,
    default_convert,
    random_split,
)

Point = collections.namedtuple("Point", "x y")


# ---- datasets ----------------------------


def test_tensor_dataset_rows_and_size_mismatch():
    x, y = tinygrad_hw.tensor([[1.0, 2.0], [3.0, 4.0]]), tinygrad_hw.tensor([5, 6])
    dataset = TensorDataset(x, y)
    assert len(dataset) == 2
    assert [part.tolist() for part in dataset[1]] == [[3.0, 4.0], 6]
    with pytest.raises(AssertionError, match=r"Size mismatch between tensors: .*\[2, 1\]"):
        TensorDataset(y, tinygrad_hw.tensor([1]))


@pytest.mark.parametrize("subset", [False, True])
def test_tensor_dataset_in_one_step_equals_sample_by_sample(subset):
    dataset = TensorDataset(
        tinygrad_hw.from_numpy(np.arange(12, dtype=np.float32).reshape(6, 2)),
        tinygrad_hw.tensor(list(range(6))),
    )
    if subset:
        dataset = Subset(Subset(dataset, [5, 3, 1, 0]), [2, 0, 3])
    fast = list(DataLoader(dataset, batch_size=2))
    slow = list(DataLoader(dataset, batch_size=2, collate_fn=lambda samples: default_collate(samples)))
    assert plain(fast) == plain(slow)
    assert [part.dtype for part in fast[0]] == [part.dtype for part in slow[0]]


def test_concat_stack_chain_subset():
    both = Rows(2) + Rows(3)
    assert isinstance(both, ConcatDataset) and [both[i][1] for i in range(-5, 5)] == [0, 1, 0, 1, 2] * 2
    with pytest.raises(ValueError, match="absolute value of index should not exceed dataset length"):
        both[-6]
    with pytest.raises(IndexError):
        both[5]
    with pytest.raises(AssertionError, match="empty iterable"):
        ConcatDataset([])
    with pytest.raises(AssertionError, match="does not support IterableDataset"):
        ConcatDataset([Stream(2)])
    chain = Stream(2) + Stream(1)
    assert isinstance(chain, ChainDataset) and list(chain) == [0, 1, 0]
    with pytest.raises(AssertionError, match="only supports IterableDataset"):
        list(ChainDataset([Rows(2)]))
    named = StackDataset(a=range(4), b=Subset(range(9), [8, 7, 6, 5]))
    assert named[1] == {"a": 1, "b": 7} and named.__getitems__([0, 3]) == [
        {"a": 0, "b": 8},
        {"a": 3, "b": 5},
    ]
    assert StackDataset([1, 2], [3, 4]).__getitems__([1]) == [(2, 4)]
    for args, kwargs, text in [
        (([1],), {"a": [1]}, "either by position"),
        (([1], [1, 2]), {}, "Size mismatch between datasets"),
        ((), {}, "At least one"),
    ]:
        with pytest.raises(ValueError, match=text):
            StackDataset(*args, **kwargs)


def test_subset_subclass_that_transforms_is_respected():
    class Doubled(Subset):
        def __getitem__(self, index):
            return 2 * super().__getitem__(index)

    assert plain(DataLoader(Doubled(range(9), [3, 4]), batch_size=2)) == [[6, 8]]


def test_random_split():
    parts = random_split(range(10), [3, 7], generator=generator(1))
    assert [len(part) for part in parts] == [3, 7]
    assert sorted(value for part in parts for value in part) == list(range(10))
    again = random_split(range(10), [3, 7], generator=generator(1))
    assert [part.indices for part in parts] == [part.indices for part in again]
    assert [len(p) for p in random_split(range(10), [0.33, 0.33, 0.34], generator(0))] == [4, 3, 3]
    assert [len(p) for p in random_split(range(7), [0.5, 0.5])] == [4, 3]
    with pytest.raises(ValueError, match="Sum of input lengths does not equal"):
        random_split(range(10), [3, 3])
    with pytest.raises(ValueError, match="Fraction at index 0 is not between 0 and 1"):
        random_split(range(10), [1.5, -0.5])


# ---- samplers ----------------------------


def test_random_sampler_orders():
    assert sorted(RandomSampler(range(8), generator=generator())) == list(range(8))
    twice = list(RandomSampler(range(5), num_samples=12, generator=generator()))
    assert sorted(twice[:5]) == sorted(twice[5:10]) == list(range(5)) and len(twice) == 12
    drawn = collections.Counter(RandomSampler(range(4), True, 4000, generator()))
    assert all(900 < drawn[index] < 1100 for index in range(4))
    tinygrad_hw.default_generator.manual_seed(7)
    first = list(RandomSampler(range(30)))
    second = list(RandomSampler(range(30)))
    tinygrad_hw.default_generator.manual_seed(7)
    assert first == list(RandomSampler(range(30))) and first != second
    assert sorted(SubsetRandomSampler([4, 9, 2], generator())) == [2, 4, 9]


@pytest.mark.parametrize("replacement", [True, False])
def test_weighted_sampler_statistics(replacement):
    weights, rounds, source = [0.0, 1.0, 2.0, 5.0], 4000, generator(3)
    first = collections.Counter(
        next(iter(WeightedRandomSampler(weights, 3, replacement, source))) for _ in range(rounds)
    )
    for index, weight in enumerate(weights):
        share = weight / 8
        assert abs(first[index] / rounds - share) <= 5 * np.sqrt(share * (1 - share) / rounds)
    if not replacement:
        assert sorted(WeightedRandomSampler(weights, 3, False)) == [1, 2, 3]


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda: RandomSampler(range(3), replacement=1), TypeError, "replacement should be a boolean"),
        (lambda: RandomSampler(range(3), num_samples=0), ValueError, "num_samples should be a positive"),
        (
            lambda: RandomSampler([]),
            ValueError,
            "num_samples should be a positive integer value, but got num_samples=0",
        ),
        (
            lambda: BatchSampler(range(3), 0, False),
            ValueError,
            "batch_size should be a positive integer",
        ),
        (
            lambda: BatchSampler(range(3), True, False),
            ValueError,
            "batch_size should be a positive integer",
        ),
        (lambda: BatchSampler(range(3), 2, 1), ValueError, "drop_last should be a boolean"),
        (lambda: WeightedRandomSampler([1.0], 0), ValueError, "num_samples should be a positive"),
        (
            lambda: WeightedRandomSampler([[1.0]], 1),
            ValueError,
            r"weights should be a 1d sequence .*\(1, 1\)",
        ),
        (lambda: list(WeightedRandomSampler([1.0, -1.0], 1)), RuntimeError, "element < 0"),
        (lambda: list(WeightedRandomSampler([0.0], 1)), RuntimeError, "0 weights above zero"),
        (
            lambda: list(WeightedRandomSampler([1.0, 0.0], 2, False)),
            RuntimeError,
            "1 weights above zero",
        ),
    ],
)
def test_sampler_errors(make, error, text):
    with pytest.raises(error, match=text):
        make()


# ---- collate ----------------------------


def test_collate_nested():
    def sample(i):
        return {
            "image": np.full((2, 2), i, dtype=np.uint8),
            "pair": (i, float(i)),
            "point": Point(np.float32(i), tinygrad_hw.tensor([i])),
            "list": [i > 0, f"name{i}"],
            "bytes": b"x",
        }

    batch = default_collate([sample(0), sample(1)])
    assert batch["image"].shape == (2, 2, 2) and batch["image"].dtype == tinygrad_hw.uint8
    assert isinstance(batch["pair"], list)
    assert [part.dtype for part in batch["pair"]] == [tinygrad_hw.int64, tinygrad_hw.float64]
    assert type(batch["point"]) is Point and batch["point"].x.dtype == tinygrad_hw.float32
    assert batch["point"].y.tolist() == [[0], [1]]
    assert batch["list"][0].dtype == tinygrad_hw.bool and list(batch["list"][1]) == ["name0", "name1"]
    assert list(batch["bytes"]) == [b"x", b"x"]


def test_collate_mapping_keeps_its_type():
    batch = default_collate([collections.OrderedDict(a=1), collections.OrderedDict(a=2)])
    assert type(batch) is collections.OrderedDict and batch["a"].tolist() == [1, 2]
    assert default_collate([collections.defaultdict(int, a=1)]).default_factory is int


@pytest.mark.parametrize(
    ("batch", "error", "text"),
    [
        ([object()], TypeError, "default_collate: batch must contain tensors.*found <class 'object'>"),
        ([np.array(["a"])], TypeError, "default_collate: batch must contain.*found <U1"),
        ([None], TypeError, "NoneType"),
        ([[1], [1, 2]], RuntimeError, "each element in list of batch should be of equal size"),
        ([np.zeros(2), np.zeros(3)], RuntimeError, "equal size"),
    ],
)
def test_collate_errors(batch, error, text):
    with pytest.raises(error, match=text):
        default_collate(batch)


def test_batch_size_none_converts_single_samples():
    samples = list(DataLoader(Rows(3), batch_size=None))
    assert samples[2][0].tolist() == [2.0] * 3 and samples[2][1] == 2
    assert default_convert("text") == "text" and default_convert(Point(1, "a")) == Point(1, "a")
    assert list(DataLoader(Stream(3), batch_size=None, num_workers=1)) == [0, 1, 2]
