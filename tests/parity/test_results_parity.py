"""Results with several fields, `.grad` of computed Tensors, and flags: what they print, warn and refuse."""

import copy
import pickle
import re
import warnings

import numpy as np
import pytest
from counterparts import NAMES, counterpart, public
from harness import to_ours, to_torch
from side_by_side import BOTH

import tinygrad_hw as thw
from ops.core import TABLE
from ops.samples import spaced

torch = pytest.importorskip("torch")

VALUES = spaced(np.random.default_rng(0), (2, 3)).round(2)
SEVERAL = {
    "max": lambda x, lib: x.max(1), "min": lambda x, lib: lib.min(x, 0), "sort": lambda x, lib: x.sort(1),
    "topk": lambda x, lib: x.topk(2), "median": lambda x, lib: lib.median(x, 1),
    "nanmedian": lambda x, lib: x.nanmedian(0), "kthvalue": lambda x, lib: x.kthvalue(2),
    "mode": lambda x, lib: x.mode(1), "cummax": lambda x, lib: lib.cummax(x, 0),
    "cummin": lambda x, lib: x.cummin(1), "aminmax": lambda x, lib: lib.aminmax(x),
    "linalg_slogdet": lambda x, lib: lib.linalg.slogdet(x @ x.T),
    "linalg_eigh": lambda x, lib: lib.linalg.eigh(lib.diag(x[0].detach())),
    "linalg_lstsq": lambda x, lib: lib.linalg.lstsq(x.detach() @ x.detach().T, x.detach()),
}


@pytest.mark.parametrize("name", SEVERAL)
@pytest.mark.parametrize("requires_grad", [False, True])
def test_results_with_names(name, requires_grad):
    """They print, unpack, compare by type and travel as PyTorch's do."""
    texts = []
    for lib in BOTH:
        result = SEVERAL[name](lib.tensor(VALUES, requires_grad=requires_grad), lib)
        assert type(result) is getattr(lib.return_types, name) and isinstance(result, tuple)
        first, second, *_ = result
        assert first is result[0] and second is result[1]
        text = repr(result).replace("tinygrad_hw", "torch")
        texts.append(re.sub(r",\s+grad_fn=<\w+>", "", text))  # the names of nodes are each library's own
        if not requires_grad:
            for copied in (copy.deepcopy(result), pickle.loads(pickle.dumps(result))):
                assert type(copied) is type(result) and lib.equal(copied[0], first)
    assert texts[0] == texts[1]


def test_grad_of_a_computed_tensor_warns():
    told = []
    for lib in BOTH:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            x = lib.ones(2, requires_grad=True)
            y = x * 2
            assert (x.grad, x.detach().grad, (x.detach() * 2).grad, lib.ones(2).grad) == (None,) * 4
            assert not caught
            assert y.grad is None
            y.retain_grad()
            assert y.grad is None
            y.sum().backward()
            assert y.grad is not None
        told.append([(one.category, one.filename, str(one.message)[:130]) for one in caught])
    assert told[0] == told[1] and len(told[0]) == 1 and told[0][0][1] == __file__


# ------------------------------------------------------------------ flags

FLAGS = [(name, flag) for name in NAMES for _, flag in TABLE[name].flags
         if (name, flag) != ("interpolate", "antialias")]  # PyTorch only asks whether it is true


def tried(function, args, kwargs):
    """The type of the error, None for success."""
    try:
        function(*args, **kwargs)
    except Exception as error:
        return type(error)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name, flag", FLAGS, ids=lambda one: one)
def test_flags_are_true_or_false(name, flag):
    """An int, a float or a NumPy bool is a TypeError in both libraries: most often an argument slipped."""
    position = TABLE[name].parameters.index(flag)
    for case in TABLE[name].samples(np.random.default_rng(0)):
        given = [*case.args], {flag: True, **case.kwargs}
        if len(case.args) <= position and tried(counterpart(name), to_torch(given[0]), given[1]) is None:
            break
    else:
        pytest.skip("PyTorch takes none of the samples with this flag")
    for value in (1, 0.0, np.bool_(True)):
        kwargs = {**given[1], flag: value}
        assert tried(public(name), to_ours(given[0]), kwargs) is TypeError
        assert tried(counterpart(name), to_torch(given[0]), kwargs) is TypeError


def test_the_text_for_a_flag_says_what_was_meant():
    with pytest.raises(TypeError, match=r"sum\(\): argument 'keepdim' \(position 3\) must be bool, not int; "
                                        r"several dimensions go into a tuple: dim=\(1, 2\)"):
        thw.ones(2, 3, 4).sum(1, 2)
    for wrong in (lambda lib: lib.ones(2).unsqueeze(True), lambda lib: lib.ones(2).requires_grad_(1),
                  lambda lib: lib.zeros(2, requires_grad="yes"), lambda lib: lib.cat([lib.ones(2)], True)):
        assert [tried(wrong, (lib,), {}) for lib in BOTH] == [TypeError, TypeError]
