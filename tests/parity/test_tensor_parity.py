"""Construction, conversion and Python's protocols: the same expression in the engine and in PyTorch."""


import torch
from expressions import check, expressions

import tinygrad_hw as thw

# ------------------------------------------------------------------ construction


@expressions("""
    torch.tensor(1)
    torch.tensor(1.0)
    torch.tensor(True)
    torch.tensor([])
    torch.tensor([[], []])
    torch.tensor([1, 2.5])
    torch.tensor([True, 2])
    torch.tensor([True, 2.5])
    torch.tensor((1, 2))
    torch.tensor([[1, 2], [3, 4]])
    torch.tensor([[1, 2], [3]])
    torch.tensor(np.float64(3))
    torch.tensor(np.int32(3))
    torch.tensor(np.arange(3, dtype=np.int16))
    torch.tensor(np.ones((2, 0)))
    torch.tensor(np.array([1.5, 2.5]))
    torch.tensor([np.float64(1), np.float64(2)])
    torch.tensor([np.float32(1)])
    torch.tensor([np.ones(2), np.zeros(2)])
    torch.tensor([np.int64(1), 2])
    torch.tensor(range(3))
    torch.tensor([torch.tensor(1), torch.tensor(2)])
    torch.tensor([torch.tensor(1.5), 2])
    torch.tensor(torch.tensor([1.5]))
    torch.tensor("text")
    torch.tensor(None)
    torch.tensor({"a": 1})
    torch.tensor([None])
    torch.tensor(["a"])
    torch.tensor([1.7, -1.7], dtype=torch.int64)
    torch.tensor([0, 3], dtype=torch.bool)
    torch.tensor([1, 2], dtype=torch.float64, requires_grad=True)
    torch.tensor([1, 2], requires_grad=True)
    torch.tensor(2 ** 62)
    torch.tensor(float("nan")).isnan()
    torch.tensor([1, 2]).tolist()
    torch.tensor([1.0], device="cpu").device
    torch.tensor(300, dtype=torch.uint8)
    torch.tensor(2 ** 64)
    torch.tensor(-1, dtype=torch.uint8)
""")
def test_tensor(expression):
    check(expression)


@expressions("""
    torch.Tensor([1, 2])
    torch.Tensor(2, 3).shape
    torch.Tensor().shape
    torch.Tensor([[1.5], [2]])
    torch.Tensor(3).shape
    torch.Tensor((1, 2))
    torch.Tensor(torch.tensor([1.0]))
    torch.Tensor(np.array([1.0, 2.0]))
    torch.Tensor(1.5)
    torch.Tensor(torch.Size([2, 2])).shape
""")
def test_legacy_constructor(expression):
    check(expression)


