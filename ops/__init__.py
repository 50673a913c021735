"""The calculus: kernels, forward, gradient rule and test samples of every op, on NumPy arrays.

Read `ops.core` first; it says what an op is.  Nothing here knows the engine's Tensor.
"""

import warnings

# Infinity and NaN are results like others, as in PyTorch.  A filter costs nothing where none arises, while
# np.errstate would cost every op 0.6 microseconds.
warnings.filterwarnings("ignore", category=RuntimeWarning, module=r"(ops|tinygrad_hw)(\.|$)")

from ops import activation, broadcasting, core, elementwise, norm, promotion, reduce, shape
from ops.activation import *
from ops.adaptive_pool import *
from ops.arrange import *
from ops.average_pool import *
from ops.broadcasting import broadcast_shapes, expand, sum_to
from ops.channel_norm import *
from ops.conv import *
from ops.convolution import *
from ops.core import TABLE
from ops.counting import *
from ops.create import *
from ops.cross_entropy import *
from ops.diagonals import *
from ops.distance import *
from ops.dropout import *
from ops.einsum import *
from ops.elementwise import *
from ops.extrema import *
from ops.grids import *
from ops.index import *
from ops.indexing import *
from ops.interpolate import *
from ops.join import *
from ops.layer_norm import *
from ops.likelihood import *
from ops.lookup import *
from ops.loss import *
from ops.margin_loss import *
from ops.masked import *
from ops.matmul import *
from ops.moments import *
from ops.norm import *
from ops.padding import *
from ops.patches import *
from ops.pool import *
from ops.products import *
from ops.random import *
from ops.reduce import *
from ops.scan import *
from ops.scattering import *
from ops.shape import *
from ops.slices import *
from ops.softmax import *
from ops.softmax_loss import *
from ops.sort import *
from ops.splitting import *
from ops.unpool import *
from ops.views import *
