"""Keys: the randomness of a function, as a value.

A key is an array of two uint64, so it passes through pytrees, vmap and graphs as other arrays do.
What is made of it depends on it alone.
"""

from __future__ import annotations

import contextlib
import functools
import math
import operator
import sys
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any

import numpy as np

from ..arrays import shape_of
from ..core import Tracer
from ..errors import ArgumentError, KeyReuseError, describe
from ..rules import constant, leading
from ..stage import StageTracer
from ..tracebacks import boundary
from .arguments import check_key, check_shape
from .philox import Purpose, encrypt, words

#: The key that seeds are encrypted with: digits of pi.
_ROOT = np.array([0x243F6A8885A308D3, 0x13198A2E03707344], np.uint64)
_ROOT.flags.writeable = False
_WORD = 1 << 64


def sampler(impl: Callable[..., Any]) -> Callable[..., Any]:
    """Declare a random function of a key and more operands: it is constant in all of them.

    Decorates what computes it, of any number of keys: operands and answer may have axes in front.
    """

    @functools.wraps(impl)
    def run(*operands: Any, **params: Any) -> Any:
        return impl(*operands, **params)[()]  # a number, where there are no axes

    return constant(run, lambda *operands, **params: (operands, params), batch=leading)


# ------------------------------------------------------------------ new keys
@sampler
def random_fold_in(key: Any, number: Any, kind: Any, *, purpose: int) -> Any:
    """New keys, of the blocks whose counters are given numbers."""
    keys = np.ascontiguousarray(key).reshape(-1, 2)
    new = encrypt(keys, 1, np.reshape(number, -1), np.reshape(kind, -1), Purpose(purpose))
    return np.ascontiguousarray(new[:, :2]).reshape(np.shape(key))


@sampler
def random_split(key: Any, *, num: int) -> Any:
    """So many new keys of each."""
    return words(key, 2 * num, Purpose.SPLIT).reshape(*np.shape(key)[:-1], num, 2)


#: The second counter word of `random_fold_in`: a number >= 0, one < 0, and the parts of long ones.
_PLAIN, _NEGATIVE, _LENGTH, _PART = map(np.uint64, range(4))


def _absorb(key: Any, data: Any, purpose: Purpose, name: str) -> Any:
    """A key made of a key and an integer of any size, plain or traced."""
    if isinstance(data, Tracer) or getattr(data, "dtype", None) is not None:
        if shape_of(data) or data.dtype.kind not in "iu":
            raise _no_integer(data, name)
        number = data.astype(np.uint64)
        kind = np.less(data, 0).astype(np.uint64)
        return random_fold_in(key, number, kind, purpose=int(purpose))
    try:
        value = operator.index(data)
    except TypeError:
        raise _no_integer(data, name) from None
    if -(_WORD >> 1) <= value < _WORD:
        parts = [(value % _WORD, _NEGATIVE if value < 0 else _PLAIN)]
    else:
        size = value.bit_length() // 64 + 1
        limbs = [(value >> (64 * i)) % _WORD for i in range(size)]
        parts = [(size, _LENGTH), *((limb, _PART) for limb in limbs)]
    for number, kind in parts:
        key = random_fold_in(key, np.uint64(number), kind, purpose=int(purpose))
    return key


def _no_integer(data: Any, name: str) -> ArgumentError:
    return ArgumentError(
        f"`{name}` wants an integer.",
        describe(data),
        "give an int, or a single number of an integer dtype; for many, "
        f"fgrad.vmap({name}) of an array of integers",
    )


@boundary
def key(seed: Any) -> Any:
    """A key, made of a number.

    >>> key(0)
    array([11216001632552772102, 10241920843624816142], dtype=uint64)
    >>> bool(np.all(key(0) == key(0)))
    True

    Args:
        seed: an integer of any size, negative ones too. Traced ones of an integer dtype, under
            vmap for example, give the keys that the same Python integers give.

    Returns:
        An array of two uint64. Unlike JAX's it is an ordinary array.

    Raises:
        ArgumentError: the seed is no integer.
    """
    return _absorb(_ROOT, seed, Purpose.SEED, "key")


@boundary
def split(key: Any, num: Any = 2) -> Any:
    """New keys, independent of each other and of all else that is made of the key.

    >>> k1, k2 = split(np.array([1, 2], np.uint64))
    >>> split(k1, 3).shape
    (3, 2)

    Args:
        key: a key. It is used up: whoever goes on to draw from it draws what others may draw.
        num: how many, or their shape. The first ones don't depend on how many there are.

    Returns:
        Keys, an array of shape (num, 2).
    """
    check_key(key, "split")
    shape = check_shape(num, "split")
    use(key, "split")
    return divide(key, *shape)


def divide(key: Any, *shape: int) -> Any:
    """`split`, for a function that has taken the key from the user."""
    new = random_split(key, num=math.prod(shape))
    return new if len(shape) == 1 else np.reshape(new, (*shape, 2))


@boundary
def fold_in(key: Any, data: Any) -> Any:
    """A new key, made of a key and a number, such as that of a step of a loop.

    >>> steps = [fold_in(np.array([1, 2], np.uint64), i) for i in range(2)]
    >>> bool(np.any(steps[0] == steps[1]))
    False

    Args:
        key: a key. It isn't used up: other numbers make other keys of it.
        data: an integer, as for `key`.

    Returns:
        A key, independent of those that `split` makes of the same key.
    """
    check_key(key, "fold_in")
    return _absorb(key, data, Purpose.FOLD, "fold_in")


# ------------------------------------------------------------------ keys used twice
_USED: ContextVar[dict[tuple[int, int], tuple[str, str]] | None] = ContextVar("used", default=None)


@contextlib.contextmanager
def check_reuse() -> Iterator[None]:
    """Raise an error where a key is used a second time, inside a `with` statement.

    Samples of one key are not independent. Every function that draws numbers uses its key up, and
    so does `split`; `fold_in` doesn't. Under vmap all keys of the batch count. While a graph is
    being made nothing does, for nothing is drawn yet, nor when it is called. Other threads aren't
    watched.

    >>> from fgrad import random
    >>> with check_reuse():
    ...     k = random.key(0)
    ...     x = random.normal(k), random.uniform(k)
    Traceback (most recent call last):
    ...
    fgrad.errors.KeyReuseError: `uniform` wants a key that has not been used before.
      It got: a key that `normal` has used at ...
      To do: make a key for each: k1, k2 = fgrad.random.split(key)
    """
    token = _USED.set({})
    try:
        yield
    finally:
        _USED.reset(token)


def use(key: Any, name: str) -> None:
    """Note that a function uses a key up, and refuse it the second time: inside `check_reuse`."""
    used = _USED.get()
    if used is None:
        return
    while isinstance(key, Tracer):
        if isinstance(key, StageTracer):
            return
        key = key.value
    place = _place()
    for pair in np.reshape(key, (-1, 2)).tolist():
        row = (pair[0], pair[1])
        if row in used:
            before, where = used[row]
            raise KeyReuseError(
                f"`{name}` wants a key that has not been used before.",
                f"a key that `{before}` has used at {where}",
                "make a key for each: k1, k2 = fgrad.random.split(key)",
            )
        used[row] = (name, place)


def _place() -> str:
    """The line that calls fgrad."""
    frame: Any = sys._getframe(2)
    while frame.f_back and str(frame.f_globals.get("__name__", "")).startswith("fgrad."):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"