@expressions("""
    torch.as_tensor([1, 2])
    torch.as_tensor(np.arange(3))
    torch.as_tensor(np.arange(3), dtype=torch.float32)
    torch.from_numpy(np.ones(2, np.uint8))
    torch.from_numpy([1])
    torch.from_numpy(np.array(["a"]))
    torch.from_numpy(np.float32(3))
    torch.as_tensor(5)
    torch.asarray([1.5])
    torch.scalar_tensor(2)
    torch.scalar_tensor(2, dtype=torch.int64)
    torch.arange(5)
    torch.arange(5.0)
    torch.arange(1, 2, 0.25)
    torch.arange(5, dtype=torch.float32)
    torch.arange(3, 0, -1)
    torch.arange(0, 1, 0)
    torch.arange(1, 0, 1)
    torch.arange(0)
    torch.arange(torch.tensor(3))
    torch.arange(0, 1, 0.1).shape
    torch.arange(2, 5, 2)
    torch.arange(start=1, end=3)
    torch.arange(2.5)
    torch.linspace(0, 1, 5)
    torch.linspace(3, 3, 1)
    torch.linspace(0, 1, 0)
    torch.linspace(0, 10, 5, dtype=torch.int64)
    torch.linspace(-2, 2, 3, dtype=torch.float64)
    torch.linspace(0, 1, -1)
    torch.logspace(0, 2, 3)
    torch.linspace(1, 0, 4)
    torch.full((2,), 1)
    torch.full((2,), 1.5)
    torch.full((2,), True)
    torch.full((), 1.5)
    torch.full((2,), 1, dtype=torch.float64)
    torch.full([1, 2], float("inf"))
    torch.full(2, 1.0)
    torch.full((2,), torch.tensor(2.0))
    torch.zeros(2, 3)
    torch.zeros((2, 0))
    torch.zeros([2])
    torch.zeros(())
    torch.zeros(-1)
    torch.zeros(2, dtype=torch.bool)
    torch.ones(2.0)
    torch.ones(torch.Size([2]))
    torch.ones(size=(2,))
    torch.zeros(2, requires_grad=True)
    torch.zeros(2, 2, dtype=int)
    torch.eye(2)
    torch.eye(2, 3)
    torch.eye(0)
    torch.eye(-1)
    torch.eye(2, dtype=torch.int64)
    torch.zeros_like(torch.tensor([1, 2]))
    torch.ones_like(torch.tensor([1, 2]), dtype=torch.float64)
    torch.full_like(torch.tensor([1, 2]), 7.9)
    torch.full_like(torch.ones(2), 3)
    torch.empty(2, 3).shape
    torch.empty_like(torch.ones(2, 3)).shape
    torch.rand(2, 3).shape
    torch.randn(2, dtype=torch.float64).dtype
    torch.randint(3, (2,)).dtype
    torch.randint(5, 5, (2,))
    torch.randint(1, 3, 2)
    torch.randperm(4).sort()[0]
    torch.randperm(-1)
    torch.rand(2, dtype=torch.int64)
    torch.rand_like(torch.ones(2, 3)).shape
    torch.randn_like(torch.arange(3))
    torch.normal(0.0, 1.0, (2,)).shape
    torch.normal(torch.zeros(3), 0.0)
    torch.normal(torch.zeros(3), -1.0)
    torch.bernoulli(torch.ones(3))
    torch.bernoulli(torch.tensor([2.0]))
    torch.multinomial(torch.tensor([0.0, 1.0]), 1)
""")
def test_creation(expression):
    check(expression)


@expressions("""
    torch.ones(2).new_zeros(3)
    torch.ones(2, dtype=torch.int64).new_ones((2, 2))
    torch.ones(2, dtype=torch.float64).new_full((2,), 1)
    torch.arange(2).new_full((2,), 1.5)
    torch.ones(2).new_tensor([1, 2])
    torch.arange(2).new_tensor([1.5, 2])
    torch.ones(2).new_empty(3).shape
    torch.ones(2).new_zeros(3, dtype=torch.int64)
    torch.ones(2).new_ones(2, requires_grad=True)
    torch.ones(2).new_ones([3])
""")
def test_new(expression):
    check(expression)


# ------------------------------------------------------------------ conversion


