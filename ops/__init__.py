"""The calculus: kernels, forward, gradient rule and test samples of every op, on NumPy arrays.

Read `ops.core` first; it says what an op is.  Nothing here knows the engine's Tensor.  The imports below are
the table of contents; `ops.kernels` holds the numba code, `ops.update` the optimizers' steps.
"""

import warnings

# Infinity and NaN are results like others, as in PyTorch.  A filter costs nothing where none arises, while
# np.errstate would cost every op 0.6 microseconds.
warnings.filterwarnings("ignore", category=RuntimeWarning, module=r"(ops|tinygrad_hw)(\.|$)")

from ops import broadcasting, core, promotion
from ops.activation.piecewise import *
from ops.activation.smooth import *
from ops.attention import *
from ops.broadcasting import broadcast_shapes, expand, sum_to
from ops.convolution.block import *
from ops.convolution.core import *
from ops.convolution.functions import *
from ops.core import TABLE
from ops.create import *
from ops.elementwise.arithmetic import *
from ops.elementwise.bitwise import *
from ops.elementwise.clamping import *
from ops.elementwise.combining import *
from ops.elementwise.comparison import *
from ops.elementwise.division import *
from ops.elementwise.error_function import *
from ops.elementwise.exponential import *
from ops.elementwise.masking import *
from ops.elementwise.rounding import *
from ops.elementwise.special import *
from ops.elementwise.trigonometric import *
from ops.indexing.gather import *
from ops.indexing.items import *
from ops.indexing.lookup import *
from ops.indexing.masked import *
from ops.indexing.scattering import *
from ops.indexing.slices import *
from ops.indexing.spans import *
from ops.linear_algebra.decompositions import *
from ops.linear_algebra.inverse import *
from ops.loss.bernoulli import *
from ops.loss.cross_entropy import *
from ops.loss.ctc import *
from ops.loss.likelihood import *
from ops.loss.margin_loss import *
from ops.loss.regression import *
from ops.loss.softmax_family import *
from ops.loss.softmax_loss import *
from ops.matrix.combinations import *
from ops.matrix.distances import *
from ops.matrix.einstein import *
from ops.matrix.products import *
from ops.matrix.vectors import *
from ops.normalization.affine import *
from ops.normalization.batch_norm import *
from ops.normalization.channel_norm import *
from ops.normalization.layer_norm import *
from ops.pooling.adaptive_pool import *
from ops.pooling.average_pool import *
from ops.pooling.interpolation import *
from ops.pooling.max_pool import *
from ops.pooling.unpool import *
from ops.pooling.windows import *
from ops.random.dropping import *
from ops.recurrent import *
from ops.reduction.counting import *
from ops.reduction.extrema import *
from ops.reduction.moments import *
from ops.reduction.norms import *
from ops.reduction.scan import *
from ops.reduction.sorting import *
from ops.reduction.statistics import *
from ops.reduction.totals import *
from ops.shape.arrange import *
from ops.shape.combinations import *
from ops.shape.diagonals import *
from ops.shape.grids import *
from ops.shape.join import *
from ops.shape.layout import *
from ops.shape.padding import *
from ops.shape.patches import *
from ops.shape.splitting import *
from ops.shape.triangles import *
from ops.shape.views import *
