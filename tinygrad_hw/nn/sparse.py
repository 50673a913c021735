"""Look-up tables."""

from __future__ import annotations

import contextlib

import ops
from tinygrad_hw.nn import init
from tinygrad_hw.nn.module import Module
from tinygrad_hw.nn.parameter import Parameter, empty
from tinygrad_hw.tensor import Tensor
from tinygrad_hw.waiting import compute_waiting

__all__ = ["Embedding"]


class Table(Module):
    """What look-up tables share: a weight with a row for each index; arguments as of `Embedding`."""

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
        _weight: Tensor | None = None,
        _freeze: bool = False,
        device=None,
        dtype=None,
    ):
        super().__init__()
        self.num_embeddings, self.embedding_dim = num_embeddings, embedding_dim
        if padding_idx is not None:
            if not -num_embeddings <= padding_idx < num_embeddings:
                raise AssertionError(
                    f"Padding_idx must be within num_embeddings, got {padding_idx} of {num_embeddings}"
                )
            padding_idx %= num_embeddings
        self.padding_idx, self.max_norm, self.norm_type = padding_idx, max_norm, norm_type
        self.scale_grad_by_freq, self.sparse = scale_grad_by_freq, sparse
        if _weight is None:
            self.weight = Parameter(empty((num_embeddings, embedding_dim), device, dtype), not _freeze)
            self.reset_parameters()
        else:
            if tuple(_weight.shape) != (num_embeddings, embedding_dim):
                raise AssertionError("Shape of weight does not match num_embeddings and embedding_dim: "
                                     f"{tuple(_weight.shape)} and {(num_embeddings, embedding_dim)}")
            self.weight = Parameter(_weight, not _freeze)

    def reset_parameters(self) -> None:
        """Draw new initial values."""
        init.normal_(self.weight)
        if self.padding_idx is not None:
            self.weight.array[self.padding_idx] = 0

    @classmethod
    def _around(cls, embeddings: Tensor, freeze: bool, **options):
        """A layer with the given weight."""
        if embeddings.ndim != 2:
            raise AssertionError("Embeddings parameter is expected to be 2-dimensional, got shape "
                                 f"{tuple(embeddings.shape)}")
        layer = cls(*embeddings.shape, _weight=embeddings, **options)
        layer.weight.requires_grad_(not freeze)
        return layer

    @contextlib.contextmanager
    def _shortening(self):
        """Around a look-up, which may shorten rows of the weight in place."""
        if self.max_norm is None:
            yield
        else:
            compute_waiting(self.weight)
            yield
            self.weight._bump()

    def _described(self, **defaults) -> str:
        """The sizes, and the options that differ from their defaults."""
        differing = [f", {name}={getattr(self, name)}" for name, default in defaults.items()
                     if getattr(self, name) != default]
        return f"{self.num_embeddings}, {self.embedding_dim}" + "".join(differing)


class Embedding(Table):
    """A row of the weight for each index: (*) integers -> (*, embedding_dim).

    The weight starts normal with standard deviation 1.

    Args:
        num_embeddings: number of rows.
        embedding_dim: length of a row.
        padding_idx: a row that starts at zero and is not trained.
        max_norm: rows that are used and longer than this are shortened in place.
        norm_type: which norm ``max_norm`` means.
        scale_grad_by_freq: divide a row's gradient by how often it occurs in the batch.
        sparse: accepted and ignored, gradients are dense.

    >>> Embedding(10, 3, padding_idx=0)
    Embedding(10, 3, padding_idx=0)
    """

    @classmethod
    def from_pretrained(
        cls,
        embeddings: Tensor,
        freeze: bool = True,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
    ) -> Embedding:
        """A layer with the given weight, which is not trained unless ``freeze`` is False."""
        return cls._around(embeddings, freeze, padding_idx=padding_idx, max_norm=max_norm,
                           norm_type=norm_type, scale_grad_by_freq=scale_grad_by_freq, sparse=sparse)

    def forward(self, input):
        with self._shortening():
            return ops.embedding(input, self.weight, self.padding_idx, self.max_norm, self.norm_type,
                                 self.scale_grad_by_freq)

    def extra_repr(self) -> str:
        return self._described(padding_idx=None, max_norm=None, norm_type=2, scale_grad_by_freq=False,
                               sparse=False)
