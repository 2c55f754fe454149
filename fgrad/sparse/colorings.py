"""Colourings: which columns and rows of a sparse matrix are computed together, and read back."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.sparse import csr_array, issparse

from ..errors import ArgumentError, DtypeError, ShapeError, describe
from .colors import ORDERS, color_columns, color_star, column_orders, vertex_orders

MODES = ("auto", "forward", "reverse", "bidirectional", "symmetric")


@dataclass(frozen=True, eq=False)
class Coloring:
    """Colours of columns and rows with which a sparse matrix is read from a few products.

    Made by `coloring`, and passed to `jacobian` or `hessian`, it is reused at no cost. Colours of
    one's own are checked: each entry must be readable.

    >>> import numpy as np
    >>> tridiagonal = np.abs(np.subtract.outer(range(6), range(6))) < 2
    >>> Coloring(tridiagonal, columns=[0, 1, 2, 0, 1, 2])
    Coloring of 16 entries of a (6, 6) matrix: 3 forward, 0 reverse

    Args:
        sparsity: where the matrix may have entries, a boolean array of shape (m, n), sparse or
            dense.
        columns: for each column the colour with which it is pushed forward, or -1; None for none.
        rows: for each row the colour with which it is pulled back, or -1; None for none. The
            entries of a row with a colour are read from that, all others from their columns.
        symmetric: the matrix is symmetric, and an entry may be read from its mirror image.

    Attributes:
        forward, reverse: the numbers of colours of columns and of rows.

    Raises:
        ShapeError: the colours aren't as many as columns or rows.
        ArgumentError: an entry can't be told from another one of its row and colour.
    """

    sparsity: Any
    columns: Any = None
    rows: Any = None
    symmetric: bool = False
    forward: int = field(init=False)
    reverse: int = field(init=False)
    #: For each entry where it stands in the products with columns, and with rows, row by row of
    #: these; -1 where it is read from the others.
    pushed: Any = field(init=False, repr=False)
    pulled: Any = field(init=False, repr=False)

    def __post_init__(self) -> None:
        pattern = as_pattern(self.sparsity, "Coloring")
        m, n = pattern.shape
        if self.symmetric:
            check_symmetric(pattern, "Coloring")
        columns = _colors(self.columns, n, "columns")
        rows = _colors(self.rows, m, "rows")
        i = np.repeat(np.arange(m), np.diff(pattern.indptr))
        j = pattern.indices.astype(np.intp)
        back = rows[i] >= 0
        pulled = _places(rows[i], j, n, back)
        pushed = _places(columns[j], i, m, ~back)
        found = (pushed >= 0) | (pulled >= 0)
        if self.symmetric:
            # Both mirror images are read from one place, so that they are the same number.
            low, high = np.minimum(i, j), np.maximum(i, j)
            keys = columns[j] * m + i
            above = _occurs_once(columns[high] * m + low, keys) & (columns[high] >= 0)
            below = _occurs_once(columns[low] * m + high, keys) & (columns[low] >= 0)
            pushed = np.where(above, columns[high] * m + low, columns[low] * m + high)
            found = above | below
        else:
            for places, here in ((pushed, ~back), (pulled, back)):
                found &= ~here | _occurs_once(places, places[here])
        if not found.all():
            k = int(np.argmin(found))
            raise ArgumentError(
                "Coloring wants colours from which each entry can be read.",
                f"colours that mix entry ({i[k]}, {j[k]}) with others of its row or column",
                "give columns that share a row different colours, or make them with "
                "fgrad.sparse.coloring(sparsity)",
            )
        values = (
            pattern, columns, rows, int(columns.max(initial=-1)) + 1,
            int(rows.max(initial=-1)) + 1, pushed, pulled,
        )  # fmt: skip
        names = ("sparsity", "columns", "rows", "forward", "reverse", "pushed", "pulled")
        for name, value in zip(names, values, strict=True):
            object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        m, n = self.sparsity.shape
        kind = "symmetric " if self.symmetric else ""
        return (
            f"Coloring of {self.sparsity.nnz} entries of a {kind}({m}, {n}) matrix: "
            f"{self.forward} forward, {self.reverse} reverse"
        )

    def read(self, pushed: Any, pulled: Any, dtype: Any) -> Any:
        """The matrix, from its products with the columns' and with the rows' colours."""
        data = np.zeros(self.sparsity.nnz, dtype)
        for places, products in ((self.pushed, pushed), (self.pulled, pulled)):
            if products is not None:
                here = places >= 0
                data[here] = products.ravel()[places[here]]
        p = self.sparsity
        return csr_array((data, p.indices.copy(), p.indptr.copy()), shape=p.shape)


def _colors(given: Any, n: int, what: str) -> Any:
    """The colours as an array of integers."""
    colors = np.full(n, -1) if given is None else np.asarray(given)
    if colors.shape != (n,):
        raise ShapeError(
            f"Coloring wants a colour for each of the {n} {what}.",
            describe(colors),
            f"pass an integer array of shape ({n},)",
        )
    if n and colors.dtype.kind not in "iu":
        raise DtypeError(
            f"Coloring wants integers as the colours of {what}.",
            describe(colors),
            "number the colours from 0; -1 stands for none",
        )
    return colors.astype(np.intp)


def _places(colors: Any, numbers: Any, size: int, where: Any) -> Any:
    """Where entries stand in the products: the number in the row of the colour; -1 for none."""
    return np.where(where & (colors >= 0), colors * size + numbers, -1)


def _occurs_once(wanted: Any, keys: Any) -> Any:
    """Whether keys occur no more than once among others."""
    found, counts = np.unique(keys, return_counts=True)
    many = found[counts > 1]
    return ~np.isin(wanted, many)


def as_pattern(sparsity: Any, name: str) -> Any:
    """Where a matrix has entries, as a boolean csr_array with sorted indices of its own."""
    given = sparsity if issparse(sparsity) else np.asarray(sparsity)
    if given.ndim != 2 or given.dtype.kind not in "fcbiu":
        raise ShapeError(
            f"{name} wants a sparsity pattern that is a matrix.",
            describe(sparsity),
            "pass a sparse matrix of SciPy's, or a boolean array of shape (m, n)",
        )
    pattern = csr_array(given, copy=True)
    pattern.sum_duplicates()
    return csr_array(
        (np.ones(pattern.nnz, bool), pattern.indices, pattern.indptr), shape=pattern.shape
    )


def is_symmetric(pattern: Any) -> bool:
    """Whether a pattern is its own transpose."""
    m, n = pattern.shape
    return bool(m == n and (pattern != pattern.T).nnz == 0)


def check_symmetric(pattern: Any, name: str) -> None:
    """Refuse the pattern of a matrix that isn't symmetric."""
    if not is_symmetric(pattern):
        raise ArgumentError(
            f"{name} wants a symmetric sparsity pattern for a symmetric matrix.",
            f"a pattern of shape {pattern.shape} that differs from its transpose",
            "pass sparsity + sparsity.T",
        )


