"""Rejection: trials for each number of a sample by itself, until one is accepted.

The trial t of the number i takes the block of four words with the counter (i + 1, 0, t, purpose).
So a number depends on its key, its place and its own parameters, not on its neighbours.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .philox import Purpose, encrypt, words

#: How many numbers are tried at once, so that all stays in the cache.
_CHUNK = 8192


def accepted(
    key: Any, shape: tuple[int, ...], purpose: Purpose, propose: Callable[[Any, Any], Any]
) -> Any:
    """A vector of numbers, of all keys, shape (..., 2), one after the other.

    Args:
        key: keys; with those axes in front of the last one the sample begins.
        shape: that of the sample, with those axes.
        purpose: what the blocks are for.
        propose: ``propose(w, i)``, for blocks w, shape (m, 4), of the numbers i of the sample:
            the numbers, and which of them are accepted.
    """
    keys = np.ascontiguousarray(key).reshape(-1, 2)
    size = int(np.prod(shape, dtype=int))
    each = size // max(len(keys), 1)
    w = words(keys, 4 * each, purpose).reshape(size, 4)
    out, good = np.empty(size), np.empty(size, bool)
    for i in range(0, size, _CHUNK):
        part = slice(i, min(i + _CHUNK, size))
        out[part], good[part] = propose(w[part], np.arange(part.start, part.stop))
    pending, trial = np.flatnonzero(~good), 0
    while pending.size:
        trial += 1
        owner, place = np.divmod(pending, each)
        w = encrypt(keys[owner], place.astype(np.uint64) + np.uint64(1), 0, trial, purpose)
        values, good = propose(w, pending)
        out[pending] = values
        pending = pending[~good]
    return out
