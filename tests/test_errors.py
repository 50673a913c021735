"""What goes wrong most often, and what the error has to say: one row a mistake.

The words of PyTorch that scripts look for come first; then the values, the place and the mend.
"""

import re

import numpy as np
import pytest

import tinygrad_hw as torch
from tinygrad_hw import nn, optim
from tinygrad_hw.nn import functional as F


class Net(nn.Module):
    """A convolutional net for (N, 3, 20, 20) whose last layer expects too much."""

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 4, 3))
        self.fc = nn.Linear(256, 10)

    def forward(self, x):
        return self.fc(self.features(x).flatten(1))


class LateInit(nn.Module):
    def __init__(self):
        self.fc = nn.Linear(2, 2)


class NoInit(nn.Module):
    def __init__(self):
        self.width = 3

    def forward(self, x):
        return self.fc(x)


class Misspelt(nn.Module):
    def foward(self, x):
        return x


def backward_twice():
    x = torch.ones(3, requires_grad=True)
    loss = (x * x).sum()
    loss.backward()
    loss.backward()


def changed_in_place():
    x = torch.ones(3, requires_grad=True)
    y = x.exp()
    y += 1
    y.sum().backward()


def convolution_changed():
    x, w = torch.ones(1, 1, 200, 200), torch.ones(1, 1, 2, 2, requires_grad=True)
    y = torch.relu(F.conv2d(x, w))
    x += 1
    y.sum().backward()


class Square(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx, g):
        return 2 * g * ctx.saved_tensors[0]


def function_changed():
    x = torch.ones(3, requires_grad=True) * 1
    y = Square.apply(x)
    x += 1
    y.sum().backward()


def values(*shape, **options):
    return torch.zeros(*shape, **options)


def numbers(*classes):
    return torch.tensor(classes)


def leaf():
    return torch.ones(3, requires_grad=True)


def load(network, names):
    network.load_state_dict({name: values(2, 2) if "weight" in name else values(2) for name in names})


