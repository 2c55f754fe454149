"""A user's program under type checkers: the parameters of a model, its gradient, a loop."""

from __future__ import annotations

from typing import Any, assert_type

import numpy as np
import numpy.typing as npt

import fgrad

Array = npt.NDArray[np.float64]
Params = dict[str, Array]


def loss(params: Params, x: Array, y: Array) -> np.floating[Any]:
    out: np.floating[Any] = np.mean((x @ params["w"] + params["b"] - y) ** 2)
    return out


def train(steps: int) -> Params:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((20, 2))
    y = x @ np.array([1.0, -2.0]) + 0.5
    params: Params = {"w": np.zeros(2), "b": np.zeros(())}
    step = fgrad.jit(fgrad.value_and_grad(loss))
    for _ in range(steps):
        value, grads = step(params, x, y)
        assert_type(value, np.floating[Any])
        params = {k: p - 0.1 * grads[k] for k, p in params.items()}
    return params


print({k: p.round(3).tolist() for k, p in train(200).items()})
