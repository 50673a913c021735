"""Changes of images on their way into a batch, with the names and meanings of torchvision.transforms.

An image is a PIL image or a Tensor (..., C, H, W). `images` says what that means; `conversion` leads
from one to the other; `geometry`, `resampling`, `warp`, `colour` and `blur` hold the functions, which
`functional` gathers; `framing`, `random` and `random_change` hold the transforms; `composition` joins
them.

Random transforms draw from `tinygrad_hw.utils.data.transform_generator`: in a `DataLoader` a sample's
numbers follow from (seed, epoch, index) alone, for any number of workers.
"""

from tinygrad_hw.vision.transforms import functional
from tinygrad_hw.vision.transforms.blur import GaussianBlur
from tinygrad_hw.vision.transforms.composition import (
    Compose,
    Lambda,
    RandomApply,
    RandomChoice,
    RandomOrder,
    RandomTransforms,
)
from tinygrad_hw.vision.transforms.conversion import (
    ConvertImageDtype,
    Normalize,
    PILToTensor,
    ToPILImage,
    ToTensor,
)
from tinygrad_hw.vision.transforms.framing import CenterCrop, FiveCrop, Grayscale, Pad, Resize, TenCrop
from tinygrad_hw.vision.transforms.images import InterpolationMode
from tinygrad_hw.vision.transforms.random import (
    RandomCrop,
    RandomHorizontalFlip,
    RandomResizedCrop,
    RandomVerticalFlip,
)
from tinygrad_hw.vision.transforms.random_change import (
    ColorJitter,
    RandomAffine,
    RandomErasing,
    RandomGrayscale,
    RandomRotation,
)

__all__ = [
    "CenterCrop",
    "ColorJitter",
    "Compose",
    "ConvertImageDtype",
    "FiveCrop",
    "GaussianBlur",
    "Grayscale",
    "InterpolationMode",
    "Lambda",
    "Normalize",
    "PILToTensor",
    "Pad",
    "RandomAffine",
    "RandomApply",
    "RandomChoice",
    "RandomCrop",
    "RandomErasing",
    "RandomGrayscale",
    "RandomHorizontalFlip",
    "RandomOrder",
    "RandomResizedCrop",
    "RandomRotation",
    "RandomTransforms",
    "RandomVerticalFlip",
    "Resize",
    "TenCrop",
    "ToPILImage",
    "ToTensor",
    "functional",
]
