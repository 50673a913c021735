"""Tensor and the world around it: construction, sharing, Python operators, conversion, printing."""

import copy
import io
import operator
import pickle

import numpy as np
import pytest

import tinygrad_hw as thw
from tinygrad_hw import Tensor, tensor

# ------------------------------------------------------------------ construction


@pytest.mark.parametrize("data, dtype", [
    (1, "int64"), (1.5, "float32"), (True, "bool"), ([1, 2.5], "float32"), ([True, 2], "int64"),
    ([], "float32"), ([[]], "float32"), (np.float64(1), "float64"), (np.int8(1), "int8"),
    (np.ones(2), "float64"), ([np.float64(1), np.float64(2)], "float64"), ([np.ones(2)], "float64"),
    (range(3), "int64"), (np.zeros(0, np.int32), "int32"),
])
def test_dtype_follows_the_data(data, dtype):
    assert str(tensor(data).dtype) == f"tinygrad_hw.{dtype}"


def test_default_dtype_is_used_for_python_floats_only():
    thw.set_default_dtype(thw.float64)
    try:
        assert tensor(1.0).dtype == thw.zeros(1).dtype == thw.arange(1.0).dtype == thw.float64
        assert tensor(np.float32(1)).dtype == thw.float32 and tensor(1).dtype == thw.int64
        assert Tensor([1]).dtype == thw.float64
    finally:
        thw.set_default_dtype(thw.float32)


@pytest.mark.parametrize("call, error, text", [
    (lambda: tensor([[1, 2], [3]]), ValueError, "uneven lengths"),
    (lambda: tensor("text"), TypeError, "can't convert data of type <U4"),
    (lambda: tensor(["a"]), ValueError, "too many dimensions 'str'"),
    (lambda: tensor(None), RuntimeError, "Could not infer dtype of NoneType"),
    (lambda: tensor(1j), (TypeError, RuntimeError), "complex"),
    (lambda: tensor(2 ** 64), ValueError, "Overflow"),
    (lambda: tensor(300, dtype=thw.uint8), RuntimeError, r"300 is outside of \[0, 255\]"),
    (lambda: tensor(1, dtype="complex64"), TypeError, "complex64 is not supported"),
    (lambda: tensor(1.0, device="cuda"), RuntimeError, "'cuda' is not available"),
    (lambda: tensor(1, requires_grad=True), RuntimeError, "only Tensors of floating point dtype"),
    (lambda: thw.from_numpy([1]), TypeError, "expected np.ndarray .*list"),
    (lambda: Tensor(1.5), TypeError, r"must be a sequence \(got float\); use tensor\(1.5\)"),
    (lambda: thw.zeros(2.0), TypeError, "'size' must be tuple of ints.*float"),
    (lambda: thw.zeros(-1), RuntimeError, "negative dimension -1"),
    (lambda: thw.full(2, 1.0), TypeError, r"write full\(\(2,\), 1.0\)"),
    (lambda: thw.arange(0, 1, 0), RuntimeError, "step must be nonzero"),
    (lambda: thw.arange(1, 0), RuntimeError, "inconsistent with step sign"),
    (lambda: thw.linspace(0, 1, -1), RuntimeError, "non-negative, got -1"),
    (lambda: thw.eye(-1), RuntimeError, "got -1"),
    (lambda: thw.rand(2, dtype=thw.int64), NotImplementedError, "float32 or float64"),
    (lambda: thw.randint(5, 5, (2,)), RuntimeError, "from=5 >= to=5"),
    (lambda: thw.normal(0.0, -1.0, (2,)), RuntimeError, "std >= 0.0"),
    (lambda: thw.bernoulli(tensor([2.0])), RuntimeError, "2.0"),
    (lambda: thw.multinomial(tensor([0.5, 0.5]), 3), RuntimeError, "without replacement: 3 > 2"),
])
def test_refusals(call, error, text):
    with pytest.raises(error, match=text):
        call()


def test_ranges():
    assert thw.arange(5).tolist() == [0, 1, 2, 3, 4] and thw.arange(5).dtype == thw.int64
    assert thw.arange(1, 2, 0.25).tolist() == [1.0, 1.25, 1.5, 1.75]
    assert thw.linspace(0, 1, 5).tolist() == [0.0, 0.25, 0.5, 0.75, 1.0]
    assert thw.linspace(-3, 7, 101)[-1].item() == 7.0 and thw.linspace(2, 3, 1).tolist() == [2.0]
    assert thw.full((2,), True).dtype == thw.bool and thw.full((2,), 1.0).dtype == thw.float32
    assert thw.eye(2, 3).tolist() == [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]


