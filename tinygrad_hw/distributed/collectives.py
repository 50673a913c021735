"""Communication in which all ranks of a group take part.

Tensors are changed in place and must have the same shape and dtype on all ranks.  Every rank has to call the
same functions in the same order.  With ``async_op=True`` a function returns a `Work` at once; the data must
not be touched before its ``wait()``.

Source: https://docs.pytorch.org/docs/stable/distributed.html#collective-functions
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tinygrad_hw.distributed.group import ProcessGroup, ReduceOp, Work
from tinygrad_hw.distributed.world import chosen, mpi
from tinygrad_hw.tensor import Tensor
from tinygrad_hw.waiting import compute_waiting

__all__ = ["all_gather", "all_gather_into_tensor", "all_gather_object", "all_reduce", "barrier", "broadcast",
           "broadcast_object_list", "gather", "recv", "reduce", "scatter", "send"]


def broadcast(tensor: Tensor, src: int | None = None, group: ProcessGroup | None = None,
              async_op: bool = False) -> Work | None:
    """Send the values of rank ``src`` to all.

    Args:
        tensor: the values in ``src``, the place for them elsewhere.
        src: the rank that sends; 0 by default.
        group: whose ranks take part; all by default.
        async_op: return at once.
    """
    group, memory = chosen(group), _Memory(tensor, "broadcast")
    return _run(group, "Ibcast", memory.array, root=_rank_of(src, group, "src"), async_op=async_op,
                then=memory.write_back)


def all_reduce(tensor: Tensor, op: ReduceOp = ReduceOp.SUM, group: ProcessGroup | None = None,
               async_op: bool = False) -> Work | None:
    """Replace each element by its sum (or ``op``) over all ranks.

    All ranks receive the same bits, and a run with as many ranks repeats them.

    Args:
        tensor: what is brought together.
        op: SUM, AVG, PRODUCT, MIN, MAX, BAND, BOR or BXOR.
        group, async_op: as in `broadcast`.
    """
    group, memory = chosen(group), _Memory(tensor, "all_reduce")
    return _run(group, "Iallreduce", mpi().IN_PLACE, memory.array, op=_mpi_op(op, memory.array),
                async_op=async_op, then=memory.then(op, group))


def reduce(tensor: Tensor, dst: int | None = None, op: ReduceOp = ReduceOp.SUM,
           group: ProcessGroup | None = None, async_op: bool = False) -> Work | None:
    """`all_reduce` whose result only rank ``dst`` receives; the others keep their values."""
    group, memory = chosen(group), _Memory(tensor, "reduce")
    root = _rank_of(dst, group, "dst")
    receives = group.rank() == root
    buffers = (mpi().IN_PLACE, memory.array) if receives else (memory.array, None)
    return _run(group, "Ireduce", *buffers, op=_mpi_op(op, memory.array), root=root, async_op=async_op,
                then=memory.then(op, group) if receives else None)


def all_gather(tensor_list: list, tensor: Tensor, group: ProcessGroup | None = None,
               async_op: bool = False) -> Work | None:
    """Collect every rank's ``tensor`` in ``tensor_list``, which holds one Tensor a rank."""
    group = chosen(group)
    _check_list(tensor_list, tensor, group, "tensor_list")
    everyone = np.empty((group.size(), *tensor.shape), tensor.array_dtype)

    def spread():
        for one, array in zip(tensor_list, everyone):
            _Memory(one, "all_gather").overwrite(array)

    return _run(group, "Iallgather", _contiguous(tensor), everyone, async_op=async_op, then=spread)


def all_gather_into_tensor(output_tensor: Tensor, input_tensor: Tensor, group: ProcessGroup | None = None,
                           async_op: bool = False) -> Work | None:
    """Collect every rank's ``input_tensor`` one behind the other along the first dimension."""
    group, memory = chosen(group), _Memory(output_tensor, "all_gather_into_tensor")
    if memory.array.size != input_tensor.numel() * group.size():
        raise ValueError(f"output tensor size must be equal to world_size times input tensor size, got "
                         f"{tuple(output_tensor.shape)} for {group.size()} times {tuple(input_tensor.shape)}")
    return _run(group, "Iallgather", _contiguous(input_tensor), memory.array, async_op=async_op,
                then=memory.write_back)


def gather(tensor: Tensor, gather_list: list | None = None, dst: int | None = None,
           group: ProcessGroup | None = None, async_op: bool = False) -> Work | None:
    """Collect every rank's ``tensor`` in the ``gather_list`` of rank ``dst``."""
    group = chosen(group)
    root = _rank_of(dst, group, "dst")
    everyone = then = None
    if group.rank() == root:
        _check_list(gather_list, tensor, group, "gather_list")
        everyone = np.empty((group.size(), *tensor.shape), tensor.array_dtype)

        def then():
            for one, array in zip(gather_list, everyone):
                _Memory(one, "gather").overwrite(array)

    return _run(group, "Igather", _contiguous(tensor), everyone, root=root, async_op=async_op, then=then)


