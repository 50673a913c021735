"""Transforms of images: values by torchvision's published formulas, and errors."""

import colorsys
import math

import numpy as np
import pytest
from PIL import Image

import tinygrad_hw as thw
from tinygrad_hw.vision import transforms as T
from tinygrad_hw.vision.transforms import functional as F

RNG = np.random.default_rng(0)
BYTES = RNG.integers(0, 256, (3, 7, 9), dtype=np.uint8)
FLOATS = RNG.random((3, 7, 9)).astype(np.float32)


def pil(array=BYTES):
    return Image.fromarray(np.ascontiguousarray(array.transpose(1, 2, 0)))


def tensor(array):
    return thw.from_numpy(np.array(array))


def as_array(image):
    """(C, H, W) of either kind of image."""
    return image.array if isinstance(image, thw.Tensor) else F.pil_to_tensor(image).array


class TestConversion:
    def test_to_tensor(self):
        np.testing.assert_array_equal(T.ToTensor()(pil()).array, BYTES.astype(np.float32) / 255)
        np.testing.assert_array_equal(T.ToTensor()(BYTES[0]).array, BYTES[:1].astype(np.float32) / 255)
        floats = T.ToTensor()(FLOATS.transpose(1, 2, 0).astype(np.float64))
        assert floats.dtype == thw.float64 and floats.is_contiguous()  # only bytes are scaled
        np.testing.assert_array_equal(floats.array, FLOATS)

    @pytest.mark.parametrize("mode, value, expected, dtype", [
        ("1", 1, 1.0, "float32"), ("L", 255, 1.0, "float32"), ("I", 70000, 70000, "int32"),
        ("F", 0.25, 0.25, "float32"), ("I;16", 40000, 40000, "int32")])
    def test_modes(self, mode, value, expected, dtype):
        result = F.to_tensor(Image.new(mode, (2, 3), value))
        assert result.shape == (1, 3, 2) and result.array.dtype == dtype
        assert result[0, 0, 0].item() == expected

    def test_pil_to_tensor_keeps_bytes(self):
        result = T.PILToTensor()(pil())
        assert result.dtype == thw.uint8
        np.testing.assert_array_equal(result.array, BYTES)

    @pytest.mark.parametrize("channels, mode", [(1, "L"), (2, "LA"), (3, "RGB"), (4, "RGBA")])
    def test_to_pil_and_back(self, channels, mode):
        array = RNG.integers(0, 256, (channels, 4, 5), dtype=np.uint8)
        image = T.ToPILImage()(tensor(array))
        assert image.mode == mode and image.size == (5, 4)
        np.testing.assert_array_equal(T.PILToTensor()(image).array, array)
        floats = F.to_pil_image(F.to_tensor(image))  # v / 255 * 255 cut off: exact for all but a few
        assert np.abs(np.asarray(floats, int) - np.asarray(image, int)).max() <= 1

    def test_to_pil_modes(self):
        assert F.to_pil_image(tensor(BYTES), "HSV").mode == "HSV"
        assert F.to_pil_image(tensor(np.float32([[0.5, 1.0]]))).getpixel((1, 0)) == 255
        assert F.to_pil_image(np.float32([[0.5]])).mode == "F"
        assert F.to_pil_image(np.int32([[5]])).mode == "I"

    @pytest.mark.parametrize("call, error, text", [
        (lambda: F.to_tensor(3), TypeError, r"pic should be PIL Image or ndarray\. Got <class 'int'>"),
        (lambda: F.to_tensor(np.zeros(3)), ValueError, "2/3 dimensional. Got 1 dim"),
        (lambda: F.pil_to_tensor(BYTES), TypeError, "pic should be PIL Image"),
        (lambda: F.to_pil_image("x"), TypeError, "pic should be Tensor or ndarray"),
        (lambda: F.to_pil_image(thw.zeros(1, 1, 2, 2)), ValueError, "2/3 dimensional. Got 4"),
        (lambda: F.to_pil_image(thw.zeros(5, 2, 2)), ValueError, "> 4 channels. Got 5"),
        (lambda: F.to_pil_image(np.zeros((2, 2, 3))), TypeError, "float64 with 3 channels"),
        (lambda: F.to_pil_image(BYTES[0], "RGB"), ValueError, r"Incorrect mode \(RGB\).*Should be L"),
    ])
    def test_errors(self, call, error, text):
        with pytest.raises(error, match=text):
            call()

    @pytest.mark.parametrize(
        "source, value, target, expected",
        [
            ("uint8", 255, "float32", 1.0),
            ("uint8", 51, "float64", 0.2),
            ("float32", 1.0, "uint8", 255),
            ("float32", 0.5, "uint8", 127),
            ("float32", 0.999, "int16", 32735),
            ("uint8", 255, "int16", 32640),
            ("int16", 32640, "uint8", 255),
            ("int32", 2**31 - 1, "uint8", 255),
            ("uint8", 7, "uint8", 7),
            ("float64", 0.5, "int32", 2**30 - 1),
        ],
    )
    def test_convert_image_dtype(self, source, value, target, expected):
        image = tensor(np.full((1, 1, 1), value, source))
        result = T.ConvertImageDtype(getattr(thw, target))(image)
        assert result.array.dtype == target and result.item() == pytest.approx(expected, rel=1e-6)

    @pytest.mark.parametrize("source, target", [("float32", "int32"), ("float32", "int64"),
                                                ("float64", "int64")])
    def test_unsafe_conversion(self, source, target):
        with pytest.raises(RuntimeError, match="cannot be performed safely"):
            F.convert_image_dtype(tensor(np.zeros((1, 1), source)), getattr(thw, target))