def test_new_tensors_take_dtype_from_the_old():
    x = thw.zeros(2, dtype=thw.float64)
    for made in (
        x.new_zeros(3),
        x.new_ones((3,)),
        x.new_full((3,), 1),
        x.new_tensor([1]),
        x.new_empty(3),
    ):
        assert made.dtype == thw.float64 and not made.requires_grad
    assert thw.zeros_like(thw.arange(2)).dtype == thw.int64
    assert thw.rand_like(x).shape == (2,) and thw.full_like(x, 7).tolist() == [7.0, 7.0]


def test_seeded_numbers_repeat():
    draws = []
    for _ in range(2):
        thw.manual_seed(5)
        draws.append([thw.rand(3).tolist(), thw.randn(3).tolist(), thw.randperm(5).tolist(),
                      thw.zeros(3).uniform_(2, 3).tolist(), thw.zeros(3).normal_().tolist()])
    assert draws[0] == draws[1]
    assert all(2 <= v < 3 for v in draws[0][3]) and sorted(draws[0][2]) == [0, 1, 2, 3, 4]


# ------------------------------------------------------------------ sharing memory


def test_numpy_shares_memory_both_ways():
    array = np.ones(3)
    x = thw.from_numpy(array)
    x.add_(1)
    assert array.tolist() == [2.0, 2.0, 2.0] and x.numpy() is x.array
    assert thw.as_tensor(array).array is array
    array[0] = 7
    assert x.tolist() == [7.0, 2.0, 2.0] and tensor(array).array is not array
    assert np.asarray(x) is x.array and np.array(x) is not x.array
    assert np.asarray(x, dtype=np.float32).dtype == np.float32
    with pytest.raises(RuntimeError, match=r"Use tensor\.detach\(\)\.numpy\(\)"):
        x.requires_grad_().numpy()
    with thw.no_grad():
        assert x.numpy() is array


def test_dlpack_shares_memory():
    x = thw.arange(6.0)
    array = np.from_dlpack(x)
    x[0] = 9
    assert array[0] == 9.0
    back = thw.from_dlpack(np.arange(3))
    assert back.tolist() == [0, 1, 2] and x.__dlpack_device__()[0] == 1
    with pytest.raises(BufferError, match="require gradient"):
        np.from_dlpack(x.requires_grad_())


def test_copies():
    x = tensor([1.0, 2.0], requires_grad=True)
    (x * x).sum().backward()
    other = copy.deepcopy(x)
    assert other.requires_grad and other.is_leaf and other.grad.tolist() == [2.0, 4.0]
    assert other.array is not x.array and other.grad.array is not x.grad.array
    other.sum().backward()
    assert x.grad.tolist() == [2.0, 4.0] and other.grad.tolist() == [3.0, 5.0]
    pair = copy.deepcopy([x, x])
    assert pair[0] is pair[1]
    with pytest.raises(RuntimeError, match="graph leaves"):
        copy.deepcopy(x * 2)


@pytest.mark.parametrize(
    "make",
    [
        lambda: thw.arange(4).view(2, 2).t(),
        lambda: thw.ones(2, requires_grad=True),
        lambda: tensor(True),
        lambda: thw.zeros(0, 2),
        lambda: thw.ones(5)[1:3],
    ],
)
def test_pickling(make):
    x = make()
    x.note = "kept"
    file = io.BytesIO()
    pickle.dump(x, file)
    file.seek(0)
    y = pickle.load(file)
    assert y.tolist() == x.tolist() and y.dtype == x.dtype and y.shape == x.shape and y.note == "kept"
    assert y.requires_grad == x.requires_grad and y._version == 0


# ------------------------------------------------------------------ operators


def test_comparisons_give_bool_tensors():
    x = tensor([1.0, 2.0])
    for result in (x == 1, x != 1, x < 2, x <= 2, x > 1, x >= 1, 1 < x, x == x):
        assert isinstance(result, Tensor) and result.dtype == thw.bool
    assert (x == None) is False and (x != "a") is True  # noqa: E711