@expressions("""
    floats(torch).to(torch.int64)
    floats(torch).to(torch.float32).dtype
    floats(torch).to("cpu")
    floats(torch).to(torch.tensor(1))
    floats(torch).to("cpu", torch.float64)
    floats(torch).to(dtype=torch.bool)
    floats(torch).to(torch.device("cpu"))
    floats(torch).to(torch.float64, copy=True)
    floats(torch).to(other=torch.tensor(1))
    [(x := floats(torch)).to(torch.float32) is x, x.float() is x]
    [(x := floats(torch)).to("cpu") is x, x.cpu() is x, x.to(torch.float32, copy=True) is x]
    [(x := floats(torch)).contiguous() is x, x.double() is x, x.type_as(x) is x]
    floats(torch).long()
    floats(torch).int()
    floats(torch).short()
    floats(torch).bool()
    floats(torch).double()
    floats(torch).byte().shape
    floats(torch).char()
    floats(torch).type()
    floats(torch).type(torch.int32)
    floats(torch).type("torch.DoubleTensor")
    floats(torch).type("nonsense")
    torch.arange(2).type()
    torch.arange(2).float().requires_grad_().double()
    floats(torch).is_floating_point()
    torch.arange(2).is_floating_point()
    floats(torch).is_complex()
    floats(torch).is_signed()
    floats(torch).bool().is_signed()
    floats(torch).element_size()
    floats(torch).itemsize
    floats(torch).nbytes
    floats(torch).dim()
    floats(torch).ndimension()
    floats(torch).numel()
    floats(torch).nelement()
    list(floats(torch).size())
    floats(torch).size(-1)
    floats(torch).size(2)
    floats(torch).stride()
    floats(torch).t().stride()
    floats(torch).stride(0)
    floats(torch)[:, ::2].stride()
    torch.ones(1).expand(3).stride()
    floats(torch).is_contiguous()
    floats(torch).t().is_contiguous()
    floats(torch)[1:].storage_offset()
    floats(torch)[1:][0, 1:].storage_offset()
    floats(torch).shape.numel()
    str(floats(torch).shape)
    str(floats(torch).shape[:1])
    list(floats(torch).shape + (3,))
    type(floats(torch).shape + (3,)).__name__
    floats(torch).shape == (2, 2)
    floats(torch).T
    floats(torch).mT
    floats(torch).H
    torch.ones(2, 3, 4).mT.shape[0]
    floats(torch).is_cuda
    floats(torch).is_sparse
    floats(torch).data
    floats(torch).get_device()
    floats(torch).is_pinned()
    floats(torch).is_same_size(torch.ones(2, 2))
    floats(torch).is_set_to(floats(torch))
    torch.ones(2, dtype=torch.float32).dtype.itemsize
    torch.float32.is_floating_point
    torch.float is torch.float32
    torch.long
    torch.int
    torch.finfo(torch.float32).eps
    torch.finfo(torch.float64).max
    torch.iinfo(torch.int8).min
    torch.finfo().bits
    torch.finfo(torch.float32).tiny
    torch.iinfo(torch.uint8).max
    torch.finfo(torch.int64)
    torch.float32 == torch.float64
    copy.copy(torch.float32) is torch.float32
    pickle.loads(pickle.dumps(torch.float32)) is torch.float32
    copy.deepcopy(torch.int64) is torch.int64
    str(torch.device("cpu"))
    repr(torch.device("cpu"))
    torch.device("cpu") == torch.device("cpu")
    torch.device("cpu").index
    torch.device("cpu").type
    torch.device("nonsense")
    torch.ones(2, device="meta2")
""")
def test_conversion(expression):
    check(expression)


