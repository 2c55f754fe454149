"""Finding sparsity patterns: what depends on what in a function, whatever its values."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy.sparse import csr_array, eye_array

from .. import tree
from ..arguments import Selection
from ..arrays import shape_of
from ..checks import check_arrays, run
from ..core import Tracer
from ..derivatives import value_and_grad
from ..errors import DtypeError, TracerConversionError, describe
from ..jacobians import Point
from ..tracebacks import boundary
from .dependence import Dependence, DependenceTracer, stacked


def check_plain(name: str, values: Sequence[Any]) -> None:
    """Refuse traced values: SciPy's matrices can't hold any."""
    for x in values:
        if isinstance(x, Tracer):
            raise TracerConversionError(
                f"fgrad.sparse.{name} wants plain arrays: a sparse matrix of SciPy's holds no "
                "traced values.",
                repr(x),
                "call it outside of other transformations; inside, fgrad.jacobian and "
                "fgrad.hessian have dense results, fgrad.jvp, vjp and hvp products",
            )


def point_of(
    name: str, selection: Selection, has_aux: bool, allow_int: bool, args: Any, kwargs: Any
) -> Point:
    """A function at a point, of plain real arguments."""
    point = Point(name, selection, (has_aux, False, allow_int, None), args, kwargs)
    check_plain(name, tree.leaves((args, kwargs)))
    for x, a in zip(point.xs, point.avals, strict=True):
        if a.dtype.kind == "c":
            raise DtypeError(
                f"fgrad.sparse.{name} wants real arguments: a complex one moves in two directions.",
                describe(x),
                "differentiate in its real and its imaginary part: f(x + 1j * y) in x and y",
            )
    return point


def gradient_of(point: Point) -> Callable[..., Any]:
    """The gradient of a scalar function in the leaves at a point, and ``(value, aux)``."""
    both = value_and_grad(point, tuple(range(len(point.xs))), has_aux=True)

    def gradient(*xs: Any) -> Any:
        value_aux, gradient = both(*xs)
        return gradient, value_aux

    gradient.__wrapped__ = point.selection.f  # type: ignore[attr-defined]
    return gradient


def pattern_of(name: str, fn: Callable[..., Any], point: Point) -> Any:
    """Where the Jacobian of ``fn(*leaves)``, a pair of result and anything, may have entries."""
    try:
        return _traced(name, fn, point, strict=True)
    except TracerConversionError:
        # It asks for places or counts, and gets those of these arguments.
        return _traced(name, fn, point, strict=False)


def _traced(name: str, fn: Callable[..., Any], point: Point, strict: bool) -> Any:
    sizes = [math.prod(a.shape) for a in point.avals]
    n = sum(sizes)
    units = csr_array(eye_array(n, dtype=bool))
    starts = np.cumsum([0, *sizes])
    trace = Dependence(name, fn, n, strict)
    tracers = [
        trace.tracer(x, units[start : start + size])
        for x, start, size in zip(point.xs, starts, sizes, strict=False)
    ]
    try:
        out, _ = run(trace, fn, tracers, {})
        outs = tree.leaves(out)
        if outs:
            check_arrays(outs, out, point.selection.f, name)
        parts = [
            y.slot
            if isinstance(y, DependenceTracer) and y.owner is trace and y.slot is not None
            else csr_array((math.prod(shape_of(y)), n), dtype=bool)
            for y in outs
        ]
    finally:
        trace.finish()
    pattern = stacked([csr_array((0, n), dtype=bool), *parts])
    pattern.sum_duplicates()
    return pattern


def symmetric_pattern(point: Point) -> Any:
    """Where the Hessian may have entries: where the gradient's Jacobian and its transpose may."""
    pattern = pattern_of("hessian", gradient_of(point), point)
    return csr_array(pattern.multiply(pattern.T)).astype(bool)


def sparsity(
    f: Callable[..., Any],
    argnums: int | Sequence[int] | None = None,
    argnames: str | Sequence[str] | None = None,
    has_aux: bool = False,
    allow_int: bool = False,
) -> Callable[..., Any]:
    """Make a function that returns where the Jacobian of ``f`` may have entries.

    ``f`` runs once, and each of its operations says which results depend on which operands:
    structurally, so ``0.0 * x`` depends on x. The pattern holds for all arguments of these shapes
    for which ``f`` goes the same way: takes the same branches of Python's own ``if``, and picks
    the same places where it picks by masks. Arrays that ``f`` closes over and arguments that are
    not chosen are constants, whose zeros count: with other ones, find the pattern again.

    >>> import numpy as np
    >>> sparsity(lambda x: np.diff(x) ** 2)(np.zeros(4)).toarray().astype(int)
    array([[1, 1, 0, 0],
           [0, 1, 1, 0],
           [0, 0, 1, 1]])

    Args:
        f: a function of real arrays in pytrees that returns a pytree of arrays.
        argnums, argnames, has_aux, allow_int: see `fgrad.jacobian`.

    Returns:
        A function of the same arguments that returns a boolean csr_array, with a row for each
        number of the result and a column for each number of the argument, in the order of the
        leaves. It may have entries where the Jacobian has none, but not the other way round.

    Raises:
        DtypeError: an argument can't be differentiated in.
        TracerConversionError: an argument is traced.
    """
    selection = Selection(f, argnums, argnames, "sparsity")

    @boundary
    @functools.wraps(f)
    def sparsity_f(*args: Any, **kwargs: Any) -> Any:
        point = point_of("sparsity", selection, has_aux, allow_int, args, kwargs)
        return pattern_of("sparsity", point, point)

    return sparsity_f


def hessian_sparsity(
    f: Callable[..., Any],
    argnums: int | Sequence[int] | None = None,
    argnames: str | Sequence[str] | None = None,
    has_aux: bool = False,
    allow_int: bool = False,
) -> Callable[..., Any]:
    """Make a function that returns where the Hessian of ``f`` may have entries.

    It is `sparsity` of the gradient, made symmetric: arguments that don't meet in a nonlinear
    operation have no entry.

    >>> import numpy as np
    >>> f = lambda x: np.sum(x[:2] * x[1:]) + 3.0 * x[0]
    >>> hessian_sparsity(f)(np.zeros(3)).toarray().astype(int)
    array([[0, 1, 0],
           [1, 0, 1],
           [0, 1, 0]])

    Args, Raises: see `sparsity`; ``f`` returns a real scalar.

    Returns:
        A function of the same arguments that returns a symmetric boolean csr_array.
    """
    selection = Selection(f, argnums, argnames, "hessian_sparsity")

    @boundary
    @functools.wraps(f)
    def hessian_sparsity_f(*args: Any, **kwargs: Any) -> Any:
        point = point_of("hessian_sparsity", selection, has_aux, allow_int, args, kwargs)
        return symmetric_pattern(point)

    return hessian_sparsity_f
