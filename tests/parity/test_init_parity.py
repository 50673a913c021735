"""Initialisers and gradient utilities against torch.nn.init and torch.nn.utils.

The random streams differ, so what is drawn is compared by its bounds, moments and structure.
"""

import inspect
import warnings

import numpy as np
import pytest

import tinygrad_hw as thw

torch = pytest.importorskip("torch")

from scenarios import assert_same, caught, compare, scenario, scenarios

FORMER = {name[:-1] for name in thw.nn.init.__all__ if name.endswith("_")}

# ------------------------------------------------------------------ what is drawn

DRAWS = [
    ("uniform_", (200, 300), ()),
    ("uniform_", (200, 300), (-3, 2)),
    ("normal_", (200, 300), ()),
    ("normal_", (200, 300), (2.0, 0.3)),
    ("trunc_normal_", (200, 300), ()),
    ("trunc_normal_", (200, 300), (0.5, 2, -1, 1)),
    ("constant_", (2, 3), (0.3,)),
    ("ones_", (2, 3), ()),
    ("zeros_", (2, 3), ()),
    ("eye_", (3, 5), ()),
    ("eye_", (5, 3), ()),
    ("dirac_", (4, 3, 3), ()),
    ("dirac_", (6, 2, 4, 3), (2,)),
    ("dirac_", (3, 4, 3, 3, 2), (3,)),
    *(
        (name, shape, (gain,))
        for name in ("xavier_uniform_", "xavier_normal_")
        for gain in (1.0, 2.5)
        for shape in ((200, 300), (40, 30, 5, 4))
    ),
    *(
        (name, shape, options)
        for name in ("kaiming_uniform_", "kaiming_normal_")
        for shape in ((200, 300), (40, 30, 5, 4))
        for options in (
            (),
            (5**0.5,),
            (0, "fan_out"),
            (0.1, "fan_in", "leaky_relu"),
            (0, "fan_in", "relu"),
            (0, "fan_out", "tanh"),
            (0, "fan_in", "linear"),
            (0, "fan_in", "selu"),
        )
    ),
    ("sparse_", (100, 300), (0.3,)),
    ("sparse_", (100, 300), (0.55, 2.0)),
    *(
        ("orthogonal_", shape, gain)
        for shape in ((30, 20), (20, 30), (20, 5, 6), (4, 4))
        for gain in ((), (2.0,))
    ),
]


def test_every_initialiser_is_drawn():
    assert {name for name, _, _ in DRAWS} == {name for name in thw.nn.init.__all__ if name.endswith("_")}
    public = {
        name for name, f in vars(torch.nn.init).items() if inspect.isfunction(f) and name[0] != "_"
    }
    assert not [name for name in public if not hasattr(thw.nn.init, name)]


@pytest.mark.parametrize("name", thw.nn.init.__all__)
def test_signatures(name):
    def parameters(lib):
        signature = inspect.signature(getattr(lib.nn.init, name))
        return [(p.name, p.kind, p.default) for p in signature.parameters.values()]

    assert parameters(thw) == parameters(torch)


def drawn(lib, name, shape, options, dtype="float32"):
    """The array that an initialiser makes; it returns its argument and records nothing."""
    lib.manual_seed(3)
    tensor = lib.zeros(shape, dtype=getattr(lib, dtype), requires_grad=True)
    version = tensor._version
    assert getattr(lib.nn.init, name)(tensor, *options) is tensor
    assert tensor.is_leaf and tensor.requires_grad and (tensor._version > version or lib is torch)
    return tensor.detach().numpy()


def facts(name, array):
    """What does not depend on the stream: tuples of (value, allowed relative difference)."""
    if name == "orthogonal_":
        flat = array.reshape(len(array), -1)
        product = flat @ flat.T if flat.shape[0] <= flat.shape[1] else flat.T @ flat
        return [product]
    if name == "sparse_":
        return [(array == 0).sum(0), array[array != 0].std()]
    if np.unique(array).size <= 2:
        return [array]
    return [array.std(), np.quantile(array, [0.1, 0.25, 0.75, 0.9]), array.min(), array.max()]


@pytest.mark.parametrize("name, shape, options", DRAWS, ids=str)
def test_what_is_drawn(name, shape, options):
    ours, theirs = drawn(thw, name, shape, options), drawn(torch, name, shape, options)
    assert ours.dtype == theirs.dtype and ours.shape == theirs.shape
    again, double = drawn(thw, name, shape, options), drawn(thw, name, shape, options, "float64")
    np.testing.assert_array_equal(ours, again)
    assert double.dtype == np.float64
    exact = name == "orthogonal_" or np.unique(theirs).size <= 2
    normal = "normal" in name and "trunc" not in name
    scale = np.abs(theirs).max()
    for mine, other in list(zip(facts(name, ours), facts(name, theirs)))[: 2 if normal else None]:
        scale = max(scale, np.abs(other).max())
        np.testing.assert_allclose(mine, other, rtol=0, atol=scale * (1e-5 if exact else 0.03))
    assert abs(ours.mean() - theirs.mean()) <= 8 * theirs.std() / np.sqrt(theirs.size) + 1e-7