def coloring(sparsity: Any, mode: str = "auto", order: str = "auto") -> Coloring:
    """Choose few colours for a sparse matrix.

    >>> import numpy as np
    >>> arrow = np.eye(100, dtype=bool)
    >>> arrow[0, :] = arrow[:, 0] = True
    >>> coloring(arrow, "forward")
    Coloring of 298 entries of a (100, 100) matrix: 100 forward, 0 reverse
    >>> coloring(arrow)
    Coloring of 298 entries of a (100, 100) matrix: 2 forward, 1 reverse
    >>> coloring(arrow, "symmetric")
    Coloring of 298 entries of a symmetric (100, 100) matrix: 2 forward, 0 reverse

    Args:
        sparsity: where the matrix may have entries: a sparse matrix, whose stored entries count
            whatever their values, or a dense array, whose nonzero ones do.
        mode: "forward" colours columns (products of the Jacobian with vectors), "reverse" rows
            (products with its transpose), "bidirectional" the densest rows by themselves and the
            columns of the rest; "auto" takes what has the fewest colours, "bidirectional" only if
            it can halve them. "symmetric" is a
            star colouring, for Hessians.
        order: in what order columns are coloured: "natural", "largest_first", "smallest_last";
            "auto" takes the best of them.

    Raises:
        ArgumentError: ``mode`` or ``order`` is none of these, or the pattern isn't symmetric.
    """
    for word, given, words in (("mode", mode, MODES), ("order", order, ("auto", *ORDERS))):
        if given not in words:
            raise ArgumentError(
                f"coloring wants {word} to be one of {', '.join(words)}.",
                repr(given),
                f"leave {word} away for the fewest colours",
            )
    pattern = as_pattern(sparsity, "coloring")
    if mode == "symmetric":
        return _symmetric(pattern, order)
    across = csr_array(pattern.T)
    if mode == "bidirectional":
        return Coloring(pattern, *_split(pattern, order))
    best: tuple[Any, Any] = (None, None)
    if mode in ("auto", "forward"):
        best = (_best_columns(pattern, order), None)
    # What can't take fewer colours isn't tried.
    fewer = mode == "auto" and longest(across) < _count(best) and not is_symmetric(pattern)
    if mode == "reverse" or fewer:
        best = min(best, (None, _best_columns(across, order)), key=_fewest)
    if mode == "auto" and 2 * _limit(pattern)[1] <= _count(best):
        best = min(best, _split(pattern, order), key=_fewest)
    return Coloring(pattern, *best)


