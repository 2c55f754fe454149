"""Second derivatives without their matrix: products, diagonals, traces.

Products with a Hessian are forward over reverse: the derivative of the gradient in a direction
costs a few gradients, whatever the number of arguments (B. Pearlmutter, Fast exact multiplication
by the Hessian, 1994).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from . import tree
from .arguments import Selection
from .arrays import aval
from .checks import pair, say
from .derivatives import jvp, value_and_grad, vjp
from .errors import ArgumentError
from .jacobians import Point, jacfwd, value_and_jacrev


def hvp(
    f: Callable[..., Any],
    primals: Sequence[Any],
    tangents: Sequence[Any],
    argnums: int | Sequence[int] | None = None,
    argnames: str | Sequence[str] | None = None,
    has_aux: bool = False,
    **kwargs: Any,
) -> Any:
    """The product of the Hessian of ``f`` with a direction, forward over reverse.

    >>> import numpy as np
    >>> x, t = np.array([1.0, 2.0]), np.array([1.0, 0.0])
    >>> hvp(lambda x: np.sum(x**3), (x,), (t,))
    array([6., 0.])

    Args:
        f: a function of arrays in pytrees that returns a real scalar.
        primals: a tuple with the positional arguments of ``f``.
        tangents: the direction: a tuple with a tangent for each of them, or None for an argument
            that doesn't move.
        argnums, argnames: the arguments whose gradient is differentiated; the first by default.
        has_aux: ``f`` returns ``(value, aux)``.
        kwargs: keyword arguments of ``f``.

    Returns:
        A tree like the gradient, with ``has_aux`` the pair of it and aux.

    Raises:
        ArgumentError, TreeError, ShapeError, DtypeError: the tangents are not like the primals.
    """
    product = value_grad_hvp(f, primals, tangents, argnums, argnames, has_aux, **kwargs)
    return (product[2], product[0][1]) if has_aux else product[2]


def value_grad_hvp(
    f: Callable[..., Any],
    primals: Sequence[Any],
    tangents: Sequence[Any],
    argnums: int | Sequence[int] | None = None,
    argnames: str | Sequence[str] | None = None,
    has_aux: bool = False,
    **kwargs: Any,
) -> Any:
    """The value of ``f``, its gradient, and `hvp`, from one run of ``f``.

    >>> import numpy as np
    >>> x, t = np.array([1.0, 2.0]), np.array([1.0, 0.0])
    >>> value_grad_hvp(lambda x: np.sum(x**3), (x,), (t,))
    (np.float64(9.0), array([ 3., 12.]), array([6., 0.]))

    Args, Raises: see `hvp`.

    Returns:
        ``(value, gradient, product)``, with ``has_aux`` ``((value, aux), gradient, product)``.
    """
    both = value_and_grad(f, argnums, argnames, has_aux)
    moving, where = _moving(primals, tangents)

    def gradient(*xs: Any) -> Any:
        args = list(primals)
        for i, x in zip(where, xs, strict=True):
            args[i] = x
        value, g = both(*args, **kwargs)
        return g, value

    g, product, value = jvp(gradient, moving, [tangents[i] for i in where], has_aux=True)
    return value, g, product


def _moving(primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[list[Any], list[int]]:
    """The arguments that move, and their positions."""
    for name, x in (("primals", primals), ("tangents", tangents)):
        if not isinstance(x, (tuple, list)):
            raise ArgumentError(
                f"hvp wants {name} as a tuple with an entry for each argument.",
                say(x),
                f"for a single argument write ({name[:-1]},)",
            )
    if len(primals) != len(tangents):
        raise ArgumentError(
            "hvp wants a tangent for each primal.",
            f"{len(primals)} primals and {len(tangents)} tangents",
            "pass None for the tangent of an argument that doesn't move",
        )
    where = [i for i, t in enumerate(tangents) if t is not None]
    return [primals[i] for i in where], where


def gnvp(
    f: Callable[..., Any],
    primals: Sequence[Any],
    tangents: Sequence[Any],
    loss: Callable[[Any], Any] | None = None,
) -> Any:
    """The product of the Gauss-Newton matrix of ``loss(f(...))`` with a direction.

    With J the Jacobian of f and H the Hessian of the loss at the result, it is ``J.T @ H @ J``
    times the direction: the Hessian without the curvature of f, positive semidefinite if the loss
    is convex (N. Schraudolph, Fast curvature matrix-vector products, 2002).

    >>> import numpy as np
    >>> A = np.array([[1.0, 2.0], [0.0, 1.0], [1.0, 0.0]])
    >>> gnvp(lambda x: A @ x, (np.ones(2),), (np.array([1.0, 0.0]),))
    array([2., 2.])

    Args:
        f: a function of arrays in pytrees, such as the residuals of a fit.
        primals: a tuple with the arguments of ``f``.
        tangents: the direction, a tuple with a tangent for each of them.
        loss: a function of the result of ``f`` that returns a real scalar; half of the sum of
            squares by default, whose Hessian is the identity.

    Returns:
        A tree like the argument; a tuple of them if there are several arguments.
    """
    y, t = jvp(f, primals, tangents)
    _, pullback = vjp(f, *primals)
    ct = tree.map(np.conj, t) if loss is None else hvp(loss, (y,), (t,))
    cts: tuple[Any, ...] = pullback(ct)
    return cts if len(cts) > 1 else cts[0]


def value_and_hessian(
    f: Callable[..., Any],
    argnums: int | Sequence[int] | None = None,
    argnames: str | Sequence[str] | None = None,
    has_aux: bool = False,
    holomorphic: bool = False,
    allow_int: bool = False,
    chunk_size: int | str | None = None,
) -> Callable[..., Any]:
    """Make a function that returns the value of ``f`` and its `hessian`.

    >>> import numpy as np
    >>> value_and_hessian(lambda x: x[0] ** 2 * x[1])(np.array([3.0, 5.0]))
    (np.float64(45.0), array([[10.,  6.],
           [ 6.,  0.]]))

    Args, Raises: see `hessian`.

    Returns:
        A function of the same arguments that returns ``(value, Hessian)``, with ``has_aux``
        ``((value, aux), Hessian)``.
    """
    both = value_and_jacrev(f, argnums, argnames, has_aux, holomorphic, allow_int, chunk_size)

    @functools.wraps(f)
    def slope(*args: Any, **kwargs: Any) -> Any:
        value, jacobian = both(*args, **kwargs)
        return jacobian, value

    outer = jacfwd(slope, argnums, argnames, True, holomorphic, allow_int, chunk_size)

    @functools.wraps(f)
    def value_and_hessian_f(*args: Any, **kwargs: Any) -> Any:
        found, value = outer(*args, **kwargs)
        return value, found

    return value_and_hessian_f


def hessian_diagonal(
    f: Callable[..., Any],
    argnums: int | Sequence[int] | None = None,
    argnames: str | Sequence[str] | None = None,
    has_aux: bool = False,
    allow_int: bool = False,
    chunk_size: int | str | None = None,
) -> Callable[..., Any]:
    """Make a function that returns the second derivative of ``f`` in each number by itself.

    Forward over forward, in all unit directions at once: the Hessian is never there.

    >>> import numpy as np
    >>> hessian_diagonal(lambda x: x[0] ** 2 * x[1] + x[1] ** 3)(np.array([3.0, 5.0]))
    array([10., 30.])

    Args: see `hessian`; the arguments are real.

    Returns:
        A function of the same arguments that returns, for each array of the result, a tree like
        the argument with the second derivatives, of shape ``(*result.shape, *leaf.shape)``; for
        a scalar function that is a tree like the argument. With ``has_aux`` the pair of it and
        aux.
    """
    return _second(
        "hessian_diagonal", f, argnums, argnames, (has_aux, False, allow_int, chunk_size)
    )


def laplacian(
    f: Callable[..., Any],
    argnums: int | Sequence[int] | None = None,
    argnames: str | Sequence[str] | None = None,
    has_aux: bool = False,
    allow_int: bool = False,
    chunk_size: int | str | None = None,
) -> Callable[..., Any]:
    """Make a function that returns the sum of the second derivatives of ``f``.

    >>> import numpy as np
    >>> laplacian(lambda x: np.sum(x**3))(np.array([1.0, 2.0]))
    np.float64(18.0)

    Forward, in one pass: the value is computed once, and the first and second derivatives in all
    unit directions travel along with it.

    Args: see `hessian`; the arguments are real.

    Returns:
        A function of the same arguments that returns a tree like the result, with ``has_aux`` the
        pair of it and aux.
    """
    options = (has_aux, False, allow_int, chunk_size)
    return _second("laplacian", f, argnums, argnames, options)


def _second(
    name: str, f: Callable[..., Any], argnums: Any, argnames: Any, options: Any
) -> Callable[..., Any]:
    selection = Selection(f, argnums, argnames, name)

    @functools.wraps(f)
    def second_f(*args: Any, **kwargs: Any) -> Any:
        point = Point(name, selection, options, args, kwargs)
        point.check_real()
        aux: Any = None

        def twice(*ts: Any) -> Any:
            def slope(*xs: Any) -> Any:
                nonlocal aux
                _, t, aux = jvp(point, xs, ts, has_aux=True)
                return t

            return jvp(slope, point.xs, ts)[1]

        columns = point.along(point.avals, twice, -1)
        if name == "laplacian":
            found = tree.map(lambda y: np.sum(y, axis=-1, dtype=y.dtype), columns)
        else:
            found = tree.map(lambda y: point.blocks(point.split(y)), columns)
        return (found, aux) if point.has_aux else found

    return second_f


def elementwise_grad(
    f: Callable[..., Any],
    argnums: int | Sequence[int] | None = None,
    argnames: str | Sequence[str] | None = None,
    has_aux: bool = False,
) -> Callable[..., Any]:
    """Make a function that returns the derivative of each number of the result in its argument.

    For functions whose every result depends on the argument in its own place alone (of others it
    is the sum of the columns of the Jacobian).

    >>> import numpy as np
    >>> elementwise_grad(np.tanh)(np.array([0.0, 1.0]))
    array([1.        , 0.41997434])

    Args:
        f: a function of arrays that returns an array of real numbers, or a pytree of these.
        argnums, argnames, has_aux: see `grad`.

    Returns:
        A function of the same arguments that returns a tree like the argument; it is a tuple if
        ``argnums`` or ``argnames`` are several. HIPS autograd has it under this name.
    """
    selection = Selection(f, argnums, argnames, "elementwise_grad")

    @functools.wraps(f)
    def elementwise_grad_f(*args: Any, **kwargs: Any) -> Any:
        def g(x: Any) -> Any:
            new_args, new_kwargs = selection.put(args, kwargs, x)
            out = f(*new_args, **new_kwargs)
            return pair(out) if has_aux else (out, None)

        y, pullback, aux = vjp(g, selection.take(args, kwargs), has_aux=True)
        ones = tree.map(lambda y: np.ones(aval(y).shape, aval(y).dtype), y)
        (ct,) = pullback(ones)
        return (ct, aux) if has_aux else ct

    return elementwise_grad_f
