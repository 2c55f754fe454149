"""A user's program under type checkers: a network, an optimizer, a training step."""

from __future__ import annotations

from typing import Any

import numpy as np

import fgrad
import fgrad_nn as nn

model = nn.serial(nn.dense(8), nn.relu, nn.dense(1))
shape, params = model.init(fgrad.random.key(0), (-1, 2))
optimizer = nn.adam(1e-2)
state = optimizer.init(params)
x, y = np.ones((4, 2)), np.zeros((4, 1))


def loss(params: Any, x: np.ndarray, y: np.ndarray) -> Any:
    return nn.mean_squared_error(model.apply(params, x), y)


step = fgrad.value_and_grad(loss)
for _ in range(3):
    value, grads = step(params, x, y)
    print(value > 0)
    updates, state = optimizer.update(grads, state, params)
    params = nn.apply_updates(params, updates)
print(shape)
