"""The names that public tutorials use most are all there, and what torchvision's part of them computes.

The list is a choice of ours, made with eight scripts in view from pytorch/examples, yunjey/pytorch-tutorial,
eriklindernoren/PyTorch-GAN and MorvanZhou/PyTorch-Tutorial (on GitHub).
"""

import io

import numpy as np
import pytest
from PIL import Image

import tinygrad_hw as torch
from tinygrad_hw.compat import table
from tinygrad_hw.vision import io as vision_io
from tinygrad_hw.vision import transforms, utils
from tinygrad_hw.vision.transforms import v2

COMMON = {
    "torch": """
        FloatTensor LongTensor Tensor abs arange argmax as_tensor bernoulli bmm cat chunk clamp cos
        cuda.is_available cuda.manual_seed cuda.manual_seed_all cuda.device_count cuda.empty_cache
        cuda.FloatTensor device distributions.Bernoulli distributions.Categorical
        distributions.Normal einsum empty exp eye flatten float32 float64 from_numpy full gather
        int64 inference_mode isnan linspace load log long manual_seed matmul max mean meshgrid min
        mm mul multinomial mv nn no_grad norm normal ones ones_like optim pow rand randint randn
        randn_like randperm reshape save set_default_dtype set_num_threads set_printoptions sigmoid
        sin softmax sort split sqrt squeeze stack std sum tanh tensor topk transpose unsqueeze uint8
        var where zeros zeros_like backends.cudnn.benchmark backends.cudnn.deterministic
        backends.mps.is_available accelerator.is_available accelerator.current_accelerator compile
        get_default_dtype get_rng_state Generator Size bool pi
    """,
    "torch.Tensor": """
        add add_ all any argmax backward byte clamp_ clone contiguous copy_ cpu cuda data detach
        detach_ dim div double eq expand expand_as exp fill_ flatten float gather grad grad_fn int
        is_cuda is_leaf item log long masked_fill max mean min mul mul_ ndim norm normal_ numel
        numpy permute pow relu repeat requires_grad requires_grad_ reshape retain_grad scatter_
        shape sigmoid size split sqrt squeeze std sub_ sum t to tolist topk transpose type type_as
        uniform_ unsqueeze view view_as zero_ register_hook T new_zeros
    """,
    "torch.nn": """
        AdaptiveAvgPool2d AvgPool2d BCELoss BCEWithLogitsLoss BatchNorm1d BatchNorm2d Conv1d Conv2d
        ConvTranspose2d CrossEntropyLoss DataParallel Dropout Dropout2d ELU Embedding EmbeddingBag
        Flatten GELU GRU Identity InstanceNorm2d KLDivLoss L1Loss LSTM LazyConv2d LazyLinear
        LayerNorm LeakyReLU Linear LogSoftmax MSELoss MaxPool2d Module ModuleDict ModuleList NLLLoss
        PReLU Parameter ParameterList PixelShuffle RNN ReLU ReLU6 ReflectionPad2d Sequential SiLU
        Sigmoid SmoothL1Loss Softmax Softplus Tanh TripletMarginLoss Unflatten Upsample ZeroPad2d
        init.constant_ init.kaiming_normal_ init.kaiming_uniform_ init.normal_ init.orthogonal_
        init.uniform_ init.xavier_normal_ init.xavier_uniform_ init.zeros_ init.normal
        init.xavier_uniform utils.clip_grad_norm_ utils.clip_grad_value_ utils.parameters_to_vector
        utils.spectral_norm utils.weight_norm parameter.Parameter modules.conv.Conv2d
    """,
    "torch.nn.functional": """
        adaptive_avg_pool2d avg_pool2d binary_cross_entropy binary_cross_entropy_with_logits conv2d
        cosine_similarity cross_entropy dropout elu embedding gelu grid_sample affine_grid
        gumbel_softmax interpolate kl_div l1_loss leaky_relu linear log_softmax logsigmoid
        max_pool2d mse_loss nll_loss normalize one_hot pad relu sigmoid smooth_l1_loss softmax
        softplus tanh unfold
    """,
    "torch.optim": """
        ASGD Adadelta Adagrad Adam AdamW LBFGS Optimizer RMSprop Rprop SGD
        lr_scheduler.CosineAnnealingLR lr_scheduler.ExponentialLR lr_scheduler.LambdaLR
        lr_scheduler.MultiStepLR lr_scheduler.OneCycleLR lr_scheduler.ReduceLROnPlateau
        lr_scheduler.StepLR lr_scheduler.CosineAnnealingWarmRestarts
    """,
    "torch.autograd": "Function Variable backward grad gradcheck functional.jacobian functional.hessian",
    "torch.utils.data": """
        ConcatDataset DataLoader Dataset IterableDataset Subset SubsetRandomSampler TensorDataset
        WeightedRandomSampler random_split sampler.SubsetRandomSampler get_worker_info
        dataloader.default_collate
    """,
    "torchvision": """
        datasets.CIFAR10 datasets.CIFAR100 datasets.FakeData datasets.FashionMNIST
        datasets.ImageFolder datasets.MNIST io.read_image transforms.CenterCrop
        transforms.ColorJitter transforms.Compose transforms.Grayscale transforms.Lambda
        transforms.Normalize transforms.Pad transforms.RandomAffine transforms.RandomCrop
        transforms.RandomErasing transforms.RandomHorizontalFlip transforms.RandomResizedCrop
        transforms.RandomRotation transforms.Resize transforms.ToPILImage transforms.ToTensor
        transforms.functional.to_tensor transforms.v2.ToDtype transforms.v2.ToImage utils.make_grid
        utils.save_image
    """,
}


