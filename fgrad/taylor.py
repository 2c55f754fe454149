"""`jet`: all derivatives along a curve up to some order, by Taylor mode."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import factorial
from typing import Any

import numpy as np

from . import tree
from .arrays import INEXACT, aval, is_a, is_cupy, ndarray, shape_of
from .checks import check_arrays, check_like, run, say
from .core import Tracer, check_function
from .errors import ArgumentError, DtypeError, describe
from .kinds import alike, zero_like
from .series import Series, Taylor, TaylorTracer, fit
from .surface import lower
from .tracebacks import boundary

#: The largest number whose factorial is a float.
LARGEST = 170


@boundary
def jet(
    f: Callable[..., Any],
    primals: Sequence[Any],
    series: Sequence[Any],
    factorial_scaled: bool = True,
) -> Any:
    """Evaluate ``f`` along a curve, with the derivatives of the result up to some order.

    For a curve x(t) with the derivatives x', x'', ... at t = 0 it gives those of f(x(t)), all of
    them in one evaluation. Its cost grows with the square of the order for most functions, with
    the cube for some, and for a few as that of nested `jvp`, which doubles with each order: those
    whose derivatives are of several functions in turn (elliptic, hypergeometric), `expm`, those
    made by `custom_vmap`, and loops and branches in a graph that is being made.

    >>> import numpy as np
    >>> value, derivatives = jet(np.exp, (0.0,), ((1.0, 0.0, 0.0),))  # along x(t) = t
    >>> float(value), [float(d) for d in derivatives]
    (1.0, [1.0, 1.0, 1.0])
    >>> jet(lambda x, y: x * y, (2.0, 3.0), ((1.0, 0.0), (1.0, 0.0)))
    (6.0, [5.0, 2.0])

    Args:
        f: a function of arrays in pytrees that returns a pytree of arrays.
        primals: a tuple or list with the arguments, at t = 0.
        series: a tuple or list with an entry for each argument: the derivatives of the argument
            from the first to the K-th, a list or tuple of K arrays of its shape and dtype. For
            a pytree it is the same tree with such a list in the place of each array (JAX has no
            pytrees here); for an integer it is None.
        factorial_scaled: the k-th entry is the k-th derivative. False: it is the coefficient of
            t^k, which is the derivative divided by k!, going in and coming out.

    Returns:
        ``(result, series of the result)``: the result's tree with a list of K arrays in the place
        of each array. In contrast to JAX, functions with custom rules are differentiated by them.

    Raises:
        ArgumentError: series is no tuple or list, its entries are of different lengths, or of
            more than 170 derivatives.
        ShapeError, DtypeError, TreeError: an entry is not like its argument.
    """
    check_function(f, "jet", direct=True)
    for name, x in (("primals", primals), ("series", series)):
        if not isinstance(x, (tuple, list)):
            raise ArgumentError(
                f"jet wants {name} as a tuple with an entry for each argument.",
                say(x),
                "for a single argument write (x,) and ((x1, x2),), with its first and second "
                "derivatives",
            )
    primals, series = tuple(primals), tuple(series)
    leaves, structure = tree.flatten(primals)
    order, rows = _rows(primals, series)
    if factorial_scaled and order > LARGEST:
        raise ArgumentError(
            f"jet wants at most {LARGEST} derivatives: no float holds the factorial of more.",
            f"{order} derivatives",
            "pass coefficients, with factorial_scaled=False",
        )
    trace = Taylor("jet", f, order)
    tracers = [
        x if row is None else _enter(trace, x, row, factorial_scaled)
        for x, row in zip(leaves, rows, strict=True)
    ]
    try:
        out = run(trace, f, tree.unflatten(structure, tracers), {})
        outs, out_structure = tree.flatten(out)
        check_arrays(outs, out, f, "jet")
    finally:
        trace.finish()
    value = tree.unflatten(out_structure, [lower(trace, y) for y in outs])
    given = {id(c) for row in rows for c in row or ()}
    terms = [_leave(trace, y, order, factorial_scaled, given) for y in outs]
    return value, tree.unflatten(out_structure, terms)


def _rows(primals: Any, series: Any) -> tuple[int, list[Any]]:
    """The order, and the derivatives of each leaf, None of one that doesn't move."""
    if len(primals) != len(series):
        raise ArgumentError(
            "jet wants a series for each primal.",
            f"{len(primals)} primals and {len(series)} series",
            "pass a list of zeros for an argument that doesn't move",
        )
    rows = tree.flatten_up_to(
        tree.structure(primals), series,
        what="jet wants series of the structure of the primals.",
        to_do="pass the tree of the argument, with a list of derivatives in place of each array",
    )  # fmt: skip
    order, first = None, ""
    out: list[Any] = []
    for (path, x), row in zip(tree.leaves_with_path(primals), rows, strict=True):
        where = tree.path_str(path)
        if row is None and _moves(x):
            raise ArgumentError(
                f"jet wants a list of derivatives at {where}, for {describe(x)}.",
                "None",
                "pass zeros like it, one for each order; None is for what has no derivative",
            )
        if row is None:
            out.append(None)
            continue
        if not isinstance(row, (tuple, list)) and not shape_of(row):
            raise ArgumentError(
                f"jet wants a list of derivatives at {where}, for {describe(x)}.",
                say(row),
                "write [x1], with the first derivative, even if it is the only one",
            )
        if not _moves(x):
            raise DtypeError(
                f"jet wants floating-point or complex numbers where there is a series, at {where}.",
                say(x),
                "convert it to a float, or pass None as its series",
            )
        row = list(row)
        if order is None:
            order, first = len(row), where
        elif len(row) != order:
            raise ArgumentError(
                f"jet wants as many derivatives of all arguments: {order}, as at {first}.",
                f"{len(row)} at {where}",
                "fill up with zeros: np.zeros_like(x)",
            )
        for k, c in enumerate(row):
            check_like(c, aval(x), "jet", "derivative", f"{where}[{k}]")
        out.append(row)
    if order is None:
        raise ArgumentError(
            "jet wants at least one argument with a series.",
            "arguments without real or complex arrays",
            "pass a float; call f itself where nothing moves",
        )
    return order, out


