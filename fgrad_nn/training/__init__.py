"""Training: one step as a pure compiled function, and the loop around it.

>>> import numpy as np
>>> from fgrad_nn import adam
>>> from fgrad_nn.data import batches
>>> from fgrad_nn.training import TrainState, fit, train_step
>>> x = np.linspace(-1.0, 1.0, 50)
>>> def loss(params, batch):
...     x, y = batch
...     return np.mean((params["slope"] * x + params["offset"] - y) ** 2)
>>> optimizer = adam(0.1)
>>> state = TrainState.create({"slope": 0.0, "offset": 0.0}, optimizer)
>>> done = fit(
...     train_step(loss, optimizer), state, batches((x, 3 * x - 1), 10), epochs=60, progress=False
... )
>>> {name: round(float(p), 2) for name, p in done.state.params.items()}
{'slope': 3.0, 'offset': -1.0}
"""

from .checkpoints import Checkpoints as Checkpoints
from .checkpoints import load_checkpoint as load_checkpoint
from .fitting import Fitted as Fitted
from .fitting import fit as fit
from .history import Best as Best
from .history import History as History
from .history import Records as Records
from .parallel import DataParallel as DataParallel
from .steps import TrainState as TrainState
from .steps import TrainStep as TrainStep
from .steps import evaluate as evaluate
from .steps import train_step as train_step
