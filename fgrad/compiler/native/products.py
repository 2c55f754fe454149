"""Products of matrices: small ones as loops, large ones by BLAS, stacks of them one by one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from .loops import Gemm, Set, Writer, const
from .nests import Loops, Nest
from .places import Memory

#: Products of so many multiplications are loops of ours; BLAS takes as long to begin.
INLINE = 4096


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
    """A row of c is a sum of rows of b."""
    loops = Loops(w, [*stack, m])
    *front, i = loops.counters
    with w.loop(n) as j:
        w.store(c.at([*front, i, j]), const(0, c.type))
    with w.loop(k) as q:
        x = w.load(a.at([*front, i, q]))
        with w.loop(n) as j:
            place = c.at([*front, i, j])
            y = w.let("mul", x, w.load(b.at([*front, q, j])), loose=True)
            w.store(place, w.let("add", w.load(place), y, loose=True))
    loops.end()


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


def by_blas(w: Writer, p: Product) -> None:
    """Products by BLAS; operands must fit, and c have neighbouring columns."""
    a, b = _stored(p.a, p.m, p.k), _stored(p.b, p.k, p.n)
    assert a is not None
    assert b is not None
    assert p.c.strides[-1] == 1
    loops = Loops(w, p.stack)
    index = [*loops.counters, 0, 0]
    rows = a[0], b[0], max(p.c.strides[-2], p.n)
    w.emit(Gemm(p.c.type, p.m, p.n, p.k, p.a.at(index), p.b.at(index), p.c.at(index), rows,
                (a[1], b[1])))  # fmt: skip
    loops.end()
