"""Doors: functions to import from fgrad, for plain and for traced arguments."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from .arrays import is_cupy
from .core import Tracer, full_lower
from .elsewhere import qualified
from .libraries import refuse_elsewhere
from .tracer import register


def has_tracer(x: Any) -> bool:
    """Whether there is a traced value in x, or anywhere in nested lists and tuples of it."""
    stack = [x]
    while stack:
        y = stack.pop()
        if isinstance(y, Tracer):
            return True
        if isinstance(y, (list, tuple)):
            stack.extend(y)
    return False


def door(fn: Callable[..., Any], front: Callable[..., Any]) -> Callable[..., Any]:
    """NumPy's or SciPy's own function for their arrays, ours for traced ones and CuPy's."""

    @functools.wraps(fn)
    def call(*args: Any, **kwargs: Any) -> Any:
        ours = has_tracer(args) or (kwargs and has_tracer((*kwargs.values(),)))
        ours = ours or any(map(is_cupy, args))
        if not ours:
            return fn(*args, **kwargs)
        try:
            return front(*args, **kwargs)
        except TypeError as e:
            refuse_elsewhere(qualified(fn), [full_lower(x) for x in args], e)
            raise

    return call


def offers(fn: Callable[..., Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Declare what a library's function is for traced values; what comes back is its `door`.

    For functions that ask no protocol, such as those of `scipy.linalg`: the name below this
    decorator is what users import, and `fn` is what the tests' table calls it.
    """

    def declare(front: Callable[..., Any]) -> Callable[..., Any]:
        register(fn, front)
        return door(fn, front)

    return declare
