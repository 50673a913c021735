"""Pooling and interpolation against PyTorch: values, indices, gradients and refusals of random calls."""

import warnings

import numpy as np
import pytest

import ops
import tinygrad_hw as thw

torch = pytest.importorskip("torch")
F = torch.nn.functional

DTYPES = (np.float32, np.float64)


def tolerance(dtype):
    """Both engines compute in the data's dtype, in different orders."""
    return dict(rtol=2e-5, atol=2e-5) if dtype == np.float32 else dict(rtol=1e-11, atol=1e-11)


def pixels(rng, shape, dtype, kind="smooth"):
    """Distinct values, or small integers full of ties, or some NaN among them."""
    if kind == "ties":
        return rng.integers(-2, 3, shape).astype(dtype)
    values = rng.standard_normal(shape).astype(dtype)
    if kind == "nan":
        values[rng.random(shape) < 0.1] = np.nan
    return values


def tuple_of(result):
    return tuple(result) if isinstance(result, (tuple, list)) else (result,)


def agree(name, values, *args, seed=0, **kwargs):
    """The call gives what PyTorch gives, gradient included, or is refused where PyTorch refuses.

    Returns whether PyTorch accepted it.
    """
    about = f"{name}({values.dtype}{values.shape}, {args}, {kwargs})"
    theirs_in = torch.tensor(values).requires_grad_(values.dtype.kind == "f")
    mine_in = thw.from_numpy(values.copy()).requires_grad_(values.dtype.kind == "f")
    try:
        theirs = tuple_of(getattr(F, name)(theirs_in, *args, **kwargs))
    except (RuntimeError, ValueError, TypeError, IndexError) as error:
        refusal = type(error) if isinstance(error, (ValueError, TypeError)) else RuntimeError
        with pytest.raises(refusal):
            getattr(ops, name)(mine_in, *args, **kwargs)
            pytest.fail(f"{about} was accepted; PyTorch: {error}")
        return False
    if torch.isinf(theirs[0]).any():
        return False  # a window of padding alone: PyTorch's index points outside of the plane
    mine = tuple_of(getattr(ops, name)(mine_in, *args, **kwargs))
    assert len(mine) == len(theirs), about
    for ours, other in zip(mine, theirs):
        other = other.detach().numpy()
        assert ours.array.dtype == other.dtype, about
        np.testing.assert_allclose(ours.array, other, err_msg=about, **tolerance(values.dtype))
    if values.dtype.kind == "f" and mine[0].array.size:  # PyTorch has no backward from size 0
        cotangent = np.random.default_rng(seed).standard_normal(mine[0].shape).astype(values.dtype)
        theirs[0].backward(torch.tensor(cotangent))
        mine[0].backward(thw.from_numpy(cotangent))
        np.testing.assert_allclose(mine_in.grad.array, theirs_in.grad.numpy(), err_msg=about,
                                   **tolerance(values.dtype))
    return True


def draw_window(rng, dims, dilated):
    """Kernel, stride, padding (and dilation), each one number or one for each dimension."""

    def sizes(low, high):
        drawn = tuple(rng.integers(low, high, dims).tolist())
        return drawn if rng.random() < 0.5 else drawn[0]

    stride = None if rng.random() < 0.3 else sizes(1, 4)
    window = [sizes(1, 5), stride, sizes(0, 3) if rng.random() < 0.6 else 0]
    return window + [sizes(1, 3) if rng.random() < 0.4 else 1] if dilated else window


def draw_shape(rng, dims, batched=True):
    lead = rng.integers(1, 4, 2 if batched and rng.random() < 0.7 else 1).tolist()
    return (*lead, *rng.integers(1, 10, dims).tolist())


