"""Methods and properties in every form: sizes and dimensions one by one, as a tuple, by name."""

import operator

import numpy as np
import pytest
from harness import check_calls

import tinygrad_hw as thw

torch = pytest.importorskip("torch")

pytestmark = pytest.mark.filterwarnings("ignore")


X = np.arange(24, dtype=np.float64).reshape(2, 3, 4) - 7.5
FORMS = [
    ("reshape", (4, 6)),
    ("reshape", ((4, -1),)),
    ("reshape", (5, 5)),
    ("reshape", (-1, -1)),
    ("view", (6, 4)),
    ("view", ((-1, 2),)),
    ("view", (7,)),
    ("view", (torch.float32,)),
    ("permute", (2, 0, 1)),
    ("permute", ((2, 0, 1),)),
    ("permute", (0, 1)),
    ("permute", (0, 0, 1)),
    ("expand", (5, 2, 3, 4)),
    ("expand", ((5, -1, 3, 4),)),
    ("expand", (2, 3, 5)),
    ("expand", (2, 3)),
    ("repeat", (2, 1, 1)),
    ("repeat", ((2, 2, 1, 1),)),
    ("repeat", (2, 1)),
    ("tile", (2,)),
    ("tile", ((1, 2, 1, 1),)),
    ("flip", (0,)),
    ("flip", (0, -1)),
    ("flip", ((0, 2),)),
    ("flip", (3,)),
    ("squeeze", ()),
    ("squeeze", (0,)),
    ("unsqueeze", (-1,)),
    ("unsqueeze", (5,)),
    ("transpose", (0, -1)),
    ("transpose", (0, 3)),
    ("flatten", ()),
    ("flatten", (1,)),
    ("flatten", (0, 1)),
    ("size", ()),
    ("size", (1,)),
    ("size", (3,)),
    ("dim", ()),
    ("numel", ()),
    ("nelement", ()),
    ("ndimension", ()),
    ("stride", ()),
    ("stride", (0,)),
    ("element_size", ()),
    ("is_contiguous", ()),
    ("is_floating_point", ()),
    ("is_signed", ()),
    ("tolist", ()),
    ("item", ()),
    ("sum_to_size", (1, 3, 1)),
    ("sum_to_size", ((2, 1, 4),)),
    ("split", (2, 1)),
    ("split", ((1, 2), 1)),
    ("split", ((1, 3), 1)),
    ("chunk", (2, 2)),
    ("std", ()),
    ("std", (1,)),
    ("std", (True,)),
    ("var", ((0, 1), False)),
    ("max", ()),
    ("max", (1,)),
    ("min", (1, True)),
    ("norm", ()),
    ("norm", (1,)),
    ("norm", (2, 1)),
    ("sum", (1,)),
    ("sum", ((0, 2), True)),
    ("mean", (-1,)),
    ("softmax", (-1,)),
    ("log_softmax", (1,)),
    ("unfold", (2, 2, 1)),
    ("to", (torch.int64,)),
    ("to", (torch.float32,)),
    ("long", ()),
    ("int", ()),
    ("float", ()),
    ("double", ()),
    ("bool", ()),
    ("short", ()),
    ("char", ()),
    ("new_zeros", (2, 3)),
    ("new_zeros", ((2, 3),)),
    ("new_ones", (4,)),
    ("new_full", ((2,), 7)),
    ("new_tensor", ([1, 2],)),
    ("clamp", (-1,)),
    ("fill_", (3,)),
    ("zero_", ()),
    ("t", ()),
    ("swapaxes", (0, 1)),
    ("diagonal", ()),
    ("roll", (1,)),
    ("roll", ((1, 2), (0, 1))),
    ("masked_fill", (True, 1)),
    ("index_select", (0, 0)),
    ("rsub", (2.0,)),
    ("type", ()),
    ("requires_grad_", ()),
    ("detach", ()),
    ("clone", ()),
    ("contiguous", ()),
    ("cpu", ()),
    ("squeeze_", ()),
    ("unsqueeze_", (0,)),
    ("transpose_", (0, 1)),
    ("fill_", ("a",)),
]


@pytest.mark.parametrize(("name", "args"), FORMS)
def test_form(name, args):
    """Every way to pass sizes and dimensions; values or the type of the error."""

    def call(tensor, *args):
        args = tuple(
            getattr(thw, str(a)[6:])
            if isinstance(a, torch.dtype) and isinstance(tensor, thw.Tensor)
            else a
            for a in args
        )
        result = getattr(tensor, name)(*args)
        return tuple(result) if name in ("size", "stride") and not args else result

    check_calls(call, call, (X.copy(), *args), {}, name)
    if np.prod(X.shape[:1]) == 2:
        check_calls(call, call, (X[0, 0, :1].copy().reshape(()), *args), {}, name)


@pytest.mark.parametrize(
    "name",
    [
        "T",
        "mT",
        "H",
        "mH",
        "shape",
        "ndim",
        "requires_grad",
        "is_leaf",
        "is_cuda",
        "itemsize",
        "nbytes",
        "output_nr",
    ],
)
@pytest.mark.parametrize("ndim", [0, 1, 2, 3])
def test_property(name, ndim):
    """Attributes of Tensors of every rank."""

    def call(tensor):
        value = getattr(tensor, name)
        return tuple(value) if name == "shape" else value

    check_calls(call, call, (np.ones((2, 3, 4)[:ndim]),), {}, name)


@pytest.mark.parametrize(
    "value", [np.array(2.5), np.array([3]), np.array([True]), np.ones(2), np.zeros(0)]
)
@pytest.mark.parametrize(
    "function",
    [bool, int, float, complex, len, list, operator.index, str.__len__],
    ids=lambda f: f.__name__,
)
def test_conversion_to_python(function, value):
    """``bool(x)``, ``float(x)``, ``len(x)`` and the like."""

    def call(tensor):
        result = function(tensor)
        return len(result) if function is list else result

    check_calls(call, call, (value,), {})
