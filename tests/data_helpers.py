"""What the tests of tinygrad_hw.utils.data share."""

import gc
import multiprocessing

import numpy as np
import pytest

import tinygrad_hw
from tinygrad_hw.utils.data import Dataset, IterableDataset, get_worker_info


class Rows(Dataset):
    """Row ``i`` of ``features`` numbers, all equal to ``i``; ``act`` may do something before."""

    def __init__(self, length=10, features=3, act=None):
        self.length, self.features, self.act = length, features, act

    def __len__(self):
        return self.length

    def __getitem__(self, index):
        if self.act is not None:
            self.act(index)
        return np.full(self.features, index, dtype=np.float32), index


class Stream(IterableDataset):
    """0 .. length-1, dealt out to the workers in turn."""

    def __init__(self, length):
        self.length = length

    def __iter__(self):
        info = get_worker_info()
        return iter(
            range(self.length) if info is None else range(info.id, self.length, info.num_workers)
        )


def generator(seed=0):
    return tinygrad_hw.Generator().manual_seed(seed)


def plain(batches):
    """Batches as nested lists."""
    return [
        [part.tolist() for part in batch] if isinstance(batch, list) else batch.tolist()
        for batch in batches
    ]


@pytest.fixture(autouse=True)
def no_process_stays_behind():
    yield
    gc.collect()  # pytest.raises keeps the traceback, and with it the test's frame, in a cycle
    assert multiprocessing.active_children() == []