@pytest.mark.parametrize("kind", ("smooth", "ties", "nan"))
@pytest.mark.parametrize("dims", (1, 2))
def test_max_pool(dims, kind):
    """Ceil mode, dilation, padding, indices; the first of equal values wins, and NaN over all."""
    rng = np.random.default_rng(dims)
    accepted = 0
    for trial in range(150):
        values = pixels(rng, draw_shape(rng, dims), DTYPES[trial % 2], kind)
        indices = dims == 2 or kind != "nan"  # PyTorch's 1-D path without indices is another one
        flags = bool(rng.integers(2)), indices and bool(rng.integers(2))
        accepted += agree(f"max_pool{dims}d", values, *draw_window(rng, dims, True), *flags, seed=trial)
    assert accepted > 40


@pytest.mark.parametrize("kind", ("smooth", "ties", "nan"))
@pytest.mark.parametrize("dtype", DTYPES)
def test_max_pool_two_by_two(dtype, kind):
    """The usual windows have a kernel of their own."""
    rng = np.random.default_rng(0)
    for shape in ((2, 3, 8, 8), (3, 7, 9), (1, 1, 28, 33)):
        for ceil_mode in (False, True):
            assert agree("max_pool2d", pixels(rng, shape, dtype, kind), 2, 2, 0, 1, ceil_mode, True)


@pytest.mark.parametrize("dtype", (np.uint8, np.int8, np.int32, np.int64))
def test_integer_pooling(dtype):
    """Integers where PyTorch takes them, refused where it does not."""
    values = np.random.default_rng(0).integers(0, 100, (2, 3, 6, 5)).astype(dtype)
    values = values - (50 if dtype != np.uint8 else 0)
    assert agree("max_pool2d", values, 2, 1, 1, return_indices=True)
    assert agree("avg_pool2d", values, 2, 1, 1) == (dtype == np.int64)
    for name in ("avg_pool1d", "max_pool1d", "adaptive_avg_pool1d", "adaptive_max_pool1d"):
        agree(name, values[0], 2)
    for name in ("adaptive_avg_pool2d", "adaptive_max_pool2d"):
        assert not agree(name, values, 2)


@pytest.mark.parametrize("dims", (1, 2))
def test_avg_pool(dims):
    """Ceil mode, with and without the padding in the count, another divisor."""
    rng = np.random.default_rng(dims)
    accepted = 0
    for trial in range(200):
        values = pixels(rng, draw_shape(rng, dims), DTYPES[trial % 2])
        options = [bool(rng.integers(2)), bool(rng.integers(2))]
        if dims == 2 and rng.random() < 0.3:
            options.append(int(rng.integers(-3, 4)))
        window = draw_window(rng, dims, False)
        accepted += agree(f"avg_pool{dims}d", values, *window, *options, seed=trial)
    assert accepted > 60


@pytest.mark.parametrize("kind", ("smooth", "ties", "nan"))
@pytest.mark.parametrize("dims", (1, 2))
def test_adaptive_pool(dims, kind):
    rng = np.random.default_rng(dims)
    for trial in range(60):
        values = pixels(rng, draw_shape(rng, dims), DTYPES[trial % 2], kind)
        size = tuple(rng.integers(0 if rng.random() < 0.1 else 1, 9, dims).tolist())
        if dims == 2 and rng.random() < 0.2:
            size = (None, size[1])
        elif rng.random() < 0.3:
            size = size[0]
        if kind != "nan":
            assert agree(f"adaptive_avg_pool{dims}d", values, size, seed=trial)
        assert agree(f"adaptive_max_pool{dims}d", values, size, bool(rng.integers(2)), seed=trial)


