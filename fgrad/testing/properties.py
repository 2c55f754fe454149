"""`laws`: a function and a strategy for its arguments, made into one property-based test."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from fgrad.core import check_function
from fgrad.errors import ArgumentError, name_of

from .gradients import check_grads, nest, pulled, pushed, random_cotangent
from .leaves import Opened, random_like
from .remainders import Given
from .strategies import Strategy, given, tuples
from .transforms import check_dtypes, check_staging, check_vmap


def _forward(f: Callable[..., Any], args: Sequence[Any]) -> None:
    check_grads(f, args, order=1, modes=("fwd",))


def _reverse(f: Callable[..., Any], args: Sequence[Any]) -> None:
    check_grads(f, args, order=1, modes=("rev",))


def _second(f: Callable[..., Any], args: Sequence[Any]) -> None:
    for what, point in _derivatives(f, args).items():
        nest(point, 1, ("fwd", "rev"), Given(), what, 5)


def _batched(f: Callable[..., Any], args: Sequence[Any]) -> None:
    for what, point in _derivatives(f, args).items():
        check_vmap(point.call, tuple(point.xs), sizes=(3,), err_msg=what)


def _derivatives(f: Callable[..., Any], args: Sequence[Any]) -> dict[str, Opened]:
    """The jvp and the vjp in random directions."""
    point = Opened(f, args)
    rng = np.random.default_rng(3)
    ts = random_like(point.xs, rng)
    with np.errstate(all="ignore"):
        g = random_cotangent(point.call(*point.xs), 3)
    name = name_of(f)
    return {f"jvp of {name}": pushed(point, ts), f"vjp of {name}": pulled(point, g)}


#: The laws by name.
LAWS: dict[str, Callable[[Callable[..., Any], Sequence[Any]], None]] = {
    "forward": _forward,
    "reverse": _reverse,
    "second order": _second,
    "vmap": check_vmap,
    "vmap of derivatives": _batched,
    "staging": check_staging,
    "dtypes": check_dtypes,
}


def laws(
    f: Callable[..., Any],
    *strategies: Strategy,
    args: Strategy | None = None,
    without: Mapping[str, str] | None = None,
) -> Callable[[], None]:
    """Make a test of all laws: a function's derivatives, their derivatives, vmap, graphs, dtypes.

    >>> import numpy as np
    >>> from fgrad.testing import laws, strategies as st
    >>> test_softplus = laws(lambda x: np.log1p(np.exp(x)), st.arrays())
    >>> test_hypot = laws(np.hypot, args=st.broadcastable(2, away_from=(0.0,)))
    >>> test_relu = laws(lambda x: np.maximum(x, 0), st.arrays(away_from=(0.0,)))
    >>> test_relu()

    Args:
        f: the function. Arguments that are no arrays and no floats (axes, subscripts) stay as
            they are drawn.
        *strategies: one for each argument.
        args: or one for all of them together, a strategy of tuples.
        without: laws to leave out, by name (`LAWS` has them), each with the reason.

    Returns:
        A test for pytest, or to be called. The profile of hypothesis that is loaded says how many
        arguments it draws.

    Raises:
        ArgumentError: there is no such law, or no reason, or not one of ``strategies``, ``args``.
    """
    check_function(f, "laws")
    skipped = dict(without or {})
    for name, reason in skipped.items():
        if name not in LAWS or not (isinstance(reason, str) and reason.strip()):
            raise ArgumentError(
                f"laws wants to leave out some of {', '.join(LAWS)}, each with a reason.",
                f"{name!r}: {reason!r}",
                'write without={"staging": "looks at values"}',
            )
    if bool(strategies) == (args is not None):
        raise ArgumentError(
            "laws wants a strategy for each argument, or one for all of them.",
            f"{len(strategies)} strategies and args={args!r}",
            "write laws(f, st.arrays()), or laws(f, args=st.broadcastable(2))",
        )
    drawn = tuples(*strategies) if args is None else args

    @given(drawn)
    def test(arguments: Any) -> None:
        for name, law in LAWS.items():
            if name not in skipped:
                law(f, arguments)

    test.__doc__ = f"The laws for {name_of(f)}."
    return test
