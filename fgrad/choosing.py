"""Choosing between two formulas, element by element, without the other one's NaNs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from . import tree
from .arrays import shape_of
from .core import full_lower, is_traceable
from .errors import DtypeError, describe
from .kinds import kind_of, same_kind
from .ops.casts import stop_gradient_leaf
from .ops.index import take
from .tracebacks import boundary


@boundary
def select(pred: Any, f: Callable[..., Any], g: Callable[..., Any], *operands: Any) -> Any:
    """``f(x)`` where a condition holds, else ``g(x)``, each where it is meant for alone.

    ``np.where(x > 0, np.log(x), 0.0)`` computes the logarithm everywhere, and its derivative at 0
    is 0 times infinity: NaN in reverse mode. Here neither formula sees an element that isn't its
    own (it gets another of its elements instead), and none has a say in the derivative there.

    >>> import numpy as np
    >>> from fgrad import grad
    >>> x = np.array([0.0, 1.0, 4.0])
    >>> select(x > 0, np.sqrt, np.negative, x)
    array([-0.,  1.,  2.])
    >>> grad(lambda x: np.sum(select(x > 0, np.sqrt, np.negative, x)))(x)
    array([-1.  ,  0.5 ,  0.25])

    Args:
        pred: an array of booleans.
        f, g: elementwise functions of the operands that return arrays, or pytrees of these, of
            one structure. One that has no element at all isn't called.
        operands: pytrees of arrays whose shapes broadcast with that of ``pred``. JAX's
            `jax.lax.select` takes the results of both functions instead.

    Returns:
        A pytree like what f and g return.

    Raises:
        DtypeError: ``pred`` isn't boolean.
    """
    dtype = getattr(pred, "dtype", np.result_type(type(pred)) if is_traceable(pred) else None)
    if dtype is None or dtype.kind != "b":
        raise DtypeError(
            "select wants a condition that is boolean.",
            describe(pred),
            "compare: select(x > 0, f, g, x); for integers select(n != 0, f, g, x)",
        )
    pred = stop_gradient_leaf(pred) if hasattr(pred, "dtype") else np.asarray(pred)
    if not getattr(pred, "hides", False):
        known: Any = pred
        if bool(np.all(known)):
            return _broadcast(f(*operands), shape_of(pred))
        if not bool(np.any(known)):
            return _broadcast(g(*operands), shape_of(pred))
    chosen = f(*_own(pred, operands))
    other = g(*_own(np.logical_not(pred), operands))
    return tree.map(lambda a, b: _either(pred, a, b), chosen, other)


def _either(mask: Any, a: Any, b: Any) -> Any:
    """`numpy.where`, whose numbers are of the kind that both functions return."""
    out = np.where(mask, a, b)
    return same_kind(a, out) if kind_of(full_lower(a)) is kind_of(full_lower(b)) else out


def _own(mask: Any, operands: Any) -> Any:
    """The operands with elements that aren't in the mask replaced by one that is."""
    first = np.argmax(np.reshape(mask, (-1,)))

    def one(x: Any) -> Any:
        whole = np.broadcast_to(
            stop_gradient_leaf(x), np.broadcast_shapes(shape_of(x), shape_of(mask))
        )
        wide = np.broadcast_to(mask, shape_of(whole))
        place = first if shape_of(wide) == shape_of(mask) else np.argmax(np.reshape(wide, (-1,)))
        return same_kind(x, np.where(mask, x, take(np.reshape(whole, (-1,)), place)))

    return tree.map(one, operands)


def _broadcast(out: Any, shape: tuple[int, ...]) -> Any:
    """The result of a single function, of the shape that both would have had."""

    def one(y: Any) -> Any:
        wide = np.broadcast_shapes(shape_of(y), shape)
        return y if shape_of(y) == wide else np.broadcast_to(y, wide)

    return tree.map(one, out)
