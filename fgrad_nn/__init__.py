"""Networks on top of fgrad: pairs of pure functions and plain pytrees of parameters."""

from .initializers import scaled_normal as scaled_normal
from .losses import mean_squared_error as mean_squared_error
from .optimizers import apply_updates as apply_updates
from .optimizers import sgd as sgd
from .types import Layer as Layer
from .types import Optimizer as Optimizer
