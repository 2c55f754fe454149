"""Linear maps as functions: a derivative recorded once, and the transpose of a linear function."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from . import tree
from .arrays import INEXACT, PYTHON_SCALARS, aval, is_a, shape_of
from .checks import check_like, pair
from .core import Refusing, check_function, home, rerun, watcher
from .derivatives import pull_back, push_forward
from .errors import ArgumentError, describe, name_of
from .graph import Graph
from .ops.casts import known
from .stage import StageTracer, make_graph
from .tracebacks import boundary


class Linearized:
    """The derivative of a function at a point: a linear map from tangents to a tangent.

    Calling it repeats what depends on the tangents, and nothing of the function itself.
    """

    def __init__(self, graph: Graph, f: Callable[..., Any], primals: Any, value: Any) -> None:
        leaves, self._structure = tree.flatten(primals)
        self.graph, self._f, self._avals = graph, f, [aval(x) for x in leaves]
        self._kinds = [type(y) for y in tree.leaves(value)]

    def __repr__(self) -> str:
        return f"<derivative of {name_of(self._f)}>"

    @boundary
    def __call__(self, *tangents: Any) -> Any:
        """The tangent of the result.

        Args:
            tangents: one for each argument of the function, of its structure, shapes and dtypes.

        Raises:
            TreeError, ShapeError, DtypeError: the tangents are not like the arguments.
        """
        if (watch := watcher()) and (out := watch(self, tangents, {})) is not NotImplemented:
            return out
        ts = tree.flatten_up_to(
            self._structure, tangents,
            what="linearize wants tangents of the structure of the arguments.",
            to_do="pass one tangent for each array among the arguments",
        )  # fmt: skip
        for path, t, a in zip(self._structure.accessors(), ts, self._avals, strict=True):
            check_like(t, a, "linearize", "tangent", tree.path_str(path))
        out = self.graph(*tree.unflatten(self._structure, [_array(t) for t in ts]))
        leaves, structure = tree.flatten(out)
        kept = [
            float(y) if kind is float else y for y, kind in zip(leaves, self._kinds, strict=True)
        ]
        return tree.unflatten(structure, kept)


def _known(x: Any) -> Any:
    """A value with tangents 0, of one that depends on them (the vectors of `eigh`)."""
    return x.value if isinstance(x, StageTracer) and isinstance(x.owner, Refusing) else x


def _array(x: Any) -> Any:
    return np.asarray(x) if is_a(x, PYTHON_SCALARS) else x


@boundary
def linearize(f: Callable[..., Any], *primals: Any, has_aux: bool = False) -> Any:
    """Evaluate ``f`` and return its value with its derivative, as a function of the tangents.

    `jvp` for many directions at one point: ``f`` runs once, and each call of the derivative does
    the linear operations alone, which were recorded (see `Linearized.graph`).

    >>> import numpy as np
    >>> y, push = linearize(lambda x, w: np.sin(x) * w, np.array([0.0, 1.0]), 2.0)
    >>> push(np.array([1.0, 0.0]), 0.0)
    array([2., 0.])

    Args:
        f: a function of arrays in pytrees that returns a pytree of arrays.
        primals: the arguments, all of which may move.
        has_aux: ``f`` returns ``(result, aux)``; aux isn't differentiated.

    Returns:
        ``(result, derivative)``, with ``has_aux`` ``(result, derivative, aux)``.

    Raises:
        DtypeError: an argument has a leaf without derivatives.
    """
    check_function(f, "linearize", direct=True)
    if (watch := watcher()) is not None:
        out = watch(linearize, (f, *primals), {"has_aux": has_aux})
        if out is not NotImplemented:
            return out
    value: Any = None
    aux: Any = None

    @functools.wraps(f)
    def with_aux(*xs: Any) -> Any:
        return pair(f(*xs), "linearize") if has_aux else (f(*xs), None)

    def push(*tangents: Any) -> Any:
        nonlocal value, aux
        value, t, aux = push_forward("linearize", with_aux, primals, tangents, has_aux=True)
        return t

    zeros = tree.map(lambda x: home(x).zeros(shape_of(x), aval(x).dtype), primals)
    graph = make_graph(push)(*zeros)
    value, aux = tree.map(_known, (value, aux))
    derivative = Linearized(graph, f, primals, value)
    return (value, derivative, aux) if has_aux else (value, derivative)


@boundary
def linear_transpose(f: Callable[..., Any], *primals: Any) -> Callable[..., Any]:
    """The transpose of a linear function: of ``A @ x`` it is ``A.T @ y``.

    >>> import numpy as np
    >>> A = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    >>> linear_transpose(lambda x: A @ x, np.zeros(3))(np.array([1.0, 10.0]))
    (array([41., 52., 63.]),)

    Args:
        f: a function of arrays in pytrees that is linear in all of them together.
        primals: arrays that say what the arguments are like; only shapes and dtypes matter.

    Returns:
        A function of a tree like the result that returns a tuple with a tree like each argument.
        For complex numbers it is the transpose, not the adjoint, as in JAX.

    Raises:
        ArgumentError: ``f`` isn't linear, as three more calls of it on random numbers show.
    """
    check_function(f, "linear_transpose", direct=True)
    zeros = tree.map(lambda x: home(x).zeros(shape_of(x), aval(x).dtype), primals)
    y, pullback = pull_back("linear_transpose", f, zeros)
    for path, leaf in tree.leaves_with_path(y):
        value = known(leaf)
        if value is not None and bool(np.any(value != 0)):
            where = f" at {tree.path_str(path)}" if path else ""
            raise ArgumentError(
                f"linear_transpose wants a linear function; {name_of(f)} is not 0 at 0.",
                f"{describe(leaf)}{where} that is not zero",
                "take the constant part away, or use fgrad.vjp for the derivative at a point",
            )
    _check_linear(f, zeros)
    return pullback


def _check_linear(f: Callable[..., Any], like: Any) -> None:
    """Refuse what is 0 at 0 and not linear, such as a square: f(v - 2 u) is f(v) - 2 f(u)."""
    rng = np.random.default_rng(0)

    def draw(x: Any) -> Any:
        a = aval(x)
        parts = rng.normal(size=(2, *a.shape))
        drawn = (parts[0] + 1j * parts[1] if a.dtype.kind == "c" else parts[0]).astype(a.dtype)
        return home(x).asarray(drawn)

    u, v = tree.map(draw, like), tree.map(draw, like)
    mixed = tree.map(lambda a, b: (b - 2 * a).astype(a.dtype), u, v)
    results = [tree.leaves_with_path(rerun(f, *xs)) for xs in (u, v, mixed)]
    for (path, at_u), (_, at_v), (_, got) in zip(*results, strict=True):
        values = [known(y) for y in (at_u, at_v, got)]
        if any(y is None for y in values) or aval(got).dtype.kind not in INEXACT:
            continue  # under vmap, or in a graph, the values can't be known
        a, b, c = values
        scale = np.max(np.abs(a), initial=0.0) + np.max(np.abs(b), initial=0.0)
        # Wide enough for any rounding; what isn't linear is off by about the values themselves.
        off = np.max(np.abs(c - (b - 2 * a)), initial=0.0)
        if off > scale * float(np.finfo(aval(got).dtype).eps) ** 0.25:
            where = f" at {tree.path_str(path)}" if path else ""
            raise ArgumentError(
                f"linear_transpose wants a linear function; {name_of(f)} is not linear.",
                f"f(v - 2 u) that differs from f(v) - 2 f(u) by {float(off):.3g}{where}",
                "take the derivative at a point, which is linear: fgrad.vjp(f, x), or "
                "fgrad.linearize(f, x)",
            )