class TestNormalize:
    def test_values(self):
        mean, std = [0.1, 0.2, 0.3], [0.5, 0.6, 0.7]
        expected = (FLOATS - np.float32(mean)[:, None, None]) / np.float32(std)[:, None, None]
        image = tensor(FLOATS)
        np.testing.assert_allclose(T.Normalize(mean, std)(image).array, expected, rtol=1e-6)
        np.testing.assert_array_equal(image.array, FLOATS)
        assert T.Normalize(mean, std, inplace=True)(image) is image
        np.testing.assert_allclose(image.array, expected, rtol=1e-6)

    def test_a_gradient_passes(self):
        image = tensor(FLOATS).requires_grad_()
        T.Normalize([0.0] * 3, [0.5] * 3)(image).sum().backward()
        assert (image.grad.array == 2).all()

    @pytest.mark.parametrize("image, mean, std, error, text", [
        (pil(), [0], [1], TypeError, "put ToTensor before Normalize"),
        (tensor(BYTES), [0], [1], TypeError, "should be a float tensor. Got .*uint8"),
        (thw.zeros(2, 2), [0], [1], ValueError, r"size \(..., C, H, W\)"),
        (thw.zeros(1, 2, 2), [0], [0], ValueError, "std evaluated to zero"),
        (thw.zeros(3, 2, 2), [0, 0], [1, 1], RuntimeError, "mean has 2 values, but the image has 3"),
    ])
    def test_errors(self, image, mean, std, error, text):
        with pytest.raises(error, match=text):
            F.normalize(image, mean, std)