def scatter(tensor: Tensor, scatter_list: list | None = None, src: int | None = None,
            group: ProcessGroup | None = None, async_op: bool = False) -> Work | None:
    """Give each rank one Tensor of the ``scatter_list`` of rank ``src``."""
    group, memory = chosen(group), _Memory(tensor, "scatter")
    root, parts = _rank_of(src, group, "src"), None
    if group.rank() == root:
        _check_list(scatter_list, tensor, group, "scatter_list")
        parts = np.stack([one.detach().numpy() for one in scatter_list])
    return _run(group, "Iscatter", parts, memory.array, root=root, async_op=async_op, then=memory.write_back)


def send(tensor: Tensor, dst: int, group: ProcessGroup | None = None, tag: int = 0) -> None:
    """Send a Tensor to one rank, which calls `recv`."""
    group = chosen(group)
    group.start("Isend", _contiguous(tensor), dest=_rank_of(dst, group, "dst"), tag=tag).wait()


def recv(tensor: Tensor, src: int, group: ProcessGroup | None = None, tag: int = 0) -> int:
    """Receive into ``tensor`` what rank ``src`` sends; returns ``src``."""
    group, memory = chosen(group), _Memory(tensor, "recv")
    group.start("Irecv", memory.array, source=_rank_of(src, group, "src"), tag=tag,
                then=memory.write_back).wait()
    return src


def barrier(group: ProcessGroup | None = None, async_op: bool = False) -> Work | None:
    """Wait until every rank has come here."""
    return _run(chosen(group), "Ibarrier", async_op=async_op)


def broadcast_object_list(object_list: list, src: int = 0, group: ProcessGroup | None = None) -> None:
    """Replace the items of the list by those of rank ``src``; any Python objects that can be pickled."""
    group = chosen(group)
    object_list[:] = group.broadcast_object(object_list, _rank_of(src, group, "src"))


def all_gather_object(object_list: list, obj, group: ProcessGroup | None = None) -> None:
    """Collect every rank's object in ``object_list``, which has one item a rank."""
    group = chosen(group)
    if len(object_list) != group.size():
        raise ValueError(f"object_list must have one item a rank ({group.size()}), not {len(object_list)}")
    object_list[:] = group.gather_objects(obj)


# ------------------------------------------------------------------ what they share


class _Memory:
    """Contiguous memory with a Tensor's values, and the way back into the Tensor."""

    def __init__(self, tensor: Tensor, what: str):
        if not isinstance(tensor, Tensor):
            raise TypeError(f"{what}() takes a Tensor, not {type(tensor).__name__}")
        compute_waiting(tensor)
        self.tensor, self.what = tensor, what
        self.array = np.ascontiguousarray(tensor.array)

    def write_back(self) -> None:
        """The values have arrived."""
        if self.array is not self.tensor.array:
            self.tensor.array[...] = self.array.reshape(self.tensor.shape)
        self.tensor._bump(f"{self.what}()")

    def overwrite(self, array: np.ndarray) -> None:
        """Take other values."""
        self.tensor.array[...] = array
        self.tensor._bump(f"{self.what}()")

    def then(self, op: ReduceOp, group: ProcessGroup) -> Callable[[], None]:
        """`write_back`, after the division that makes a sum a mean."""
        def finish():
            if op is ReduceOp.AVG:
                self.array /= group.size()
            self.write_back()

        return finish


def _contiguous(tensor: Tensor) -> np.ndarray:
    if not isinstance(tensor, Tensor):
        raise TypeError(f"a Tensor is needed, not {type(tensor).__name__}")
    return np.ascontiguousarray(tensor.array)


def _run(group: ProcessGroup, what: str, *arguments, async_op: bool = False, then=None,
         **options) -> Work | None:
    work = group.start(what, *arguments, then=then, **options)
    if async_op:
        return work
    work.wait()
    return None


def _rank_of(rank: int | None, group: ProcessGroup, name: str) -> int:
    """The number in the group of a rank that is given, as in PyTorch, by its number among all."""
    members = range(group.size()) if group.members is None else group.members
    rank = members[0] if rank is None else rank
    if rank not in members:
        raise ValueError(f"{name}={rank} is no rank of a group of {group.size()}")
    return members.index(rank)


def _mpi_op(op: ReduceOp, array: np.ndarray):
    if not isinstance(op, ReduceOp):
        raise TypeError(f"op must be a ReduceOp such as ReduceOp.SUM, not {op!r}")
    if op is ReduceOp.AVG:
        if array.dtype.kind != "f":
            raise RuntimeError(f"ReduceOp.AVG needs floating point values, not {array.dtype}")
        op = ReduceOp.SUM
    return getattr(mpi(), op.value)


def _check_list(tensors, like: Tensor, group: ProcessGroup, name: str) -> None:
    if not isinstance(tensors, (list, tuple)) or len(tensors) != group.size():
        count = len(tensors) if isinstance(tensors, (list, tuple)) else type(tensors).__name__
        raise ValueError(f"{name} must hold one Tensor a rank ({group.size()}), got {count}")
    for place, tensor in enumerate(tensors):
        if tensor.shape != like.shape or tensor.dtype != like.dtype:
            raise ValueError(f"{name}[{place}] has shape {tuple(tensor.shape)} and dtype {tensor.dtype}, "
                             f"the tensor {tuple(like.shape)} and {like.dtype}: they must be equal")
