"""Datasets, samplers and loaders against torch.utils.data, in what does not depend on chance."""

import inspect
import warnings
from collections import OrderedDict, UserDict, defaultdict, namedtuple

import numpy as np
import pytest

import tinygrad_hw as thw

torch = pytest.importorskip("torch")

from scenarios import caught, compare, scenario, scenarios

OURS = {"WorkerInfo", "sample_generator", "transform_generator"}
"""Names that torch.utils.data does not export."""
SIGNATURES = {
    "Sampler": "an older form takes the dataset",
    "random_split": "PyTorch's default is its global generator",
    "WorkerInfo": "not in torch.utils.data",
    "sample_generator": "likewise",
    "transform_generator": "likewise",
}

Point = namedtuple("Point", "x y")


class Words(UserDict):
    """A mapping that is no dict."""


def data(lib):
    return lib.utils.data


def squares(lib, size=10):
    """A dataset with a length."""

    class Squares(data(lib).Dataset):
        def __len__(self):
            return size

        def __getitem__(self, index):
            if index >= size:
                raise IndexError(index)
            return lib.tensor([float(index), index**2]), index

    return Squares()


def stream(lib, size=7, told=None):
    """A dataset to iterate over."""

    class Stream(data(lib).IterableDataset):
        def __iter__(self):
            return iter(range(size))

    class Told(Stream):
        def __len__(self):
            return told

    return Stream() if told is None else Told()


# ------------------------------------------------------------------ collating


@scenario
def collating(lib):
    collate = data(lib).default_collate
    for batch in (
        [1, 2, 3],
        [1.0, 2.0],
        [True, False],
        [np.float32(1), np.float32(2)],
        [np.int16(3)],
        [np.bool_(True)],
        ["a", "b"],
        [b"a"],
        [np.ones(2), np.zeros(2)],
        [np.ones((2, 1), np.int32)],
        [np.array(3.0), np.array(4.0)],
        [lib.ones(2), lib.zeros(2)],
        [lib.tensor(3), lib.tensor(4)],
        [(1, 2.0), (3, 4.0)],
        [[1, 2], [3, 4]],
        [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}],
        [(lib.ones(1), {"k": [1, 2.0]})] * 2,
        [Point(1, 2.0), Point(3, 4.0)],
        [((1, (2,)), "z")] * 2,
        [OrderedDict(b=1, a=2.0)] * 2,
        [1, 2.0],
        [1.5, 2],
        [[], []],
        [()],
        [{}],
        [np.uint8(3), np.uint8(4)],
        [np.float64(0.5)],
    ):
        result = collate(batch)
        yield type(result), result
    words = collate([Words(a=1), Words(a=2)])
    yield type(words), words["a"]
    filled = collate([defaultdict(list, a=1), defaultdict(list, a=2)])
    yield type(filled), filled["a"], filled["none"]


@scenario
def refused_batches(lib):
    collate = data(lib).default_collate
    for batch in (
        [object()],
        [None],
        [lib.ones(2), lib.ones(3)],
        [(1, 2), (1,)],
        [np.array(["a"])],
        [{"a": 1}, {"b": 1}],
        [np.ones(2), np.ones(3)],
        [lambda: 0],
        [],
        [{1, 2}],
    ):
        yield caught(collate, batch)


@scenario
def converting(lib):
    convert = data(lib).default_convert
    for value in (
        np.ones(2),
        np.int32(3),
        3,
        2.5,
        "a",
        b"a",
        [np.ones(1), 2],
        (1, np.zeros(2)),
        {"a": np.ones(1)},
        Point(np.ones(1), 2),
        np.array(["a"]).tolist(),
        None,
        lib.ones(2),
    ):
        result = convert(value)
        yield type(result), result


# ------------------------------------------------------------------ datasets


@scenario
def datasets(lib):
    d = data(lib)
    tensors = d.TensorDataset(lib.arange(6).reshape(3, 2), lib.arange(3))
    yield len(tensors), tensors[1], tensors[-1], caught(lambda: tensors[3])
    yield caught(d.TensorDataset, lib.ones(2), lib.ones(3))
    stacked = d.StackDataset(tensors, squares(lib, 3))
    named = d.StackDataset(a=tensors, b=squares(lib, 3))
    yield len(stacked), stacked[2], named[1], len(named), stacked.__getitems__([0, 2])
    yield named.__getitems__([1])
    yield caught(d.StackDataset), caught(d.StackDataset, [1], [1, 2])
    yield caught(lambda: d.StackDataset([1], a=[1]))
    both = d.ConcatDataset([tensors, squares(lib, 4)])
    yield len(both), both[3], both[-1], both.cumulative_sizes, caught(lambda: both[7])
    yield caught(lambda: both[-8])
    yield caught(d.ConcatDataset, []), caught(d.ConcatDataset, [stream(lib)]), len(tensors + tensors)
    yield (tensors + tensors)[4]
    part = d.Subset(squares(lib), [3, 1, 2])
    yield len(part), part[0], part.__getitems__([2, 0]), caught(lambda: part[3])
    yield caught(squares(lib).__getitem__, 99)
    chain = d.ChainDataset([stream(lib, 2), stream(lib, 3)])
    yield list(chain), caught(len, chain), len(d.ChainDataset([stream(lib, 2, 2), stream(lib, 3, 3)]))
    yield list(stream(lib, 2) + stream(lib, 1)), caught(list, d.ChainDataset([[1]]))
    yield caught(d.Dataset().__getitem__, 0)
    yield caught(len, d.Dataset())