class TestGeometry:
    def test_crop_pads_with_black(self):
        expected = np.pad(BYTES, [(0, 0), (2, 3), (1, 4)])
        for image in (pil(), tensor(BYTES)):
            np.testing.assert_array_equal(
                as_array(F.crop(image, -2, -1, 7 + 5, 9 + 5)), expected)
            assert not as_array(F.crop(image, 20, 20, 2, 3)).any()
            assert as_array(F.crop(image, 20, 20, 2, 3)).shape == (3, 2, 3)
            assert as_array(F.crop(image, -9, 3, 2, 3)).shape == (3, 2, 3)

    @pytest.mark.parametrize("size, slices", [
        (3, np.s_[:, 2:5, 3:6]), ((4, 2), np.s_[:, 2:6, 4:6]), ((6, 9), np.s_[:, 0:6, :])])
    def test_center_crop(self, size, slices):  # round() halves to even: 0.5 -> 0, 1.5 -> 2, 3.5 -> 4
        for image in (pil(), tensor(BYTES)):
            np.testing.assert_array_equal(as_array(T.CenterCrop(size)(image)), BYTES[slices])

    def test_center_crop_of_a_smaller_image(self):
        expected = np.pad(BYTES, [(0, 0), (1, 2), (0, 1)])
        for image in (pil(), tensor(BYTES)):
            np.testing.assert_array_equal(as_array(F.center_crop(image, 10)), expected)

    def test_flips(self):
        for image in (pil(), tensor(BYTES)):
            np.testing.assert_array_equal(as_array(F.hflip(image)), BYTES[:, :, ::-1])
            np.testing.assert_array_equal(as_array(F.vflip(image)), BYTES[:, ::-1])

    def test_five_and_ten_crops(self):
        for image in (pil(), tensor(BYTES)):
            parts = [as_array(part) for part in T.FiveCrop((3, 4))(image)]
            for part, slices in zip(parts, [np.s_[:, :3, :4], np.s_[:, :3, 5:], np.s_[:, 4:, :4],
                                            np.s_[:, 4:, 5:], np.s_[:, 2:5, 2:6]]):
                np.testing.assert_array_equal(part, BYTES[slices])
            ten = T.TenCrop((3, 4), vertical_flip=True)(image)
            np.testing.assert_array_equal(as_array(ten[5]), BYTES[:, ::-1][:, :3, :4])
        with pytest.raises(ValueError, match=r"Requested crop size \(8, 8\) is bigger than.*\(7, 9\)"):
            T.FiveCrop(8)(pil())

    @pytest.mark.parametrize("mode, numpy_mode", [("constant",) * 2, ("edge",) * 2, ("reflect",) * 2,
                                                  ("symmetric",) * 2])
    @pytest.mark.parametrize("padding, around", [
        (2, ((2, 2), (2, 2))), ([3, 1], ((1, 1), (3, 3))), ((1, 2, 3, 4), ((2, 4), (1, 3)))])
    def test_pad(self, mode, numpy_mode, padding, around):
        expected = np.pad(BYTES, ((0, 0), *around), mode=numpy_mode)
        for image in (pil(), tensor(BYTES)):
            padded = T.Pad(padding, padding_mode=mode)(image)
            np.testing.assert_array_equal(as_array(padded), expected)

    def test_pad_colours_and_negative(self):
        padded = F.pad(pil(), 1, fill=(1, 2, 3))
        assert padded.getpixel((0, 0)) == (1, 2, 3)
        assert F.pad(tensor(BYTES), 1, fill=9)[0, 0, 0].item() == 9
        for image in (pil(), tensor(BYTES)):
            for mode in ("constant", "reflect"):
                cut = F.pad(image, [-1, -2, 0, -1], padding_mode=mode)
                np.testing.assert_array_equal(as_array(cut), BYTES[:, 2:-1, 1:])

    def test_pad_gradient(self):
        image = tensor(FLOATS).requires_grad_()
        F.hflip(F.pad(F.crop(image, 1, 1, 3, 3), 1, padding_mode="symmetric")).sum().backward()
        assert image.grad.array[0, 1:4, 1:4].tolist() == [[4, 2, 4], [2, 1, 2], [4, 2, 4]]

    @pytest.mark.parametrize("size, max_size, image, expected", [
        (4, None, (20, 10), (8, 4)), (4, None, (10, 20), (4, 8)), ([4], None, (7, 9), (4, 5)),
        (4, 6, (20, 10), (6, 3)), ((3, 5), None, (20, 10), (3, 5)), (10, None, (20, 10), (20, 10)),
        (5, None, (3, 10), (5, 16))])
    def test_size_of_resize(self, size, max_size, image, expected):
        height, width = image
        for source in (Image.new("L", (width, height)), thw.zeros(1, height, width)):
            result = T.Resize(size, max_size=max_size)(source)
            assert F.get_dimensions(result) == [1, *expected]

    def test_bilinear_by_hand(self):
        row = tensor(np.float32([[[0, 1, 2, 3]]]))
        halved = F.resize(row, [1, 2])
        # With antialias a new pixel is a triangle of twice the width over the old ones.
        triangle = np.array([0.75, 0.75, 0.25]) / 1.75
        assert halved.array[0, 0, 0] == pytest.approx(triangle @ [0, 1, 2])
        assert F.resize(row, [1, 2], antialias=False).tolist() == [[[0.5, 2.5]]]
        assert F.resize(row, [1, 2], T.InterpolationMode.NEAREST).tolist() == [[[0, 2]]]
        assert F.resize(row, [1, 2], T.InterpolationMode.NEAREST_EXACT).tolist() == [[[1, 3]]]

    @pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
    @pytest.mark.parametrize("size", [(3, 4), (20, 11), (5, 30)])
    def test_tensors_and_pil_images_agree(self, mode, size):
        mode = T.InterpolationMode(mode)
        middle = BYTES // 2 + 64  # bicubic does not leave the range, which Pillow cuts after each axis
        ours = F.resize(tensor(middle), list(size), mode).array.astype(int)
        pillows = as_array(F.resize(pil(middle), list(size), mode)).astype(int)
        assert np.abs(ours - pillows).max() <= 1  # Pillow rounds after each axis

    @pytest.mark.parametrize("call, error, text", [
        (lambda: T.Resize("5"), TypeError, "Size should be int or sequence. Got <class 'str'>"),
        (lambda: T.Resize((1, 2, 3)), ValueError, "it should have 1 or 2 values"),
        (lambda: F.resize(pil(), 5, max_size=5), ValueError, "strictly greater than the requested size"),
        (lambda: F.resize(pil(), [5, 5], max_size=9), ValueError, "max_size should only be passed if"),
        (lambda: F.resize(pil(), 0), ValueError, "must be > 0"),
        (lambda: F.resize(thw.zeros(1, 3, 3), 5, T.InterpolationMode.LANCZOS), ValueError,
         "unsupported here: lanczos"),
        (lambda: F.resize(pil(), 5, "bilinear"), TypeError, "should be a InterpolationMode"),
        (lambda: F.resize("x", 5), TypeError, "Unexpected type <class 'str'>"),
        (lambda: F.resize(thw.zeros(3), 5), TypeError, "not a torch image"),
        (lambda: F.resize(thw.zeros(1, 3, 3, requires_grad=True), 5), RuntimeError, "image.detach()"),
        (lambda: T.CenterCrop((1, 2, 3)), ValueError, "only two dimensions"),
        (lambda: T.Pad("x"), TypeError, "Got inappropriate padding arg"),
        (lambda: T.Pad((1, 2, 3)), ValueError, "not a 3 element tuple"),
        (lambda: T.Pad(1, padding_mode="wrap"), ValueError, "constant, edge, reflect or symmetric"),
        (lambda: F.pad(thw.zeros(1, 3, 3), 3, padding_mode="reflect"), RuntimeError, "less than the"),
        (lambda: F.pad(pil(), 1, fill=(1, 2)), ValueError, r"\(2 != 3\)"),
    ])
    def test_errors(self, call, error, text):
        with pytest.raises(error, match=text):
            call()


