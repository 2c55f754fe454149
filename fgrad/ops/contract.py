"""Products that contract axes: matmul, dot, tensordot, einsum and their relatives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..arrays import from_end, ndarray, ndim_of, shape_of
from ..core import PRIMITIVES, Array, Params, bind
from ..fronts import given
from ..rules import line_up, multilinear, unbroadcast
from ..tracer import register, register_newer
from .creation import as_array, as_operand
from .update import at

LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


def mT(x: Any) -> Any:
    """The last two axes swapped, by the cheapest way for the rank."""
    return x.T if x.ndim == 2 else np.swapaxes(x, -1, -2)


#: Matrices up to this size are multiplied by `ndarray.dot`, in half the time of `matmul`.
SMALL_MATRIX = 16384


def mm(x: Any, y: Any) -> Any:
    """``x @ y`` by the quicker way for plain matrices."""
    if type(x) is ndarray and type(y) is ndarray and x.ndim == 2 and y.ndim == 2:
        return x.dot(y) if x.size <= SMALL_MATRIX else np.matmul(x, y)
    return np.matmul(x, y)


def _matmul_impl(x: Any, y: Any) -> Any:
    """`mm` where both give the same bits: contiguous matrices of float64 or of float32."""
    if (
        type(x) is ndarray and type(y) is ndarray and x.ndim == 2 and y.ndim == 2
        and x.dtype is y.dtype and x.dtype.char in "df"
        # A matrix that owns its memory is contiguous, which is quicker to ask.
        and (x.base is None or x.flags.forc) and (y.base is None or y.flags.forc)
    ):  # fmt: skip
        return x.dot(y)
    return np.matmul(x, y)


def _matmul_x(g: Array, ans: Array, x: Any, y: Array) -> Array:
    if type(g) is ndarray and type(y) is ndarray and g.ndim == 2 and y.ndim == 2:
        return g.dot(y.T) if g.size <= SMALL_MATRIX else np.matmul(g, y.T)
    if y.ndim == 1:
        c = g * y if x.ndim == 1 else np.expand_dims(g, -1) * y
    elif x.ndim == 1:
        c = np.matmul(y, np.expand_dims(g, -1))[..., 0]
    else:
        c = mm(g, mT(y))
    return c if shape_of(c) == x.shape else unbroadcast(c, x.shape, c.dtype)


def _matmul_y(g: Array, ans: Array, x: Array, y: Any) -> Array:
    if type(g) is ndarray and type(x) is ndarray and g.ndim == 2 and x.ndim == 2:
        return x.T.dot(g) if x.size <= SMALL_MATRIX else np.matmul(x.T, g)
    if x.ndim == 1:
        c = g * x if y.ndim == 1 else np.expand_dims(x, -1) * np.expand_dims(g, -2)
    elif y.ndim == 1:
        c = np.matmul(np.expand_dims(g, -2), x)[..., 0, :]
    else:
        c = mm(mT(x), g)
    return c if shape_of(c) == y.shape else unbroadcast(c, y.shape, c.dtype)


def _matmul_batch(
    p: Any, size: int, xs: Sequence[Any], batched: Sequence[bool], params: Params
) -> Any:
    (x, y), (bx, by) = xs, batched
    nx, ny = ndim_of(x) - bx, ndim_of(y) - by
    if ny == 1 and not bx and nx == 2:  # one matrix, many vectors: one product, not many
        return np.matmul(y, np.swapaxes(x, -1, -2))
    if nx == 1 and not by:
        return np.matmul(x, y) if ny == 2 else _squeezed(x, y, bx, by)
    if nx == 1 or ny == 1:
        return _squeezed(x, y, bx, by)
    if bx and not by and nx == 2 and ny == 2:
        shape = shape_of(x)
        out = np.matmul(np.reshape(x, (shape[0] * shape[1], shape[2])), y)
        return np.reshape(out, (*shape[:2], shape_of(y)[1]))
    return line_up(p, size, [x, y], batched, params)


def _squeezed(x: Any, y: Any, bx: bool, by: bool) -> Any:
    """Vectors as matrices of one row or column, and the axis taken away again."""
    nx, ny = ndim_of(x) - bx, ndim_of(y) - by
    x = np.expand_dims(x, -2) if nx == 1 else x
    y = np.expand_dims(y, -1) if ny == 1 else y
    rank = max(nx + (nx == 1), ny + (ny == 1))
    if bx:
        x = np.reshape(x, (shape_of(x)[0], *(1,) * (rank + 1 - ndim_of(x)), *shape_of(x)[1:]))
    if by:
        y = np.reshape(y, (shape_of(y)[0], *(1,) * (rank + 1 - ndim_of(y)), *shape_of(y)[1:]))
    out = np.matmul(x, y)
    out = np.squeeze(out, -1) if ny == 1 else out
    return np.squeeze(out, -2 if ny != 1 else -1) if nx == 1 else out


@multilinear(np.matmul, _matmul_x, _matmul_y, batch=_matmul_batch, impl=_matmul_impl)
def matmul(x1: Any, x2: Any) -> Any:
    """`numpy.matmul`."""
    return (x1, x2), {}


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
        return unbroadcast(g * b, a.shape, g.dtype)
    if n <= 2 and m <= 2:
        return _matmul_x(g, ans, a, b)
    if m == 1:
        return np.expand_dims(g, -1) * b
    return tensordot(g, b, (list(range(1 - m, 0)), [*range(m - 2), m - 1]))


def _dot_b(g: Array, ans: Array, a: Array, b: Any) -> Array:
    n, m = ndim_of(a), ndim_of(b)
    if n == 0 or m == 0:
        return unbroadcast(g * a, b.shape, g.dtype)
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


@multilinear(np.dot, _dot_a, _dot_b, batch=_dot_batch, impl=lambda a, b: np.dot(a, b))
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
    return tensordot(a, b, ((-1,), (-1,)))


def outer(a: Any, b: Any, out: None = None) -> Any:
    """`numpy.outer`."""
    given(out=out)
    return np.reshape(as_array(a), (-1, 1)) * np.reshape(as_array(b), (1, -1))


def tensordot(a: Any, b: Any, axes: Any = 2) -> Any:
    """`numpy.tensordot`: transposed to one product of matrices, as NumPy does it."""
    a, b = as_array(a), as_array(b)
    na, nb = ndim_of(a), ndim_of(b)
    if isinstance(axes, (int, np.integer)):
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
register(np.outer, outer)
register(np.tensordot, tensordot)
register(np.linalg.outer, lambda x1, x2, /: outer(x1, x2))
register(np.linalg.tensordot, lambda x1, x2, /, *, axes=2: tensordot(x1, x2, axes))


# ------------------------------------------------------------------ einsum
def _parse(subscripts: str, ranks: Sequence[int]) -> tuple[list[str], str]:
    """Labels of each operand and of the result, with letters in place of dots."""
    subscripts = subscripts.replace(" ", "")
    left, arrow, right = subscripts.partition("->")
    inputs = left.split(",")
    if len(inputs) != len(ranks):
        raise ValueError(
            f"einsum got {len(ranks)} operands for {len(inputs)} terms in {subscripts!r}"
        )
    free = [c for c in LETTERS if c not in subscripts]
    dots = max(
        (n - len(s.replace("...", "")) for s, n in zip(inputs, ranks, strict=True) if "..." in s),
        default=0,
    )
    letters = "".join(free[:dots])
    expanded = []
    for s, n in zip(inputs, ranks, strict=True):
        k = n - len(s.replace("...", ""))
        expanded.append(s.replace("...", letters[dots - k :] if k > 0 else ""))
        if len(expanded[-1]) != n:
            raise ValueError(f"einsum term {s!r} doesn't fit an operand of {n} dimensions")
    if arrow:
        return expanded, right.replace("...", letters)
    together = "".join(expanded)
    once = sorted(c for c in set(together) if together.count(c) == 1 and c not in letters)
    return expanded, letters + "".join(once)


def _einsum_impl(*operands: Any, inputs: tuple[str, ...], output: str) -> Any:
    out = np.einsum(f"{','.join(inputs)}->{output}", *operands)
    # einsum gives views of single operands; an answer must not be one of a later argument.
    return out


def _einsum_transpose(i: int, g: Array, *xs: Any, inputs: tuple[str, ...], output: str) -> Array:
    """Exchange operand i and the result; give back labels that only operand i has."""
    labels, x = inputs[i], xs[i]
    others = [x for j, x in enumerate(xs) if j != i]
    other_inputs = [s for j, s in enumerate(inputs) if j != i]
    known = set(output).union(*other_inputs)
    unique = "".join(dict.fromkeys(labels))
    found = "".join(c for c in unique if c in known)
    many = len(others) > 1
    c = np.einsum(f"{','.join([output, *other_inputs])}->{found}", g, *others, optimize=many)
    sizes = dict(zip(labels, x.shape, strict=True))
    # Where an operand has length 1 for a longer label, c is longer too, until unbroadcast.
    longer = dict(zip(found, shape_of(c), strict=True))
    shape = tuple(longer.get(label, sizes[label]) for label in unique)
    if found != unique:
        missing = tuple(k for k, label in enumerate(unique) if label not in known)
        c = np.broadcast_to(np.expand_dims(c, missing), shape)
    if unique == labels:
        return c
    ranges = {
        label: np.arange(n).reshape((-1,) + (1,) * (len(unique) - 1 - k))
        for k, (label, n) in enumerate(zip(unique, shape, strict=True))
    }
    index = tuple(ranges[label] for label in labels)
    return at(np.zeros(x.shape, c.dtype))[index].add(c)


def _einsum_batch(
    p: Any, size: int, xs: Sequence[Any], batched: Sequence[bool], params: Params
) -> Any:
    inputs, output = params["inputs"], params["output"]
    new = next(c for c in LETTERS if c not in "".join(inputs) + output)
    inputs = tuple(new + s if b else s for s, b in zip(inputs, batched, strict=True))
    return bind(p, xs, {"inputs": inputs, "output": new + output})


@multilinear(np.einsum, _einsum_transpose, batch=_einsum_batch, impl=_einsum_impl)
def _einsum(*operands: Any, inputs: tuple[str, ...], output: str) -> Any:
    return operands, {"inputs": inputs, "output": output}


def einsum(
    subscripts: Any, /, *operands: Any, out: None = None, optimize: Any = False, **kwargs: Any
) -> Any:
    """`numpy.einsum`, in both of its forms."""
    dtype = kwargs.pop("dtype", None)
    kwargs = {k: v for k, v in kwargs.items() if k not in ("order", "casting")}
    given(out=out, **kwargs)
    if not isinstance(subscripts, str):
        subscripts, operands = _from_lists((subscripts, *operands))
    operands = tuple(map(as_array, operands))
    if dtype is not None:
        operands = tuple(x.astype(dtype) for x in operands)
    inputs, output = _parse(subscripts, [ndim_of(x) for x in operands])
    if optimize and len(operands) > 2:
        return _in_pairs(inputs, output, list(operands), optimize)
    return _einsum(*operands, inputs=tuple(inputs), output=output)


def _from_lists(args: tuple[Any, ...]) -> tuple[str, tuple[Any, ...]]:
    """``einsum(x, [0, 1], y, [1, 2], [0, 2])`` as subscripts and operands."""
    pairs = len(args) // 2
    terms = ["".join("..." if k is Ellipsis else LETTERS[k] for k in args[2 * i + 1])
             for i in range(pairs)]  # fmt: skip
    text = ",".join(terms)
    if len(args) % 2:
        text += "->" + "".join("..." if k is Ellipsis else LETTERS[k] for k in args[-1])
    return text, args[: 2 * pairs : 2]


def _in_pairs(inputs: list[str], output: str, operands: list[Any], optimize: Any) -> Any:
    """Contract two operands at a time, in the order that NumPy finds best."""
    shapes = [np.broadcast_to(np.zeros(()), shape_of(x)) for x in operands]
    path = np.einsum_path(f"{','.join(inputs)}->{output}", *shapes, optimize=optimize)[0][1:]
    for step in path:
        some = sorted(step, reverse=True)
        terms, xs = [inputs.pop(k) for k in some], [operands.pop(k) for k in some]
        later = set(output).union(*inputs)
        middle = "".join(c for c in dict.fromkeys("".join(terms)) if c in later)
        result = output if not inputs else middle
        operands.append(_einsum(*xs, inputs=tuple(terms), output=result))
        inputs.append(result)
    return operands[0]


register(np.einsum, einsum)
