"""Products of matrices: small ones as loops, large ones by BLAS, stacks of them one by one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..tiling import Way, way
from .bodies import Body
from .loops import Gemm, Operand, Set, Writer, const
from .nests import Loops, Nest
from .places import Memory

#: Products of so many multiplications are loops of ours; BLAS takes as long to begin.
INLINE = 4096
#: So many rows of the result are computed at once, and so many products added at once.
ROWS, DEPTH = 2, 8


@dataclass(frozen=True)
class Product:
    """``c[..., i, j] = sum(a[..., i, k] * b[..., k, j])``, with strides of all three.

    Attributes:
        stack: the shape in front.
        m, n, k: the extents of i, j and k.
        a, b, c: arrays of shapes (*stack, m, k), (*stack, k, n), (*stack, m, n).
    """

    stack: tuple[int, ...]
    m: int
    n: int
    k: int
    a: Memory
    b: Memory
    c: Memory

    @property
    def is_small(self) -> bool:
        """Whether it is to be loops."""
        thin = 1 in (self.m, self.n, self.k)
        return thin or self.m * self.n * self.k <= INLINE


def multiply(body: Body, p: Product) -> None:
    """A product, one way or the other."""
    if p.is_small:
        nest = Nest()
        inline(nest, p)
        body.call(nest)
        return
    p = replace(p, a=_packed(body, p.a, p.m, p.k), b=_packed(body, p.b, p.k, p.n))
    found = _way(p)
    if found is not None and found.by == "copied":
        b = body.take(p.b.shape, p.b.type)
        body.copy(p.b, b)
        p = replace(p, b=b)
    if p.c.strides[-1] == 1 and p.c.strides[-2] >= p.n:
        by_blas(body.w, p, found)
    else:
        made = body.take(p.c.shape, p.c.type)
        by_blas(body.w, replace(p, c=made), found)
        body.copy(made, p.c)


def _packed(body: Body, x: Memory, rows: int, columns: int) -> Memory:
    if fits_blas(x, rows, columns):
        return x
    out = body.take(x.shape, x.type)
    body.copy(x, out)
    return out


def inline(nest: Nest, p: Product) -> None:
    """A product as loops, of which the innermost goes along neighbours in memory."""
    d = len(p.stack)
    a, b, c = nest.inside(p.a), nest.inside(p.b), nest.inside(p.c, True)
    m, n = p.m, p.n
    along_j = b.strides[-1] == 1 or n == 1
    along_k = a.strides[-1] in (0, 1) and b.strides[d] in (0, 1)
    along_i = a.strides[d] == 1
    if (n == 1 or not along_j) and along_i and m > 1 and not (along_k and p.k >= m):
        # The transposed product, whose j is our i.
        a, b, c = _flipped(b, d), _flipped(a, d), _flipped(c, d)
        m, n = n, m
        along_j, along_k = True, False
    if (n >= 4 and along_j) or (n > 1 and not along_k):
        _by_rows(nest.w, p.stack, m, n, p.k, a, b, c)
    else:
        _by_dots(nest.w, p.stack, m, n, p.k, a, b, c)


def _flipped(x: Memory, d: int) -> Memory:
    shape, strides = [*x.shape], [*x.strides]
    shape[d:], strides[d:] = shape[d:][::-1], strides[d:][::-1]
    return replace(x, shape=tuple(shape), strides=tuple(strides))


def _by_rows(
    w: Writer, stack: Sequence[int], m: int, n: int, k: int, a: Memory, b: Memory, c: Memory
) -> None:
    """A few rows of c at once are sums of rows of b, of which some are added at once."""
    front = Loops(w, stack)
    done = 0
    for rows in (ROWS, 1):
        count = (m - done) // rows
        if not count:
            continue
        block = Loops(w, [count] if count > 1 else [])
        step = rows * count > rows
        top_a, top_c = _from(a, done, -2), _from(c, done, -2)
        if step:
            top_a, top_c = _blocks(top_a, rows, -2), _blocks(top_c, rows, -2)
        _rows_of(w, [*front.counters], block.counters, rows, n, k, top_a, b, top_c)
        block.end()
        done += rows * count
    front.end()


def _rows_of(
    w: Writer, front: Sequence[str], block: Sequence[str], rows: int, n: int, k: int,
    a: Memory, b: Memory, c: Memory,
) -> None:  # fmt: skip
    """Rows of c, of which ``a`` and ``c`` have a block each."""
    at = [*front, *block]

    def some(q: Sequence[str], depth: int, a: Memory, b: Memory, first: bool) -> None:
        xs = [[w.load(a.at([*at, *q, i, u]) if q else a.at([*at, i, u])) for u in range(depth)]
              for i in range(rows)]  # fmt: skip
        with w.loop(n) as j:
            ys = [w.load(b.at([*front, *q, u, j])) for u in range(depth)]
            for i in range(rows):
                place = c.at([*at, i, j])
                total: Operand | None = None if first else w.load(place)
                for x, y in zip(xs[i], ys, strict=True):
                    z = w.let("mul", x, y, loose=True)
                    total = z if total is None else w.let("add", total, z, loose=True)
                assert total is not None
                w.store(place, total)

    first = min(k, DEPTH)
    some((), first, a, b, True)
    more = (k - first) // DEPTH
    if more:
        with w.loop(more) as q:
            part_a = _blocks(_from(a, first, -1), DEPTH, -1, before=-2)
            some([q], DEPTH, part_a, _blocks(_from(b, first, -2), DEPTH, -2), False)
    done = first + more * DEPTH
    if done < k:
        some((), k - done, _from(a, done, -1), _from(b, done, -2), False)


def _from(x: Memory, start: int, axis: int) -> Memory:
    """The array from an entry of an axis on."""
    return replace(x, offset=x.offset + start * x.strides[axis])


def _blocks(x: Memory, size: int, axis: int, before: int | None = None) -> Memory:
    """The array with an axis of blocks in front of one of its axes, or of another."""
    place = len(x.shape) + (axis if before is None else before)
    stride = x.strides[axis] * size
    return replace(
        x, shape=(*x.shape[:place], 1, *x.shape[place:]),
        strides=(*x.strides[:place], stride, *x.strides[place:]),
    )  # fmt: skip


def _by_dots(
    w: Writer, stack: Sequence[int], m: int, n: int, k: int, a: Memory, b: Memory, c: Memory
) -> None:
    """An element of c is the inner product of a row and a column."""
    loops = Loops(w, [*stack, m, n])
    *front, i, j = loops.counters
    total = w.variable(const(0, c.type))
    with w.loop(k) as q:
        y = w.let("mul", w.load(a.at([*front, i, q])), w.load(b.at([*front, q, j])), loose=True)
        w.emit(Set(total, w.let("add", w.get(total), y, loose=True)))
    w.store(c.at([*front, i, j]), w.get(total))
    loops.end()


def fits_blas(x: Memory, rows: int, columns: int) -> bool:
    """Whether BLAS can read the last two axes as they lie, or as a transpose."""
    return _stored(x, rows, columns) is not None


def _stored(x: Memory, rows: int, columns: int) -> tuple[int, bool] | None:
    """The distance of stored rows, and whether these are our columns."""
    r, c = x.strides[-2:]
    if c == 1 and (r >= columns or rows == 1):
        return max(r, columns), False
    if r == 1 and (c >= rows or columns == 1):
        return max(c, rows), True
    return None


def _way(p: Product) -> Way | None:
    """How a product that fits BLAS is taken apart."""
    a, b = _stored(p.a, p.m, p.k), _stored(p.b, p.k, p.n)
    assert a is not None
    assert b is not None
    return way(p.m, p.k, p.n, np.dtype({"f64": "f8", "f32": "f4"}[p.c.type]), a[1], b[1])


def _taken_apart(p: Product, found: Way) -> Product:
    """A stack of products of rows of a, of columns of b, or of terms of the sums."""
    by, count = found
    m, n, k = p.m, p.n, p.k
    a, b, c = p.a, p.b, p.c
    before = -3  # an axis in front of the matrix
    if by == "columns":
        n //= count
        a, b, c = _again(a, count), _blocks(b, n, -1, before + 1), _blocks(c, n, -1, before + 1)
    elif by == "terms":
        k //= count
        a, b, c = _blocks(a, k, -1, before + 1), _blocks(b, k, -2), _again(c, count)
    else:
        m //= count
        a, b, c = _blocks(a, m, -2), _again(b, count), _blocks(c, m, -2)
    return Product((*p.stack, count), m, n, k, a, b, c)


def _again(x: Memory, count: int) -> Memory:
    """The same matrix for each product."""
    d = len(x.shape) - 2
    return replace(
        x, shape=(*x.shape[:d], count, *x.shape[d:]), strides=(*x.strides[:d], 0, *x.strides[d:])
    )


def by_blas(w: Writer, p: Product, found: Way | None = None) -> None:
    """Products by BLAS; operands must fit, and c have neighbouring columns.

    Args:
        w: where statements are written.
        p: the product.
        found: how it is taken apart.
    """
    a, b = _stored(p.a, p.m, p.k), _stored(p.b, p.k, p.n)
    assert a is not None
    assert b is not None
    assert p.c.strides[-1] == 1
    rows, flips = (a[0], b[0], max(p.c.strides[-2], p.n)), (a[1], b[1])
    p = p if found is None else _taken_apart(p, found)
    sums = found is not None and found.by == "terms"
    loops = Loops(w, p.stack[:-1] if sums else p.stack)

    def one(index: list[Any], add: bool) -> None:
        a, b, c = (x.at([*index, 0, 0]) for x in (p.a, p.b, p.c))
        w.emit(Gemm(p.c.type, p.m, p.n, p.k, a, b, c, rows, flips, add))

    here: list[Any] = [*loops.counters]
    if sums:
        one([*here, 0], False)
        p = replace(p, a=_from(p.a, 1, -3), b=_from(p.b, 1, -3))
        with w.loop(p.stack[-1] - 1) as q:
            one([*here, q], True)
    else:
        one(here, False)
    loops.end()