class TestWarp:
    @pytest.mark.parametrize("angle, turns", [(0, 0), (90, 1), (180, 2), (-90, 3)])
    def test_right_angles(self, angle, turns):
        square = BYTES[:, :7, :7]
        expected = np.rot90(square, turns, axes=(1, 2))
        for mode in (T.InterpolationMode.NEAREST, T.InterpolationMode.BILINEAR):
            for image in (pil(square), tensor(square)):
                np.testing.assert_array_equal(as_array(F.rotate(image, angle, mode)), expected)
        np.testing.assert_array_equal(as_array(F.rotate(tensor(BYTES), angle, expand=True)),
                                      np.rot90(BYTES, turns, axes=(1, 2)))

    def test_expand_and_fill(self):
        for image in (pil(), tensor(BYTES)):
            turned = F.rotate(image, 45, expand=True, fill=[1, 2, 3])
            assert F.get_dimensions(turned) == [3, 13, 13]
            assert as_array(turned)[:, 0, 0].tolist() == [1, 2, 3]

    def test_translation_and_scale(self):
        for image in (pil(), tensor(BYTES)):
            moved = as_array(F.affine(image, 0, [2, -1], 1.0, 0.0))
            np.testing.assert_array_equal(moved[:, :-1, 2:], BYTES[:, 1:, :-2])
            assert not moved[:, -1].any() and not moved[:, :, :2].any()
        doubled = F.affine(tensor(BYTES[:, :6, :6]), 0, [0, 0], 2.0, 0.0).array
        np.testing.assert_array_equal(doubled, BYTES[:, :6, :6].repeat(2, 1).repeat(2, 2)[:, 3:9, 3:9])

    def test_matrix_by_the_published_formula(self):
        angle, (tx, ty), scale, (sx, sy), (cx, cy) = 30.0, (2, 3), 1.5, (10.0, -5.0), (4.0, 1.0)
        a, x, y = (math.radians(value) for value in (angle, sx, sy))
        linear = scale * np.array([
            [math.cos(a - y) / math.cos(y),
             -math.cos(a - y) * math.tan(x) / math.cos(y) - math.sin(a)],
            [math.sin(a - y) / math.cos(y),
             -math.sin(a - y) * math.tan(x) / math.cos(y) + math.cos(a)]])
        there = np.eye(3)
        there[:2, :2] = linear
        there[:2, 2] = np.array([cx + tx, cy + ty]) - linear @ [cx, cy]
        from tinygrad_hw.vision.transforms.warp import inverse_matrix

        back = inverse_matrix((cx, cy), angle, (tx, ty), scale, (sx, sy))
        np.testing.assert_allclose(np.vstack([back, [0, 0, 1]]) @ there, np.eye(3), atol=1e-12)

    def test_tensors_and_pil_images_agree_inside(self):
        smooth = np.add.outer(np.arange(31.0), 3 * np.arange(31.0))[None].repeat(3, 0).astype(np.uint8)
        mode = T.InterpolationMode.BILINEAR
        for change in (lambda image: F.rotate(image, 20, mode),
                       lambda image: F.affine(image, 15, [1, 2], 1.2, [5.0, 3.0], mode)):
            ours, pillows = (
                as_array(change(image)).astype(int) for image in (tensor(smooth), pil(smooth))
            )
            assert np.abs(ours - pillows)[:, 9:-9, 9:-9].max() <= 1

    @pytest.mark.parametrize("call, error, text", [
        (lambda: F.rotate(pil(), 5, center=3), TypeError, "center should be a sequence"),
        (lambda: F.rotate(tensor(BYTES), 5, fill=[1, 2]), ValueError, r"\(2 != 3\)"),
        (lambda: F.affine(pil(), "a", [0, 0], 1, 0), TypeError, "angle should be int or float"),
        (lambda: F.affine(pil(), 0, 3, 1, 0), TypeError, "translate should be a sequence"),
        (lambda: F.affine(pil(), 0, [1], 1, 0), ValueError, "sequence of length 2"),
        (lambda: F.affine(pil(), 0, [0, 0], 0, 0), ValueError, "scale should be positive, got 0"),
        (lambda: F.affine(pil(), 0, [0, 0], 1, [1, 2, 3]), ValueError, "two values"),
        (lambda: T.RandomRotation(-5), ValueError, "it must be positive"),
        (lambda: T.RandomAffine(5, translate=(0, 2)), ValueError, "between 0 and 1"),
        (lambda: T.RandomAffine(5, scale=(0, 2)), ValueError, "should be positive"),
        (lambda: T.RandomAffine(5, shear=(0, 2, 3)), ValueError, "length 2 or 4"),
    ])
    def test_errors(self, call, error, text):
        with pytest.raises(error, match=text):
            call()


