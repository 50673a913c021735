"""Layers, losses and whole networks against difference quotients in float64.

The networks are those of the course systems and of the benchmark, at small size with every parameter
and pixel checked, and as `nets` trains them along random directions.
"""

import warnings

import numpy as np
import pytest

import tinygrad_hw as thw
from bench import nets as course
from nets import autoencoders, handwriting, nist36
from nets.classification import coco_nets, dog_net, residual_nets
from nets.pretrained.resnet import resnet18
from nets.scenes.networks import CifarNet
from tinygrad_hw import nn
from tinygrad_hw.nn import functional as F
from tinygrad_hw.testing import (
    KinkWarning,
    gradcheck,
    gradgradcheck,
    numerical_gradient,
    relative_error,
)

pytestmark = pytest.mark.filterwarnings(f"error::{KinkWarning.__module__}.KinkWarning")


def uniform(*shape, seed=0, low=-1.0, high=1.0):
    rng = np.random.Generator(np.random.Philox(seed))
    return thw.from_numpy(np.asarray(rng.uniform(low, high, shape)))


def prepared(module, seed=1):
    """The module in float64 with random parameters that no kink is near to."""
    module = module.double()
    with thw.no_grad():
        for number, parameter in enumerate(module.parameters()):
            fan_in = parameter.numel() // parameter.shape[0]
            bound = fan_in ** -0.5 if parameter.ndim > 1 else 0.6
            parameter.copy_(uniform(*parameter.shape, seed=seed + number, low=-bound, high=bound))
    return module


def check(module, *inputs, loss=lambda output: output, **options):
    """`gradcheck` by the inputs and by every parameter."""
    leaves = [x.requires_grad_() if x.is_floating_point() else x for x in inputs]

    def function(*arguments):
        return loss(module(*arguments[:len(inputs)]))

    return gradcheck(function, (*leaves, *module.parameters()), **options)


# ------------------------------------------------------------------ layers


LAYERS = {
    "linear": (lambda: nn.Linear(4, 3), (2, 4)),
    "bilinear": (lambda: nn.Bilinear(3, 2, 2), (2, 3), (2, 2)),
    "conv1d": (lambda: nn.Conv1d(2, 3, 3, padding=1), (2, 2, 5)),
    "conv2d": (lambda: nn.Conv2d(2, 3, 3, stride=2, padding=1), (2, 2, 5, 4)),
    "conv2d groups": (lambda: nn.Conv2d(4, 4, (2, 3), dilation=2, groups=2), (1, 4, 5, 6)),
    "conv_transpose2d": (lambda: nn.ConvTranspose2d(2, 3, 3, 2, 1, 1), (1, 2, 3, 3)),
    "conv_transpose1d": (lambda: nn.ConvTranspose1d(2, 2, 2, dilation=2, output_padding=1), (2, 2, 3)),
    "batch_norm1d": (lambda: nn.BatchNorm1d(3), (5, 3)),
    "batch_norm2d": (lambda: nn.BatchNorm2d(2), (3, 2, 2, 3)),
    "batch_norm2d eval": (lambda: nn.BatchNorm2d(2).eval(), (3, 2, 2, 3)),
    "layer_norm": (lambda: nn.LayerNorm((2, 3)), (2, 2, 3)),
    "group_norm": (lambda: nn.GroupNorm(2, 4), (2, 4, 3)),
    "instance_norm2d": (lambda: nn.InstanceNorm2d(2, affine=True), (2, 2, 3, 2)),
    "rms_norm": (lambda: nn.RMSNorm(4), (2, 4)),
    "prelu": (lambda: nn.PReLU(3), (2, 3, 2)),
    "max_pool2d": (lambda: nn.MaxPool2d(2, ceil_mode=True), (1, 2, 5, 4)),
    "avg_pool2d": (lambda: nn.AvgPool2d(3, 2, 1), (1, 2, 5, 4)),
    "adaptive_avg_pool2d": (lambda: nn.AdaptiveAvgPool2d((2, 3)), (1, 2, 5, 4)),
    "upsample": (lambda: nn.Upsample(scale_factor=2, mode="bilinear"), (1, 1, 2, 3)),
    "pixel_shuffle": (lambda: nn.PixelShuffle(2), (1, 4, 2, 2)),
    "softmax": (lambda: nn.Softmax(1), (2, 4)),
    "log_softmax": (lambda: nn.LogSoftmax(1), (2, 4)),
    "glu": (lambda: nn.GLU(), (2, 4)),
    "gelu": (lambda: nn.GELU(), (2, 4)),
    "unfold": (lambda: nn.Unfold(2, stride=2), (1, 2, 4, 4)),
}


