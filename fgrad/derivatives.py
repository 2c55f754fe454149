"""Derivatives: jvp, vjp, grad and value_and_grad, with JAX's signatures.

Unlike JAX's they accept keyword arguments and `argnames`.
"""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from . import tree
from .arguments import Selection, check_differentiable
from .arrays import INEXACT, aval, digest, ndarray, shape_of
from .core import Tracer, is_traceable
from .errors import ArgumentError, DtypeError, FgradError, ShapeError, describe, name_of
from .forward import JvpTracer, Pushforward
from .reverse import Tape, lower, surface

READ_ONLY = (
    "fgrad holds this array read-only: an operation of the function that is being differentiated "
    "has saved it for the backward pass. Write to a copy (x.copy()), or make the changed array "
    "anew."
)


def _run(tape: Tape, f: Callable[..., Any], args: Any, kwargs: Any) -> Any:
    """Call the user's function; explain NumPy's complaint about an array that is held."""
    try:
        return f(*args, **kwargs)
    except ValueError as e:
        if tape.holds and "read-only" in str(e):
            e.add_note(READ_ONLY)
        raise


def value_and_grad(
    f: Callable[..., Any],
    argnums: int | Sequence[int] | None = None,
    argnames: str | Sequence[str] | None = None,
    has_aux: bool = False,
    holomorphic: bool = False,
    allow_int: bool = False,
) -> Callable[..., Any]:
    """Make a function that returns the value of ``f`` and its gradient.

    >>> import numpy as np
    >>> value_and_grad(lambda x: np.sum(x**2))(np.array([1.0, 2.0]))
    (np.float64(5.0), array([2., 4.]))

    Args:
        f: a function of arrays in pytrees that returns a real scalar (with ``has_aux``, a pair
            of it and anything else).
        argnums: the positions of the arguments to differentiate in; the first by default.
        argnames: the names of further arguments to differentiate in, whether they are passed by
            keyword or by position. JAX has no such argument.
        has_aux: ``f`` returns ``(value, aux)``; aux isn't differentiated.
        holomorphic: ``f`` is a complex function with a complex derivative, and that is wanted.
        allow_int: let arguments have leaves that are no real or complex arrays; their gradient
            is None.

    Returns:
        A function of the same arguments that returns ``(value, gradient)``, with ``has_aux``
        ``((value, aux), gradient)``. The gradient has the structure, shapes and dtypes of the
        argument; it is a tuple if ``argnums`` or ``argnames`` are several. Of a real function of
        complex z = x + iy, the gradient is df/dx - i df/dy, as in JAX.

    Raises:
        DtypeError: a leaf can't be differentiated in, or the value isn't a real number.
        ShapeError: the value isn't a scalar.
        ArgumentError: ``argnums`` or ``argnames`` don't fit the call.
    """
    selection = Selection(f, argnums, argnames, "grad")

    @functools.wraps(f)
    def value_and_grad_f(*args: Any, **kwargs: Any) -> Any:
        chosen = selection.take(args, kwargs)
        leaves, structure = tree.flatten(chosen)
        tape = Tape("grad", f)
        active = check_differentiable(leaves, chosen, "grad", allow_int, holomorphic)
        tracers: list[Any] = tape.watch(leaves if active is None else [leaves[i] for i in active])
        if active is not None:
            tracers = _fill(leaves, active, tracers)
        args, kwargs = selection.put(args, kwargs, tree.unflatten(structure, tracers))
        try:
            out = _run(tape, f, args, kwargs)
            if has_aux:
                out, aux = _pair(out)
            tape.finish()
            value = lower(tape, out)
            _check_scalar(value, f, holomorphic)
            if value is out:  # doesn't depend on the arguments
                cts: list[Any] = [None] * tape.inputs
            else:
                seed = value.dtype.type(1) if hasattr(value, "dtype") else 1.0
                cts = tape.backward([(out.slot, seed)], free=True)
        finally:
            tape.finish()
            tape.release()
        if active is None:
            grads = surface(leaves, cts)
        else:
            found = surface([leaves[i] for i in active], cts)
            grads = _fill([None] * len(leaves), active, found)
        gradient = tree.unflatten(structure, grads)
        if has_aux:
            return (value, _lower_tree(tape, aux)), gradient
        return value, gradient

    return value_and_grad_f


