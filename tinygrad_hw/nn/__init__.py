"""Layers and networks, with the names of ``torch.nn``.

Better than PyTorch on purpose: layers and parameters in plain lists, tuples and dicts are found
    (``plain.py``), and an error raised inside a network names the layer it comes from (``trace.py``).
"""

from tinygrad_hw.nn import functional, init, parallel, utils
from tinygrad_hw.nn.activation import *
from tinygrad_hw.nn.attention import *
from tinygrad_hw.nn.container import *
from tinygrad_hw.nn.conv import *
from tinygrad_hw.nn.ctc import *
from tinygrad_hw.nn.distance import *
from tinygrad_hw.nn.dropout import *
from tinygrad_hw.nn.embedding_bag import *
from tinygrad_hw.nn.fold import *
from tinygrad_hw.nn.lazy import *
from tinygrad_hw.nn.linear import *
from tinygrad_hw.nn.loss import *
from tinygrad_hw.nn.module import Module
from tinygrad_hw.nn.normalization import *
from tinygrad_hw.nn.padding import *
from tinygrad_hw.nn.parallel import DataParallel
from tinygrad_hw.nn.parameter import Buffer, Parameter
from tinygrad_hw.nn.parameter_container import *
from tinygrad_hw.nn.pooling import *
from tinygrad_hw.nn.recurrent import *
from tinygrad_hw.nn.recurrent_cells import GRUCell, LSTMCell, RNNCell, RNNCellBase
from tinygrad_hw.nn.sparse import *
from tinygrad_hw.nn.summary import summary
from tinygrad_hw.nn.sync_batchnorm import SyncBatchNorm
from tinygrad_hw.nn.transformer import *
from tinygrad_hw.nn.upsampling import *
