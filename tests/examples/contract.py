"""Rows of products that contract axes, and of linear algebra."""

from __future__ import annotations

import numpy as np

from .row import R, linear, multilinear, row

#: Shapes of two operands of matmul: all combinations of vectors, matrices and stacks.
MATMUL = [
    ((3,), (3,)), ((3,), (3, 2)), ((2, 3), (3,)), ((2, 3), (3, 4)), ((3,), (5, 3, 2)),
    ((5, 2, 3), (3,)), ((5, 2, 3), (3, 4)), ((2, 3), (5, 3, 4)), ((5, 2, 3), (5, 3, 4)),
    ((5, 1, 2, 3), (4, 3, 2)), ((2, 1, 3, 2), (1, 3, 2, 2)), ((2, 0), (0, 3)), ((0, 3), (3, 2)),
    ((1, 3), (3, 1)), ((3, 1), (1, 3)),
]  # fmt: skip

EINSUM = [
    ("ij,jk->ik", (2, 3), (3, 4)),
    ("ij,jk", (2, 3), (3, 4)),
    ("ii->i", (3, 3)),
    ("ii", (3, 3)),
    ("ij->j", (2, 3)),
    ("ij->", (2, 3)),
    ("ij->ji", (2, 3)),
    ("ba", (2, 3)),
    ("i,j->ij", (2,), (3,)),
    ("i,i->i", (3,), (3,)),
    ("i,i", (3,), (3,)),
    ("...i,...i->...", (2, 3), (4, 2, 3)),
    ("...ij,jk->...ik", (4, 2, 3), (3, 2)),
    ("ij...,j", (2, 3, 4), (3,)),
    ("ij,ij->i", (2, 1), (2, 3)),
    ("ij,ij->ij", (1, 3), (2, 3)),
    ("iij,jk->ik", (2, 2, 3), (3, 2)),
    ("ij,jk,kl->il", (2, 3), (3, 4), (4, 2)),
    ("i,ij,j", (2,), (2, 3), (3,)),
    ("ij,k->k", (2, 3), (4,)),
    ("ii,ij->j", (2, 2), (2, 3)),
    (" a b , b c -> a c ", (2, 3), (3, 2)),
    ("i,->i", (3,), ()),
    ("...,...", (2, 3), (3,)),
]

TENSORDOT = [
    ((2, 3), (3, 4), 1), ((2, 3, 4), (3, 4, 2), 2), ((2,), (3,), 0), ((2, 3), (4, 3), (1, 1)),
    ((2, 3, 4), (4, 5, 2), ([0, -1], [2, 0])), ((2, 3), (2, 3), ((0, 1), (0, 1))),
]  # fmt: skip

NORMS = [
    ((3,), {}), ((3, 4), {}), ((2, 3, 4), {}), ((3, 4), {"axis": 0}), ((3, 4), {"axis": (0, 1)}),
    ((3, 4), {"keepdims": True}), ((2, 3, 4), {"axis": (0, -1), "keepdims": True}),
    *(((3, 4), {"ord": p, "axis": 1}) for p in (1, 2, 3, 0.5, 2.5, -1, -2, np.inf, -np.inf)),
    *(((3, 4), {"ord": p}) for p in ("fro", 1, -1, np.inf, -np.inf, 2, -2, "nuc")),
    ((2, 3, 4), {"ord": 2, "axis": (2, 0), "keepdims": True}),
    ((2, 3, 4), {"ord": "nuc", "axis": (1, 2)}),
    ((2, 3, 4), {"ord": 1, "axis": (2, 0), "keepdims": True}),
    ((2, 3, 4), {"ord": np.inf, "axis": (0, 1)}),
    ((3,), {"ord": 3, "keepdims": True}),
]  # fmt: skip


def _tensordot(axes):
    return lambda a, b: np.tensordot(a, b, axes)


def _einsum(text, **keywords):
    return lambda *xs: np.einsum(text, *xs, **keywords)


def _norm(keywords):
    return lambda x: np.linalg.norm(x, **keywords)


def _well(x):
    """A matrix far from singular."""
    return x + 6 * np.eye(x.shape[-1], dtype=x.dtype)


def _solve(a, b):
    return np.linalg.solve(_well(a), b)


