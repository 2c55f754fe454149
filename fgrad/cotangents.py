"""Cotangents on their way back: of several answers, in parts, of an operand that was broadcast."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .core import Params, Primitive
from .rules import Deferred, unbroadcast


class Parts:
    """The cotangents of an operation with several answers, as ``(number of the answer, g)``."""

    __slots__ = ("parts",)

    def __init__(self, parts: list[Any]) -> None:
        self.parts = parts

    def __add__(self, other: Parts) -> Parts:
        return Parts(self.parts + other.parts)


def pull_general(
    cts: list[Any],
    g: Any,
    p: Primitive,
    active: list[int],
    parents: list[int],
    ans: Any,
    operands: list[Any],
    params: Params,
) -> None:
    """Pull a cotangent back through an operation of any number of operands and answers."""
    assert p.vjp is not None
    if p.several and type(g) is not Parts:  # of the only answer
        g = {0: g}
    elif p.several:
        parts: dict[int, Any] = {}
        for k, part in g.parts:
            parts[k] = parts[k] + part if k in parts else part
        g = parts
    for i, parent, c in zip(active, parents, p.vjp(active, g, ans, operands, params), strict=True):
        if c is None:
            continue
        if type(c) is not Deferred:
            c = unbroadcast(c, *shape_dtype(operands[i]))
        old = cts[parent]
        cts[parent] = c if old is None else old + c if type(c) is not Deferred else join(old, c)


def join(old: Any, c: Deferred) -> Any:
    """The sum, by the longer of two deferred cotangents, or by the one that knows how to add."""
    return old + c if type(old) is Deferred else c + old


def fitted(
    pull: Callable[..., Any],
    shape: tuple[int, ...],
    dtype: Any,
    g: Any,
    /,
    *args: Any,
    **params: Any,
) -> Any:
    """Pull back to an operand that was broadcast or promoted."""
    c = pull(g, *args, **params)
    return c if type(c) is Deferred else unbroadcast(c, shape, dtype)


def shape_dtype(x: Any) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Both, of an array, a tracer or a Python number."""
    try:
        return x.shape, x.dtype
    except AttributeError:  # a Python number
        return (), np.result_type(type(x))