def _moves(x: Any) -> bool:
    return (hasattr(x, "dtype") and x.dtype.kind in INEXACT) or is_a(x, (float, complex))


def _enter(trace: Taylor, x: Any, row: Sequence[Any], scaled: bool) -> Any:
    """A traced argument, or the argument where its derivatives are zero."""
    known: list[Any] = [x]
    for k, c in enumerate(row, 1):
        if not isinstance(c, Tracer) and not is_cupy(c) and not np.any(c):
            known.append(None)
        else:
            known.append(_scaled(_like(c, x), factorial(k) if scaled else 1, np.true_divide))
    return x if all(c is None for c in known[1:]) else trace.tracer(x, Series(known))


def _like(c: Any, x: Any) -> Any:
    """A coefficient of the kind of its value, such as a float for an integer."""
    if hasattr(x, "dtype"):
        return fit(c, x)
    return c if hasattr(c, "dtype") else type(x)(c)


def _scaled(c: Any, factor: int, operation: Callable[..., Any]) -> Any:
    """A coefficient times or over a factor, which its dtype may be too small for."""
    if factor == 1:
        return c
    dtype = aval(c).dtype
    wide = np.result_type(dtype, np.float64)
    if wide == dtype:
        return operation(c, float(factor))
    return operation(c.astype(wide), float(factor)).astype(dtype)


def _leave(trace: Taylor, y: Any, order: int, scaled: bool, given: set[int]) -> list[Any]:
    """The derivatives of a result as users get them: of its kind, and sharing no memory."""
    mine = type(y) is TaylorTracer and y.owner is trace
    value, out = lower(trace, y), []
    for k in range(1, order + 1):
        c = y.slot[k] if mine else None
        if c is None:
            c = zero_like(value)
        elif k > 1 and scaled:
            c = _scaled(c, factorial(k), np.multiply)
        if isinstance(c, Tracer) or isinstance(value, Tracer):
            c = alike(value, c)
        elif not hasattr(value, "dtype"):
            c = complex(c) if is_a(value, complex) else type(value)(c)
        elif is_cupy(value):
            c = c.copy() if c.base is not None or id(c) in given else c
        elif type(value) is not ndarray:
            c = value.dtype.type(c)
        elif type(c) is not ndarray or c.base is not None or id(c) in given:
            c = np.array(c, value.dtype)
        given.add(id(c))
        out.append(c)
    return out