ROWS = [
    *(multilinear(np.matmul, shapes) for shapes in MATMUL),
    multilinear(np.matmul, [(2, 3), (3, 4)], lambda x, y: x @ y),
    row(np.matmul, [(3, 3)], lambda x: x @ x, complex=True),
    multilinear(np.linalg.matmul, [(2, 3), (3, 4)]),
    multilinear(np.vecdot, [(2, 3), (3,)]),
    multilinear(np.linalg.vecdot, [(3, 2), (3, 2)], lambda x, y: np.linalg.vecdot(x, y, axis=0)),
    *(
        multilinear(np.dot, shapes)
        for shapes in (
            ((3,), (3,)),
            ((2, 3), (3, 4)),
            ((2, 3), (3,)),
            ((), (2, 3)),
            ((2, 3), ()),
            ((2, 4, 3), (3,)),
            ((3,), (2, 3, 4)),
            ((2, 3), (4, 3, 2)),
        )
    ),
    multilinear(np.dot, [(2, 3)], lambda x: x.dot(np.arange(3.0))),
    multilinear(np.vdot, [(2, 3), (6,)]),
    multilinear(np.inner, [(2, 3), (4, 3)]),
    multilinear(np.inner, [(), (4, 3)]),
    multilinear(np.outer, [(2,), (3,)]),
    multilinear(np.outer, [(2, 2), (3,)]),
    multilinear(np.outer, [(2,), (3, 2)], lambda x, y: np.multiply.outer(x, y)),
    linear(np.add, [(2,), (3, 2)], lambda x, y: np.add.outer(x, y)),
    multilinear(np.linalg.outer, [(2,), (3,)]),
    *(multilinear(np.tensordot, [a, b], _tensordot(axes)) for a, b, axes in TENSORDOT),
    multilinear(
        np.linalg.tensordot, [(2, 3), (3, 4)], lambda a, b: np.linalg.tensordot(a, b, axes=1)
    ),
    *(multilinear(np.einsum, shapes, _einsum(text)) for text, *shapes in EINSUM),
    *(
        multilinear(
            np.einsum, [(2, 3), (3, 4), (4, 2)], _einsum("ij,jk,kl->il", optimize=o), bits=False
        )
        for o in (True, "greedy", ["einsum_path", (0, 1), (0, 1)])
    ),
    multilinear(np.einsum, [(2, 3), (3, 4)], lambda x, y: np.einsum(x, [0, 1], y, [1, 2], [0, 2])),
    multilinear(np.einsum, [(2, 3), (3, 4)], lambda x, y: np.einsum(x, [0, 1], y, [1, 2])),
    multilinear(np.einsum, [(2, 3)], lambda x: np.einsum(x, [..., 1])),
    row(np.einsum, [(3, 3)], lambda x: np.einsum("ij,ji", x, x), complex=True),
    # Diagonals, triangles, products by name.
    linear(np.diagonal, [(3, 4)]),
    linear(np.diagonal, [(3, 4, 2)], lambda x: x.diagonal(-1, 2, 0)),
    linear(np.diagonal, [(2, 3)], lambda x: np.diagonal(x, 4)),
    linear(np.linalg.diagonal, [(2, 3, 4)], lambda x: np.linalg.diagonal(x, offset=1)),
    linear(np.trace, [(3, 4)]),
    linear(np.trace, [(2, 3, 3)], lambda x: x.trace(1, axis1=-1, axis2=1)),
    linear(np.linalg.trace, [(2, 3, 3)]),
    linear(np.diag, [(3,)]),
    *(linear(np.diag, [s], lambda x: np.diag(x, -1)) for s in ((3,), (3, 4))),
    *(linear(f, [s], f) for f in (np.tril, np.triu) for s in ((3, 4), (2, 3, 3))),
    linear(np.tril, [(3, 4)], lambda x: np.tril(x, -1)),
    linear(np.triu, [(3, 4)], lambda x: np.triu(x, 1)),
    *(multilinear(np.kron, shapes) for shapes in (((2, 3), (3, 2)), ((2,), (2, 2)), ((), (2,)))),
    *(multilinear(np.cross, shapes) for shapes in (((3,), (3,)), ((2, 3), (3,)))),
    multilinear(np.cross, [(3, 2), (3, 2)], lambda x, y: np.cross(x, y, axis=0)),
    multilinear(np.linalg.cross, [(2, 3), (2, 3)]),
    *(
        multilinear(np.convolve, shapes, lambda a, v, m=m: np.convolve(a, v, m), bits=False)
        for shapes in (((5,), (3,)), ((2,), (5,)), ((4,), (4,)))
        for m in ("full", "same", "valid")
    ),
    # Linear algebra.
    row(np.linalg.solve, [(3, 3), (3,)], _solve, complex=True),
    row(np.linalg.solve, [(3, 3), (3, 2)], _solve, complex=True),
    row(np.linalg.solve, [(2, 3, 3), (3, 2)], _solve),
    row(np.linalg.solve, [(3, 3), (2, 3, 2)], _solve),
    row(np.linalg.solve, [(2, 3, 3), (3,)], _solve),
    *(
        row(np.linalg.inv, [s], lambda a: np.linalg.inv(_well(a)), complex=True)
        for s in ((3, 3), (2, 3, 3))
    ),
    *(
        row(
            np.linalg.det,
            [s],
            lambda a: np.linalg.det(a / 3 + np.eye(a.shape[-1], dtype=a.dtype)),
            complex=True,
        )
        for s in ((3, 3), (2, 3, 3), (1, 1))
    ),
    *(
        row(np.linalg.slogdet, [s], lambda a: np.linalg.slogdet(_well(a)), complex=True)
        for s in ((3, 3), (2, 3, 3))
    ),
    row(np.linalg.slogdet, [(3, 3)], lambda a: np.linalg.slogdet(_well(a)).logabsdet, complex=True),
    row(np.linalg.slogdet, [(3, 3)], lambda a: np.linalg.slogdet(_well(a))[0], complex=True),
    *(row(np.linalg.norm, [s], _norm(kw), complex=True) for s, kw in NORMS),
    row(np.linalg.norm, [(3, 4)], _norm({"ord": 0, "axis": 0}), kind="constant"),
    row(np.linalg.vector_norm, [(3, 4)], np.linalg.vector_norm, complex=True),
    row(np.linalg.vector_norm, [(3, 4)], lambda x: np.linalg.vector_norm(x, axis=0, ord=3)),
    row(
        np.linalg.vector_norm,
        [(2, 3, 4)],
        lambda x: np.linalg.vector_norm(x, axis=(0, 2), keepdims=True),
    ),
    row(np.linalg.matrix_norm, [R(2, 3, 4)], np.linalg.matrix_norm, complex=True),
    row(
        np.linalg.matrix_norm, [(2, 3, 4)], lambda x: np.linalg.matrix_norm(x, ord=1, keepdims=True)
    ),
]
