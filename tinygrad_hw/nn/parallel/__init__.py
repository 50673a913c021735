"""The same network on several processes, with the names of ``torch.nn.parallel``."""

from tinygrad_hw.nn.parallel.data_parallel import DataParallel
from tinygrad_hw.nn.parallel.distributed import DistributedDataParallel

__all__ = ["DataParallel", "DistributedDataParallel"]