@pytest.mark.parametrize("name", LAYERS)
def test_layers(name):
    build, *shapes = LAYERS[name]
    layer = prepared(build())
    inputs = [uniform(*shape, seed=9 + i) for i, shape in enumerate(shapes)]
    assert check(layer, *inputs)
    assert gradgradcheck(lambda *args: layer(*args[:len(shapes)]), (*inputs, *layer.parameters()),
                         fast_mode=True)


def test_embedding():
    table, words = prepared(nn.Embedding(5, 3, padding_idx=1)), thw.tensor([[0, 4, 1], [2, 4, 4]])
    before = table.weight.clone()
    table(words).sum().backward()
    assert table.weight.grad[1].tolist() == [0, 0, 0]  # the padding word's gradient is zero by definition
    free = prepared(nn.Embedding(5, 3))
    assert gradcheck(lambda weight: free(words), free.weight)
    assert (table.weight == before).all()


LOSSES = {
    "mse": (nn.MSELoss, (3, 2), (3, 2)), "l1": (nn.L1Loss, (3, 2), (3, 2)),
    "smooth_l1": (nn.SmoothL1Loss, (3, 2), (3, 2)), "huber": (nn.HuberLoss, (3, 2), (3, 2)),
    "bce": (nn.BCELoss, "probabilities", "probabilities"), "kl_div": (nn.KLDivLoss, (3, 2), "probabilities"),
    "bce_with_logits": (nn.BCEWithLogitsLoss, (3, 2), "probabilities"),
    "cross_entropy": (nn.CrossEntropyLoss, (3, 4), "classes"), "nll": (nn.NLLLoss, (3, 4), "classes"),
    "poisson": (nn.PoissonNLLLoss, (3, 2), "probabilities"),
    "cosine": (nn.CosineEmbeddingLoss, (3, 2), (3, 2), "signs"),
    "margin": (nn.MarginRankingLoss, (3,), (3,), "signs"),
    "triplet": (nn.TripletMarginLoss, (3, 2), (3, 2), (3, 2)),
    "hinge": (nn.HingeEmbeddingLoss, (3,), "signs"), "soft_margin": (nn.SoftMarginLoss, (3,), "signs"),
    "multi_margin": (nn.MultiMarginLoss, (3, 4), "classes"),
}


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("name", LOSSES)
def test_losses(name, reduction):
    build, *kinds = LOSSES[name]
    special = {"probabilities": uniform(3, 2, seed=3, low=0.1, high=0.9), "classes": thw.tensor([1, 3, 0]),
               "signs": thw.tensor([1.0, -1.0, 1.0], dtype=thw.float64)}
    inputs = [special[kind].clone() if isinstance(kind, str) else uniform(*kind, seed=5 + i)
              for i, kind in enumerate(kinds)]
    inputs[0].requires_grad_()
    assert gradcheck(build(reduction=reduction), inputs, order=2)


# ------------------------------------------------------------------ f1 to f4


F1 = ("f1", lambda w1, x1, w2, x2, b, y: (w1 * x1 + w2 * x2 + b - y) ** 2, 6)
F2 = ("f2", lambda x: ((2 * x).exp() - 1) / ((2 * x).exp() + 1), 1)
F3 = ("f3", lambda s1, s2: -(s1.exp() / (s1.exp() + s2.exp())).log(), 2)
F4 = ("f4", lambda a, b, c: ((a * b).sin() + c.exp() / (1 + b ** 2)).sqrt() * (a - c).tanh(), 3)


@pytest.mark.parametrize("name, function, count", [F1, F2, F3, F4], ids=lambda value: str(value)[:2])
def test_graphs_of_scalars(name, function, count):
    """The graph functions of the first assignment: to third order, and to 1e-9 of the exact slope."""
    inputs = [uniform(seed=20 + i, low=0.2, high=1.5).requires_grad_() for i in range(count)]
    assert gradcheck(function, inputs, order=3)
    analytic = thw.autograd.grad(function(*inputs), inputs)
    for ours, theirs in zip(analytic, numerical_gradient(function, inputs)):
        assert relative_error(ours, theirs) < 1e-9


