"""The error of matrices that have no inverse or no decomposition."""

import numpy as np

__all__ = ["LinAlgError"]


class LinAlgError(RuntimeError, np.linalg.LinAlgError):
    """A matrix is singular, or not positive-definite; caught as PyTorch's (a RuntimeError) and as NumPy's.

    >>> issubclass(LinAlgError, RuntimeError), issubclass(LinAlgError, np.linalg.LinAlgError)
    (True, True)
    """
