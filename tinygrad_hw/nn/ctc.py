"""The loss for sequences that are not aligned with their labels."""

from __future__ import annotations

from tinygrad_hw.nn import functional as F
from tinygrad_hw.nn.loss import _Loss

__all__ = ["CTCLoss"]


class CTCLoss(_Loss):
    """`functional.ctc_loss` of (T, N, C) log-probabilities: labels, wherever they are in time.

    Args:
        blank: number of the class that stands for nothing.
        zero_infinity: count targets that do not fit into their steps as 0, not infinity.

    Source: Graves et al. 2006; https://docs.pytorch.org/docs/stable/generated/torch.nn.CTCLoss.html

    >>> import tinygrad_hw
    >>> log_probs = tinygrad_hw.zeros(4, 1, 3).log_softmax(2)
    >>> CTCLoss(reduction="sum")(log_probs, tinygrad_hw.tensor([[1, 2]]), [4], [2])
    tensor(1.6864)
    """

    def __init__(self, blank: int = 0, reduction: str = "mean", zero_infinity: bool = False):
        super().__init__(reduction=reduction)
        self.blank, self.zero_infinity = blank, zero_infinity

    def forward(self, log_probs, targets, input_lengths, target_lengths):
        return F.ctc_loss(log_probs, targets, input_lengths, target_lengths, self.blank, self.reduction,
                          self.zero_infinity)