MISTAKES = {
    # shapes in a network
    "features": (lambda: Net()(values(2, 3, 20, 20)), RuntimeError,
                 "mat1 and mat2 shapes cannot be multiplied (2x196 and 256x10)",
                 "got 196 features per sample", "in_features=256",
                 "raised in fc: Linear(in_features=256", "called with (2, 196)",
                 "flatten of (2, 4, 7, 7)", "behind features.3"),
    "features, nothing recorded": (lambda: torch.no_grad()(Net())(values(2, 3, 20, 20)), RuntimeError,
                                   "raised in fc", "flatten of (2, 4, 7, 7)"),
    "features of a part": (lambda: nn.Linear(16, 2)(values(3, 8).chunk(2, 1)[0]), RuntimeError,
                           "raised in Linear(in_features=16", "that is split of (3, 8)"),
    "no flatten": (lambda: nn.Linear(16, 2)(values(3, 1, 4, 4)), RuntimeError,
                   "flatten the 3 dimensions behind the batch first: x.flatten(1)"),
    "no batch dimension": (lambda: nn.Linear(16, 2)(values(4, 4)), RuntimeError,
                           "batch dimension seems to be missing", "x.unsqueeze(0)"),
    "in and out swapped": (lambda: nn.Linear(10, 5)(values(3, 5)), RuntimeError,
                           "in_features and out_features swapped?"),
    "channels-last images": (lambda: Net()(values(2, 20, 20, 3)), RuntimeError,
                             "to have 3 channels, but got 20 channels instead",
                             "looks like channels-last, use x.permute(0, 3, 1, 2)", "features.0: Conv2d(3"),
    "one channels-last image": (lambda: Net()(values(20, 20, 3)), RuntimeError, "x.permute(2, 0, 1)"),
    "grey images": (lambda: Net()(values(2, 1, 20, 20)), RuntimeError, "expand(-1, 3, -1, -1)",
                    "in_channels=1"),
    "no channel dimension": (lambda: nn.Conv2d(1, 2, 3)(values(5, 8, 8)), RuntimeError,
                             "channel dimension seems to be missing: x.unsqueeze(1)"),
    "channels": (lambda: nn.Conv2d(8, 2, 3)(values(5, 4, 8, 8)), RuntimeError,
                 "expected input[5, 4, 8, 8] to have 8 channels, but got 4", "has in_channels=4"),
    "an image without channels": (lambda: nn.Conv2d(1, 2, 3)(values(8, 8)), RuntimeError,
                                  "Expected 3D (unbatched) or 4D (batched) input to conv2d", "x[None, None]"),
    "flat images": (lambda: nn.Conv2d(1, 2, 3)(values(8)), RuntimeError, "x.reshape(N, C, H, W)"),
    "image too small": (lambda: nn.Conv2d(1, 1, 5)(values(1, 1, 3, 3)), RuntimeError, "(3, 3)", "(5, 5)",
                        "Kernel size can't be greater than actual input size"),
    "channels of batch norm": (lambda: nn.BatchNorm2d(4)(values(2, 3, 4, 4)), RuntimeError,
                               "running_mean should contain 3 elements not 4"),
    "wrong batch norm": (lambda: nn.BatchNorm2d(4)(values(2, 4)), ValueError,
                         "expected 4D input (got 2D input) of shape (2, 4)", "that is for BatchNorm1d"),
    # dtypes and kinds
    "float64 images": (lambda: Net()(torch.from_numpy(np.zeros((2, 3, 20, 20)))), RuntimeError,
                       "Input type (float64) and weight type (float32) should be the same",
                       "x.float()", "net.double()", "called with (2, 3, 20, 20) of float64"),
    "float64 rows": (lambda: nn.Linear(3, 2)(torch.from_numpy(np.zeros((2, 3)))), RuntimeError,
                     "same dtype, but got float64 and float32", "x.float()"),
    "integer rows": (lambda: nn.Linear(2, 2)(numbers(0, 1)), RuntimeError, "int64", "x.float()"),
    "a list": (lambda: Net()([1, 2]), TypeError, "argument 'input' must be Tensor, not list", "features.0"),
    "a tuple of outputs": (lambda: nn.Linear(2, 2)((values(2, 2), None)), TypeError,
                           "argument 'input' (position 1) must be Tensor, not tuple"),
    "float indices": (lambda: nn.Embedding(4, 2)(values(1)), RuntimeError, "but got float32", "x.long()"),
    # losses
    "target of another shape": (lambda: F.mse_loss(values(4, 1), values(4)), ValueError, "(4, 1)", "(4,)",
                                "use input.squeeze(1) or target.unsqueeze(1)"),
    "swapped": (lambda: F.cross_entropy(numbers(0, 1), values(2, 3)), NotImplementedError,
                "not implemented for 'Long'", "input and target seem to be swapped",
                "int64s of shape (2,)", "float32s of shape (2, 3)", "cross_entropy(prediction, target)"),
    "swapped in a module": (lambda: nn.NLLLoss()(numbers(0, 1), values(2, 3)), NotImplementedError,
                            "nll_loss(prediction, target)", "raised in NLLLoss()"),
    "swapped yes or no": (lambda: F.binary_cross_entropy_with_logits(numbers(0, 1), values(2)),
                          NotImplementedError, "seem to be swapped"),
    "swapped probabilities": (lambda: F.binary_cross_entropy(torch.tensor([0.0, 1.0]),
                                                             torch.tensor([-0.5, 2.0])), RuntimeError,
                              "all elements of target should be between 0 and 1", "-0.5 to 2.0",
                              "seem to be swapped"),
    "logits for probabilities": (lambda: F.binary_cross_entropy(torch.tensor([1.5]), values(1)), RuntimeError,
                                 "got values from 1.5 to 1.5", "binary_cross_entropy_with_logits"),
    "class out of range": (lambda: F.cross_entropy(values(4, 3), numbers(0, 1, 5, 2)), IndexError,
                           "Target 5 is out of bounds.", "position 2 ", "3 classes: 0 to 2"),
    "class out of range in a map": (lambda: F.cross_entropy(values(2, 3, 2), torch.tensor([[0, 1], [1, -7]])),
                                    IndexError, "Target -7 is out of bounds.", "position 3 "),
    "classes from 1": (lambda: F.cross_entropy(values(3, 3), numbers(1, 2, 3)), IndexError,
                       "use target - 1"),
    "classes as floats": (lambda: F.cross_entropy(values(2, 3), values(2)), RuntimeError,
                          "expected target dtype to be Long or Byte, but got Float", "target.long()"),
    "classes in a column": (lambda: F.cross_entropy(values(2, 3), values(2, 1).long()), RuntimeError,
                            "multi-target not supported", "target.squeeze(1)"),
    "one-hot integers": (lambda: F.cross_entropy(values(2, 3), values(2, 3).long()), RuntimeError,
                         "floating point type for target with class probabilities", "(2,)"),
    # backward
    "not a scalar": (lambda: (leaf() * 2).backward(), RuntimeError,
                     "grad can be implicitly created only for scalar outputs", "(3,)", ".sum() or .mean()",
                     "gradient="),
    "nothing requires grad": (lambda: values(3).sum().backward(), RuntimeError,
                              "does not require grad and does not have a grad_fn", "no_grad"),
    "backward twice": (backward_twice, RuntimeError, "Trying to backward through the graph a second time",
                       "MulBackward0", "in backward_twice", "mul of (3,) and (3,) was called at",
                       "retain_graph=True"),
    "changed in place": (changed_in_place, RuntimeError, "has been modified by an inplace operation",
                         "the result of shape (3,)", "ExpBackward0", "in changed_in_place",
                         "exp of (3,) was called at", "x = x + 1 for x += 1"),
    "a leaf in place": (lambda: leaf().add_(1), RuntimeError,
                        "a leaf Variable that requires grad is being used in an in-place operation",
                        "no_grad"),
    "numpy()": (lambda: (leaf() * 2).numpy(), RuntimeError, "Can't call numpy() on Tensor that requires grad",
                "tensor.detach().numpy()"),
    "a NumPy function": (lambda: np.sin(leaf()), RuntimeError, "tensor.detach().numpy()"),
    "item of several": (lambda: leaf().item(), RuntimeError, "3 elements cannot be converted to Scalar"),
    "integers that require grad": (lambda: torch.tensor([1], requires_grad=True), RuntimeError,
                                   "only Tensors of floating point dtype", "x.float()"),
    # modules
    "no super().__init__()": (LateInit, AttributeError, "before Module.__init__() call",
                              "begin __init__ with super().__init__()"),
    "no super().__init__(), noticed later": (lambda: NoInit()(values(2)), AttributeError,
                                             "no attribute 'fc'", "did not call super().__init__()"),
    "forward misspelt": (lambda: Misspelt()(values(2)), NotImplementedError,
                         'is missing the required "forward" function', "is foward() misspelt?"),
    "a list of layers called": (lambda: nn.ModuleList([nn.ReLU()])(values(2)), NotImplementedError,
                                "one by one", "nn.Sequential"),
    "brackets forgotten in a network": (lambda: nn.Sequential(nn.Linear(2, 2), nn.ReLU), TypeError,
                                        "is not a Module subclass", "ReLU(...)"),
    "a list in Sequential": (lambda: nn.Sequential([nn.ReLU()]), TypeError, "list is not a Module subclass",
                             "Sequential(*layers)"),
    "a function in Sequential": (lambda: nn.Sequential(F.relu), TypeError, "is not a Module subclass",
                                 "call relu in forward()"),
    "a layer made of data": (lambda: nn.ReLU(values(2)).sum(), AttributeError, "no attribute 'sum'",
                             "ReLU()(...)"),
    # optimizers
    "parameters without brackets": (lambda: optim.SGD(Net().parameters, 0.1), TypeError,
                                    "'method' object is not iterable", "model.parameters()"),
    "the model for its parameters": (lambda: optim.SGD(Net(), 0.1), TypeError,
                                     "'Net' object is not iterable", "model.parameters()"),
    "no parameters": (lambda: optim.SGD(nn.ReLU().parameters(), 0.1), ValueError,
                      "optimizer got an empty parameter list", "register"),
    # state
    "prefix too much": (lambda: load(nn.Linear(2, 2), ["module.weight", "module.bias"]), RuntimeError,
                        'Missing key(s) in state_dict: "weight", "bias"', 'Unexpected key(s)',
                        'the prefix "module."', 'removeprefix("module.")'),
    "prefix missing": (lambda: load(nn.Sequential(nn.Linear(2, 2)), ["weight", "bias"]), RuntimeError,
                       'lack the prefix "0."', "net.0"),
    "near miss": (lambda: load(nn.Linear(2, 2), ["wieght", "bias"]), RuntimeError,
                  'Did you mean: "wieght" for "weight"?'),
    "sizes": (lambda: nn.Linear(2, 3).load_state_dict(nn.Linear(2, 2).state_dict()), RuntimeError,
              "size mismatch for weight", "[2, 2]", "[3, 2]"),
    "a checkpoint": (lambda: nn.Linear(2, 2).load_state_dict({"model": {}, "epoch": 3}), RuntimeError,
                     'checkpoint["model"]'),
    "a file name": (lambda: nn.Linear(2, 2).load_state_dict("net.pt"), TypeError, "dict-like",
                    "torch.load('net.pt')"),
    "a module for its state": (lambda: nn.Linear(2, 2).load_state_dict(nn.Linear(2, 2)), TypeError,
                               "value.state_dict()"),
    # devices
    "cuda": (lambda: values(2).to("cuda:0"), RuntimeError, "'cuda:0' is not available", "device('cpu')"),
    "a network to cuda": (lambda: Net().cuda(), RuntimeError, "'cuda' is not available", "device('cpu')"),
    "a misspelt device": (lambda: values(2, device="gpu"), RuntimeError, "'gpu' is not available"),
}


