"""Second derivatives: the Hessian, and without it products with it, its diagonal, its trace.

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
from .checks import check_tuples, pair
from .core import R, check_function, home, watcher
from .derivatives import gradient, pull_back, push_forward
from .errors import ArgumentError, DtypeError, describe, name_of
from .jacobians import Point, transformation
from .tracebacks import boundary


@boundary
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
    options = (argnums, argnames, has_aux)
    value, _, product = products("hvp", f, primals, tangents, options, kwargs)
    return (product, value[1]) if has_aux else product


@boundary
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
    options = (argnums, argnames, has_aux)
    found: tuple[Any, Any, Any] = products("value_grad_hvp", f, primals, tangents, options, kwargs)
    return found


def products(
    name: str, f: Callable[..., Any], primals: Any, tangents: Any, options: Any, kwargs: Any
) -> Any:
    """`value_grad_hvp` for the function that users know by this name."""
    check_function(f, name, direct=True)
    both = gradient(name, f, *options)
    moving, where = _moving(name, primals, tangents)

    @functools.wraps(f)
    def slope(*xs: Any) -> Any:
        args = list(primals)
        for i, x in zip(where, xs, strict=True):
            args[i] = x
        value, g = both(*args, **kwargs)
        return g, value

    ts = [tangents[i] for i in where]
    g, product, value = push_forward(name, slope, moving, ts, has_aux=True)
    return value, g, product


def _moving(name: str, primals: Any, tangents: Any) -> tuple[list[Any], list[int]]:
    """The arguments that move, and their positions."""
    check_tuples(name, primals, tangents)
    if len(primals) != len(tangents):
        raise ArgumentError(
            f"{name} wants a tangent for each primal.",
            f"{len(primals)} primals and {len(tangents)} tangents",
            "pass None for the tangent of an argument that doesn't move",
        )
    where = [i for i, t in enumerate(tangents) if t is not None]
    return [primals[i] for i in where], where


@boundary
def hessian(
    f: Callable[..., Any],
    argnums: int | Sequence[int] | None = None,
    argnames: str | Sequence[str] | None = None,
    has_aux: bool = False,
    holomorphic: bool = False,
    allow_int: bool = False,
    chunk_size: int | str | None = None,
) -> Callable[..., Any]:
    """Make a function that returns the second derivatives of ``f`` (forward over reverse).

    >>> import numpy as np
    >>> hessian(lambda x: x[0] ** 2 * x[1])(np.array([3.0, 5.0]))
    array([[10.,  6.],
           [ 6.,  0.]])

    Args: see `jacfwd`.

    Returns:
        A function of the same arguments that returns a tree of trees of blocks: for a scalar
        function, ``h[leaf 1][leaf 2]`` has the shape ``(*leaf 1, *leaf 2)``.

    Raises: see `jacrev`.
    """
    options = (has_aux, holomorphic, allow_int, chunk_size)
    inner = transformation("hessian", f, argnums, argnames, *options, like="jacrev")
    return transformation("hessian", inner, argnums, argnames, *options, like="jacfwd")


@boundary
def value_and_hessian(
    f: Callable[..., R],
    argnums: int | Sequence[int] | None = None,
    argnames: str | Sequence[str] | None = None,
    has_aux: bool = False,
    holomorphic: bool = False,
    allow_int: bool = False,
    chunk_size: int | str | None = None,
) -> Callable[..., tuple[R, Any]]:
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
    name, options = "value_and_hessian", (holomorphic, allow_int, chunk_size)
    both = transformation(name, f, argnums, argnames, has_aux, *options, like="value_and_jacrev")

    @functools.wraps(f)
    def slope(*args: Any, **kwargs: Any) -> Any:
        value, jacobian = both(*args, **kwargs)
        return jacobian, value

    outer = transformation(name, slope, argnums, argnames, True, *options, like="jacfwd")

    @boundary
    @functools.wraps(f)
    def value_and_hessian_f(*args: Any, **kwargs: Any) -> Any:
        if (watch := watcher()) is not None:
            out = watch(value_and_hessian_f, args, kwargs)
            if out is not NotImplemented:
                return out
        found, value = outer(*args, **kwargs)
        return value, found

    return value_and_hessian_f


@boundary
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


@boundary
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

    @boundary
    @functools.wraps(f)
    def second_f(*args: Any, **kwargs: Any) -> Any:
        if (watch := watcher()) and (out := watch(second_f, args, kwargs)) is not NotImplemented:
            return out
        point = Point(name, selection, options, args, kwargs)
        point.check_real()
        aux: Any = None

        def twice(*ts: Any) -> Any:
            def slope(*xs: Any) -> Any:
                nonlocal aux
                _, t, aux = push_forward(name, point, xs, ts, has_aux=True)
                return t

            return push_forward(name, slope, point.xs, ts)[1]

        columns = point.along(point.avals, twice, -1)
        if name == "laplacian":
            found = tree.map(lambda y: np.sum(y, axis=-1, dtype=y.dtype), columns)
        else:
            found = tree.map(lambda y: point.blocks(point.split(y)), columns)
        return (found, aux) if point.has_aux else found

    return second_f


@boundary
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
    name = "elementwise_grad"
    selection = Selection(f, argnums, argnames, name)

    @boundary
    @functools.wraps(f)
    def elementwise_grad_f(*args: Any, **kwargs: Any) -> Any:
        if (watch := watcher()) is not None:
            out = watch(elementwise_grad_f, args, kwargs)
            if out is not NotImplemented:
                return out

        @functools.wraps(f)
        def g(x: Any) -> Any:
            new_args, new_kwargs = selection.put(args, kwargs, x)
            out = f(*new_args, **new_kwargs)
            return pair(out, name) if has_aux else (out, None)

        chosen = selection.take(args, kwargs)
        y, pullback, aux = pull_back(name, g, (chosen,), has_aux=True)
        turned = next((z for z in tree.leaves(y) if aval(z).dtype.kind == "c"), None)
        if turned is not None and any(aval(x).dtype.kind != "c" for x in tree.leaves(chosen)):
            raise DtypeError(
                f"{name} wants a function that returns real arrays; {name_of(f)} does not.",
                describe(turned),
                "use fgrad.jvp with tangents of ones, or pass complex arguments to a holomorphic "
                "function",
            )
        ones = tree.map(lambda y: home(y).ones(aval(y).shape, aval(y).dtype), y)
        (ct,) = pullback(ones)
        return (ct, aux) if has_aux else ct

    return elementwise_grad_f