@scenario
def splitting(lib):
    d = data(lib)
    for size in (0, 1, 7, 10, 29):
        for lengths in (
            [size],
            [0, size],
            [0.5, 0.5],
            [0.3, 0.3, 0.4],
            [1 / 3, 1 / 3, 1 / 3],
            [0.1] * 10,
            [1.0],
            [0.0, 1.0],
            [0.7, 0.2, 0.1],
        ):
            parts = d.random_split(range(size), lengths)
            yield (
                [len(part) for part in parts],
                sorted(part[i] for part in parts for i in range(len(part))),
            )
    for lengths in ([3, 3], [0.5, 0.4], [1.5, -0.5], [11], [], [0.5, 0.6], [-1, 11]):
        yield caught(d.random_split, range(10), lengths)
    seeded = [
        d.random_split(range(10), [4, 6], generator=lib.Generator().manual_seed(4)) for _ in range(2)
    ]
    yield list(seeded[0][0].indices) == list(seeded[1][0].indices), type(seeded[0])
    yield type(seeded[0][0].indices)


# ------------------------------------------------------------------ samplers


@scenario
def samplers(lib):
    d = data(lib)
    yield list(d.SequentialSampler("abcd")), len(d.SequentialSampler("abcd"))
    yield list(d.SequentialSampler(""))
    for size, options in (
        (5, {}),
        (5, {"replacement": True}),
        (5, {"num_samples": 3}),
        (5, {"num_samples": 12}),
        (5, {"replacement": True, "num_samples": 40}),
    ):
        sampler = d.RandomSampler(range(size), **options)
        drawn = list(sampler)
        yield len(sampler), len(drawn), sampler.num_samples, set(drawn) <= set(range(size))
        yield type(drawn[0])
        if not options.get("replacement"):
            yield (
                [sorted(drawn[i : i + size]) for i in range(0, len(drawn) - size + 1, size)],
                len(set(drawn[:size])),
            )
    for options in (
        {"num_samples": 0},
        {"num_samples": -1},
        {"num_samples": 2.5},
        {"replacement": 1},
        {"replacement": "no"},
    ):
        yield caught(d.RandomSampler, range(5), **options)
    yield caught(d.RandomSampler, range(0)), sorted(d.SubsetRandomSampler([5, 3, 9]))
    yield len(d.SubsetRandomSampler([5, 3, 9]))
    weighted = d.WeightedRandomSampler([0.0, 1.0, 3.0], 20)
    yield len(weighted), set(weighted) <= {1, 2}
    yield sorted(d.WeightedRandomSampler([1, 2, 0, 3], 3, replacement=False))
    yield weighted.weights, weighted.num_samples, weighted.replacement
    for arguments in (
        ([1.0], 0),
        ([1.0], -1),
        ([1.0], 1.5),
        ([1.0], True),
        ([1.0], 1, "x"),
        ([[1.0]], 1),
    ):
        yield caught(d.WeightedRandomSampler, *arguments)
    yield caught(list, d.WeightedRandomSampler([-1.0, 2.0], 2))
    yield caught(list, d.WeightedRandomSampler([0.0, 0.0], 2)), caught(iter, d.Sampler())
    yield caught(len, d.Sampler())


@scenario
def batch_samplers(lib):
    d = data(lib)
    for size in range(7):
        for batch_size in (1, 2, 3, 10):
            for drop_last in (False, True):
                sampler = d.BatchSampler(d.SequentialSampler(range(size)), batch_size, drop_last)
                yield list(sampler), len(sampler)
    for arguments in (
        (0, False),
        (-1, False),
        (2.0, False),
        (True, False),
        ("2", False),
        (2, 1),
        (2, None),
    ):
        yield caught(d.BatchSampler, range(4), *arguments)
    yield list(d.BatchSampler([7, 8, 9], 2, False)), list(d.BatchSampler((i for i in "abc"), 2, True))


# ------------------------------------------------------------------ loaders


