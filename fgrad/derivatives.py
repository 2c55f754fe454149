"""Derivatives: jvp, vjp, grad and value_and_grad, with JAX's signatures.

Unlike JAX's they accept keyword arguments and `argnames`.
"""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable, Sequence
from typing import Any, Literal, overload

import numpy as np
from numpy import float64

from . import tree
from .arguments import LEAF, Selection, check_differentiable, open_argument
from .arrays import INEXACT, aval, is_a, is_cupy, ndarray
from .checks import check_arrays, check_like, check_scalar, check_tuples, explain, pair, run
from .core import P, R, Tracer, check_function, watcher
from .errors import ArgumentError, name_of
from .forward import JvpTracer, Pushforward
from .kinds import alike, with_dtype, zero_like
from .reverse import Tape, TapeTracer
from .surface import filled, lower, lower_aux, one_like, surface
from .tracebacks import boundary


@boundary
def value_and_grad(
    f: Callable[P, R],
    argnums: int | Sequence[int] | None = None,
    argnames: str | Sequence[str] | None = None,
    has_aux: bool = False,
    holomorphic: bool = False,
    allow_int: bool = False,
) -> Callable[P, tuple[R, Any]]:
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
    return gradient("value_and_grad", f, argnums, argnames, has_aux, holomorphic, allow_int)


def gradient(
    name: str, f: Callable[..., Any], argnums: Any = None, argnames: Any = None,
    has_aux: bool = False, holomorphic: bool = False, allow_int: bool = False,
) -> Callable[..., Any]:  # fmt: skip
    """`value_and_grad` for the function that users know by this name."""
    selection = Selection(f, argnums, argnames, name)

    @boundary
    @functools.wraps(f)
    def value_and_grad_f(*args: Any, **kwargs: Any) -> Any:
        if (watch := watcher()) is not None:
            out = watch(value_and_grad_f, args, kwargs)
            if out is not NotImplemented:
                return out
        k = selection.position
        positional = 0 <= k < len(args)
        chosen = args[k] if positional else selection.take(args, kwargs)
        leaves, structure, active = open_argument(chosen, name, allow_int, holomorphic)
        tape = Tape(name, f)
        if active is None:
            tracers: Any = tape.watch(leaves, 0 if structure is None else 1)
        else:
            tracers = filled(leaves, active, tape.watch([leaves[i] for i in active]))
        if structure is not None:
            tracers = structure.unflatten(tracers)
        if positional:
            args = (*args[:k], tracers, *args[k + 1 :])
        else:
            args, kwargs = selection.put(args, kwargs, tracers)
        aux = None
        try:
            out = f(*args, **kwargs) if kwargs else f(*args)
            if has_aux:
                out, aux = pair(out, name)
            depends = type(out) is TapeTracer and out.owner is tape
            value = out.value if depends else out
            if type(value) is not float64 or holomorphic:
                check_scalar(value, f, holomorphic, name)
            if depends:
                if tape.holds:
                    tape.check_held()
                tape.finish()
                cts = tape.backward([(out.slot, one_like(value))], free=True)
            else:
                cts = [None] * tape.inputs
        except ValueError as e:
            explain(e, tape, f)
            raise
        finally:
            if tape.nodes is not None:
                tape.finish()
            if tape.holds:
                tape.release()
        if active is None:
            grads = surface(leaves, cts, plain=structure is None or structure is LEAF)
        else:
            cts = surface([leaves[i] for i in active], cts)
            grads = filled([None] * len(leaves), active, cts)
        found = grads if structure is None else structure.unflatten(grads)
        if has_aux:
            return (value, lower_aux(tape, aux)), found
        return value, found

    return value_and_grad_f


@boundary
def grad(
    f: Callable[P, Any],
    argnums: int | Sequence[int] | None = None,
    argnames: str | Sequence[str] | None = None,
    has_aux: bool = False,
    holomorphic: bool = False,
    allow_int: bool = False,
) -> Callable[P, Any]:
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
    both = gradient("grad", f, argnums, argnames, has_aux, holomorphic, allow_int)

    @boundary
    @functools.wraps(f)
    def grad_f(*args: Any, **kwargs: Any) -> Any:
        value, found = both(*args, **kwargs)
        return (found, value[1]) if has_aux else found

    return grad_f


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
            (x.slot if isinstance(x, Tracer) and x.owner is tape else None, aval(x)) for x in outs
        ]
        self._out_structure, self._in_structure = structures
        weakref.finalize(self, tape.release)

    def __repr__(self) -> str:
        return f"<pullback of {name_of(self._f)}>"

    @boundary
    def __call__(self, ct: Any) -> tuple[Any, ...]:
        """Cotangents of the arguments, a tuple with an entry for each.

        Args:
            ct: a pytree like the result of the function, with its shapes and dtypes.

        Raises:
            TreeError, ShapeError, DtypeError: ``ct`` isn't like the result.
        """
        if (watch := watcher()) and (out := watch(self, (ct,), {})) is not NotImplemented:
            return out
        name = self._tape.name
        gs = tree.flatten_up_to(
            self._out_structure, ct,
            what=f"{name} wants a cotangent of the structure of the function's result.",
            to_do="pass one array for each array that the function returns",
        )  # fmt: skip
        self._tape.check_held()
        pairs = []
        for path, g, (slot, a) in zip(self._out_structure.accessors(), gs, self._outs, strict=True):
            if a.dtype.kind in INEXACT:  # whatever stands for an integer has no effect
                check_like(g, a, name, "cotangent", tree.path_str(path), "the result")
                g = with_dtype(a, g)
            if slot is not None:
                pairs.append((slot, g))
        cts = self._tape.backward(pairs, free=False)
        found: tuple[Any, ...] = tree.unflatten(
            self._in_structure, surface(self._leaves, cts, [g for _, g in pairs])
        )
        return found


