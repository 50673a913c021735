"""What differs, name by name: the names that are there and mean something else than in PyTorch."""

from __future__ import annotations

__all__ = ["NOTES", "REFUSED", "note"]

_NUMBERS = "the same distribution, other numbers: the generator is Philox"
_SHAPES = "input and target of different shapes are an error, PyTorch warns and broadcasts"
_SWITCH = "accepted and remembered; it changes nothing"
_NO_DRAWS = "no rsample: gradients flow through log_prob, not through draws"

_GROUPS = {
    _NUMBERS: """
        torch.rand torch.randn torch.randint torch.randperm torch.rand_like torch.randn_like
        torch.randint_like torch.normal torch.bernoulli torch.multinomial torch.poisson torch.manual_seed
        torch.Tensor.uniform_
        torch.Tensor.normal_ torch.Tensor.random_ torch.Tensor.bernoulli_ torch.Tensor.exponential_
        torch.nn.functional.dropout torch.nn.functional.gumbel_softmax torch.utils.data.random_split
        torch.utils.data.RandomSampler
    """,
    "another format: states of PyTorch's generator are refused": "torch.get_rng_state torch.set_rng_state",
    _SHAPES: """
        torch.nn.functional.mse_loss torch.nn.functional.l1_loss torch.nn.functional.smooth_l1_loss
        torch.nn.functional.huber_loss torch.nn.functional.kl_div torch.nn.MSELoss torch.nn.L1Loss
        torch.nn.SmoothL1Loss torch.nn.HuberLoss torch.nn.KLDivLoss torch.kl_div
    """,
    _SWITCH: """
        torch.set_float32_matmul_precision torch.set_num_interop_threads torch.use_deterministic_algorithms
        torch.set_deterministic_debug_mode torch.set_warn_always
    """,
    "subnormal numbers are kept; returns False": "torch.set_flush_denormal",
    "accepted; the engine chooses its own layout in memory": """
        torch.channels_last torch.contiguous_format torch.preserve_format
    """,
    "returns the model or function itself: fusion needs no compilation": "torch.compile",
    "changes nothing: everything stays in float32": """
        torch.autocast torch.amp.autocast torch.amp.GradScaler torch.cuda.amp
    """,
    "the CPU only; another device is a RuntimeError as soon as it is named": """
        torch.device torch.set_default_device torch.Tensor.to torch.nn.Module.to
    """,
    "layers in plain lists, tuples and dicts are found": "torch.nn.Module",
    "accepted: the Tensor itself": "torch.Tensor.pin_memory torch.Tensor.share_memory_",
    "no gradient through the vectors: refused where one would be lost (svdvals has one)": """
        torch.linalg.svd torch.svd torch.Tensor.svd torch.linalg.qr torch.qr torch.Tensor.qr
    """,
    "reads both triangles, as their mean": """
        torch.linalg.cholesky torch.cholesky torch.Tensor.cholesky torch.linalg.eigvalsh
    """,
    "reads both triangles, as their mean; the largest component of a vector is positive": "torch.linalg.eigh",
    "differentiable; drivers do not matter, singular values are not returned": "torch.linalg.lstsq",
    "differences are always taken directly": "torch.cdist",
    _NO_DRAWS: "torch.distributions.Gamma torch.distributions.Beta torch.distributions.Dirichlet",
    "for the CPU: passes batches through": "torch.nn.DataParallel",
    "gradients are dense": "torch.nn.Embedding torch.nn.EmbeddingBag",
    "Python's own multiprocessing: Tensors travel by value": "torch.multiprocessing",
    "official files need no check sum, other content is read if its structure is right": """
        torchvision.datasets.MNIST torchvision.datasets.FashionMNIST torchvision.datasets.CIFAR10
        torchvision.datasets.CIFAR100
    """,
    "a plain Tensor, not tv_tensors.Image": "torchvision.transforms.v2.ToImage",
}

NOTES: dict[str, str] = {name: text for text, names in _GROUPS.items() for name in names.split()}

REFUSED = {"torch.Tensor.cuda", "torch.Tensor.half", "torch.Tensor.bfloat16"}
"""Methods that are there to refuse, with a text that says what to do."""


def note(path: str) -> str | None:
    """What differs in a name, None if nothing does.

    >>> note("torch.compile")
    'returns the model or function itself: fusion needs no compilation'
    """
    return NOTES.get(path)
