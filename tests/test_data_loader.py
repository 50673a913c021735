"""DataLoader: the batches are the same for any number of workers, and wrong arguments are refused."""

import os

import numpy as np
import pytest
from data_helpers import Rows, Stream, generator, no_process_stays_behind, plain  # noqa: F401

from tinygrad_hw.utils.data import (
    DataLoader,
    SequentialSampler,
)

pytestmark = pytest.mark.filterwarnings("ignore:This DataLoader will create")


# ---- the loader in general ----------------------------


@pytest.mark.parametrize("num_workers", [0, 1, 2])
def test_order_drop_last_and_length(num_workers):
    loader = DataLoader(Rows(7), batch_size=3, num_workers=num_workers)
    assert [batch[1].tolist() for batch in loader] == [[0, 1, 2], [3, 4, 5], [6]] and len(loader) == 3
    loader = DataLoader(Rows(7), batch_size=3, drop_last=True, num_workers=num_workers)
    assert [batch[1].tolist() for batch in loader] == [[0, 1, 2], [3, 4, 5]] and len(loader) == 2
    loader = DataLoader(Rows(7), batch_sampler=[[6, 0], [3]], num_workers=num_workers)
    assert [batch[1].tolist() for batch in loader] == [[6, 0], [3]] and len(loader) == 2
    assert list(DataLoader([], num_workers=num_workers)) == []


def test_any_number_of_workers_gives_the_same_shuffled_batches():
    def epochs(num_workers, **options):
        loader = DataLoader(
            Rows(23), 4, shuffle=True, generator=generator(5), num_workers=num_workers, **options
        )
        return [plain(loader), plain(loader)]

    serial = epochs(0)
    assert serial[0] != serial[1]
    assert epochs(1) == epochs(2) == epochs(2, persistent_workers=True) == serial
    unordered = DataLoader(Rows(23), 4, num_workers=2, in_order=False)
    assert sorted(index for batch in unordered for index in batch[1].tolist()) == list(range(23))


def test_large_and_tiny_messages_arrive_whole():
    loader = DataLoader(Rows(6, features=300_000), batch_size=2, num_workers=2)
    for number, (rows, _) in enumerate(loader):
        assert rows.shape == (2, 300_000) and (rows.array == [[2 * number], [2 * number + 1]]).all()
        rows.array += 1  # a batch is writable
    many = DataLoader(
        range(120_000), batch_size=40_000, num_workers=1
    )  # long lists of indices go the other way
    assert sum(int(batch.array.sum()) for batch in many) == sum(range(120_000))


@pytest.mark.slow
def test_messages_through_the_pipe_alone(monkeypatch):
    """Where the system has no memory files; sizes above what a pipe takes, both ways at once."""
    monkeypatch.setattr("tinygrad_hw.utils.data.channel.HAS_MEMORY_FILES", False)
    loader = DataLoader(Rows(200_000, features=2), batch_size=50_000, num_workers=2)
    batches = [batch[1].array for batch in loader]
    np.testing.assert_array_equal(np.concatenate(batches), np.arange(200_000))
    for rows, _ in DataLoader(Rows(3, features=500_000), num_workers=2):
        rows.array += 1  # writable here too
        break


def test_kept_batches_hold_no_file_descriptors():
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else None
    kept = list(DataLoader(Rows(40, features=50_000), num_workers=1))
    assert len(kept) == 40
    if before is not None:
        assert len(os.listdir("/proc/self/fd")) <= before + 2


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        (
            dict(sampler=[0], shuffle=True),
            ValueError,
            r"sampler option is mutually exclusive with shuffle, but got sampler=\[0\], shuffle=True",
        ),
        (
            dict(batch_sampler=[[0]], batch_size=2),
            ValueError,
            "batch_sampler option is mutually exclusive",
        ),
        (
            dict(batch_sampler=[[0]], drop_last=True),
            ValueError,
            "batch_sampler option is mutually exclusive",
        ),
        (
            dict(batch_size=None, drop_last=True),
            ValueError,
            "batch_size=None option disables auto-batching",
        ),
        (
            dict(batch_size=0),
            ValueError,
            "batch_size should be a positive integer value, but got batch_size=0",
        ),
        (dict(num_workers=-1), ValueError, "num_workers option should be non-negative"),
        (dict(timeout=-1), ValueError, "timeout option should be non-negative"),
        (
            dict(prefetch_factor=2),
            ValueError,
            "prefetch_factor option could only be specified in multiprocessing",
        ),
        (
            dict(prefetch_factor=-1, num_workers=1),
            ValueError,
            "prefetch_factor option should be non-negative",
        ),
        (dict(persistent_workers=True), ValueError, "persistent_workers option needs num_workers > 0"),
        (
            dict(multiprocessing_context="fork"),
            ValueError,
            "can only be used with multi-process loading",
        ),
        (
            dict(multiprocessing_context="no", num_workers=1),
            ValueError,
            "should specify a valid start method",
        ),
        (dict(multiprocessing_context=3, num_workers=1), TypeError, "should be a valid context object"),
    ],
)
def test_wrong_combinations(options, error, text):
    with pytest.raises(error, match=text):
        DataLoader(Rows(3), **options)


def test_iterable_dataset_refuses_an_order():
    for option in [dict(shuffle=True), dict(sampler=[0]), dict(batch_sampler=[[0]])]:
        with pytest.raises(ValueError, match=f"expected unspecified {next(iter(option))} option"):
            DataLoader(Stream(3), **option)


def test_attributes_are_fixed():
    loader = DataLoader(Rows(3))
    with pytest.raises(
        ValueError, match="batch_size attribute should not be set after DataLoader is initialized"
    ):
        loader.batch_size = 2
    assert isinstance(loader.sampler, SequentialSampler) and loader.batch_size == 1
    with pytest.warns(UserWarning, match="no accelerator is found"):
        list(DataLoader(Rows(2), pin_memory=True))


def test_stop_iteration_from_a_sample_does_not_end_the_loop_in_silence():
    def stop(index):
        raise StopIteration

    for num_workers in (0, 1):
        with pytest.raises(RuntimeError, match="raised StopIteration"):
            list(DataLoader(Rows(2, act=stop), num_workers=num_workers))


# ---- iterable datasets ----------------------------


def test_iterable_dataset_batches():
    assert plain(DataLoader(Stream(5), batch_size=2)) == [[0, 1], [2, 3], [4]]
    assert plain(DataLoader(Stream(5), batch_size=2, drop_last=True)) == [[0, 1], [2, 3]]
    uneven = DataLoader(Stream(7), batch_size=2, num_workers=2, persistent_workers=True)
    expected = [[0, 2], [1, 3], [4, 6], [5]]
    assert plain(uneven) == expected and plain(uneven) == expected
    del uneven


def test_iterable_dataset_longer_than_it_says():
    class Liar(Stream):
        def __len__(self):
            return 2

    loader = DataLoader(Liar(3))
    assert len(loader) == 2
    with pytest.warns(UserWarning, match="was reported to be 2"):
        assert plain(loader) == [[0], [1], [2]]
