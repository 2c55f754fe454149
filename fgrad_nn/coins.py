"""Biased coins, many at once and quickly: which entries dropout keeps."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import fgrad
from fgrad import random

#: Coins that are decided by one random word, with so many bits each.
EACH, BITS = 4, 16


def coins(key: Any, p: float, shape: Sequence[int]) -> Any:
    """Booleans that are True with probability p, in a third of the time of `random.bernoulli`.

    Each is the comparison of 16 random bits with those of p; where they are equal, 64 bits of
    another word go on. Knuth & Yao 1976: most numbers are decided by their first bits.

    >>> coins(random.key(0), 0.75, (6,)).sum()
    np.int64(4)

    Args:
        key: a key of fgrad.random.
        p: the probability, a number from 0 to 1.
        shape: the shape of the sample.
    """
    n = math.prod(shape)
    first, second = random.split(key)
    words = random.bits(first, (-(-n // EACH),))
    spare = random.bits(second, (1 + n // 1024,))
    return np.reshape(_compare(words, spare, p=float(p), n=n), tuple(shape))


def _compare_of(words: Any, spare: Any, *, p: float, n: int) -> Any:
    high, low = divmod(p * 2.0**BITS, 1.0)
    if p >= 1:
        return np.ones((*words.shape[:-1], n), bool)
    parts = words.astype("<u8", copy=False).view("<u2")[..., :n]
    out = np.less(parts, np.uint16(high))
    equal = np.nonzero(np.equal(parts, np.uint16(high)))
    rest = spare[(*equal[:-1], equal[-1] % spare.shape[-1])]
    out[equal] = np.less(rest, np.uint64(low * 2.0**64))
    return out


_compare: Callable[..., Any] = fgrad.constant(
    _compare_of, lambda words, spare, p, n: ((words, spare), {"p": p, "n": n}), name="coins"
)
