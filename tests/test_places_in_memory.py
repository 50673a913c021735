"""The bits of a result do not depend on where in memory its arrays lie.

LLVM may compile a loop twice, for arrays that lie close together and for others, with sums in another
order; a kernel's sums must not stand in such a loop.
"""

import numpy as np
import pytest

from ops.kernels import softmax

ROWS, COLUMNS = 3, 5


@pytest.mark.parametrize("kernel", [softmax._softmax, softmax._log_softmax])
def test_rows_next_to_each_other_and_far_apart(kernel):
    run = softmax.prepared(kernel, np.dtype(np.float64), (ROWS, COLUMNS), 1)
    values = 3 * np.random.default_rng(3).normal(size=(ROWS, COLUMNS))
    memory = np.empty(4096)

    def at(place_of_x, place_of_result):
        x, result = (memory[place:place + values.size].reshape(values.shape)
                     for place in (place_of_x, place_of_result))
        x[...] = values
        run(result, x)
        return result.copy()

    expected = at(0, 2000)
    for distance in range(values.size, 100):
        np.testing.assert_array_equal(at(0, distance), expected)
        np.testing.assert_array_equal(at(distance, 0), expected)