@pytest.mark.parametrize("namespace", COMMON)
def test_common_names_are_there(namespace):
    names = [f"{namespace}.{name}" for name in COMMON[namespace].split()]
    refused = {"torch.Tensor.cuda", "torch.cuda.FloatTensor"}
    assert [name for name in names if table.status(name) == "missing"] == []
    assert {name for name in names if table.status(name) == "refused"} <= refused


# ------------------------------------------------------------------ torchvision.utils, io and transforms.v2


def test_make_grid_places_images_row_by_row():
    images = torch.arange(3.0).reshape(3, 1, 1, 1) * torch.ones(3, 1, 2, 3)
    grid = utils.make_grid(images, nrow=2, padding=1, pad_value=9)
    assert grid.shape == (3, 7, 9) and (grid[0] == grid[2]).all()
    assert grid[0].tolist() == [
        [9] * 9, [9, 0, 0, 0, 9, 1, 1, 1, 9], [9, 0, 0, 0, 9, 1, 1, 1, 9],
        [9] * 9, [9, 2, 2, 2, 9, 9, 9, 9, 9], [9, 2, 2, 2, 9, 9, 9, 9, 9], [9] * 9]


def test_make_grid_scales():
    images = torch.tensor([[[[-1.0, 1.0]]], [[[0.0, 3.0]]]])
    whole = utils.make_grid(images, padding=0, normalize=True)
    np.testing.assert_allclose(whole[0], [[0, 0.5, 0.25, 1]])
    each = utils.make_grid(images, padding=0, normalize=True, scale_each=True)
    np.testing.assert_allclose(each[0], [[0, 1, 0, 1]])
    ranged = utils.make_grid(list(images), padding=0, normalize=True, value_range=(0, 1))
    np.testing.assert_allclose(ranged[0], [[0, 1, 0, 1]])
    assert utils.make_grid(torch.ones(4, 5)).shape == (3, 4, 5)


@pytest.mark.parametrize("images, options, error, text", [
    ([1, 2], {}, TypeError, "tensor or list of tensors expected"),
    (torch.ones(1, 1, 1, 2, 2), {}, ValueError, r"got shape \(1, 1, 1, 2, 2\)"),
    (torch.ones(1, 2, 2), {"normalize": True, "value_range": [0, 1]}, TypeError, "has to be a tuple"),
])
def test_make_grid_refuses(images, options, error, text):
    with pytest.raises(error, match=text):
        utils.make_grid(images, **options)


def test_images_to_files_and_back(tmp_path):
    utils.save_image(torch.tensor([[[0.0, 0.5, 1.0, 2.0]]]), tmp_path / "row.png")
    row = vision_io.read_image(tmp_path / "row.png")
    assert row.dtype is torch.uint8 and row[0].tolist() == [[0, 128, 255, 255]] and row.shape == (3, 1, 4)
    grey = vision_io.read_image(str(tmp_path / "row.png"), vision_io.ImageReadMode.GRAY)
    assert grey.shape == (1, 1, 4)
    image = torch.randint(0, 256, (3, 4, 5), dtype=torch.uint8)
    assert (vision_io.decode_image(vision_io.write_png(image)) == image).all()
    vision_io.write_jpeg(image, tmp_path / "a.jpg", quality=90)
    assert vision_io.decode_image(vision_io.read_file(tmp_path / "a.jpg"), "GRAY").shape == (1, 4, 5)
    with pytest.raises(ValueError, match="the image in memory: it is no image"):
        vision_io.decode_image(torch.zeros(9, dtype=torch.uint8))
    with pytest.raises(RuntimeError, match=r"uint8 Tensor \(C, H, W\), got .*float32 of shape \(3, 2, 2\)"):
        vision_io.write_png(torch.ones(3, 2, 2))
    with pytest.raises(RuntimeError, match="channels should be 1 or 3, got: 2"):
        vision_io.write_png(torch.zeros(2, 2, 2, dtype=torch.uint8))


def test_images_are_turned_as_the_camera_says():
    file, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = 6
    Image.new("L", (4, 2)).save(file, "JPEG", exif=exif)
    bytes_of = torch.tensor(list(file.getvalue()), dtype=torch.uint8)
    assert vision_io.decode_image(bytes_of).shape == (1, 2, 4)
    assert vision_io.decode_image(bytes_of, apply_exif_orientation=True).shape == (1, 4, 2)


def test_second_version_of_transforms():
    picture = Image.new("RGB", (4, 2), (255, 0, 51))
    scaled = v2.ToDtype(torch.float32, scale=True)
    change = v2.Compose([v2.ToImage(), scaled, v2.Normalize([0.5] * 3, [0.5] * 3)])
    np.testing.assert_allclose(change(picture)[:, 0, 0], [1, -1, -0.6], rtol=1e-6)
    assert v2.Resize is transforms.Resize
    assert v2.ToDtype(torch.float64)(torch.tensor([2])).item() == 2.0
    assert v2.ToImage()(np.zeros((2, 4), np.uint8)).shape == (1, 2, 4)
    with pytest.raises(TypeError, match="a numpy array, or a PIL image, but got <class 'int'>"):
        v2.ToImage()(3)
