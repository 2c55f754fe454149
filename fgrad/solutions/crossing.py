"""Crossing: numbers that go from one device to another as operations, which have derivatives.

Solvers go by values, on the host. Their unknowns, and what is left of the equations, cross at each
evaluation of the user's functions, which compute where their arrays are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..arrays import is_cupy
from ..core import Params, Primitive, bind


def _crossing(name: str, impl: Callable[..., Any], back: Callable[[], Primitive]) -> Primitive:
    """A linear operation that changes no number, and the way back as its transpose."""

    def jvp(ans: Any, xs: Sequence[Any], ts: Sequence[Any], params: Params) -> Any:
        return None if ts[0] is None else bind(p, ts, params)

    def vjp(active: Any, g: Any, ans: Any, xs: Any, params: Params) -> list[Any]:
        return [bind(back(), (g,), params)]

    def batch(p: Primitive, size: int, xs: Sequence[Any], batched: Any, params: Params) -> Any:
        return bind(p, xs, params)

    p = Primitive(name, impl, jvp, vjp, batch)
    return p


_THERE: Primitive = _crossing("host_to_device", lambda x, host: host.asarray(x), lambda: _HERE)
_HERE: Primitive = _crossing(
    "device_to_host", lambda x, host: x.get() if is_cupy(x) else x, lambda: _THERE
)


def to_there(x: Any, host: Any) -> Any:
    """A number or an array of the host's as an array of a module's, CuPy."""
    return bind(_THERE, (x,), {"host": host})


def to_here(x: Any, host: Any) -> Any:
    """An array of a module's as one of the host's, which waits for it."""
    return bind(_HERE, (x,), {"host": host})