def grad(
    f: Callable[..., Any],
    argnums: int | Sequence[int] | None = None,
    argnames: str | Sequence[str] | None = None,
    has_aux: bool = False,
    holomorphic: bool = False,
    allow_int: bool = False,
) -> Callable[..., Any]:
    """Make a function that returns the gradient of ``f``.

    >>> import numpy as np
    >>> grad(np.tanh)(0.5)
    0.7864477329659274
    >>> grad(lambda w, x: np.sum(w["a"] * x))({"a": np.ones(2)}, np.array([1.0, 2.0]))
    {'a': array([1., 2.])}

    Args, Raises: see `value_and_grad`.

    Returns:
        A function of the same arguments that returns the gradient, with ``has_aux`` the pair of
        gradient and aux.
    """
    both = value_and_grad(f, argnums, argnames, has_aux, holomorphic, allow_int)

    @functools.wraps(f)
    def grad_f(*args: Any, **kwargs: Any) -> Any:
        value, gradient = both(*args, **kwargs)
        return (gradient, value[1]) if has_aux else gradient

    return grad_f


def _fill(leaves: Sequence[Any], active: Sequence[int], new: Sequence[Any]) -> list[Any]:
    out = list(leaves)
    for i, x in zip(active, new, strict=True):
        out[i] = x
    return out


def _pair(out: Any) -> tuple[Any, Any]:
    if not (isinstance(out, tuple) and len(out) == 2):
        raise ArgumentError(
            "With has_aux=True the function must return a pair (value, aux).",
            describe(out) if is_traceable(out) else f"a {type(out).__name__}",
            "return value, aux",
        )
    return out


def _lower_tree(trace: Any, x: Any) -> Any:
    """The tree with the values below the tracers of a trace that has ended."""
    return tree.map(lambda y: lower(trace, y), x)


def _check_scalar(value: Any, f: Callable[..., Any], holomorphic: bool) -> None:
    kind = getattr(value, "dtype", None)
    if not is_traceable(value):
        came = describe(value) if not isinstance(value, (list, tuple, dict)) else (
            f"a {type(value).__name__} of {len(value)}"
        )
        raise DtypeError(
            f"grad wants a function that returns a real scalar; {name_of(f)} does not.",
            came,
            "return one number, such as np.sum of an array; for other results, "
            "(value, rest) with has_aux=True",
        )
    if shape_of(value) != ():
        raise ShapeError(
            f"grad wants a function that returns a real scalar; {name_of(f)} does not.",
            describe(value),
            "return one number, such as np.sum or np.mean of it; for derivatives of arrays use "
            "fgrad.jacrev, fgrad.jacfwd or fgrad.vjp",
        )
    kind = kind.kind if kind is not None else np.result_type(type(value)).kind
    if kind == "c" and not holomorphic:
        raise DtypeError(
            f"grad wants a function that returns a real scalar; {name_of(f)} does not.",
            describe(value),
            "return its real part or absolute value; set holomorphic=True for the complex "
            "derivative of a holomorphic function; use fgrad.vjp for anything else",
        )
    if kind not in INEXACT or (holomorphic and kind != "c"):
        raise DtypeError(
            f"grad wants a function that returns a {'complex' if holomorphic else 'real'} scalar; "
            f"{name_of(f)} does not.",
            describe(value),
            "convert it with .astype(float)" if not holomorphic else "set holomorphic=False",
        )


