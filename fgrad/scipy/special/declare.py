"""Ways to declare a special function, beside those of `rules`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...doors import door, has_tracer
from ...elsewhere import qualified
from ...errors import NoRuleError
from ...libraries import compute
from ...rules import elementwise, line_up, primitive, total


def refuse(function: str, argument: str, to_do: str) -> Callable[..., Any]:
    """A partial derivative that there is none of: raised when it is asked for."""

    def partial(ans: Any, *operands: Any) -> Any:
        raise NoRuleError(
            f"`scipy.special.{function}` has no derivative in {argument}.",
            f"a value of {argument} that is being differentiated",
            to_do,
        )

    return partial


def whole(function: str, argument: str = "n") -> Callable[..., Any]:
    """The partial derivative in an argument that SciPy takes as a whole number."""
    to_do = f"pass `{argument}` as an integer, or fgrad.stop_gradient({argument})"
    return refuse(function, f"`{argument}`, which is a whole number", to_do)


def function(fn: Callable[..., Any], *partials: Any) -> Callable[..., Any]:
    """`elementwise` for a function that asks no protocol; what comes back is its `door`."""

    # The traces call the impl on values of outer traces, as they do NumPy's functions.
    def impl(*xs: Any) -> Any:
        return front(*xs) if has_tracer(xs) else compute(qualified(fn), fn, xs, {})

    front = elementwise(fn, *partials, impl=impl)
    return door(fn, front)


def general(fn: Callable[..., Any], *partials: Callable[..., Any]) -> Callable[..., Any]:
    """`elementwise` for a function whose answer may be complex where all operands are real."""

    def jvp(ts: Any, ans: Any, *xs: Any) -> Any:
        return total([t * d(ans, *xs) for t, d in zip(ts, partials, strict=True) if t is not None])

    def pull(d: Callable[..., Any]) -> Callable[..., Any]:
        return lambda g, ans, *xs: g * d(ans, *xs)

    return primitive(fn, jvp=jvp, vjp=[pull(d) for d in partials], batch=line_up)(
        lambda *xs: ([_exact_as(np.float64, x) for x in xs], {})
    )


def integers(x: Any) -> Any:
    """Integers of 64 bits: small ones would overflow in rules."""
    return _exact_as(np.int64, x)


def _exact_as(dtype: Any, x: Any) -> Any:
    """An array of integers or booleans in another dtype; others as they are."""
    return np.astype(x, dtype) if getattr(x, "dtype", _FLOAT).kind in "biu" else x


_FLOAT = np.dtype(np.float64)


def several(
    fn: Callable[..., Any], slopes: Callable[[Any, Any], tuple[Any, ...]]
) -> Callable[..., Any]:
    """Declare a ufunc of one operand and several answers by ``slopes(answers, x)``."""

    def pulled(g: Any, ans: Any, x: Any) -> Any:
        return weighted(g, slopes(ans, x))

    declare = primitive(
        fn,
        jvp=lambda ts, ans, x: tuple(ts[0] * d for d in slopes(ans, x)),
        vjp=[pulled],
        batch=line_up,
        several=True,
    )
    return declare(lambda x: ((x,), {}))


def weighted(g: dict[int, Any], slopes: Sequence[Any]) -> Any:
    """The cotangent of an operand from those of some of several answers, by number."""
    return total([g[i] * d for i, d in enumerate(slopes) if i in g])
