"""All elementwise ops in one import; each family has its own file.

From simple to complex: `ops.comparison`, `ops.masking`, `ops.arithmetic`, `ops.division`, `ops.bitwise`,
`ops.rounding`, `ops.exponential`, `ops.errorfunction`, `ops.trigonometric`,
`ops.clamping`, `ops.combining`.
"""

from ops import (
    arithmetic,
    bitwise,
    clamping,
    combining,
    comparison,
    division,
    errorfunction,
    exponential,
    masking,
    rounding,
    trigonometric,
)
from ops.arithmetic import *
from ops.bitwise import *
from ops.clamping import *
from ops.combining import *
from ops.comparison import *
from ops.division import *
from ops.errorfunction import *
from ops.exponential import *
from ops.masking import *
from ops.rounding import *
from ops.trigonometric import *

__all__ = [*comparison.__all__, *masking.__all__, *arithmetic.__all__, *division.__all__,
           *bitwise.__all__, *rounding.__all__, *exponential.__all__, *errorfunction.__all__,
           *trigonometric.__all__, *clamping.__all__, *combining.__all__]