# ------------------------------------------------------------------ modular layers and the two-layer net


def worst_error(function, inputs):
    """The greatest relative error of the gradients, as the assignments measure it."""
    output = function(*inputs)
    cotangent = uniform(*output.shape, seed=31, low=0.5, high=1.5)
    analytic = thw.autograd.grad(output, inputs, cotangent)
    numeric = numerical_gradient(function, inputs, cotangent)
    return max(relative_error(ours, theirs) for ours, theirs in zip(analytic, numeric))


@pytest.mark.parametrize("name, function, shapes", [
    ("fully connected", lambda x, w, b: x @ w + b, [(4, 5), (5, 3), (3,)]),
    ("linear", F.linear, [(4, 5), (3, 5), (3,)]),
    ("relu", lambda x: F.relu(x), [(4, 5)]),
    ("l2 loss", lambda x, y: 0.5 * ((x - y) ** 2).sum() / len(x), [(4, 5), (4, 5)]),
    ("mse loss", F.mse_loss, [(4, 5), (4, 5)]),
    ("l2 regularization", lambda w: 0.05 * (w * w).sum(), [(5, 3)]),
    ("softmax loss", lambda x: F.cross_entropy(x, thw.tensor([0, 2, 1, 4])), [(4, 5)]),
], ids=lambda value: value if isinstance(value, str) else "")
def test_modular_layers_below_1e_9(name, function, shapes):
    inputs = [uniform(*shape, seed=40 + i).requires_grad_() for i, shape in enumerate(shapes)]
    assert worst_error(function, inputs) < 1e-9


def test_softmax_loss_of_huge_scores():
    """Scores of 1e4 neither overflow nor lose the gradient."""
    scores = (uniform(4, 5, seed=3) + 1e4).requires_grad_()
    assert gradcheck(lambda x: F.cross_entropy(x, thw.tensor([0, 2, 1, 4])), scores)


def test_classifiers_below_1e_10():
    """Data loss and L2 on the weights of a linear classifier and of a two-layer net."""
    x, labels = uniform(5, 6, seed=50), thw.tensor([0, 1, 2, 2, 1])
    linear = prepared(nn.Linear(6, 3), 60)
    two_layer = prepared(nn.Sequential(nn.Linear(6, 7), nn.ReLU(), nn.Linear(7, 3)), 62)
    for net in (linear, two_layer):
        weights = [p for p in net.parameters() if p.ndim == 2]

        def loss(*parameters, net=net, weights=weights):
            return F.cross_entropy(net(x), labels) + 0.05 * sum((w * w).sum() for w in weights)

        assert worst_error(loss, list(net.parameters())) < 1e-10


# ------------------------------------------------------------------ whole networks


def small_net1(extra=0, padding=0):
    net = course.net1(thw, padding, extra)
    net.conv1, net.conv2 = nn.Conv2d(3, 2, 3, padding=padding), nn.Conv2d(2, 3, 3, padding=padding)
    net.extra = nn.ModuleList(nn.Conv2d(3, 3, 3, padding=1) for _ in range(extra))
    net.fc1, net.fc2 = nn.Linear(12, 4), nn.Linear(4, 3)
    return net


def small_lenet(channels=1):
    net = course.lenet(thw, channels)
    net.conv1, net.conv2 = nn.Conv2d(channels, 2, 5), nn.Conv2d(2, 3, 5)
    net.fc1, net.fc2, net.fc3 = nn.Linear(3, 5), nn.Linear(5, 4), nn.Linear(4, 3)
    return net


def small_dogs():
    layers, channels = [], 3
    for out in (2, 3, 3, 4):
        layers += [nn.Conv2d(channels, out, 5, stride=2, padding=2), nn.ReLU()]
        channels = out
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3))


def small_autoencoder():
    return nn.Sequential(nn.Linear(9, 4), nn.ReLU(), nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4), nn.ReLU(),
                         nn.Linear(4, 9), nn.Sigmoid())


