"""Philox4x64-10: a block cipher that makes random words of a key and a counter.

J. K. Salmon, M. A. Moraes, R. O. Dror, D. E. Shaw, Parallel random numbers: as easy as 1, 2, 3
(2011). A key is two words of 64 bits, a counter four; each counter gives a block of four random
words, and no two counters of a key give the same block. NumPy has it as `numpy.random.Philox`,
whose raw words never change (NEP 19). For many keys at once it stands here in NumPy's operations:
the same words, without an object for each key.

The counters of a key are divided by purpose. The last word says what for (`Purpose`), so nothing
that is made of a key coincides with anything else that is made of it; the third is the number of
the trial, where a sample may be rejected; the first counts the blocks, from 1.
"""

from __future__ import annotations

import enum
from typing import Any

import numpy as np
from numpy.random import Philox


class Purpose(enum.IntEnum):
    """What a block is made for."""

    WORDS = 0
    GAMMA = 1
    POISSON = 2
    BINOMIAL = 3
    SPLIT = 16
    FOLD = 17
    SEED = 18


_U = np.uint64
_LOW, _HALF = _U(0xFFFFFFFF), _U(32)
#: For the first and the third word of a counter, and for those of a key: a row each.
_MULTIPLIERS = np.array([[0xD2E7470EE14C6C93], [0xCA5A826395121157]], _U)
_UPPER, _LOWER = _MULTIPLIERS >> _HALF, _MULTIPLIERS & _LOW
_WEYL = np.array([[0x9E3779B97F4A7C15], [0xBB67AE8584CAA73B]], _U)
_ROUNDS = 10

#: From so many keys on, NumPy's operations on all are quicker than an object for each ...
_MANY = 16
#: ... unless more than so many blocks are wanted of each.
_LONG = 32
#: How many blocks are made at once, so that all stays in the cache.
_CHUNK = 4096


def multiply(a: Any, b: Any) -> tuple[Any, Any]:
    """The high and the low word of the product of two words."""
    a_high, a_low = a >> _HALF, a & _LOW
    b_high, b_low = b >> _HALF, b & _LOW
    cross = a_high * b_low
    middle = ((a_low * b_low) >> _HALF) + (cross & _LOW) + a_low * b_high
    return a_high * b_high + (cross >> _HALF) + (middle >> _HALF), a * b


def _multiply(x: Any) -> tuple[Any, Any]:
    """The high and the low words of the products with the multipliers, of rows of words.

    In halves, as on paper, and with few new arrays: there are ten rounds for each number.
    """
    upper, lower = x >> _HALF, x & _LOW
    cross = lower * _UPPER
    lower *= _LOWER
    lower >>= _HALF
    lower += cross & _LOW
    lower += upper * _LOWER
    lower >>= _HALF
    cross >>= _HALF
    upper *= _UPPER
    upper += cross
    upper += lower
    return upper, x * _MULTIPLIERS


def encrypt(keys: Any, c0: Any, c1: Any, c2: Any, purpose: Purpose) -> Any:
    """A block for each key, shape (n, 2), with a counter of its own: shape (n, 4)."""
    n = len(keys)
    if n >= _MANY:
        return _encrypt(keys, c0, c1, c2, purpose)
    counters = np.zeros((n, 4), _U)
    counters[:, 0], counters[:, 1], counters[:, 2], counters[:, 3] = c0, c1, c2, int(purpose)
    counters[:, 0] -= _U(1)  # NumPy's counts up before it makes a block
    out = np.empty((n, 4), _U)
    for i in range(n):
        out[i] = Philox(key=keys[i], counter=counters[i]).random_raw(4)
    return out


def _encrypt(keys: Any, c0: Any, c1: Any, c2: Any, purpose: Purpose) -> Any:
    n = len(keys)
    out = np.empty((n, 4), _U)
    rows = [np.broadcast_to(np.asarray(c, _U), (n,)) for c in (c0, c1, c2, int(purpose))]
    with np.errstate(over="ignore"):
        for i in range(0, n, _CHUNK):
            part = slice(i, i + _CHUNK)
            x0, x1, x2, x3 = (c[part] for c in rows)
            even, odd, key = np.stack([x0, x2]), np.stack([x1, x3]), keys[part].T.copy()
            for _ in range(_ROUNDS):
                high, low = _multiply(even)
                even = high[::-1] ^ odd
                even ^= key
                odd = low[::-1]
                key += _WEYL
            out[part, ::2], out[part, 1::2] = even.T, odd.T
    return out


def words(keys: Any, n: int, purpose: Purpose = Purpose.WORDS) -> Any:
    """The first n words of each key, shape (..., 2): shape (..., n)."""
    rows = np.ascontiguousarray(keys, _U).reshape(-1, 2)
    count = len(rows)
    blocks = -(-n // 4)
    if count < _MANY or blocks > _LONG:
        counter = np.array([0, 0, 0, int(purpose)], _U)
        made = [Philox(key=row, counter=counter).random_raw(n) for row in rows]
        out = made[0] if count == 1 else np.array(made, _U)
    else:
        index = np.tile(np.arange(1, blocks + 1, dtype=_U), count)
        out = _encrypt(np.repeat(rows, blocks, 0), index, 0, 0, purpose)
        out = out.reshape(count, 4 * blocks)[:, :n]
    return out.reshape(*np.shape(keys)[:-1], n)
