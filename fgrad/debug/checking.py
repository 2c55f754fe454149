"""`check`: conditions that are to hold where values are traced."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..arrays import aval, shape_of
from ..core import Tracer, is_traceable
from ..effects import Axis, declare, elements, perform
from ..errors import CheckError, DtypeError, describe

CHECK = declare("check")


def check(pred: Any, msg: str, *args: Any, **kwargs: Any) -> None:
    """Raise an error if a condition doesn't hold, wherever it is traced.

    ``if`` and ``assert`` do that where values are known; this works under `vmap` and in graphs
    too. `jax.experimental.checkify` returns the error and wants the function to be wrapped.

    >>> import numpy as np
    >>> from fgrad import vmap
    >>> def root(x):
    ...     check(x >= 0, "x must not be negative, it is {x}", x=x)
    ...     return np.sqrt(x)
    >>> vmap(root)(np.array([4.0, -1.0, 9.0, -2.0]))
    Traceback (most recent call last):
    ...
    fgrad.errors.CheckError: x must not be negative, it is -1.0
      It got: a condition that is False for elements 1, 3 of 4; of the first of these, x=-1.0
      To do: correct the values that lead here; to go on without them, catch CheckError

    Args:
        pred: booleans, of any shape, that are all to be True.
        msg: what is wrong if they aren't, a format as of `str.format` for args and kwargs.
        args, kwargs: values for the message; pytrees of arrays or anything else.

    Raises:
        CheckError: the condition doesn't hold: at once or, in a graph, when that is called.
        DtypeError: ``pred`` isn't boolean.

    Under ``vmap(..., chunk_size=n)`` elements are counted within their chunk.
    """
    if not is_traceable(pred) or aval(pred).dtype.kind != "b":
        raise DtypeError(
            "debug.check wants a condition that is boolean.",
            describe(pred),
            "compare: check(x > 0, ...); for integers check(n != 0, ...)",
        )

    traced = isinstance(pred, Tracer)

    def do(axes: Sequence[Axis], xs: Sequence[Any], whole: Callable[..., Any]) -> None:
        if bool(np.all(xs[0] if traced else pred)):
            return
        failed = [(place, found) for place, values in elements(axes, xs)
                  if not np.all((found := whole(values))[0])]  # fmt: skip
        if failed:  # of a batch there may be no element
            raise _error(msg, [size for size, _ in reversed(axes)], failed)

    perform(CHECK, do, f"check({msg!r})", (pred, args, kwargs))


def _error(msg: str, sizes: Sequence[int], failed: Sequence[Any]) -> CheckError:
    """The error of elements that fail, each given as its place and its values."""
    pred, args, kwargs = failed[0][1]
    came = "a condition that is False"
    if sizes:
        names = [str(p[0]) if len(p) == 1 else str(p) for p, _ in failed]
        shown = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
        came += f" for element{'s' if len(names) > 1 else ''} {shown} of "
        came += " x ".join(map(str, sizes))
    if shape_of(pred):
        wrong = np.argwhere(np.logical_not(pred))
        came += f" at {len(wrong)} of {pred.size} places, the first {wrong[0].tolist()}"
    values = [_short(x) for x in args] + [f"{k}={_short(x)}" for k, x in kwargs.items()]
    if values:
        of = "; of the first of these, " if len(failed) > 1 else "; "
        came += of + ", ".join(values)
    return CheckError(
        msg.format(*args, **kwargs) if args or kwargs else msg,
        came,
        "correct the values that lead here; to go on without them, catch CheckError",
    )


def _short(x: Any) -> str:
    text = " ".join(str(x).split())
    return text if len(text) <= 200 else f"{text[:197]}..."
