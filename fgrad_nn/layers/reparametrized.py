"""Layers whose weight is made of other parameters: weight norm, spectral norm, low-rank changes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

import fgrad
from fgrad import random
from fgrad.errors import ArgumentError, ShapeError, TreeError, describe
from fgrad.tracebacks import boundary

from ..types import AnyLayer, Layer, PyTree, StatefulLayer
from .making import count, keywords, shape_of, signed, stateful_layer, take, wrong_tree
from .members import wrapped
from .moments import sum_over
from .wrappers import rewrap


def _part(params: PyTree, name: str, parameter: str) -> Any:
    """The parameter that is to be changed."""
    try:
        found = params[parameter]
    except (KeyError, IndexError, TypeError):
        found = None
    if found is None:
        raise TreeError(
            f"{name} wants a layer whose parameters are a dict with {parameter!r} in it.",
            describe(params),
            "wrap the single layer, not the network around it; or pass parameter=, its name",
        )
    return found


@boundary
def weight_norm(layer: Any, *, parameter: str = "weight") -> AnyLayer:
    """Let a weight be made of a direction and a magnitude for each output: magnitude * v / |v|.

    Salimans & Kingma 2016. The parameter becomes a dict of "direction" and "magnitude".

    >>> from fgrad import random
    >>> from fgrad_nn import dense
    >>> _, params = weight_norm(dense(3)).init(random.key(0), (-1, 2))
    >>> params["weight"]["direction"].shape, params["weight"]["magnitude"].shape
    ((2, 3), (3,))

    Args:
        layer: a layer such as `dense` or `conv`, whose outputs are the last axis of its weight.
        parameter: the name of the weight.
    """
    inner = wrapped(layer, "weight_norm")

    def size(v: Any) -> Any:
        return np.sqrt(sum_over(np.square(v), tuple(range(v.ndim - 1))))

    def init(key: Any, input_shape: Any, dtype: Any = np.float64) -> tuple[Any, PyTree]:
        out, params = inner.init(key, input_shape, dtype)
        v = _part(params, "weight_norm", parameter)
        return out, {**params, parameter: {"direction": v, "magnitude": size(v)}}

    def apply(params: PyTree, inputs: Any, **kwargs: Any) -> Any:
        parts = _part(params, "weight_norm", parameter)
        if not isinstance(parts, Mapping):
            raise wrong_tree(parts, "weight_norm", ("direction", "magnitude"))
        v, g = (parts[k] for k in ("direction", "magnitude"))
        if shape_of(g) != shape_of(v)[-1:]:
            raise ShapeError(
                "weight_norm wants one magnitude for each output.",
                f"{describe(g)} for {describe(v)}",
                "pass the parameters that the `init` of this very layer has made",
            )
        return inner.apply({**params, parameter: v * (g / size(v))}, inputs, **kwargs)

    return rewrap(inner, apply, init)


@boundary
def lora(layer: Any, rank: int, *, alpha: float | None = None, parameter: str = "weight",
         ) -> AnyLayer:  # fmt: skip
    """Let a weight be a fixed matrix plus a trained product of two thin ones: Hu et al. 2021.

    The parameter becomes a dict of "fixed", "down" and "up"; the first gets no gradient, nor do
    the other parameters of the layer.

    >>> from fgrad import random
    >>> from fgrad_nn import dense
    >>> _, params = lora(dense(3), 1).init(random.key(0), (-1, 2))
    >>> [params["weight"][k].shape for k in ("fixed", "down", "up")]
    [(2, 3), (2, 1), (1, 3)]

    Args:
        layer: a layer whose weight is a matrix.
        rank: the number of columns of "down" and of rows of "up".
        alpha: the product is multiplied with alpha / rank; the rank itself if it isn't given.
        parameter: the name of the weight.
    """
    inner = wrapped(layer, "lora")
    rank = count(rank, "lora", "a rank")
    scale = 1.0 if alpha is None else alpha / rank

    def init(key: Any, input_shape: Any, dtype: Any = np.float64) -> tuple[Any, PyTree]:
        k1, k2 = random.split(key)
        out, params = inner.init(k1, input_shape, dtype)
        fixed = _part(params, "lora", parameter)
        if fixed.ndim != 2:
            raise ShapeError(
                "lora wants a weight that is a matrix.", describe(fixed), "wrap a dense layer"
            )
        n, m = fixed.shape
        down = random.normal(k2, (n, rank), dtype) / np.sqrt(n).astype(dtype)
        parts = {"fixed": fixed, "down": down, "up": np.zeros((rank, m), dtype)}
        return out, {**params, parameter: parts}

    def apply(params: PyTree, inputs: Any, **kwargs: Any) -> Any:
        fixed, down, up = take(
            _part(params, "lora", parameter), "lora",
            {"fixed": ("rows", "columns"), "down": ("rows", rank), "up": (rank, "columns")},
        )  # fmt: skip
        others = {k: fgrad.stop_gradient(v) for k, v in params.items() if k != parameter}
        weight = fgrad.stop_gradient(fixed) + scale * (down @ up)
        return inner.apply({**others, parameter: weight}, inputs, **kwargs)

    return rewrap(inner, apply, init)


@boundary
def spectral_norm(
    layer: Any, *, steps: int = 1, epsilon: float = 1e-12, parameter: str = "weight"
) -> StatefulLayer:
    """Divide a weight by its greatest singular value, which power iteration estimates.

    Miyato et al. 2018, algorithm 1. The state holds the vector "u"; with `train=True` it is
    improved by some steps, and no gradient goes through it.

    >>> from fgrad import random
    >>> from fgrad_nn import dense
    >>> net = spectral_norm(dense(3), steps=50)
    >>> _, params = net.init(random.key(0), (-1, 2))
    >>> state = net.init_state(random.key(1), (-1, 2))
    >>> y, state = net.apply(params, np.eye(2), state=state, train=True)
    >>> float(np.linalg.svd(y)[1][0].round(6))
    1.0

    Args:
        layer: a layer without state, such as `dense` or `conv`; all axes of its weight but the
            last are taken for the rows of a matrix.
        steps: the number of steps of the iteration.
        epsilon: what vectors near 0 are divided by.
        parameter: the name of the weight.
    """
    inner = wrapped(layer, "spectral_norm")
    if not isinstance(inner, Layer):
        raise ArgumentError(
            "spectral_norm wants a layer without state.", f"a StatefulLayer, {inner.name}",
            "wrap the layers with a weight one by one",
        )  # fmt: skip
    steps = count(steps, "spectral_norm", "a number of steps")

    def matrix(params: PyTree) -> Any:
        w = _part(params, "spectral_norm", parameter)
        return np.reshape(w, (math.prod(w.shape[:-1]), w.shape[-1]))

    def unit(x: Any) -> Any:
        return x / np.maximum(np.sqrt(np.sum(np.square(x))), epsilon)

    def init(key: Any, input_shape: Any, dtype: Any) -> tuple[Any, PyTree]:
        return inner.init(key, input_shape, dtype)

    def init_state(key: Any, input_shape: Any, dtype: Any) -> PyTree:
        key = random.key(0) if key is None else key
        k1, k2 = random.split(key)
        w = matrix(inner.init(k1, input_shape, dtype)[1])
        return {"u": unit(random.normal(k2, (w.shape[1],), dtype))}

    def apply(
        params: PyTree, inputs: Any, *, state: PyTree, train: bool = False, **kwargs: Any
    ) -> tuple[Any, PyTree]:
        w = matrix(params)
        (u,) = take(state, "spectral_norm", {"u": w.shape[1:]})
        fixed = fgrad.stop_gradient(w)
        v = unit(fixed @ u)
        if train:
            for _ in range(steps):
                u = unit(v @ fixed)
                v = unit(fixed @ u)
        u, v = fgrad.stop_gradient(u), fgrad.stop_gradient(v)
        sigma = v @ w @ u
        weight = params[parameter] / sigma
        out = inner.apply({**params, parameter: weight}, inputs, train=train, **kwargs)
        return out, {"u": u}

    known = keywords(inner.apply)
    if known is not None:
        signed(apply, {*known, "state", "train"})
    return stateful_layer(init, apply, init_state, name=inner.name)