@pytest.mark.parametrize(
    "other",
    [
        3,
        3.0,
        np.float32(3),
        np.float64(3),
        np.int64(3),
        np.array([3.0, 3.0]),
        tensor([3.0, 3.0]),
        tensor(3.0),
        tensor(3),
    ],
    ids=repr,
)
def test_operands_on_either_side(other):
    x = tensor([1.0, 2.0], requires_grad=True)
    three = 3.0
    pairs = [
        (x + other, [4.0, 5.0]),
        (other + x, [4.0, 5.0]),
        (x - other, [-2.0, -1.0]),
        (other - x, [2.0, 1.0]),
        (x * other, [3.0, 6.0]),
        (other * x, [3.0, 6.0]),
        (x / other, [1 / three, 2 / three]),
        (other / x, [3.0, 1.5]),
        (x**other, [1.0, 8.0]),
        (other**x, [3.0, 9.0]),
        (other // x, [3.0, 1.0]),
        (other % x, [0.0, 1.0]),
        (x % other, [1.0, 2.0]),
        (x // other, [0.0, 0.0]),
    ]
    for position, (result, expected) in enumerate(pairs):
        assert isinstance(result, Tensor), position
        assert result.tolist() == pytest.approx(expected), position
        assert result.dtype == (thw.float64 if isinstance(other, np.ndarray) else thw.float32), position
    sum(result.sum() for result, _ in pairs).backward()
    assert x.grad.shape == (2,)


def test_gradients_flow_through_arrays_as_constants():
    x = tensor([1.0, 2.0], dtype=thw.float64, requires_grad=True)
    (np.array([10.0, 20.0]) * x).sum().backward()
    assert x.grad.tolist() == [10.0, 20.0]


def test_foreign_operands():
    class Money:
        def __radd__(self, other):
            return "money"

    assert thw.ones(2) + Money() == "money"
    for call in (lambda: thw.ones(2) + "a", lambda: "a" + thw.ones(2), lambda: thw.ones(2) - None,
                 lambda: thw.ones(2) < [1, 2]):
        with pytest.raises(TypeError):
            call()
    assert [1, 2] * tensor(2) == [1, 2, 1, 2]


def test_reflected_matmul_and_unary():
    x = tensor([[1.0, 2.0], [3.0, 4.0]])
    assert (
        (np.eye(2, dtype=np.float32) @ x).tolist()
        == (x @ np.eye(2, dtype=np.float32)).tolist()
        == x.tolist()
    )
    assert (-x).tolist() == [[-1.0, -2.0], [-3.0, -4.0]] and (+x) is x and abs(-x).tolist() == x.tolist()
    assert (~tensor([True, False])).tolist() == [False, True] and (~tensor(5)).item() == -6
    with pytest.raises(TypeError, match="integer and Boolean-type"):
        operator.invert(x)


# ------------------------------------------------------------------ Python's protocols


@pytest.mark.parametrize("call, error, text", [
    (lambda: bool(thw.ones(2)), RuntimeError, r"more than one value is ambiguous \(shape \(2,\)\)"),
    (lambda: bool(thw.ones(0)), RuntimeError, "no values is ambiguous"),
    (lambda: thw.ones(2).item(), RuntimeError, "2 elements cannot be converted to Scalar"),
    (lambda: float(thw.ones(2)), (ValueError, RuntimeError), "one element|cannot be converted"),
    (lambda: [1, 2][tensor(1.0)], TypeError, "only integer tensors of a single element"),
    (lambda: len(tensor(1)), TypeError, "0-d tensor"),
    (lambda: list(tensor(1)), TypeError, "iteration over a 0-d tensor"),
    (lambda: "a" in thw.ones(2), RuntimeError, "scalar"),
    (lambda: thw.ones(2).__delitem__(0), TypeError, "deleting items"),
    (lambda: thw.ones(2).size(1), IndexError, r"range of \[-1, 0\], but got 1"),
    (lambda: thw.ones(2).half(), TypeError, "float32 and float64"),
    (lambda: thw.ones(2).cuda(), RuntimeError, "cuda"),
    (lambda: thw.ones(2).to("cuda"), RuntimeError, "cuda"),
    (lambda: thw.ones(2).copy_([1, 2]), TypeError, "must be Tensor, not list"),
    (lambda: thw.ones(2).fill_(thw.ones(2)), RuntimeError, "0-dimension value"),
    (lambda: thw.ones(2).nonsense, AttributeError, "nonsense"),
    (lambda: setattr(thw.ones(2), "data", 1), TypeError, "has to be a tensor"),
    (lambda: thw.finfo(thw.int64), TypeError, "floating point"),
    (lambda: thw.iinfo(thw.float32), TypeError, "integer"),
])
def test_protocol_refusals(call, error, text):
    with pytest.raises(error, match=text):
        call()


def test_protocols():
    x = tensor([[1.0, 2.0], [3.0, 4.0]])
    assert len(x) == 2 and [row.tolist() for row in x] == x.tolist() and 3.0 in x and 7 not in x
    assert float(tensor(2.5)) == 2.5 and int(tensor([3.9])) == 3 and "abc"[tensor(1)] == "b"
    assert bool(tensor(1)) and not bool(tensor([0.0])) and complex(tensor(2.0)) == 2 + 0j
    assert f"{tensor(2.126):.2f} {tensor(3):03d}" == "2.13 003" and f"{x[0]}" == "tensor([1., 2.])"
    assert hash(x) == id(x) and {x: 1}[x] == 1 and x in [x]
    assert list(reversed(tensor([1, 2, 3]))) == [3, 2, 1] and max(tensor([1, 5, 2])) == 5
    rows = iter(x.requires_grad_())
    next(rows).sum().backward()
    assert x.grad.tolist() == [[1.0, 1.0], [0.0, 0.0]]


def test_layout():
    x = thw.zeros(2, 3, 4)
    assert x.stride() == (12, 4, 1) and x.stride(1) == 4 and x.transpose(0, 2).stride() == (1, 4, 12)
    assert x.is_contiguous() and not x.transpose(0, 2).is_contiguous() and x.contiguous() is x
    assert x[1, 1:].storage_offset() == 16 and x.expand(2, 2, 3, 4).stride() == (0, 12, 4, 1)
    assert (x.numel(), x.nelement(), x.dim(), x.ndimension(), x.itemsize, x.nbytes) == (
        24,
        24,
        3,
        3,
        4,
        96,
    )
    assert isinstance(x.shape, thw.Size) and x.shape == x.size() == (2, 3, 4) and x.shape.numel() == 24
    assert repr(x.shape[:2] + (5,)) == "tinygrad_hw.Size([2, 3, 5])" and x.size(-1) == 4
    assert not x.is_cuda and x.is_cpu and str(x.device) == "cpu" and x.get_device() == -1


def test_conversion_returns_the_tensor_itself_where_nothing_changes():
    x = thw.ones(2)
    for same in (
        x.to(thw.float32),
        x.float(),
        x.to("cpu"),
        x.cpu(),
        x.type_as(x),
        x.to(x),
        x.type(thw.float32),
    ):
        assert same is x
    assert x.to(thw.float32, copy=True) is not x
    assert x.to(thw.int8).dtype == x.char().dtype == thw.int8
    assert x.type() == "torch.FloatTensor" and x.type("torch.LongTensor").dtype == thw.int64
    y = x.requires_grad_().double()
    y.sum().backward()
    assert y.dtype == thw.float64 and x.grad.dtype == thw.float32


# ------------------------------------------------------------------ printing


@pytest.mark.parametrize(
    "data, text",
    [
        (1.0, "tensor(1.)"),
        (1.5, "tensor(1.5000)"),
        (3, "tensor(3)"),
        (True, "tensor(True)"),
        ([], "tensor([])"),
        ([1, -20], "tensor([  1, -20])"),
        ([1.0, 2.5], "tensor([1.0000, 2.5000])"),
        ([1e-5, 1.0], "tensor([1.0000e-05, 1.0000e+00])"),
        ([1e9, 1.0], "tensor([1.0000e+09, 1.0000e+00])"),
        ([float("nan"), float("inf"), 1.0], "tensor([nan, inf, 1.])"),
        ([True, False], "tensor([ True, False])"),
        ([[1, 2], [3, 4]], "tensor([[1, 2],\n        [3, 4]])"),
        (np.ones(1), "tensor([1.], dtype=tinygrad_hw.float64)"),
        (np.zeros((2, 0), np.float32), "tensor([], size=(2, 0))"),
    ],
    ids=str,
)
def test_printing(data, text):
    assert repr(tensor(data)) == str(tensor(data)) == text


def test_printing_of_large_and_recorded_tensors():
    assert repr(thw.arange(1001)) == "tensor([   0,    1,    2,  ...,  998,  999, 1000])"
    assert repr(thw.ones(1, requires_grad=True)) == "tensor([1.], requires_grad=True)"
    assert repr(thw.ones(1, requires_grad=True) * 2) == "tensor([2.], grad_fn=<MulBackward0>)"
    assert (
        repr(thw.nn.Parameter(thw.ones(1))) == "Parameter containing:\ntensor([1.], requires_grad=True)"
    )
