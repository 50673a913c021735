"""Layers and networks, with the names of ``torch.nn``.

Better than PyTorch on purpose: layers and parameters in plain lists, tuples and dicts are found
    (``plain.py``), and an error raised inside a network names the layer it comes from (``trace.py``).
"""

from tinygrad_hw.nn import functional, init, utils
from tinygrad_hw.nn.activation import *
from tinygrad_hw.nn.container import *
from tinygrad_hw.nn.conv import *
from tinygrad_hw.nn.distance import *
from tinygrad_hw.nn.dropout import *
from tinygrad_hw.nn.fold import *
from tinygrad_hw.nn.linear import *
from tinygrad_hw.nn.loss import *
from tinygrad_hw.nn.module import Module
from tinygrad_hw.nn.normalization import *
from tinygrad_hw.nn.padding import *
from tinygrad_hw.nn.parameter import Buffer, Parameter
from tinygrad_hw.nn.parameter_container import *
from tinygrad_hw.nn.pooling import *
from tinygrad_hw.nn.sparse import *
from tinygrad_hw.nn.upsampling import *