class TestColour:
    def test_grey(self):
        expected = 0.2989 * BYTES[0] + 0.587 * BYTES[1] + 0.114 * BYTES[2]
        np.testing.assert_array_equal(
            F.rgb_to_grayscale(tensor(BYTES)).array[0], expected.astype(np.uint8)
        )
        assert T.Grayscale(3)(tensor(BYTES)).shape == (3, 7, 9)
        np.testing.assert_array_equal(np.asarray(T.Grayscale()(pil())), np.asarray(pil().convert("L")))

    @pytest.mark.parametrize("factor", [0.0, 0.5, 1.0, 1.7])
    def test_blends(self, factor):
        def blend(second):
            return np.clip(factor * BYTES + (1 - factor) * second, 0, 255).astype(np.uint8)

        grey = (0.2989 * BYTES[0] + 0.587 * BYTES[1] + 0.114 * BYTES[2]).astype(np.uint8).astype(float)
        for change, second in ((F.adjust_brightness, 0.0), (F.adjust_contrast, grey.mean()),
                               (F.adjust_saturation, grey)):
            ours = change(tensor(BYTES), factor).array.astype(int)
            assert np.abs(ours - blend(second)).max() <= 1  # float32 or float64 before the cut
            assert np.abs(ours - as_array(change(pil(), factor)).astype(int)).max() <= 3

    @pytest.mark.parametrize("factor", [-0.5, -0.1, 0.0, 0.3])
    def test_hue(self, factor):
        ours = F.adjust_hue(tensor(FLOATS), factor).array
        for row, column in np.ndindex(7, 9):
            hue, saturation, value = colorsys.rgb_to_hsv(*FLOATS[:, row, column].astype(float))
            expected = colorsys.hsv_to_rgb((hue + factor) % 1, saturation, value)
            np.testing.assert_allclose(ours[:, row, column], expected, atol=1e-5)
        bytes_back = F.adjust_hue(tensor(BYTES), 0.0)
        np.testing.assert_array_equal(bytes_back.array, BYTES)

    def test_gamma_and_invert(self):
        ours = F.adjust_gamma(tensor(FLOATS), 2.2, gain=0.9).array
        np.testing.assert_allclose(ours, np.clip(0.9 * FLOATS ** 2.2, 0, 1), rtol=1e-5)
        for image in (pil(), tensor(BYTES)):
            np.testing.assert_array_equal(as_array(F.invert(image)), 255 - BYTES)
            assert np.abs(as_array(F.adjust_gamma(image, 1.0)).astype(int) - BYTES).max() <= 1

    def test_blur(self):
        weights = np.exp(-0.5 * (np.arange(-1, 2) / 0.8) ** 2)
        weights /= weights.sum()
        padded = np.pad(FLOATS, ((0, 0), (1, 1), (1, 1)), mode="reflect").astype(float)
        rows = sum(w * padded[:, k:k + 7] for k, w in enumerate(weights))
        expected = sum(w * rows[:, :, k:k + 9] for k, w in enumerate(weights))
        np.testing.assert_allclose(F.gaussian_blur(tensor(FLOATS), 3, 0.8).array, expected, rtol=1e-5)
        assert F.gaussian_blur(pil(), [3, 5]).size == (9, 7)

    @pytest.mark.parametrize(
        "call, error, text",
        [
            (
                lambda: F.adjust_brightness(pil(), -1),
                ValueError,
                r"brightness_factor \(-1\) is not non-neg",
            ),
            (lambda: F.adjust_hue(pil(), 0.6), ValueError, r"\(0.6\) is not in \[-0.5, 0.5\]"),
            (lambda: F.adjust_gamma(pil(), -1), ValueError, "non-negative"),
            (lambda: F.adjust_contrast(thw.zeros(2, 3, 3), 1), TypeError, r"\[1, 3\], but found 2"),
            (lambda: T.Grayscale(2)(pil()), ValueError, "either 1 or 3"),
            (lambda: F.to_grayscale(tensor(BYTES)), TypeError, "should be PIL Image"),
            (
                lambda: T.ColorJitter(-1),
                ValueError,
                "brightness is a single number, it must be non negative",
            ),
            (lambda: T.ColorJitter(hue=0.6), ValueError, "hue values should be between"),
            (lambda: T.ColorJitter("a"), TypeError, "single number or a list"),
            (lambda: T.GaussianBlur(4), ValueError, "odd and positive"),
            (lambda: F.gaussian_blur(pil(), 3, 0.0), ValueError, "positive values"),
            (lambda: F.gaussian_blur(pil(), 21), RuntimeError, "too large"),
        ],
    )
    def test_errors(self, call, error, text):
        with pytest.raises(error, match=text):
            call()