def test_lp_pool():
    rng = np.random.default_rng(0)
    for trial in range(60):
        dims = trial % 2 + 1
        values = np.abs(pixels(rng, draw_shape(rng, dims), DTYPES[trial // 2 % 2])) + 0.1
        window = draw_window(rng, dims, False)[:2]
        if dims == 1:
            window[0] = int(np.ravel(window[0])[0])
        power = (1, 2, 3.5, float("inf"))[int(rng.integers(4))]
        agree(f"lp_pool{dims}d", values, power, *window, bool(rng.integers(2)), seed=trial)


@pytest.mark.parametrize("dims", (1, 2))
def test_max_unpool(dims):
    rng = np.random.default_rng(0)
    for trial in range(60):
        values = pixels(rng, draw_shape(rng, dims), DTYPES[trial % 2])
        kernel, stride, padding = draw_window(rng, dims, False)
        try:
            pooled, indices = getattr(F, f"max_pool{dims}d")(
                torch.from_numpy(values), kernel, stride, padding, return_indices=True)
        except RuntimeError:
            continue
        size = values.shape[-dims:] if rng.random() < 0.6 else None
        arguments = (kernel, stride, padding, size)
        source = pooled.clone().requires_grad_()
        mine_in = thw.from_numpy(pooled.numpy().copy()).requires_grad_()
        mine_indices = thw.from_numpy(indices.numpy())
        name = f"max_unpool{dims}d"
        try:
            theirs = getattr(F, name)(source, indices, *arguments)
        except (RuntimeError, ValueError) as error:
            with pytest.raises(RuntimeError if isinstance(error, RuntimeError) else ValueError):
                getattr(ops, name)(mine_in, mine_indices, *arguments)
            continue
        mine = getattr(ops, name)(mine_in, mine_indices, *arguments)
        np.testing.assert_array_equal(mine.array, theirs.detach().numpy())
        cotangent = rng.standard_normal(mine.shape).astype(values.dtype)
        theirs.backward(torch.from_numpy(cotangent))
        mine.backward(thw.from_numpy(cotangent))
        np.testing.assert_array_equal(mine_in.grad.array, source.grad.numpy())


def draw_resampling(rng, dims):
    """Options of one random call of interpolate, given an input of ``dims`` spatial dimensions."""
    linear = ("linear",) if dims == 1 else ("bilinear", "bicubic")
    options = dict(mode=str(rng.choice(("nearest", "nearest-exact", "area", *linear))))
    many = rng.random() < 0.5
    if rng.random() < 0.5:
        sizes = rng.integers(1, 14, dims).tolist()
        options["size"] = sizes if many else sizes[0]
    else:
        factors = rng.choice((0.3, 0.5, 0.75, 1.0, 1.3, 2.0, 2.2, 3.0), dims).tolist()
        options["scale_factor"] = factors if many else factors[0]
        options["recompute_scale_factor"] = (None, False, True)[int(rng.integers(3))]
    if options["mode"] in linear:
        options["align_corners"] = (None, False, True)[int(rng.integers(3))]
        if dims == 2 and rng.random() < 0.4:
            options["antialias"] = True
    return options


def wrong_in_pytorch(values, mode, size=None, scale_factor=None, antialias=False, **options):
    """Three slips of PyTorch 2.13, which are not followed.

    An antialiased result that is one pixel wide repeats its first row.  Where a factor rounds to a kept
    size, antialiasing copies, but its gradient is not that of a copy.  Where it rounds to a kept or
    doubled size, the nearest neighbours of a signal follow the factor, their gradient that of a copy.
    """
    before = np.array(values.shape[2:])
    wanted = np.broadcast_to(size, before.shape) if scale_factor is None else before * scale_factor
    after = wanted.astype(int)
    kept, doubled = (wanted != after) & (after == before), (wanted != after) & (after == 2 * before)
    if antialias:
        return after[-1] == 1 or kept.any()
    return mode == "nearest" and values.ndim == 3 and (kept | doubled).any()


@pytest.mark.parametrize("dims", (1, 2))
def test_interpolate(dims):
    """Every mode, by size and by factor, with and without aligned corners and antialiasing."""
    rng = np.random.default_rng(dims)
    accepted = 0
    for trial in range(360):
        values = pixels(rng, (2, *draw_shape(rng, dims, False)), DTYPES[trial % 2])
        options = draw_resampling(rng, dims)
        if not wrong_in_pytorch(values, **options):
            accepted += agree("interpolate", values, seed=trial, **options)
    assert accepted > 200


def test_interpolate_bytes():
    """uint8 images and nearest neighbours."""
    values = np.random.default_rng(0).integers(0, 256, (1, 3, 5, 4)).astype(np.uint8)
    for mode in ("nearest", "nearest-exact"):
        assert agree("interpolate", values, 7, mode=mode)
        assert agree("interpolate", values, scale_factor=0.6, mode=mode)
    assert not agree("interpolate", values.astype(np.int16), 7)


IMAGES = (2, 3, 8, 8), (3, 8, 8), (0, 3, 8, 8)
SIGNALS = (2, 3, 8), (3, 8), (0, 3, 8)
NEITHER = (2, 0, 8, 8), (2, 3, 0, 8), (0, 8, 8), (2, 3, 4, 8, 8), (8,), (2, 0, 8), (2, 3, 0), (0, 8)
WINDOWS = (
    (2, 0), (0,), (2, -1), (2, 2, 2), (3, 1, -1), (9,), ((2, 2, 2),), ((2,),), (2, (1, 1, 1)), (2.5,),
    ("a",), (None,), (2, 2.0), (True,), (2, []), (2, 1, 1, True),
)
SIZES = 0, -1, (2,), (2, 2, 2), (2, 2), 2.5, None, (None, 3)
RESAMPLINGS = (
    dict(), dict(size=4, scale_factor=2), dict(size=(4, 4, 4)), dict(size=(4,)),
    dict(scale_factor=(2.0,)), dict(size=0), dict(size=-1), dict(scale_factor=0.0),
    dict(scale_factor=-1.0), dict(size=4.5),
    dict(size=(4.0, 4.0)), dict(size=True), dict(scale_factor="a"), dict(size=4, align_corners=True),
    dict(size=4, mode="linear"), dict(size=4, mode="bilinear"), dict(size=4, mode="trilinear"),
    dict(size=4, mode="bicubic"), dict(size=4, mode="foo"), dict(size=4, mode=None),
    dict(size=4, recompute_scale_factor=True), dict(size=4, antialias=True),
    dict(size=4, antialias=True, mode="bilinear"), dict(size=0, mode="area"), dict(size=4, mode="area"),
)


@pytest.mark.parametrize("dims, shapes", ((1, SIGNALS), (2, IMAGES)))
def test_refusals(dims, shapes):
    """What PyTorch refuses is refused with the same kind of error, and what it accepts is accepted."""
    for shape in shapes:
        values = np.random.default_rng(0).standard_normal(shape)
        for name in ("max_pool", "avg_pool"):
            for window in WINDOWS:
                agree(f"{name}{dims}d", values, *window)
        for name in ("adaptive_avg_pool", "adaptive_max_pool"):
            for size in SIZES:
                agree(f"{name}{dims}d", values, size)
        if len(shape) > dims + 1:
            for options in RESAMPLINGS:
                agree("interpolate", values, **options)


@pytest.mark.parametrize("shape", NEITHER)
def test_shapes_refused(shape):
    """Shapes that fit one of the functions, or none."""
    values = np.random.default_rng(0).standard_normal(shape)
    for dims in (1, 2):
        for name in ("max_pool", "avg_pool", "adaptive_avg_pool", "adaptive_max_pool"):
            agree(f"{name}{dims}d", values, 2)
    if len(shape) != 5:
        for mode in ("nearest", "linear", "bilinear", "bicubic", "area"):
            agree("interpolate", values, 4, mode=mode)


def test_upsample_warns():
    values = thw.ones(1, 1, 2, 2)
    with pytest.warns(UserWarning, match="deprecated"):
        result = ops.upsample(values, scale_factor=2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(result.array, ops.interpolate(values, scale_factor=2).array)
