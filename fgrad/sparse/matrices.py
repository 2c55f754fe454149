"""Jacobians and Hessians as sparse matrices, from a few products each."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from ..arguments import Selection
from ..errors import ArgumentError, describe
from ..tracebacks import boundary
from .colorings import Coloring
from .colorings import coloring as colored
from .detection import pattern_of, point_of, symmetric_pattern
from .products import Products


def _coloring(name: str, sparsity: Any, given: Any, mode: str) -> Coloring | None:
    """The colouring that users pass, or that of the pattern that they pass."""
    if given is None:
        return None if sparsity is None else colored(sparsity, mode)
    if sparsity is not None or not isinstance(given, Coloring):
        raise ArgumentError(
            f"fgrad.sparse.{name} wants coloring as a Coloring, which has its own sparsity.",
            describe(given) if sparsity is None else "both sparsity and coloring",
            "pass one of sparsity=pattern and coloring=fgrad.sparse.coloring(pattern)",
        )
    if given.symmetric != (mode == "symmetric"):
        kinds = ("isn't symmetric", 'mode="auto"') if mode != "symmetric" else (
            "is symmetric", 'mode="symmetric"'
        )  # fmt: skip
        raise ArgumentError(
            f"fgrad.sparse.{name} wants the coloring of a matrix that {kinds[0]}.",
            repr(given),
            f"make it with fgrad.sparse.coloring(pattern, {kinds[1]})",
        )
    return given


def _transformation(
    name: str, f: Callable[..., Any], sparsity: Any, argnums: Any, argnames: Any, options: Any
) -> Callable[..., Any]:
    has_aux, mode, given, chunk_size, check, allow_int = options
    of_gradient = "hessian" in name
    if not of_gradient and mode not in ("auto", "forward", "reverse", "bidirectional"):
        raise ArgumentError(
            f"fgrad.sparse.{name} wants mode to be auto, forward, reverse or bidirectional.",
            repr(mode),
            "leave it away for the fewest products",
        )
    selection = Selection(f, argnums, argnames, name)
    fixed = _coloring(name, sparsity, given, mode)

    @boundary
    @functools.wraps(f)
    def sparse_f(*args: Any, **kwargs: Any) -> Any:
        point = point_of(name, selection, has_aux, allow_int, args, kwargs)
        colors = fixed
        if colors is None:
            found = symmetric_pattern(point) if of_gradient else pattern_of(name, point, point)
            colors = colored(found, mode)
        products = Products(name, point, chunk_size, colors)
        matrix = products.hessian(check) if of_gradient else products.jacobian(check)
        value = (products.value, products.aux) if has_aux else products.value
        if name == "value_grad_hessian":
            leaves = [
                float(g) if type(x) is float else g
                for g, x in zip(products.gradient, point.xs, strict=True)
            ]
            return value, point.blocks(leaves), matrix
        if name.startswith("value_and_"):
            return value, matrix
        return (matrix, products.aux) if has_aux else matrix

    return sparse_f


def jacobian(
    f: Callable[..., Any],
    sparsity: Any = None,
    argnums: int | Sequence[int] | None = None,
    argnames: str | Sequence[str] | None = None,
    has_aux: bool = False,
    mode: str = "auto",
    coloring: Coloring | None = None,
    chunk_size: int | str | None = None,
    check: bool = True,
    allow_int: bool = False,
) -> Callable[..., Any]:
    """Make a function that returns the Jacobian of ``f`` as a sparse matrix.

    Columns without a common row are computed together: a tridiagonal Jacobian takes three products
    with vectors, whatever its size. With ``sparsity`` or ``coloring`` this is arranged once, here;
    without them the pattern is found anew in each call, from another run of ``f``.

    >>> import numpy as np
    >>> f = lambda x: x[1:] ** 2 - x[:-1]
    >>> jacobian(f)(np.arange(4.0)).toarray()
    array([[-1.,  2.,  0.,  0.],
           [ 0., -1.,  4.,  0.],
           [ 0.,  0., -1.,  6.]])

    Args:
        f: a function of real arrays in pytrees that returns a pytree of real arrays.
        sparsity: where the Jacobian may have entries: a matrix of shape (numbers of the result,
            numbers of the argument), as `fgrad.sparse.sparsity` finds it; sparse, or dense and
            boolean.
        argnums: the positions of the arguments to differentiate in; the first by default.
        argnames: the names of further arguments to differentiate in.
        has_aux: ``f`` returns ``(result, aux)``; aux isn't differentiated.
        mode: "forward", "reverse", "bidirectional", or "auto" for the one with the fewest
            products; see `fgrad.sparse.coloring`.
        coloring: a `Coloring` to use, in place of sparsity and mode.
        chunk_size: how many products to compute at once, which bounds the memory; "auto" takes as
            many as fit into 16 MiB. All by default.
        check: compute one product more, with a random vector, and refuse a pattern that lacks an
            entry. An entry is noticed if it is more than 1.5e-8 (in float32 3e-4) of its row.
        allow_int: let arguments have leaves that are no real arrays; they have no columns.

    Returns:
        A function of the same arguments that returns a csr_array, with ``has_aux`` the pair of it
        and aux. Rows and columns are in the order of the leaves, each in C order; the dtype is
        that of the argument (float32 for float16, which SciPy's matrices can't have). It has all
        entries of the pattern, zeros too.

    Raises:
        ShapeError: the pattern is one of another matrix.
        ArgumentError: the pattern lacks an entry of the Jacobian.
        DtypeError: an argument can't be differentiated in, or a result isn't real.
        TracerConversionError: an argument is traced by another transformation.
    """
    options = (has_aux, mode, coloring, chunk_size, check, allow_int)
    return _transformation("jacobian", f, sparsity, argnums, argnames, options)


def value_and_jacobian(
    f: Callable[..., Any],
    sparsity: Any = None,
    argnums: int | Sequence[int] | None = None,
    argnames: str | Sequence[str] | None = None,
    has_aux: bool = False,
    mode: str = "auto",
    coloring: Coloring | None = None,
    chunk_size: int | str | None = None,
    check: bool = True,
    allow_int: bool = False,
) -> Callable[..., Any]:
    """Make a function that returns the value of ``f`` and its sparse Jacobian.

    >>> import numpy as np
    >>> y, J = value_and_jacobian(np.square)(np.array([1.0, 3.0]))
    >>> y, J.toarray()
    (array([1., 9.]), array([[2., 0.],
           [0., 6.]]))

    Args, Raises: see `jacobian`.

    Returns:
        A function of the same arguments that returns ``(value, Jacobian)``, with ``has_aux``
        ``((value, aux), Jacobian)``.
    """
    options = (has_aux, mode, coloring, chunk_size, check, allow_int)
    return _transformation("value_and_jacobian", f, sparsity, argnums, argnames, options)


def hessian(
    f: Callable[..., Any],
    sparsity: Any = None,
    argnums: int | Sequence[int] | None = None,
    argnames: str | Sequence[str] | None = None,
    has_aux: bool = False,
    coloring: Coloring | None = None,
    chunk_size: int | str | None = None,
    check: bool = True,
    allow_int: bool = False,
) -> Callable[..., Any]:
    """Make a function that returns the Hessian of a scalar ``f`` as a sparse matrix.

    Each colour of a star colouring takes one product with the Hessian, forward over reverse. As
    it is symmetric, it often takes fewer colours than a Jacobian of the same pattern.

    >>> import numpy as np
    >>> rosenbrock = lambda x: np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)
    >>> hessian(rosenbrock)(np.ones(3)).toarray()
    array([[ 802., -400.,    0.],
           [-400., 1002., -400.],
           [   0., -400.,  200.]])

    Args:
        f: a function of real arrays in pytrees that returns a real scalar.
        sparsity: where the Hessian may have entries: a symmetric matrix, as
            `fgrad.sparse.hessian_sparsity` finds it.
        coloring: a symmetric `Coloring` to use in its place.
        argnums, argnames, has_aux, chunk_size, check, allow_int: see `jacobian`.

    Returns:
        A function of the same arguments that returns a csr_array, exactly symmetric, with
        ``has_aux`` the pair of it and aux.

    Raises: see `jacobian`.
        ArgumentError: the pattern isn't symmetric, or lacks an entry of the Hessian.
    """
    options = (has_aux, "symmetric", coloring, chunk_size, check, allow_int)
    return _transformation("hessian", f, sparsity, argnums, argnames, options)


def value_and_hessian(
    f: Callable[..., Any],
    sparsity: Any = None,
    argnums: int | Sequence[int] | None = None,
    argnames: str | Sequence[str] | None = None,
    has_aux: bool = False,
    coloring: Coloring | None = None,
    chunk_size: int | str | None = None,
    check: bool = True,
    allow_int: bool = False,
) -> Callable[..., Any]:
    """Make a function that returns the value of ``f`` and its sparse Hessian.

    >>> import numpy as np
    >>> value, H = value_and_hessian(lambda x: np.sum(x**3))(np.array([1.0, 2.0]))
    >>> value, H.toarray()
    (np.float64(9.0), array([[ 6.,  0.],
           [ 0., 12.]]))

    Args, Raises: see `hessian`.

    Returns:
        A function of the same arguments that returns ``(value, Hessian)``, with ``has_aux``
        ``((value, aux), Hessian)``.
    """
    options = (has_aux, "symmetric", coloring, chunk_size, check, allow_int)
    return _transformation("value_and_hessian", f, sparsity, argnums, argnames, options)


def value_grad_hessian(
    f: Callable[..., Any],
    sparsity: Any = None,
    argnums: int | Sequence[int] | None = None,
    argnames: str | Sequence[str] | None = None,
    has_aux: bool = False,
    coloring: Coloring | None = None,
    chunk_size: int | str | None = None,
    check: bool = True,
    allow_int: bool = False,
) -> Callable[..., Any]:
    """Make a function that returns the value of ``f``, its gradient and its sparse Hessian.

    What a step of Newton's method needs, from one run of ``f`` (for each chunk).

    >>> import numpy as np
    >>> value, g, H = value_grad_hessian(lambda x: np.sum(x**3))(np.array([1.0, 2.0]))
    >>> g, H.diagonal()
    (array([ 3., 12.]), array([ 6., 12.]))

    Args, Raises: see `hessian`.

    Returns:
        A function of the same arguments that returns ``(value, gradient, Hessian)``, with
        ``has_aux`` ``((value, aux), gradient, Hessian)``; the gradient is a tree like the
        argument.
    """
    options = (has_aux, "symmetric", coloring, chunk_size, check, allow_int)
    return _transformation("value_grad_hessian", f, sparsity, argnums, argnames, options)