@expressions("""
    floats(torch).numpy()
    np.asarray(floats(torch))
    np.array(floats(torch))
    np.asarray(floats(torch), dtype=np.float64)
    floats(torch).requires_grad_().numpy()
    floats(torch).requires_grad_().numpy(force=True)
    floats(torch).requires_grad_().tolist()
    np.asarray(floats(torch).requires_grad_())
    floats(torch).item()
    torch.tensor([[2.5]]).item()
    torch.tensor(3).item()
    torch.tensor(True).item()
    torch.tensor([]).item()
    torch.tensor(2.5).tolist()
    floats(torch).tolist()
    float(torch.tensor(2.5))
    int(torch.tensor([2.5]))
    float(floats(torch))
    int(floats(torch))
    complex(torch.tensor(2.0))
    bool(torch.tensor([0.0]))
    bool(torch.tensor([]))
    bool(floats(torch))
    bool(torch.tensor("a"[:0] == ""))
    [1, 2, 3][torch.tensor(1)]
    [1, 2, 3][torch.tensor(1.0)]
    [1, 2, 3][torch.tensor([1])]
    [1, 2][torch.tensor([0, 1])]
    [1, 2][torch.tensor(True)]
    range(torch.tensor(3)).stop
    len(floats(torch))
    len(torch.tensor(1))
    [list(r) for r in floats(torch)]
    list(torch.tensor(1))
    list(torch.zeros(0))
    1.5 in floats(torch)
    7 in floats(torch)
    torch.tensor(4.0) in floats(torch)
    "a" in floats(torch)
    None in floats(torch)
    f"{torch.tensor(2.123456):.2f}"
    f"{torch.tensor(3):05d}"
    f"{torch.tensor([1.0])}"
    f"{torch.tensor([1.0]):.2f}"
    f"{torch.tensor(1.5)}"
    "{:>8}".format(torch.tensor(2))
    "%d" % torch.tensor(2)
    "%.1f" % torch.tensor(2)
    hash(x := floats(torch)) == hash(x)
    len({floats(torch), floats(torch)})
    (x := floats(torch)) in {x: 1}
    abs(torch.tensor(-2))
    divmod(7, 2) == (3, 1)
    sum(floats(torch))
    max(torch.tensor([1, 5, 2]))
    sorted(torch.tensor([3, 1, 2]))
    reversed(torch.tensor([1, 2]))
    pow(torch.tensor(2), 3)
    np.exp(torch.zeros(2))
    not torch.tensor(0)
    torch.tensor(1) and 5
""")
def test_python(expression):
    check(expression)


@expressions("""
    (x := np.ones(3), t := torch.from_numpy(x), t.add_(1), x)[-1]
    (t := torch.ones(3), a := t.numpy(), a.fill(5), t)[-1]
    (x := np.ones(3), t := torch.tensor(x), t.add_(1), x)[-1]
    (x := np.ones(3), t := torch.as_tensor(x), t.add_(1), x)[-1]
    (x := np.ones((2, 3)).T, t := torch.from_numpy(x), t.stride())[-1]
    (x := np.arange(6)[::2], t := torch.from_numpy(x), t.stride())[-1]
    np.shares_memory((t := torch.ones(3)).detach().numpy(), t.numpy())
    torch.from_dlpack(np.arange(3))
    np.from_dlpack(torch.ones(2))
    np.from_dlpack(torch.ones(2, requires_grad=True))
    (t := torch.ones(2), s := torch.from_dlpack(t), s.add_(1), t)[-1]
    (t := torch.ones(2), a := np.from_dlpack(t), t.add_(1), a)[-1]
    pickle.loads(pickle.dumps(floats(torch)))
    copy.deepcopy(floats(torch).requires_grad_())
    pickle.loads(pickle.dumps(torch.ones(2, requires_grad=True)))
    copy.deepcopy(torch.ones(2, requires_grad=True) * 2)
    copy.copy(floats(torch))
    (t := torch.ones(2), copy.deepcopy(t).add_(1), t)[-1]
    (t := torch.ones(2), copy.copy(t).add_(1), t)[-1]
    (t := torch.ones(2, requires_grad=True), t.sum().backward(), copy.deepcopy(t).grad)[-1]
    (l := [t := torch.ones(1), t], (m := copy.deepcopy(l))[0] is m[1])[-1]
    (t := torch.ones(4), u := pickle.loads(pickle.dumps(t[:2])), u)[-1]
""")
def test_memory(expression):
    check(expression)


def test_dlpack_shares_memory_with_pytorch():
    theirs = torch.arange(3.0)
    ours = thw.from_dlpack(theirs)
    ours.add_(1)
    assert theirs.tolist() == [1.0, 2.0, 3.0]
    back = torch.from_dlpack(ours)
    back.mul_(2)
    assert ours.tolist() == [2.0, 4.0, 6.0] == theirs.tolist()
    assert torch.from_dlpack(thw.arange(6).view(2, 3).t()).tolist() == [[0, 3], [1, 4], [2, 5]]