@pytest.mark.parametrize(
    "mean, std, a, b", [(0, 1, -2, 2), (1, 2, 0, 1), (-3, 1, -2.5, -1), (0, 0.1, 0.08, 5)]
)
def test_truncated_normal_has_the_right_shape(mean, std, a, b):
    """Kolmogorov-Smirnov distance to PyTorch's numbers."""
    ours = drawn(thw, "trunc_normal_", (20000,), (mean, std, a, b))
    theirs = drawn(torch, "trunc_normal_", (20000,), (mean, std, a, b))
    assert ours.min() >= a and ours.max() <= b
    grid = np.linspace(a, b, 200)
    distance = np.searchsorted(np.sort(ours), grid) - np.searchsorted(np.sort(theirs), grid)
    assert np.abs(distance).max() / 20000 < 0.02


def test_generator_argument():
    for name in (
        "uniform_",
        "normal_",
        "trunc_normal_",
        "xavier_uniform_",
        "kaiming_normal_",
        "orthogonal_",
    ):
        first, second = (
            getattr(thw.nn.init, name)(thw.zeros(4, 5), generator=thw.Generator().manual_seed(7))
            for _ in range(2)
        )
        np.testing.assert_array_equal(first.numpy(), second.numpy())


# ------------------------------------------------------------------ the rest of init


@scenario
def gains_and_fans(lib):
    init = lib.nn.init
    for name in (
        "linear",
        "conv1d",
        "conv2d",
        "conv3d",
        "conv_transpose1d",
        "conv_transpose2d",
        "conv_transpose3d",
        "sigmoid",
        "tanh",
        "relu",
        "leaky_relu",
        "selu",
    ):
        yield init.calculate_gain(name)
    yield init.calculate_gain("leaky_relu", 0.3), init.calculate_gain("leaky_relu", 2)
    yield init.calculate_gain("relu", 5)
    yield (
        caught(init.calculate_gain, "gelu"),
        caught(init.calculate_gain, "leaky_relu", "a"),
        caught(init.calculate_gain, "leaky_relu", True),
    )
    yield [
        init._calculate_fan_in_and_fan_out(lib.zeros(shape))
        for shape in ((3, 4), (3, 4, 5), (3, 4, 5, 6), (0, 2))
    ]


@scenario
def refused_by_init(lib):
    init = lib.nn.init
    flat, plane, cube = lib.zeros(3), lib.zeros(3, 4), lib.zeros(3, 4, 5)
    for function in (
        init.xavier_uniform_,
        init.xavier_normal_,
        init.kaiming_uniform_,
        init.kaiming_normal_,
        init.orthogonal_,
        init.eye_,
    ):
        yield caught(function, flat)
    yield caught(init.eye_, cube), caught(init.dirac_, plane), caught(init.dirac_, cube, 2)
    yield caught(init.sparse_, cube, 0.1)
    yield caught(init.kaiming_uniform_, plane, mode="fan")
    yield caught(init.kaiming_normal_, plane, nonlinearity="gelu")
    yield caught(init.uniform_, plane, 2, 1), caught(init.normal_, plane, 0, -1)
    empty = lib.zeros(0, 3)
    yield init.kaiming_uniform_(empty) is empty, init.kaiming_normal_(empty) is empty
    yield init.orthogonal_(empty) is empty
    yield init.uniform_(empty) is empty, init.normal_(lib.zeros(())).shape
    yield init.constant_(lib.zeros(()), 2)


@pytest.mark.parametrize("name", sorted(FORMER & set(vars(torch.nn.init))))
def test_former_names_warn(name):
    for lib in (thw, torch):
        tensor = lib.zeros(3, 3, 3) if name == "dirac" else lib.zeros(3, 3)
        with pytest.warns(FutureWarning, match=f"nn.init.{name}` is now deprecated"):
            arguments = (0.5,) if name in ("constant", "sparse") else ()
            assert getattr(lib.nn.init, name)(tensor, *arguments) is tensor


# ------------------------------------------------------------------ gradients and parameters


def parameters_with_gradients(lib, scale=1.0):
    parameters = [
        lib.zeros(3, 4).requires_grad_(),
        lib.zeros(5).requires_grad_(),
        lib.zeros(()).requires_grad_(),
        lib.zeros(2).requires_grad_(),
    ]
    for number, parameter in enumerate(parameters[:3]):
        numbers = lib.linspace(-2, 3, max(parameter.numel(), 1)).reshape(parameter.shape)
        parameter.grad = numbers * scale + 0.1 * number
    return parameters


