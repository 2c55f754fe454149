"""Products of vectors and matrices: matmul, dot, outer, tensordot and their relatives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..arrays import from_end, is_a, namespace, ndarray, ndim_of, shape_of
from ..core import PRIMITIVES, Array, Params
from ..fronts import binary_front, given
from ..kinds import scalar
from ..rules import apply, line_up, multilinear, unbroadcast
from ..tracer import register, register_newer
from .creation import as_array, as_operand
from .shape import EXPAND_DIMS

LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


#: Many outer products, as the cotangents of matrices are: in half of the time that a broadcast
#: product or `np.matmul` takes for them.
OUTER = "ai,aj->aij"


def mT(x: Any) -> Any:
    """The last two axes swapped, by the cheapest way for the rank."""
    return x.T if x.ndim == 2 else np.swapaxes(x, -1, -2)


#: Matrices up to this size are multiplied by `ndarray.dot`, in half the time of `matmul`.
SMALL_MATRIX = 16384


def mm(x: Any, y: Any) -> Any:
    """``x @ y`` by the quicker way for plain matrices."""
    if type(x) is ndarray and type(y) is ndarray and x.ndim == 2 and y.ndim == 2:
        return x.dot(y) if x.size <= SMALL_MATRIX else np.matmul(x, y)
    return _matmul_of(x, y)


def _matmul_impl(x: Any, y: Any) -> Any:
    """`mm` where both give the same bits: contiguous matrices of float64 or of float32."""
    if (
        type(x) is ndarray and type(y) is ndarray and x.ndim == 2 and y.ndim == 2
        and x.dtype is y.dtype and x.dtype.char in "df"
        # A matrix that owns its memory is contiguous, which is quicker to ask.
        and (x.base is None or x.flags.forc) and (y.base is None or y.flags.forc)
    ):  # fmt: skip
        return x.dot(y)
    return namespace(x).matmul(x, y)


def _column(x: Any) -> Any:
    """Vectors as matrices of one column."""
    return x[..., None] if type(x) is ndarray else apply(EXPAND_DIMS, x, {"axis": (-1,)})


def _row(x: Any) -> Any:
    """Vectors as matrices of one row."""
    return x[..., None, :] if type(x) is ndarray else apply(EXPAND_DIMS, x, {"axis": (-2,)})


def _floats(x: Any, y: Any) -> bool:
    """Whether two arrays are plain ones of float64 or of float32."""
    return type(x) is ndarray and type(y) is ndarray and x.dtype is y.dtype and x.dtype.char in "df"


def _rows(x: Any, y: Any) -> Any:
    """``x @ y`` of two matrices, in any layout: `ndarray.dot` is the quicker way to BLAS."""
    return x.dot(y) if _floats(x, y) else np.matmul(x, y)


# ------------------------------------------------------------------ outer
def _outer_batch(
    p: Any, size: int, xs: Sequence[Any], batched: Sequence[bool], params: Params
) -> Any:
    x, y = xs
    if batched[0] and batched[1] and _floats(x, y):
        return np.einsum(OUTER, x, y)
    return _column(x) * _row(y)


@multilinear(
    np.outer, lambda g, ans, x, y: g @ y, lambda g, ans, x, y: x @ g, batch=_outer_batch,
    impl=lambda x, y: x[:, None] * y,
)  # fmt: skip
def outer(a: Any, b: Any, out: None = None) -> Any:
    """`numpy.outer`."""
    given(out=out)
    return (_vector(as_array(a)), _vector(as_array(b))), {}


def _vector(x: Any) -> Any:
    return x if ndim_of(x) == 1 else np.reshape(x, (-1,))


#: `outer` of two vectors, without a look at whether they are such.
_products = binary_front(PRIMITIVES["outer"])


# ------------------------------------------------------------------ matmul
def _matmul_x(g: Array, ans: Array, x: Any, y: Array) -> Array:
    if type(g) is ndarray and type(y) is ndarray and g.ndim == 2 and y.ndim == 2:
        return g.dot(y.T) if g.size <= SMALL_MATRIX else np.matmul(g, y.T)
    n, m = x.ndim, y.ndim
    if n == 2:  # no axes that broadcasting could have stretched
        return _products(g, y) if m == 1 else mm(g, mT(y)) if m == 2 else _fit(mm(g, mT(y)), x)
    if m == 1:
        return g * y if n == 1 else np.matmul(_column(g), _row(y))
    if n == 1:
        return y @ g if m == 2 else _fit(np.matmul(y, _column(g))[..., 0], x)
    return _fit(mm(g, mT(y)), x)


def _matmul_y(g: Array, ans: Array, x: Array, y: Any) -> Array:
    if type(g) is ndarray and type(x) is ndarray and g.ndim == 2 and x.ndim == 2:
        return x.T.dot(g) if x.size <= SMALL_MATRIX else np.matmul(x.T, g)
    n, m = x.ndim, y.ndim
    if m == 1:
        if n == 2:
            return g @ x
        return g * x if n == 1 else _fit(np.matmul(_row(g), x)[..., 0, :], y)
    if n == 1:
        return _products(x, g) if m == 2 else np.matmul(_column(x), _row(g))
    return mm(mT(x), g) if n == m == 2 else _fit(mm(mT(x), g), y)


def _fit(c: Array, x: Any) -> Array:
    """A cotangent of a stack of matrices that broadcasting may have stretched."""
    return c if shape_of(c) == x.shape else unbroadcast(c, x.shape, c.dtype)


def _matmul_batch(
    p: Any, size: int, xs: Sequence[Any], batched: Sequence[bool], params: Params
) -> Any:
    (x, y), (bx, by) = xs, batched
    nx, ny = ndim_of(x) - bx, ndim_of(y) - by
    # One matrix and many vectors, or many columns: one product, not many small ones.
    if nx == 2 and not bx:
        if ny == 1:
            return _rows(y, mT(x))
        if ny == 2 and y.shape[-1] == 1:
            return _column(_rows(y[..., 0], mT(x)))
    if nx == 1 and ny == 2 and not by:
        return _rows(x, y)
    if nx == 1 or ny == 1:
        return _squeezed(x, y, bx, by)
    if nx == 2 and ny == 2 and bx:
        if not by:
            shape = x.shape
            out = _rows(np.reshape(x, (shape[0] * shape[1], shape[2])), y)
            return np.reshape(out, (*shape[:2], y.shape[1]))
        if x.shape[-1] == 1 == y.shape[-2] and _floats(x, y):
            return np.einsum(OUTER, x[..., 0], y[:, 0])
    return line_up(p, size, [x, y], batched, params)


def _squeezed(x: Any, y: Any, bx: bool, by: bool) -> Any:
    """Vectors as matrices of one row or column, and the axis taken away again."""
    nx, ny = ndim_of(x) - bx, ndim_of(y) - by
    x = _row(x) if nx == 1 else x
    y = _column(y) if ny == 1 else y
    rank = max(nx + (nx == 1), ny + (ny == 1))
    if bx:
        x = np.reshape(x, (shape_of(x)[0], *(1,) * (rank + 1 - ndim_of(x)), *shape_of(x)[1:]))
    if by:
        y = np.reshape(y, (shape_of(y)[0], *(1,) * (rank + 1 - ndim_of(y)), *shape_of(y)[1:]))
    out = np.matmul(x, y)
    out = out[..., 0] if ny == 1 else out
    if nx == 1:
        out = out[..., 0] if ny == 1 else out[..., 0, :]
    return out


@multilinear(np.matmul, _matmul_x, _matmul_y, batch=_matmul_batch, impl=_matmul_impl)
def matmul(x1: Any, x2: Any) -> Any:
    """`numpy.matmul`."""
    return (x1, x2), {}


#: `matmul` of arrays, without NumPy's search for who is to do it.
_matmul_of = binary_front(PRIMITIVES["matmul"])
register(np.linalg.matmul, lambda x1, x2, /: np.matmul(x1, x2))
register(np.vecdot, lambda x1, x2, /, axis=-1: vecdot(x1, x2, axis))
register(np.linalg.vecdot, lambda x1, x2, /, *, axis=-1: vecdot(x1, x2, axis))
register_newer("matvec", lambda x1, x2: np.matmul(x1, np.expand_dims(x2, -1))[..., 0])
register_newer("vecmat", lambda x1, x2: np.matmul(np.expand_dims(conjugate(x1), -2), x2)[..., 0, :])


def conjugate(x: Any) -> Any:
    """`numpy.conj` of complex numbers; booleans stay such, of which NumPy's would make int8."""
    return np.conj(x) if x.dtype.kind == "c" else x