def _fewest(colors: tuple[Any, ...]) -> float:
    """The number of colours, for comparing; none at all is no colouring."""
    return math.inf if all(c is None for c in colors) else _count(colors)


def longest(pattern: Any) -> int:
    """The entries in the fullest row, which need as many colours."""
    return int(np.max(np.diff(pattern.indptr), initial=0))


def _count(colors: tuple[Any, ...]) -> int:
    """How many colours there are together."""
    return sum(int(c.max(initial=-1)) + 1 for c in colors if c is not None)


def _best_columns(pattern: Any, order: str) -> Any:
    """Colours of the columns by the order that needs the fewest."""
    bound = longest(pattern)
    best = None
    for columns in column_orders(pattern, order):
        colors = color_columns(pattern, columns)
        if best is None or _count((colors,)) < _count((best,)):
            best = colors
        if _count((best,)) == bound:
            break
    return best


def _limit(pattern: Any) -> tuple[int, int]:
    """The entries that rows may have to be read from their columns, and how many colours it takes.

    It is chosen by the least that either part can need: the longest of the rows that stay, and the
    fullest column of those that don't.
    """
    lengths = np.diff(pattern.indptr)
    limits = np.unique([0, *lengths])
    limits = limits[np.unique(np.linspace(0, len(limits) - 1, 32).astype(np.intp))]
    across = pattern.T.astype(np.int64)
    costs = [limit + int(np.max(across @ (lengths > limit), initial=0)) for limit in limits]
    k = int(np.argmin(costs))
    return int(limits[k]), int(costs[k])


def _split(pattern: Any, order: str) -> tuple[Any, Any]:
    """Colours for the densest rows by themselves, and for the columns of the others."""
    dense = np.diff(pattern.indptr) > _limit(pattern)[0]
    rows = np.full(len(dense), -1)
    rows[dense] = _best_columns(csr_array(pattern[dense].T), order)
    return _best_columns(csr_array(pattern[~dense]), order), rows


def _symmetric(pattern: Any, order: str) -> Coloring:
    """The star colouring with the fewest colours, or one of columns if that has fewer."""
    check_symmetric(pattern, "coloring")
    n = pattern.shape[0]
    i, j = pattern.tocoo().coords
    off = i != j
    graph = csr_array((np.ones(int(off.sum()), bool), (i[off], j[off])), shape=(n, n))
    found = [color_star(graph, vertices) for vertices in vertex_orders(graph, order)]
    found.append(_best_columns(pattern, "auto"))
    return Coloring(pattern, min(found, key=lambda c: _count((c,))), symmetric=True)