def told(error: BaseException) -> str:
    """The error's text with the notes that Python prints behind it."""
    return "\n".join([str(error), *getattr(error, "__notes__", [])])


@pytest.mark.parametrize("mistake", MISTAKES)
def test_the_error_says(mistake):
    call, kind, *parts = MISTAKES[mistake]
    with pytest.raises(kind) as caught:
        call()
    missing = [part for part in parts if part not in told(caught.value)]
    assert not missing, told(caught.value)


@pytest.mark.parametrize("mistake, op", [
    (backward_twice, r"mul of .*"), (changed_in_place, "exp of .*"), (function_changed, "SquareBackward"),
    (convolution_changed, r"convolution_block of \(1, 1, 2, 2\)"),
])
def test_both_lines_are_told(mistake, op):
    first = mistake.__code__.co_firstlineno
    with pytest.raises(RuntimeError) as caught:
        mistake()
    lines = re.findall(r"test_errors\.py:(\d+) in " + mistake.__name__, str(caught.value))
    assert sorted(int(line) - first for line in lines) == [2, 3]
    assert re.search(op + r" was called at .*test_errors\.py", str(caught.value))


def test_the_line_that_made_the_wrong_shape_is_told():
    with pytest.raises(RuntimeError) as caught:
        Net()(values(2, 3, 20, 20))
    line = Net.forward.__code__.co_firstlineno + 1
    assert re.search(rf"flatten of \(2, 4, 7, 7\), made at .*test_errors\.py:{line} in forward, behind",
                     told(caught.value))


def test_python_310_gets_the_note_in_the_text():
    class Old(Exception):
        add_note = property()  # no such attribute, as before Python 3.11

    def refuse(x):
        raise Old("no")

    layer = nn.Linear(2, 2)
    layer.forward = refuse
    with pytest.raises(Old) as caught:
        nn.Sequential(nn.ReLU(), layer)(values(2, 2))
    assert str(caught.value).startswith("no\nraised in 1: Linear(") and str(caught.value).count("raised") == 1