def vecdot(x1: Any, x2: Any, axis: int = -1) -> Any:
    """`numpy.vecdot`: products along an axis, the first operand conjugated."""
    x1, x2 = np.moveaxis(x1, axis, -1), np.moveaxis(x2, axis, -1)
    out = np.matmul(np.expand_dims(conjugate(x1), -2), np.expand_dims(x2, -1))
    return out[..., 0, 0]


# The axes of dot(a, b) are those of a but the last, then those of b but the last but one.
def _dot_a(g: Array, ans: Array, a: Any, b: Array) -> Array:
    n, m = ndim_of(a), ndim_of(b)
    if n == 0 or m == 0:
        return unbroadcast(g * b, shape_of(a), g.dtype)
    if n <= 2 and m <= 2:
        return _matmul_x(g, ans, a, b)
    if m == 1:
        return np.expand_dims(g, -1) * b
    return tensordot(g, b, (list(range(1 - m, 0)), [*range(m - 2), m - 1]))


def _dot_b(g: Array, ans: Array, a: Array, b: Any) -> Array:
    n, m = ndim_of(a), ndim_of(b)
    if n == 0 or m == 0:
        return unbroadcast(g * a, shape_of(b), g.dtype)
    if n <= 2 and m <= 2:
        return _matmul_y(g, ans, a, b)
    rows = list(range(n - 1))
    c = tensordot(a, g, (rows, rows))
    return c if m == 1 else np.moveaxis(c, 0, -2)