# ------------------------------------------------------------------ vjp
class Pullback:
    """The linear map from cotangents of the results to cotangents of the arguments.

    It can be called any number of times. Arrays that it has saved stay read-only while it lives.
    """

    def __init__(
        self, tape: Tape, f: Any, outs: Sequence[Any], structures: Any, leaves: Any
    ) -> None:
        self._tape, self._f, self._leaves = tape, f, leaves
        self._outs = [
            (x.slot if isinstance(x, Tracer) and x.trace is tape else None, aval(x)) for x in outs
        ]
        self._out_structure, self._in_structure = structures
        self._digests = [(x, digest(x)) for x in tape.held.values()]
        weakref.finalize(self, tape.release)

    def __repr__(self) -> str:
        return f"<pullback of {name_of(self._f)}>"

    def __call__(self, ct: Any) -> tuple[Any, ...]:
        """Cotangents of the arguments, a tuple with an entry for each.

        Args:
            ct: a pytree like the result of the function, with its shapes and dtypes.

        Raises:
            TreeError, ShapeError, DtypeError: ``ct`` isn't like the result.
        """
        gs = tree.flatten_up_to(
            self._out_structure, ct,
            what="vjp wants a cotangent of the structure of the function's result.",
            to_do="pass one array for each array that the function returns",
        )  # fmt: skip
        for x, before in self._digests:
            if digest(x) != before:
                raise FgradError(
                    "A pullback wants the arrays that it has saved to be as they were.",
                    f"{describe(x)} that was changed in place, through another view of its memory",
                    "call the pullback before the change, or give vjp a copy of the array",
                )
        pairs = []
        paths = self._out_structure.accessors()
        for path, g, (slot, a) in zip(paths, gs, self._outs, strict=True):
            _check_like(g, a, "vjp", "cotangent", tree.path_str(path))
            if slot is not None:
                pairs.append((slot, g))
        cts = self._tape.backward(pairs, free=False)
        out: tuple[Any, ...] = tree.unflatten(
            self._in_structure, surface(self._leaves, cts, [g for _, g in pairs])
        )
        return out


def _check_like(t: Any, a: Any, name: str, what: str, path: str) -> None:
    """Refuse a tangent or cotangent that isn't of its primal's shape and dtype."""
    where = f" at {path}" if path else ""
    if not is_traceable(t) or shape_of(t) != a.shape:
        raise ShapeError(
            f"{name} wants a {what} of shape {a.shape}{where}, that of its primal.",
            describe(t),
            f"pass an array of shape {a.shape}, such as np.ones({a.shape}); None is no zero",
        )
    if hasattr(t, "dtype") and t.dtype != a.dtype:
        raise DtypeError(
            f"{name} wants a {what} of dtype {a.dtype}{where}, that of its primal.",
            describe(t),
            f"convert it with .astype(np.{a.dtype})",
        )
    if not hasattr(t, "dtype") and isinstance(t, complex) and a.dtype.kind != "c":
        raise DtypeError(
            f"{name} wants a real {what}{where}.", describe(t), "pass its real part"
        )


def vjp(f: Callable[..., Any], *primals: Any, has_aux: bool = False, **kwargs: Any) -> Any:
    """Evaluate ``f`` and return its value with its pullback.

    >>> import numpy as np
    >>> y, pullback = vjp(lambda x, w: np.sin(x) * w, np.array([0.0, 1.0]), 2.0)
    >>> y
    array([0.        , 1.68294197])
    >>> pullback(np.array([1.0, 0.0]))
    (array([2., 0.]), 0.0)

    Args:
        f: a function of arrays in pytrees, returning a pytree of arrays.
        primals: the arguments that are differentiated, all of them.
        has_aux: ``f`` returns a pair ``(result, aux)``; aux isn't differentiated.
        kwargs: keyword arguments of ``f``; they aren't differentiated (JAX has none).

    Returns:
        ``(result, pullback)``, with ``has_aux`` ``(result, pullback, aux)``. The pullback takes a
        cotangent like the result to a tuple of cotangents like the primals.
    """
    leaves, structure = tree.flatten(primals)
    check_differentiable(leaves, primals, "vjp")
    tape = Tape("vjp", f)
    try:
        out = _run(tape, f, tree.unflatten(structure, tape.watch(leaves)), kwargs)
        aux = None
        if has_aux:
            out, aux = _pair(out)
        outs, out_structure = tree.flatten(out)
        _check_arrays(outs, out, f, "vjp")
    except BaseException:
        tape.release()
        raise
    finally:
        tape.finish()
    pullback = Pullback(tape, f, outs, (out_structure, structure), leaves)
    value = tree.unflatten(out_structure, [lower(tape, y) for y in outs])
    return (value, pullback, _lower_tree(tape, aux)) if has_aux else (value, pullback)


