"""Layers made of one layer: the same, computed, mapped or cast in another way."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

import fgrad
from fgrad import random, tree
from fgrad.arrays import is_a
from fgrad.errors import ArgumentError, ShapeError
from fgrad.tracebacks import boundary

from ..types import AnyLayer, Layer, PyTree, StatefulLayer
from .function import shapes_of
from .making import count, float_dtype, is_shape, keywords
from .members import wrapped


def rewrap(
    inner: AnyLayer, apply: Callable[..., Any], init: Callable[..., Any] | None = None
) -> AnyLayer:
    """A layer of the kind and name of another one, with another `apply`, or `init` too.

    The new `apply` gets all keywords, and passes them on to the old one.
    """
    new = functools.wraps(inner.apply)(apply)
    if isinstance(inner, StatefulLayer):
        return StatefulLayer(init or inner.init, new, inner.init_state)
    return Layer(init or inner.init, new)


@boundary
def remat(layer: Any, policy: Any = None) -> AnyLayer:
    """Compute a layer's inside again in the backward pass, and keep nothing of it.

    >>> from fgrad import random
    >>> from fgrad_nn import dense
    >>> net = remat(dense(2))
    >>> _, params = net.init(random.key(0), (-1, 3))
    >>> fgrad.grad(lambda params: np.sum(net.apply(params, np.ones((1, 3)))))(params)["bias"]
    array([1., 1.])

    Args:
        layer: a layer, or a function of an array.
        policy: what is kept all the same, as for `fgrad.checkpoint`.
    """
    inner = wrapped(layer, "remat")

    def apply(params: PyTree, inputs: Any, **kwargs: Any) -> Any:
        fixed = {k: v for k, v in kwargs.items() if is_a(v, (bool, str)) or v is None}
        moving = {k: v for k, v in kwargs.items() if k not in fixed}

        def run(params: PyTree, inputs: Any, moving: dict[str, Any]) -> Any:
            return inner.apply(params, inputs, **moving, **fixed)

        return fgrad.checkpoint(run, policy=policy)(params, inputs, moving)

    return rewrap(inner, apply)


@boundary
def with_keywords(layer: Any, **fixed: Any) -> AnyLayer:
    """Fix keywords of a layer, whatever is passed around it: `with_keywords(net, train=False)`.

    >>> from fgrad_nn import dropout
    >>> with_keywords(dropout(0.5), train=False).apply({}, np.ones(2), train=True)
    array([1., 1.])

    Args:
        layer: a layer.
        **fixed: keywords of its `apply`.
    """
    inner = wrapped(layer, "with_keywords")
    known = keywords(inner.apply)
    if known is not None and not fixed.keys() <= {*known, "key", "train"}:
        raise ArgumentError(
            "with_keywords wants keywords that the layer takes.",
            ", ".join(f"{k}=" for k in fixed),
            f"{inner.name} takes {', '.join(f'{k}=' for k in sorted(known)) or 'none'}",
        )

    def apply(params: PyTree, inputs: Any, **kwargs: Any) -> Any:
        return inner.apply(params, inputs, **{**kwargs, **fixed})

    return rewrap(inner, apply)


@boundary
def with_dtype(layer: Any, compute_dtype: Any, output_dtype: Any = None) -> AnyLayer:
    """Compute a layer in another dtype than that of its parameters: mixed precision.

    >>> from fgrad import random
    >>> from fgrad_nn import dense
    >>> net = with_dtype(dense(2), np.float32)
    >>> _, params = net.init(random.key(0), (-1, 3))
    >>> params["bias"].dtype, net.apply(params, np.ones((1, 3))).dtype
    (dtype('float64'), dtype('float64'))

    Args:
        layer: a layer.
        compute_dtype: to which floating parameters and inputs are cast.
        output_dtype: to which outputs are cast; that of the (first) input for None.
    """
    inner = wrapped(layer, "with_dtype")
    compute = float_dtype(compute_dtype, "with_dtype")
    output = None if output_dtype is None else float_dtype(output_dtype, "with_dtype")

    def cast(x: Any, dtype: Any) -> Any:
        kind = getattr(getattr(x, "dtype", None), "kind", "")
        return x.astype(dtype) if kind == "f" and x.dtype != dtype else x

    def apply(params: PyTree, inputs: Any, **kwargs: Any) -> Any:
        dtypes = (getattr(x, "dtype", None) for x in tree.leaves(inputs))
        first = next((d for d in dtypes if getattr(d, "kind", "") == "f"), compute)
        args = tree.map(lambda x: cast(x, compute), (params, inputs))
        out = inner.apply(*args, **kwargs)
        if isinstance(inner, StatefulLayer):
            return tree.map(lambda x: cast(x, output or first), out[0]), out[1]
        return tree.map(lambda x: cast(x, output or first), out)

    return rewrap(inner, apply)


@boundary
def batch_apply(layer: Any, num_dims: int = 2) -> AnyLayer:
    """Apply a layer that wants one batch axis to inputs with several: they are made one.

    >>> from fgrad_nn import flatten
    >>> net = batch_apply(flatten())
    >>> net.init(None, (-1, -1, 2, 3))[0]
    (-1, -1, 6)
    >>> net.apply({}, np.ones((5, 4, 2, 3))).shape
    (5, 4, 6)

    Args:
        layer: a layer, or a function of an array.
        num_dims: the number of batch axes.
    """
    inner = wrapped(layer, "batch_apply")
    n = count(num_dims, "batch_apply", "a number of batch axes")

    def check(shape: Any) -> Any:
        if not is_shape(shape) or len(shape) < n:
            raise ShapeError(
                f"batch_apply wants an input with {n} batch axes.", f"the shape {shape}",
                "pass another num_dims",
            )  # fmt: skip
        return shape

    def merged(shape: Any) -> Any:
        known = -1 not in check(shape)[:n]
        return (int(np.prod(shape[:n])) if known else -1, *shape[n:])

    def init(key: Any, input_shape: Any, *args: Any, **kwargs: Any) -> tuple[Any, PyTree]:
        shape = tuple(input_shape)
        out, params = inner.init(key, merged(shape), *args, **kwargs)
        return (*shape[:n], *out[1:]), params

    def apply(params: PyTree, inputs: Any, **kwargs: Any) -> Any:
        lead = check(shapes_of(inputs))[:n]
        x = np.reshape(inputs, merged(inputs.shape))
        out = inner.apply(params, x, **kwargs)
        y: Any = out[0] if isinstance(inner, StatefulLayer) else out
        y = np.reshape(y, (*lead, *y.shape[1:]))
        return (y, out[1]) if isinstance(inner, StatefulLayer) else y

    init.__qualname__ = f"{inner.name}.<locals>.init"
    new = rewrap(inner, apply, _typed_like(inner, init))
    if isinstance(new, StatefulLayer):
        state = new.init_state

        def init_state(key: Any, input_shape: Any, *args: Any, **kwargs: Any) -> PyTree:
            return state(key, merged(tuple(input_shape)), *args, **kwargs)

        return new._replace(init_state=functools.wraps(state)(init_state))
    return new


def _typed_like(inner: AnyLayer, init: Callable[..., Any]) -> Callable[..., Any]:
    """An `init` of which combinators can see whether it takes a dtype."""
    return functools.wraps(inner.init)(init)


# ------------------------------------------------------------------ many of one layer
@boundary
def ensemble(layer: Any, n: int) -> AnyLayer:
    """Apply n copies of a layer, each with parameters of its own, to the same inputs at once.

    >>> from fgrad import random
    >>> from fgrad_nn import dense
    >>> shape, params = ensemble(dense(2), 5).init(random.key(0), (-1, 3))
    >>> shape, params["weight"].shape
    ((5, -1, 2), (5, 3, 2))
    >>> ensemble(dense(2), 5).apply(params, np.ones((4, 3))).shape
    (5, 4, 2)

    Parameters and state are those of the layer, stacked along a new first axis; so are outputs.

    Args:
        layer: a layer.
        n: the number of copies.
    """
    inner = wrapped(layer, "ensemble")
    n = count(n, "ensemble", "a number of copies")

    def init(key: Any, input_shape: Any, *args: Any, **kwargs: Any) -> tuple[Any, PyTree]:
        keys = [None] * n if key is None else list(random.split(key, n))
        drawn = [inner.init(k, input_shape, *args, **kwargs) for k in keys]
        return _ahead(n, drawn[0][0]), _stacked([params for _, params in drawn])

    def apply(params: PyTree, inputs: Any, *, key: Any = None, **kwargs: Any) -> Any:
        mapped = {"state": kwargs.pop("state")} if "state" in kwargs else {}
        if key is not None:
            mapped["key"] = random.split(key, n)

        def one(params: PyTree, mapped: dict[str, Any]) -> Any:
            return inner.apply(params, inputs, **mapped, **kwargs)

        return fgrad.vmap(one, axis_size=n)(params, mapped)

    new = rewrap(inner, apply, _typed_like(inner, init))
    return _with_states(new, n)


@boundary
def layer_stack(layer: Any, n: int) -> AnyLayer:
    """Apply a layer n times, with the parameters of all n in one array each: a scan over layers.

    >>> from fgrad import random
    >>> from fgrad_nn import dense
    >>> shape, params = layer_stack(dense(3), 4).init(random.key(0), (-1, 3))
    >>> params["weight"].shape
    (4, 3, 3)

    In a graph it is one operation, however many layers there are; `repeat` writes them all out.

    Args:
        layer: a layer whose outputs have the shape of its inputs.
        n: the number of layers.
    """
    inner = wrapped(layer, "layer_stack")
    n = count(n, "layer_stack", "a number of layers")

    def init(key: Any, input_shape: Any, *args: Any, **kwargs: Any) -> tuple[Any, PyTree]:
        keys = [None] * n if key is None else list(random.split(key, n))
        drawn = [inner.init(k, input_shape, *args, **kwargs) for k in keys]
        if drawn[0][0] != tuple(input_shape):
            raise ShapeError(
                "layer_stack wants a layer whose outputs have the shape of its inputs.",
                f"{drawn[0][0]} from {tuple(input_shape)}",
                "change the layer; serial puts different ones together",
            )
        return drawn[0][0], _stacked([params for _, params in drawn])

    def apply(params: PyTree, inputs: Any, *, key: Any = None, **kwargs: Any) -> Any:
        each: dict[str, Any] = {"params": params}
        if "state" in kwargs:
            each["state"] = kwargs.pop("state")
        if key is not None:
            each["key"] = random.split(key, n)

        def step(x: Any, each: dict[str, Any]) -> tuple[Any, Any]:
            more = {k: v for k, v in each.items() if k != "params"}
            out = inner.apply(each["params"], x, **more, **kwargs)
            return out if isinstance(inner, StatefulLayer) else (out, None)

        x, states = fgrad.scan(step, inputs, each, length=n)
        return (x, states) if isinstance(inner, StatefulLayer) else x

    new = rewrap(inner, apply, _typed_like(inner, init))
    return _with_states(new, n)


def _with_states(new: AnyLayer, n: int) -> AnyLayer:
    if not isinstance(new, StatefulLayer):
        return new
    one = new.init_state

    def init_state(key: Any, input_shape: Any, *args: Any, **kwargs: Any) -> PyTree:
        keys = [None] * n if key is None else list(random.split(key, n))
        return _stacked([one(k, input_shape, *args, **kwargs) for k in keys])

    return new._replace(init_state=functools.wraps(one)(init_state))


def _stacked(trees: list[PyTree]) -> PyTree:
    return tree.map(lambda *xs: np.stack(xs), *trees)


def _ahead(n: int, shape: Any) -> Any:
    return (n, *shape) if is_shape(shape) else tuple(_ahead(n, s) for s in shape)