@overload
def vjp(
    f: Callable[..., R], *primals: Any, has_aux: Literal[False] = False, **kwargs: Any
) -> tuple[R, Pullback]: ...
@overload
def vjp(
    f: Callable[..., tuple[R, Any]], *primals: Any, has_aux: Literal[True], **kwargs: Any
) -> tuple[R, Pullback, Any]: ...
@boundary
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
    return pull_back("vjp", f, primals, has_aux, kwargs)


def pull_back(
    name: str, f: Callable[..., Any], primals: Any, has_aux: bool = False, kwargs: Any = None
) -> Any:
    """`vjp` for the function that users know by this name."""
    if (watch := watcher()) is not None:
        out = watch(pull_back, (name, f, primals, has_aux, kwargs), {})
        if out is not NotImplemented:
            return out
    check_function(f, name, direct=True)
    leaves, structure = tree.flatten(primals)
    check_differentiable(leaves, primals, name)
    tape = Tape(name, f)
    try:
        out = run(tape, f, tree.unflatten(structure, tape.watch(leaves)), kwargs or {})
        aux = None
        if has_aux:
            out, aux = pair(out, name)
        outs, out_structure = tree.flatten(out)
        check_arrays(outs, out, f, name)
        pullback = Pullback(tape, f, outs, (out_structure, structure), leaves)
        # Copies, because the tape goes on reading: the derivative of exp is its value.
        value = lower_aux(tape, out, own=True)
        aux = lower_aux(tape, aux, own=True)
    except BaseException:
        tape.release()
        raise
    finally:
        tape.finish()
    return (value, pullback, aux) if has_aux else (value, pullback)


# ------------------------------------------------------------------ jvp
@overload
def jvp(
    f: Callable[..., R],
    primals: Sequence[Any],
    tangents: Sequence[Any],
    has_aux: Literal[False] = False,
) -> tuple[R, R]: ...
@overload
def jvp(
    f: Callable[..., tuple[R, Any]],
    primals: Sequence[Any],
    tangents: Sequence[Any],
    has_aux: Literal[True],
) -> tuple[R, R, Any]: ...
@boundary
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
    return push_forward("jvp", f, primals, tangents, has_aux)


def push_forward(
    name: str, f: Callable[..., Any], primals: Any, tangents: Any, has_aux: bool = False,
    trace: Callable[..., Pushforward] = Pushforward,
) -> Any:  # fmt: skip
    """`jvp` for the function that users know by this name, by a trace of this kind."""
    if (watch := watcher()) is not None:
        out = watch(push_forward, (name, f, primals, tangents, has_aux, trace), {})
        if out is not NotImplemented:
            return out
    check_function(f, name, direct=True)
    check_tuples(name, primals, tangents)
    primals, tangents = tuple(primals), tuple(tangents)
    leaves, structure = tree.flatten(primals)
    pushing = trace(name, f)
    tracers = [
        pushing.tracer(x, t)
        for x, t in zip(leaves, _tangents(name, primals, tangents, leaves), strict=True)
    ]
    try:
        out = run(pushing, f, tree.unflatten(structure, tracers), {})
        aux = None
        if has_aux:
            out, aux = pair(out, name)
        outs, out_structure = tree.flatten(out)
        check_arrays(outs, out, f, name)
    finally:
        pushing.finish()
    value = tree.unflatten(out_structure, [lower(pushing, y) for y in outs])
    tangent = tree.unflatten(out_structure, _fresh_tangents(pushing, outs, tangents))
    return (value, tangent, lower_aux(pushing, aux)) if has_aux else (value, tangent)


def _tangents(name: str, primals: Any, tangents: Any, leaves: Sequence[Any]) -> list[Any]:
    """The leaves of the tangents, None where the primal is no real or complex array."""
    if len(primals) != len(tangents):
        raise ArgumentError(
            f"{name} wants a tangent for each primal.",
            f"{len(primals)} primals and {len(tangents)} tangents",
            "pass np.zeros_like(x) for an argument that doesn't move",
        )
    ts = tree.flatten_up_to(
        tree.structure(primals), tangents,
        what=f"{name} wants tangents of the structure of the primals.",
        to_do="pass one tangent for each array among the arguments; None stands for an integer's",
    )  # fmt: skip
    moving = tree.unflatten(
        tree.structure(primals), [None if t is None else x for x, t in zip(leaves, ts, strict=True)]
    )
    check_differentiable(tree.leaves(moving), moving, name)
    for k, (path, x) in enumerate(tree.leaves_with_path(primals)):
        if ts[k] is not None:
            check_like(ts[k], aval(x), name, "tangent", tree.path_str(path))
            ts[k] = with_dtype(x, ts[k])
    return ts


def _fresh_tangents(trace: Any, outs: Sequence[Any], tangents: Any) -> list[Any]:
    """The tangents of the results as users get them: of their kind, and sharing no memory."""
    out = []
    ids = {id(t) for t in tree.leaves(tangents)}
    for y in outs:
        t, y = (y.slot, y.value) if type(y) is JvpTracer and y.owner is trace else (None, y)
        if t is None:
            t = zero_like(y)
        elif isinstance(t, Tracer) or isinstance(y, Tracer):
            t = alike(y, t)
        elif not hasattr(y, "dtype"):
            t = complex(t) if is_a(t, complex) else float(t)
        elif is_cupy(y):
            t = t.copy() if t.base is not None or id(t) in ids else t
        elif type(y) is not ndarray:
            t = y.dtype.type(t)
        elif type(t) is not ndarray or t.base is not None or id(t) in ids or not t.flags.writeable:
            t = np.array(t, y.dtype)
        ids.add(id(t))
        out.append(t)
    return out
