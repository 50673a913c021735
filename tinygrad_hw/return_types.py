"""The named tuples that ops with several results return, ``torch.return_types`` in PyTorch.

>>> from tinygrad_hw import tensor
>>> tensor([[1.0, 3.0]]).max(1)
tinygrad_hw.return_types.max(
values=tensor([3.]),
indices=tensor([1]))
>>> type(tensor([[1.0, 3.0]]).max(1)) is max
True
"""

from __future__ import annotations

from ops.core import TABLE
from ops.results import Results, results_type

__all__ = ["aminmax", "cummax", "cummin", "kthvalue", "linalg_eigh", "linalg_lstsq", "linalg_qr",
           "linalg_slogdet", "linalg_svd", "max", "median", "min", "mode", "nanmedian", "sort", "topk"]

aminmax, cummax, cummin, kthvalue, max, median, min, mode, nanmedian, sort, topk = (
    TABLE[name].result_type
    for name in ("aminmax", "cummax", "cummin", "kthvalue", "max_dim", "median_dim", "min_dim", "mode",
                 "nanmedian_dim", "sort", "topk")
)
linalg_eigh = results_type("linalg_eigh", "eigenvalues eigenvectors")
linalg_lstsq = results_type("linalg_lstsq", "solution residuals rank singular_values")
linalg_qr = results_type("linalg_qr", "Q R")
linalg_slogdet = results_type("linalg_slogdet", "sign logabsdet")
linalg_svd = results_type("linalg_svd", "U S Vh")

Results.place = __name__
for _name in __all__:
    globals()[_name].__module__ = __name__  # where pickle looks for it
