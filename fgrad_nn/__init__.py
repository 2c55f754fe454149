"""Networks on top of fgrad: pairs of pure functions and plain pytrees of parameters."""

from .activations import log_softmax as log_softmax
from .activations import logsumexp as logsumexp
from .activations import one_hot as one_hot
from .activations import relu as relu
from .activations import sigmoid as sigmoid
from .activations import softmax as softmax
from .activations import softplus as softplus
from .initializers import scaled_normal as scaled_normal
from .losses import mean_squared_error as mean_squared_error
from .optimizers import apply_updates as apply_updates
from .optimizers import sgd as sgd
from .types import Layer as Layer
from .types import Optimizer as Optimizer