@scenario
def loading(lib):
    d = data(lib)
    for size in (0, 1, 5, 6):
        for batch_size in (1, 2, 3, None):
            for drop_last in (False, True) if batch_size else (False,):
                loader = d.DataLoader(squares(lib, size), batch_size, drop_last=drop_last)
                yield len(loader), list(loader), loader.batch_size, loader.drop_last
    loader = d.DataLoader(squares(lib), 4, shuffle=True)
    seen = list(loader)
    yield len(loader), sorted(i for _, labels in seen for i in labels.tolist())
    yield [len(labels) for _, labels in seen]
    yield type(loader.sampler), type(loader.batch_sampler), type(d.DataLoader(squares(lib)).sampler)
    yield type(seen[0])
    yield list(d.DataLoader(squares(lib), 2, sampler=[4, 2, 0]))
    yield list(d.DataLoader(squares(lib), batch_sampler=[[1, 2], [3]]))
    yield list(d.DataLoader([1.5, 2.5, 3.5], 2)), list(d.DataLoader(["a", "b"], 2))
    yield list(d.DataLoader([(1, "a")] * 3, 2))
    yield list(d.DataLoader(range(5), 2, collate_fn=list))
    yield list(d.DataLoader(range(3), None, collate_fn=str))
    yield list(d.DataLoader(np.arange(4.0), 2)), list(d.DataLoader(np.arange(4).reshape(2, 2), None))
    tensors = d.TensorDataset(lib.arange(10).reshape(5, 2), lib.arange(5).float())
    yield list(d.DataLoader(tensors, 2)), list(d.DataLoader(d.Subset(tensors, [3, 1]), 2))
    yield list(d.DataLoader(tensors, None))
    yield list(d.DataLoader(d.ConcatDataset([tensors, tensors]), 4))
    yield list(d.DataLoader(d.StackDataset(tensors, tensors), 3))


@scenario
def loading_streams(lib):
    d = data(lib)
    for batch_size in (1, 3, 7, 10, None):
        for drop_last in (False, True) if batch_size else (False,):
            yield list(d.DataLoader(stream(lib), batch_size, drop_last=drop_last))
            yield len(d.DataLoader(stream(lib, 7, 7), batch_size, drop_last=drop_last))
    yield caught(len, d.DataLoader(stream(lib), 2))
    yield list(d.DataLoader(d.ChainDataset([stream(lib, 2)] * 2), 3))
    loader = d.DataLoader(stream(lib, 7, 3))
    with warnings.catch_warnings(record=True) as caught_warnings:
        warnings.simplefilter("always")
        yield len(loader), len(list(loader)), [w.category for w in caught_warnings][:1]


@scenario
def refused_loaders(lib):
    d = data(lib)
    for options in (
        {"batch_size": 0},
        {"batch_size": -2},
        {"batch_size": 1.5},
        {"batch_size": "2"},
        {"drop_last": 1},
        {"num_workers": -1},
        {"timeout": -1},
        {"prefetch_factor": 2},
        {"persistent_workers": True},
        {"sampler": [1], "shuffle": True},
        {"batch_sampler": [[1]], "batch_size": 2},
        {"batch_sampler": [[1]], "shuffle": True},
        {"batch_sampler": [[1]], "drop_last": True},
        {"batch_sampler": [[1]], "sampler": [1]},
        {"batch_size": None, "drop_last": True},
        {"multiprocessing_context": "fork"},
        {"multiprocessing_context": "nonsense", "num_workers": 1},
        {"multiprocessing_context": 3, "num_workers": 1},
        {"nonsense": 1},
        {"prefetch_factor": -1, "num_workers": 1},
        {"shuffle": 3},
        {"shuffle": "yes"},
    ):
        yield options, caught(d.DataLoader, squares(lib), **options)
    for options in ({"shuffle": True}, {"sampler": [1]}, {"batch_sampler": [[1]]}):
        yield options, caught(d.DataLoader, stream(lib), **options)
    yield caught(d.DataLoader, []), caught(d.DataLoader, [], shuffle=True)
    yield caught(lambda: next(iter(d.DataLoader([]))))
    loader = d.DataLoader(squares(lib))
    for name in ("batch_size", "batch_sampler", "sampler", "drop_last", "dataset", "persistent_workers"):
        yield name, caught(setattr, loader, name, 3)
    loader.anything = 3
    yield caught(list, d.DataLoader([None, None]))
    yield caught(list, d.DataLoader([lib.ones(1), lib.ones(2)], 2))
    yield caught(list, d.DataLoader(squares(lib), sampler=[0, 99])), caught(list, d.DataLoader({"a": 1}))


@pytest.mark.parametrize("steps", scenarios(globals()))
def test_same_facts(steps):
    compare(steps)


@pytest.mark.parametrize("name", thw.utils.data.__all__)
def test_signatures(name):
    if name in SIGNATURES:
        return
    ours, theirs = getattr(thw.utils.data, name), getattr(torch.utils.data, name)
    ours, theirs = (f if inspect.isfunction(f) else f.__init__ for f in (ours, theirs))
    assert [(p.name, p.kind, p.default) for p in inspect.signature(ours).parameters.values()] == [
        (p.name, p.kind, p.default) for p in inspect.signature(theirs).parameters.values()
    ]


def test_names():
    """Of the public names only those of data pipes and of distributed training are not there."""
    missing = {name for name in torch.utils.data.__all__ if not hasattr(thw.utils.data, name)}
    pipes = {
        "DFIterDataPipe",
        "DataChunk",
        "IterDataPipe",
        "MapDataPipe",
        "argument_validation",
        "functional_datapipe",
        "guaranteed_datapipes_determinism",
        "non_deterministic",
        "runtime_validation",
        "runtime_validation_disabled",
    }
    assert missing <= pipes | {"DistributedSampler", "_DatasetKind"}
    assert {name for name in thw.utils.data.__all__ if name not in torch.utils.data.__all__} == OURS