SMALL = {
    "mlp sigmoid": (lambda: nn.Sequential(nn.Linear(9, 5), nn.Sigmoid(), nn.Linear(5, 3)), (4, 9)),
    "two layers": (lambda: nn.Sequential(nn.Linear(9, 5), nn.ReLU(), nn.Linear(5, 3)), (4, 9)),
    "autoencoder": (small_autoencoder, (4, 9)),
    "lenet": (small_lenet, (2, 1, 16, 16)),
    "lenet rgb": (lambda: small_lenet(3), (2, 3, 16, 16)),
    "net1": (small_net1, (2, 3, 10, 10)),
    "net3": (lambda: small_net1(extra=3, padding=1), (2, 3, 8, 8)),
    "dogs": (small_dogs, (2, 3, 16, 16)),
    "batch norm": (lambda: nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.Flatten(),
                                         nn.Linear(18, 3)), (3, 1, 5, 5)),
}


@pytest.mark.parametrize("name", [
    pytest.param(name, marks=[pytest.mark.slow] * (name in ("lenet rgb", "net3", "dogs"))) for name in SMALL])
def test_every_parameter_and_pixel_of_small_networks(name):
    build, shape = SMALL[name]
    net, x = prepared(build(), 70), uniform(*shape, seed=80)
    if name == "net1":
        net.fc1 = prepared(nn.Linear(3 * 1 * 1, 4))
        x = uniform(2, 3, 10, 10, seed=80)
    with thw.no_grad():
        outputs = net(x)
    if name == "autoencoder":
        assert check(net, x, loss=lambda out: ((out - 0.3) ** 2).sum() / len(out))
    else:
        labels = thw.tensor([2, 0, 1, 1][:len(outputs)])
        assert check(net, x, loss=lambda out: F.cross_entropy(out, labels))


def along_directions(loss, leaves):
    """`gradcheck` of a network with many relus, one of which may lie within the step of 0."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", KinkWarning)
        return gradcheck(loss, leaves, fast_mode=True)


TRAINED = {
    "nist36-mlp": (nist36.MLP, (2, 1, 32, 32)), "nist36-cnn": (nist36.CNN, (2, 1, 32, 32)),
    "nist36-autoencoder": (nist36.Autoencoder, (2, 1, 32, 32)),
    "nist36-deep": (handwriting.CharacterNet, (3, 1, 32, 32)),
    "nist36-autoencoder-conv": (autoencoders.ConvAutoencoder, (3, 1, 32, 32)),
    "coco net1": (coco_nets.net1, (1, 3, 64, 64)), "coco net2": (coco_nets.net2, (1, 3, 64, 64)),
    "coco net3": (coco_nets.net3, (1, 3, 64, 64)),
    "coco net3, residual": (lambda: coco_nets.CourseNet(1, 10, True), (1, 3, 64, 64)),
    "coco net4": (residual_nets.Net4, (3, 3, 24, 24)), "dogs": (dog_net.DogNet, (2, 3, 32, 32)),
    "fashion-cnn": (residual_nets.FashionNet, (3, 3, residual_nets.SIDE, residual_nets.SIDE)),
    "scenes": (CifarNet, (3, 3, 32, 32)), "resnet18": (resnet18, (1, 3, 32, 32)),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", TRAINED)
def test_networks_that_are_trained(name):
    """All parameters (of ResNet's 62 every fifth) and pixels, batch normalisation by the batch."""
    build, shape = TRAINED[name]
    thw.manual_seed(3)
    net, x = build().double(), uniform(*shape, seed=81, low=0.0).requires_grad_()
    for layer in net.modules():
        if isinstance(layer, nn.Dropout) or name == "resnet18":  # a batch of one pixel has no variance
            layer.eval()
    out = net(x)
    weights = uniform(*out.shape, seed=82)
    parameters = list(net.parameters())[::5 if name == "resnet18" else 1]
    assert along_directions(lambda *_: (net(x) * weights).sum(), (x, *parameters))


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in course.TASKS if not name.startswith(("resnet", "squeeze"))
                                  and not name.endswith(("b64", "12288-1000-256-2-b10"))] + ["lenet-3ch-b64"])
def test_networks_of_full_size(name):
    """All parameters of the measured networks, along random directions."""
    task = course.TASKS[name]
    net = prepared(task.build(thw), 90)
    images, target = task.data(name, 2)
    x = (thw.from_numpy(images).double() + 0.05 * uniform(*images.shape, seed=7)).requires_grad_()
    target = thw.from_numpy(target)
    target = target.double() if target.is_floating_point() else target

    def loss(x, *parameters):
        return task.loss(thw, net(x), target)

    assert along_directions(loss, (x, *net.parameters()))
