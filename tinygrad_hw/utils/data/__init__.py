"""Datasets, samplers and the `DataLoader`, with the names and the meaning of ``torch.utils.data``.

From simple to complex: `dataset` (what a sample is), `sampler` (in which order), `collate` (samples to a
batch), `randomness` (numbers for augmentation), `fetch` (indices to a batch), `distributed` (a part of the
samples for each process), `loader` (the public
`DataLoader`), and behind ``num_workers > 0`` `channel` (how batches travel), `worker` (the child process)
and `prefetch` (the parent's side).
"""

from tinygrad_hw.utils.data.collate import default_collate, default_convert
from tinygrad_hw.utils.data.dataset import (
    ChainDataset,
    ConcatDataset,
    Dataset,
    IterableDataset,
    StackDataset,
    Subset,
    TensorDataset,
    random_split,
)
from tinygrad_hw.utils.data.distributed import DistributedSampler
from tinygrad_hw.utils.data.loader import DataLoader
from tinygrad_hw.utils.data.randomness import sample_generator, transform_generator
from tinygrad_hw.utils.data.sampler import (
    BatchSampler,
    RandomSampler,
    Sampler,
    SequentialSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)
from tinygrad_hw.utils.data.worker import WorkerInfo, get_worker_info

__all__ = [
    "BatchSampler",
    "ChainDataset",
    "ConcatDataset",
    "DataLoader",
    "Dataset",
    "DistributedSampler",
    "IterableDataset",
    "RandomSampler",
    "Sampler",
    "SequentialSampler",
    "StackDataset",
    "Subset",
    "SubsetRandomSampler",
    "TensorDataset",
    "WeightedRandomSampler",
    "WorkerInfo",
    "default_collate",
    "default_convert",
    "get_worker_info",
    "random_split",
    "sample_generator",
    "transform_generator",
]