def _dot_batch(
    p: Any, size: int, xs: Sequence[Any], batched: Sequence[bool], params: Params
) -> Any:
    n, m = (ndim_of(x) - b for x, b in zip(xs, batched, strict=True))
    if 1 <= n <= 2 and 1 <= m <= 2:
        return _matmul_batch(PRIMITIVES["matmul"], size, xs, batched, params)
    left, right = LETTERS[: max(n - 1, 0)], LETTERS[n : n + max(m - 1, 0)]
    k = "Z" if n and m else ""  # what is summed over; a number has no such axis
    terms = [left + k, right[:-1] + k + right[-1:]] if k else [LETTERS[:n], LETTERS[n : n + m]]
    a, b = ("Y" * flag + term for flag, term in zip(batched, terms, strict=True))
    return np.einsum(f"{a},{b}->Y{left + right if k else terms[0] + terms[1]}", *xs)


def _dot_impl(a: Any, b: Any) -> Any:
    return namespace(a).dot(a, b)


@multilinear(np.dot, _dot_a, _dot_b, batch=_dot_batch, impl=_dot_impl)
def dot(a: Any, b: Any, out: None = None) -> Any:
    """`numpy.dot`."""
    given(out=out)
    return (as_operand(a), as_operand(b)), {}


def vdot(a: Any, b: Any, /) -> Any:
    """`numpy.vdot`: all entries, the first operand conjugated."""
    a, b = as_array(a), as_array(b)
    return np.matmul(conjugate(np.reshape(a, (-1,))), np.reshape(b, (-1,)))


def inner(a: Any, b: Any, /) -> Any:
    """`numpy.inner`."""
    a, b = as_array(a), as_array(b)
    if ndim_of(a) == 0 or ndim_of(b) == 0:
        return np.multiply(a, b)
    return scalar(tensordot(a, b, ((-1,), (-1,))))


def tensordot(a: Any, b: Any, axes: Any = 2) -> Any:
    """`numpy.tensordot`: transposed to one product of matrices, as NumPy does it."""
    a, b = as_array(a), as_array(b)
    na, nb = ndim_of(a), ndim_of(b)
    if is_a(axes, (int, np.integer)):
        axes_a, axes_b = list(range(na - int(axes), na)), list(range(int(axes)))
    else:
        axes_a, axes_b = (
            [from_end(i, n) + n for i in (x if isinstance(x, (tuple, list)) else (x,))]
            for x, n in zip(axes, (na, nb), strict=True)
        )
    shape_a, shape_b = shape_of(a), shape_of(b)
    if [shape_a[i] for i in axes_a] != [shape_b[i] for i in axes_b]:
        raise ValueError("shape-mismatch for sum")
    rest_a = [i for i in range(na) if i not in axes_a]
    rest_b = [i for i in range(nb) if i not in axes_b]
    n = int(np.prod([shape_a[i] for i in axes_a], dtype=np.int64))
    free_a, free_b = [shape_a[i] for i in rest_a], [shape_b[i] for i in rest_b]
    rows, columns = (int(np.prod(s, dtype=np.int64)) for s in (free_a, free_b))
    x = np.reshape(np.transpose(a, [*rest_a, *axes_a]), (rows, n))
    y = np.reshape(np.transpose(b, [*axes_b, *rest_b]), (n, columns))
    return np.reshape(np.dot(x, y), (*free_a, *free_b))


register(np.vdot, vdot)
register(np.inner, inner)
register(np.tensordot, tensordot)
register(np.linalg.outer, lambda x1, x2, /: outer(x1, x2))
register(np.linalg.tensordot, lambda x1, x2, /, *, axes=2: tensordot(x1, x2, axes))
