"""Doors: functions to import from fgrad, for plain and for traced arguments."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from .core import Tracer
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
    """The library's own function for plain arguments, ours where one of them is traced."""

    @functools.wraps(fn)
    def call(*args: Any, **kwargs: Any) -> Any:
        traced = has_tracer(args) or (kwargs and has_tracer((*kwargs.values(),)))
        return front(*args, **kwargs) if traced else fn(*args, **kwargs)

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