@scenario
def clipping_norms(lib):
    utils = lib.nn.utils
    for norm_type in (2, 2.0, 1, 1.0, 0.5, 3, 0, float("inf"), "inf", -1.0, float("-inf")):
        for max_norm in (0.5, 3, 100.0):
            parameters = parameters_with_gradients(lib)
            total = utils.clip_grad_norm_(parameters, max_norm, norm_type)
            yield norm_type, max_norm, total, [p.grad for p in parameters]
    parameters = parameters_with_gradients(lib)
    yield utils.clip_grad_norm_(parameters[0], 1.0), parameters[0].grad
    yield utils.clip_grad_norm_((p for p in parameters), 1.0, foreach=False)
    yield [p.grad for p in parameters]
    yield utils.clip_grad_norm_([], 1.0), utils.clip_grad_norm_(parameters[3:], 1.0)
    yield caught(utils.clip_grad_norm_, 3, 1.0)
    double = [p.double().detach().requires_grad_() for p in parameters[:2]]
    for parameter in double:
        parameter.grad = parameter.detach() + 3
    yield utils.clip_grad_norm_(double, 1.0), [p.grad for p in double]


@scenario
def norms_that_are_not_finite(lib):
    utils = lib.nn.utils
    for bad in (float("inf"), float("nan"), float("-inf")):
        for norm_type in (2.0, float("inf"), 1.0):
            parameters = parameters_with_gradients(lib)
            parameters[1].grad[2] = bad
            yield caught(utils.clip_grad_norm_, parameters, 1.0, norm_type, error_if_nonfinite=True)
            yield [p.grad for p in parameters]
            yield utils.clip_grad_norm_(parameters, 1.0, norm_type), [p.grad for p in parameters]


@scenario
def total_norms(lib):
    utils = lib.nn.utils
    parameters = parameters_with_gradients(lib)
    gradients = [p.grad for p in parameters[:3]]
    for norm_type in (2.0, 1.0, float("inf"), 0.0):
        yield utils.get_total_norm(gradients, norm_type), utils.get_total_norm(gradients[0], norm_type)
    yield utils.get_total_norm([])
    yield caught(utils.get_total_norm, [lib.full((2,), float("nan"))], 2.0, True)
    yield utils.clip_grads_with_norm_(parameters, 2.0, lib.tensor(5.0)), [p.grad for p in parameters]
    yield utils.clip_grads_with_norm_(parameters[0], 2.0, lib.tensor(1.0)), parameters[0].grad


@scenario
def clipping_values(lib):
    utils = lib.nn.utils
    for limit in (1.5, 0, 10, 1):
        parameters = parameters_with_gradients(lib)
        yield utils.clip_grad_value_(parameters, limit), [p.grad for p in parameters]
    yield utils.clip_grad_value_(parameters[0], 0.5), parameters[0].grad
    yield utils.clip_grad_value_(iter(parameters), 0.25), [p.grad for p in parameters]
    parameters[0].grad[0, 0] = float("nan")
    parameters[0].grad[0, 1] = float("inf")
    yield utils.clip_grad_value_(parameters, 0.1), parameters[0].grad


@scenario
def vectors(lib):
    utils = lib.nn.utils
    parameters = parameters_with_gradients(lib)
    vector = utils.parameters_to_vector(parameters)
    yield vector, vector.shape
    (vector * lib.arange(len(vector))).sum().backward()
    yield [p.grad for p in parameters]
    new = lib.arange(len(vector)).float()
    yield utils.vector_to_parameters(new, parameters), parameters, [p.requires_grad for p in parameters]
    new[0] = 50.0
    yield parameters[0], caught(utils.vector_to_parameters, [1.0], parameters)
    yield caught(utils.parameters_to_vector, [])
    yield caught(utils.vector_to_parameters, lib.ones(3), parameters)


@pytest.mark.parametrize("steps", scenarios(globals()))
def test_same_facts(steps):
    compare(steps)


@pytest.mark.parametrize(
    "name", [name for name in thw.nn.utils.__all__ if callable(getattr(thw.nn.utils, name))])
def test_signatures_of_utilities(name):
    def parameters(lib):
        signature = inspect.signature(getattr(lib.nn.utils, name))
        return [(p.name, p.kind, p.default) for p in signature.parameters.values()]

    assert parameters(thw) == parameters(torch)


def test_former_name_of_clipping_warns():
    results = []
    for lib in (thw, torch):
        parameters = parameters_with_gradients(lib)
        with pytest.warns(FutureWarning):
            results.append(lib.nn.utils.clip_grad_norm(parameters, 1.0))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            lib.nn.utils.clip_grad_norm_(parameters, 1.0)
    assert_same(*results, "total norm")
