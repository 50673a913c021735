"""`EmbeddingBag`: sums, means or maxima of embeddings."""

from __future__ import annotations

from tinygrad_hw.nn.lookup import embedding_bag
from tinygrad_hw.nn.sparse import Table

__all__ = ["EmbeddingBag"]


class EmbeddingBag(Table):
    """The mean (sum, maximum) of the weight's rows for each bag of indices, see `functional.embedding_bag`.

    The arguments are those of `Embedding`; ``mode`` is ``"mean"``, ``"sum"`` or ``"max"``.

    >>> from tinygrad_hw import tensor
    >>> bag = EmbeddingBag(10, 3, mode="sum")
    >>> bag(tensor([1, 2, 4, 5]), tensor([0, 3])).shape, bag
    (tinygrad_hw.Size([2, 3]), EmbeddingBag(10, 3, mode='sum'))
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        mode: str = "mean",
        sparse: bool = False,
        _weight=None,
        include_last_offset: bool = False,
        padding_idx: int | None = None,
        device=None,
        dtype=None,
    ):
        super().__init__(num_embeddings, embedding_dim, padding_idx, max_norm, norm_type, scale_grad_by_freq,
                         sparse, _weight, device=device, dtype=dtype)
        self.mode, self.include_last_offset = mode, include_last_offset

    @classmethod
    def from_pretrained(
        cls,
        embeddings,
        freeze: bool = True,
        max_norm=None,
        norm_type=2.0,
        scale_grad_by_freq=False,
        mode="mean",
        sparse=False,
        include_last_offset=False,
        padding_idx=None,
    ) -> EmbeddingBag:
        """A layer with the given weight, which is not trained unless ``freeze`` is False."""
        return cls._around(embeddings, freeze, max_norm=max_norm, norm_type=norm_type, mode=mode,
                           scale_grad_by_freq=scale_grad_by_freq, sparse=sparse, padding_idx=padding_idx,
                           include_last_offset=include_last_offset)

    def forward(self, input, offsets=None, per_sample_weights=None):
        with self._shortening():
            return embedding_bag(input, self.weight, offsets, self.max_norm, self.norm_type,
                                 self.scale_grad_by_freq, self.mode, self.sparse, per_sample_weights,
                                 self.include_last_offset, self.padding_idx)

    def extra_repr(self) -> str:
        text = self._described(max_norm=None, norm_type=2, scale_grad_by_freq=False)
        padding = "" if self.padding_idx is None else f", padding_idx={self.padding_idx}"
        return f"{text}, mode={self.mode!r}{padding}"