def _check_arrays(outs: Sequence[Any], out: Any, f: Callable[..., Any], name: str) -> None:
    if not outs or not all(is_traceable(y) for y in outs):
        path, bad = next(
            ((p, y) for p, y in tree.leaves_with_path(out) if not is_traceable(y)), ((), None)
        )
        where = f" at {tree.path_str(path)}" if path else ""
        raise DtypeError(
            f"{name} wants a function that returns arrays in pytrees; {name_of(f)} does not.",
            f"{describe(bad)}{where}",
            "return arrays and numbers; anything else goes into aux, with has_aux=True",
        )


# ------------------------------------------------------------------ jvp
def jvp(
    f: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any], has_aux: bool = False
) -> Any:
    """Evaluate ``f`` and its derivative in a direction, forward.

    >>> import numpy as np
    >>> jvp(lambda x, y: x * y, (np.array([1.0, 2.0]), 3.0), (np.ones(2), 0.0))
    (array([3., 6.]), array([3., 3.]))

    Args:
        f: a function of arrays in pytrees, returning a pytree of arrays.
        primals: a tuple or list with the arguments.
        tangents: the direction: a tuple or list with a tangent for each argument, of its
            structure, shapes and dtypes. For an integer leaf it is None.
        has_aux: ``f`` returns a pair ``(result, aux)``; aux isn't differentiated.

    Returns:
        ``(result, tangent of the result)``, with ``has_aux`` followed by aux.
    """
    for name, x in (("primals", primals), ("tangents", tangents)):
        if not isinstance(x, (tuple, list)):
            raise ArgumentError(
                f"jvp wants {name} as a tuple with an entry for each argument.",
                describe(x) if is_traceable(x) else f"a {type(x).__name__}",
                f"for a single argument write ({name[:-1]},)",
            )
    primals, tangents = tuple(primals), tuple(tangents)
    leaves, structure = tree.flatten(primals)
    trace = Pushforward("jvp", f)
    tracers = [
        trace.tracer(x, t)
        for x, t in zip(leaves, _tangents(primals, tangents, leaves), strict=True)
    ]
    try:
        out = f(*tree.unflatten(structure, tracers))
        aux = None
        if has_aux:
            out, aux = _pair(out)
        outs, out_structure = tree.flatten(out)
        _check_arrays(outs, out, f, "jvp")
    finally:
        trace.finish()
    value = tree.unflatten(out_structure, [lower(trace, y) for y in outs])
    tangent = tree.unflatten(out_structure, [_tangent(trace, y) for y in outs])
    return (value, tangent, _lower_tree(trace, aux)) if has_aux else (value, tangent)


def _tangents(primals: Any, tangents: Any, leaves: Sequence[Any]) -> list[Any]:
    """The leaves of the tangents, None where the primal is no real or complex array."""
    if len(primals) != len(tangents):
        raise ArgumentError(
            "jvp wants a tangent for each primal.",
            f"{len(primals)} primals and {len(tangents)} tangents",
            "pass np.zeros_like(x) for an argument that doesn't move",
        )
    ts = tree.flatten_up_to(
        tree.structure(primals), tangents,
        what="jvp wants tangents of the structure of the primals.",
        to_do="pass one tangent for each array among the arguments; None stands for an integer's",
    )  # fmt: skip
    moving = tree.unflatten(tree.structure(primals), [
        None if t is None else x for x, t in zip(leaves, ts, strict=True)
    ])
    check_differentiable(tree.leaves(moving), moving, "jvp")
    for (path, x), t in zip(tree.leaves_with_path(primals), ts, strict=True):
        if t is None:
            continue
        _check_like(t, aval(x), "jvp", "tangent", tree.path_str(path))
    return ts


def _tangent(trace: Any, y: Any) -> Any:
    """The tangent of a result, zeros where it doesn't depend on the arguments."""
    if isinstance(y, JvpTracer) and y.trace is trace:
        t, y = y.slot, y.value
        if type(t) is ndarray and not t.flags.writeable:
            return t.copy()
        return np.asarray(t, y.dtype) if type(y) is ndarray and not isinstance(t, Tracer) else t
    return np.zeros_like(y) if hasattr(y, "dtype") else type(y)(0)
