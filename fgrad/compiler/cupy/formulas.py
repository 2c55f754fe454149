"""Formulas: what an operation computes, where its own code is written for the host's processor.

Such code writes into parts of arrays, or goes over rows in turn. On the device it would be a launch
for each of its lines, of which a kernel can do many; so its formula is recorded in its place.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from inspect import isfunction as is_function
from typing import Any

import numpy as np

from ...core import Primitive
from ...graph import Graph
from ...stage import make_graph
from ..program import Node

#: Modules whose functions are formulas already for values that are recorded.
IN_FORMULAS = frozenset({
    "fgrad_nn.activations", "fgrad_nn.activations_piecewise", "fgrad_nn.activations_smooth",
    "fgrad_nn.label_entropy", "fgrad_nn.softmaxes",
})  # fmt: skip


def _parts(x: Any, count: int) -> list[Any]:
    n = x.shape[-1] // count
    return [x[..., k * n : (k + 1) * n] for k in range(count)]


def _sigmoid(x: Any) -> Any:
    return 0.5 + 0.5 * np.tanh(0.5 * x)


def _lstm(z: Any, c: Any) -> tuple[Any, Any, Any]:
    i, f, g, o = _parts(z, 4)
    i, f, g, o = _sigmoid(i), _sigmoid(f), np.tanh(g), _sigmoid(o)
    new = f * c + i * g
    return o * np.tanh(new), new, np.concatenate([i, f, g, o], axis=-1)


def _gru(x: Any, u: Any, h: Any) -> tuple[Any, Any]:
    (xr, xz, xn), (ur, uz, un) = _parts(x, 3), _parts(u, 3)
    r, z = _sigmoid(xr + ur), _sigmoid(xz + uz)
    new = np.tanh(r * un + xn)
    return (h - new) * z + new, np.concatenate([r, z, new], axis=-1)


#: By module and name of the code that a formula stands for.
FORMULAS: dict[tuple[str, str], Callable[..., Any]] = {
    ("fgrad_nn.layers.gates", "_lstm_impl"): _lstm,
    ("fgrad_nn.layers.gates", "_gru_impl"): _gru,
}


def formula_of(p: Primitive, params: Any, ins: Sequence[Node]) -> Graph | None:
    """What to compute in place of an operation; None for the operation itself."""
    if not is_function(p.impl) or any(x.weak for x in ins):
        return None
    f = FORMULAS.get((p.impl.__module__, p.impl.__qualname__))
    if f is None and p.impl.__module__ not in IN_FORMULAS:
        return None
    impl = f or p.impl
    with np.errstate(all="ignore"):
        examples = [np.ones(x.shape, x.dtype) for x in ins]
        return make_graph(lambda *xs: impl(*xs, **params))(*examples)
