"""What the elements of a mapped axis do together: sums, means, maxima, each other's values.

Inside ``vmap(f, axis_name="i")`` a value is one element's; `psum(x, "i")` is the sum of all
elements' x, the same for each of them. The names are JAX's.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np

from . import tree
from .arrays import namespace, shape_of
from .batch import AXES, Batch
from .core import Array, Params, Primitive, bind, full_lower, home, is_traceable
from .errors import ArgumentError, DtypeError, describe
from .ops.casts import stop_gradient_leaf


def _axis(name: Hashable, fn: str) -> Batch:
    """The running vmap that has this axis."""
    axes = AXES.get()
    if name not in axes:
        known = ", ".join(map(repr, axes)) or "none"
        raise ArgumentError(
            f"{fn} wants the name of a mapped axis around it.",
            f"{name!r}; the axes with names are: {known}",
            f"name it: vmap(f, axis_name={name!r}); a checkpoint, a recorded loop or a function "
            "with custom rules sees none: meet before or after it",
        )
    trace: Batch = axes[name]
    return trace


def _leaves(x: Any, name: Hashable, fn: str, one: Any) -> Any:
    if isinstance(name, tuple) and name not in AXES.get():  # over several axes, one by one
        for part in name:
            x = _leaves(x, part, fn, one)
        return x
    over = _axis(name, fn)

    def each(y: Any) -> Any:
        if not is_traceable(y):
            raise DtypeError(
                f"{fn} wants pytrees of arrays.", describe(y), "leave out what is no array"
            )
        return one(y if hasattr(y, "dtype") else np.asarray(y), over)

    return tree.map(each, x)


def _repeated(y: Array, size: int) -> Array:
    """The same for each element, with the mapped axis in front."""
    return np.broadcast_to(y, (size, *shape_of(y)))


# ------------------------------------------------------------------ psum
def _elsewhere(p: Primitive, size: int, xs: Sequence[Any], batched: Any, params: Params) -> Any:
    """Batch rule for another axis than the one that is summed over: it stays in front."""
    return bind(p, xs, params)


def _sum_over(p: Primitive, size: int, xs: Sequence[Any], batched: Any, params: Params) -> Any:
    return _repeated(np.sum(xs[0], axis=0, dtype=xs[0].dtype), size)


def _psum_jvp(ans: Any, xs: Sequence[Any], ts: Sequence[Any], params: Params) -> Any:
    return None if ts[0] is None else bind(PSUM, ts, params)


def _psum_vjp(active: Any, g: Any, ans: Any, xs: Any, params: Params) -> list[Any]:
    return [bind(PSUM, (g,), params)]


PSUM = Primitive(
    "psum", lambda x, over: x * over.size, _psum_jvp, _psum_vjp, _elsewhere, collect=_sum_over
)


def psum(x: Any, axis_name: Hashable) -> Any:
    """The sum over a mapped axis.

    >>> import numpy as np
    >>> from fgrad import vmap
    >>> vmap(lambda x: x / psum(x, "i"), axis_name="i")(np.array([1.0, 3.0]))
    array([0.25, 0.75])

    Args:
        x: a pytree of arrays; one that is the same for all elements counts once for each.
            Booleans are counted, as integers.
        axis_name: the name that a `vmap` around it has given its axis, or a tuple of names.

    Raises:
        ArgumentError: there is no such axis.
    """

    def one(y: Any, over: Batch) -> Any:
        y = y.astype(np.intp) if y.dtype.kind == "b" else y
        return bind(PSUM, (y,), {"over": over})

    return _leaves(x, axis_name, "psum", one)


def pmean(x: Any, axis_name: Hashable) -> Any:
    """The mean over a mapped axis; see `psum`.

    >>> import numpy as np
    >>> from fgrad import vmap
    >>> vmap(lambda x: x - pmean(x, "i"), axis_name="i")(np.array([1.0, 3.0]))
    array([-1.,  1.])
    """
    several = isinstance(axis_name, tuple) and axis_name not in AXES.get()
    names: Any = axis_name if several else (axis_name,)
    size = math.prod(_axis(name, "pmean").size for name in names)
    return tree.map(lambda y: y / size, psum(x, names))


# ------------------------------------------------------------------ all_gather
def _gather_jvp(ans: Any, xs: Sequence[Any], ts: Sequence[Any], params: Params) -> Any:
    return None if ts[0] is None else bind(GATHER, ts, params)


def _gather_vjp(active: Any, g: Any, ans: Any, xs: Any, params: Params) -> list[Any]:
    # All elements have read this one's value: the sum over them, of their cotangents for it.
    return [bind(OWN, (bind(PSUM, (g,), params),), params)]


def _gather_over(p: Primitive, size: int, xs: Sequence[Any], batched: Any, params: Params) -> Any:
    return _repeated(xs[0], size)


def _gather_elsewhere(
    p: Primitive, size: int, xs: Sequence[Any], batched: Any, params: Params
) -> Any:
    return np.moveaxis(bind(p, xs, params), 0, 1)


GATHER = Primitive(
    "all_gather", lambda x, over: _repeated(x, over.size).copy(), _gather_jvp, _gather_vjp,
    _gather_elsewhere, collect=_gather_over,
)  # fmt: skip


def _own_jvp(ans: Any, xs: Sequence[Any], ts: Sequence[Any], params: Params) -> Any:
    return None if ts[0] is None else bind(OWN, ts, params)


def _own_vjp(active: Any, g: Any, ans: Any, xs: Any, params: Params) -> list[Any]:
    mask = _index(params["over"])
    shape = (params["over"].size, *(1,) * len(shape_of(g)))
    places = np.reshape(namespace(full_lower(g)).arange(shape[0]), shape)
    return [np.where(np.equal(places, mask), np.expand_dims(g, 0), 0)]


def _own_over(p: Primitive, size: int, xs: Sequence[Any], batched: Any, params: Params) -> Any:
    x = xs[0]
    return np.moveaxis(np.diagonal(x, axis1=0, axis2=1), -1, 0)


def _own_elsewhere(p: Primitive, size: int, xs: Sequence[Any], batched: Any, params: Params) -> Any:
    return bind(p, (np.moveaxis(xs[0], 0, 1),), params)


def _own_impl(x: Any, over: Batch) -> Any:
    # What is the same for all elements differs by where each of them looks.
    return over.tracer(x)


OWN = Primitive("own", _own_impl, _own_jvp, _own_vjp, _own_elsewhere, collect=_own_over)


def all_gather(x: Any, axis_name: Hashable, *, axis: int = 0) -> Any:
    """All elements' values, stacked along a new axis; see `psum`.

    >>> import numpy as np
    >>> from fgrad import vmap
    >>> x = np.array([1.0, 3.0])
    >>> vmap(lambda x: np.max(all_gather(x, "i")) - x, axis_name="i")(x)
    array([2., 0.])
    """

    def one(y: Any, over: Batch) -> Any:
        out = bind(GATHER, (y,), {"over": over})
        return out if axis == 0 else np.moveaxis(out, 0, axis)

    _axis(axis_name, "all_gather")
    return _leaves(x, axis_name, "all_gather", one)


# ------------------------------------------------------------------ the others
def _extreme(name: str, fn: Any) -> Primitive:
    """The maximum or the minimum: elements that tie share its derivative."""

    def share(x: Any, ans: Any, over: Batch) -> Any:
        mine = np.equal(stop_gradient_leaf(x), stop_gradient_leaf(ans)).astype(x.dtype)
        return mine / bind(PSUM, (mine,), {"over": over})

    def jvp(ans: Any, xs: Sequence[Any], ts: Sequence[Any], params: Params) -> Any:
        return bind(PSUM, (ts[0] * share(xs[0], ans, **params),), params)

    def vjp(active: Any, g: Any, ans: Any, xs: Any, params: Params) -> list[Any]:
        return [bind(PSUM, (g,), params) * share(xs[0], ans, **params)]

    def collect(p: Primitive, size: int, xs: Sequence[Any], batched: Any, params: Params) -> Any:
        return _repeated(fn(xs[0], axis=0), size)

    return Primitive(
        name, lambda x, over: np.copy(x), jvp, vjp, _elsewhere, lambda i, k: True, collect=collect
    )


PMAX, PMIN = _extreme("pmax", np.max), _extreme("pmin", np.min)


def pmax(x: Any, axis_name: Hashable) -> Any:
    """The maximum over a mapped axis; elements that tie share its derivative. See `psum`.

    >>> import numpy as np
    >>> from fgrad import vmap
    >>> vmap(lambda x: pmax(x, "i"), axis_name="i")(np.array([1.0, 3.0]))
    array([3., 3.])
    """
    return _leaves(x, axis_name, "pmax", lambda y, over: bind(PMAX, (y,), {"over": over}))


def pmin(x: Any, axis_name: Hashable) -> Any:
    """The minimum over a mapped axis; see `pmax`."""
    return _leaves(x, axis_name, "pmin", lambda y, over: bind(PMIN, (y,), {"over": over}))


def _index(over: Batch) -> Any:
    return over.tracer(home(*over.near).arange(over.size))


def axis_index(axis_name: Hashable) -> Any:
    """Which element of a mapped axis this is, counted from 0.

    >>> import numpy as np
    >>> from fgrad import vmap
    >>> vmap(lambda x: x * axis_index("i"), axis_name="i")(np.ones(3))
    array([0., 1., 2.])
    """
    return _index(_axis(axis_name, "axis_index"))
