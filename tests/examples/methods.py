"""Rows of the methods and operators of numpy.ndarray, and of the methods of ufuncs."""

from __future__ import annotations

import numpy as np

from .row import B, I, P, R, Row, constant, linear, multilinear, row

MASK = np.array([[True, False, True, True], [False, True, False, True], [True, True, True, False]])
U = np.ufunc


def _assigned(x):
    y = x * 1
    y += 1
    y *= x
    y -= x[0]
    y /= 2
    return y


OPERATORS: list[Row] = [
    linear(np.add, [(2, 3), (3,)], lambda x, y: x + y),
    linear(np.subtract, [(2, 3), (3,)], lambda x, y: x - y),
    multilinear(np.multiply, [(2, 3), (3,)], lambda x, y: x * y),
    row(np.true_divide, [(2, 3), P(3)], lambda x, y: x / y, complex=True),
    constant(np.floor_divide, [(2, 3), P(3)], lambda x, y: x // y),
    row(np.remainder, [(2, 3), P(3)], lambda x, y: x % y),
    row(np.divmod, [(2, 3)], lambda x: (divmod(x, 0.7), divmod(3.0, x))),
    row(np.power, [P(2, 3), (3,)], lambda x, y: x**y, complex=True),
    multilinear(np.matmul, [(2, 3), (3,)], lambda x, y: x @ y),
    linear(np.matmul, [(3, 2)], lambda x: np.array([[1.0, 2.0, 3.0]]) @ x),
    linear(np.negative, [(2, 3)], lambda x: -x),
    linear(np.positive, [(2, 3)], lambda x: +x),
    row(np.absolute, [(2, 3)], lambda x: abs(x), complex=True),
    *(constant(f, [(2, 3), (3,)], call) for f, call in (
        (np.less, lambda x, y: x < y), (np.less_equal, lambda x, y: x <= y),
        (np.greater, lambda x, y: x > y), (np.greater_equal, lambda x, y: x >= y),
        (np.equal, lambda x, y: x == y), (np.not_equal, lambda x, y: x != y))),
    *(constant(f, [B(2, 3), B(3)], call) for f, call in (
        (np.bitwise_and, lambda x, y: x & y), (np.bitwise_or, lambda x, y: x | y),
        (np.bitwise_xor, lambda x, y: x ^ y))),
    constant(np.invert, [I(3)], lambda x: ~x),
    constant(np.left_shift, [I(3)], lambda x: (x << 2, 1 << x)),
    constant(np.right_shift, [I(3)], lambda x: (x >> 1, 9 >> x)),
    # Assignment operators bind the name to a new value.
    row(np.add, [(2, 3)], _assigned, complex=True),
]  # fmt: skip


def _other(dtype):
    """The complex dtype of two real numbers."""
    return np.dtype(f"c{2 * dtype.itemsize}") if dtype.itemsize > 2 else dtype


def _parts(z):
    return z.view(z.real.dtype)


METHODS: list[Row] = [
    linear(np.sum, [(3, 4)], lambda x: x.sum(axis=(0, 1), keepdims=True)),
    linear(np.mean, [(3, 4)], lambda x: x.mean(0)),
    row(np.prod, [(3, 4)], lambda x: x.prod(axis=-1), complex=True),
    row(np.max, [(3, 4)], lambda x: x.max(axis=0)),
    row(np.min, [(3, 4)], lambda x: x.min(1, keepdims=True)),
    row(np.var, [(3, 4)], lambda x: x.var(axis=1, ddof=1), bits=False),
    row(np.std, [(3, 4)], lambda x: x.std(axis=1, ddof=1, keepdims=True), bits=False),
    constant(np.any, [(3, 4)], lambda x: (x > 1).any(axis=0)),
    constant(np.all, [(3, 4)], lambda x: (x > -1).all(axis=1, keepdims=True)),
    constant(np.argmax, [(3, 4)], lambda x: x.argmax(axis=0)),
    constant(np.argmin, [(3, 4)], lambda x: x.argmin()),
    constant(np.argsort, [(3, 4)], lambda x: x.argsort(axis=0)),
    constant(np.argpartition, [(3, 4)], lambda x: x.argpartition(2)[:, 2]),
    constant(np.searchsorted, [(4,)], lambda x: x.searchsorted([0.1, 0.5], sorter=np.argsort(x))),
    linear(np.cumsum, [(3, 4)], lambda x: x.cumsum(axis=0)),
    row(np.cumprod, [(3, 4)], lambda x: x.cumprod(axis=1), complex=True),
    linear(np.reshape, [(2, 3)], lambda x: x.reshape((3, -1), order="F")),
    linear(np.ravel, [(2, 3)], lambda x: x.ravel("F")),
    linear(np.ravel, [(2, 3)], lambda x: x.flatten()),
    linear(np.transpose, [(2, 3, 4)], lambda x: x.transpose((1, -1, 0))),
    linear(np.matrix_transpose, [(2, 3)], lambda x: x.mT),
    linear(np.swapaxes, [(2, 3, 4)], lambda x: x.swapaxes(0, 2)),
    linear(np.squeeze, [(1, 3, 1)], lambda x: x.squeeze(axis=0)),
    linear(np.repeat, [(2, 3)], lambda x: x.repeat(2, axis=0)),
    linear(np.take, [(3, 4)], lambda x: x.take([0, 2, -1], axis=1)),
    linear(np.ndarray.compress, [(3, 4)], lambda x: x.compress([True, False, True], axis=0)),
    linear(np.diagonal, [(3, 4)], lambda x: x.diagonal(1)),
    linear(np.trace, [(3, 4)], lambda x: x.trace(-1)),
    row(np.dot, [(3, 4)], lambda x: x.dot(x[0]), complex=True),
    linear(np.copy, [(2, 3)], lambda x: x.copy()),
    linear(np.astype, [(2, 3)], lambda x: x.astype(np.complex128, copy=True)),
    linear(np.conjugate, [(2, 3)], lambda x: (x.conj(), x.conjugate())),
    linear(np.real, [(2, 3)], lambda x: x.real),
    linear(np.imag, [(2, 3)], lambda x: x.imag),
    constant(np.round, [(2, 3)], lambda x: x.round(1)),
    row(np.clip, [(3, 4)], lambda x: x.clip(max=0.73)),
    linear(np.choose, [I(3), (3, 3)], lambda i, x: np.choose(i, x)),
    # `x.flat` is read by index and by iterating.
    linear(np.ravel, [(2, 3)], lambda x: (x.flat[4], x.flat[1:3], list(x.flat))),
    linear(np.ndarray.view, [(2, 3)], lambda x: x.view()),
    linear(np.ndarray.view, [(2, 3)], lambda x: x.view(x.dtype)),
    linear(np.ndarray.view, [(2, 4)], lambda x: x.view(_other(x.dtype)), complex=False),
    linear(np.ndarray.view, [(2, 4)], lambda x: _parts(x[:, ::2] + 1j * x[:, 1::2]), complex=False),
]


def _reduced(f, **keywords):
    return lambda x: f.reduce(x, **keywords)


def _accumulated(f, axis):
    return lambda x: f.accumulate(x, axis=axis)


UFUNCS: list[Row] = [
    *(row(U.reduce, [P(3, 4)], _reduced(f, axis=axis), bits=False)
      for f in (np.subtract, np.divide, np.logaddexp, np.hypot, np.fmax) for axis in (0, -1)),
    *(row(U.reduce, [P(3, 3)], _reduced(f), bits=False)
      for f in (np.power, np.logaddexp2, np.fmin)),
    row(U.reduce, [P(3, 4)], _reduced(np.logaddexp, axis=(0, 1), keepdims=True), bits=False),
    row(U.reduce, [P(3, 4)], _reduced(np.hypot, axis=None, initial=0.3), bits=False),
    *(row(U.reduce, [P(3, 4)], _reduced(f, axis=1, initial=0.3, where=MASK), bits=False)
      for f in (np.subtract, np.logaddexp, np.multiply, np.maximum)),
    row(U.reduce, [P(3, 4)], _reduced(np.logaddexp, axis=(0, 1), where=MASK), bits=False),
    row(U.reduce, [R(1)], _reduced(np.hypot)),
    linear(U.reduce, [(3, 4)], _reduced(np.add, axis=1, dtype=np.complex128)),
    constant(U.reduce, [(3, 4)], lambda x: np.logical_xor.reduce(x > 0, axis=1)),
    constant(U.reduce, [(3, 4)], lambda x: np.logical_and.reduce(x > 0, axis=1, where=MASK)),
    constant(U.reduce, [I(3, 4)], _reduced(np.bitwise_or, axis=1)),
    constant(U.reduce, [I(3, 4)], _reduced(np.add, axis=1, dtype=np.int32)),
    *(row(U.accumulate, [P(3, 5)], _accumulated(f, axis), bits=False)
      for f in (np.maximum, np.minimum, np.subtract, np.logaddexp, np.hypot) for axis in (0, 1)),
    row(U.accumulate, [R(1)], np.maximum.accumulate),
    row(U.accumulate, [R(2, 0)], _accumulated(np.minimum, 1)),
    linear(U.accumulate, [(3, 4)], lambda x: np.add.accumulate(x, axis=-1, dtype=np.complex128)),
    constant(U.accumulate, [(3, 4)], lambda x: np.logical_or.accumulate(x > 1, axis=1)),
    *(row(U.reduceat, [P(5, 2)], lambda x, f=f: f.reduceat(x, [0, 3, 1, 4]), bits=False)
      for f in (np.add, np.multiply, np.maximum, np.logaddexp)),
    row(U.reduceat, [(2, 5)], lambda x: np.add.reduceat(x, np.array([0, 2]), axis=1), complex=True,
        bits=False),
    *(row(U.outer, [P(3), P(2, 2)], lambda x, y, f=f: f.outer(x, y), complex=True)
      for f in (np.subtract, np.divide, np.power)),
    linear(U.outer, [(3,)], lambda x: np.add.outer(x, [1.0, 2.0]), kind="smooth"),
    constant(U.outer, [(3,), (2,)], np.less.outer),
    # Keywords.
    linear(U.__call__, [(2, 3)], lambda x: np.add(x, 1, dtype=np.complex128), kind="smooth"),
    constant(U.__call__, [(2, 3)], lambda x: (np.less(x, 1, dtype=bool), np.isnan(x, dtype=bool))),
    constant(U.__call__, [I(2, 3)], lambda x: np.add(x, 1, dtype=np.int8)),
    linear(U.__call__, [(2, 3), I(3)], lambda x, i: np.ldexp(x, i, dtype=np.float64),
           complex=False),
    row(U.__call__, [(2, 3)],
        lambda x: np.exp(x, signature="D->D", casting="same_kind", order="K", where=True),
        complex=True),
    multilinear(U.__call__, [(2, 3, 4), (4, 2, 3)],
                lambda x, y: np.matmul(x, y, axes=[(0, 1), (2, 1), (2, 0)]), bits=False),
    multilinear(U.__call__, [(2, 3), (3,)],
                lambda x, y: np.matmul(x, y, axes=[(0, 1), (0,), (0,)]), bits=False),
    multilinear(U.__call__, [(2, 3), (2, 3)],
                lambda x, y: np.vecdot(x, y, axis=0, keepdims=True), bits=False),
]  # fmt: skip

ROWS: list[Row] = [*OPERATORS, *METHODS, *UFUNCS]
