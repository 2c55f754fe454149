"""`callback` and `print`: what runs has the values, not the tracers."""

from __future__ import annotations

import builtins
import string
from collections.abc import Callable, Sequence
from typing import Any

from ..core import check_function
from ..effects import Axis, declare, elements, perform
from ..errors import ArgumentError, describe

CALLBACK = declare("debug_callback")


def callback(
    callback: Callable[..., None], *args: Any, ordered: bool = False, **kwargs: Any
) -> None:
    """Call a function with values, wherever these are traced.

    >>> import numpy as np
    >>> from fgrad import grad, vmap
    >>> seen = []
    >>> def f(x):
    ...     y = np.sin(x)
    ...     callback(seen.append, y)
    ...     return y * y
    >>> _ = grad(f)(0.0), vmap(f)(np.array([0.0, np.pi / 2]))
    >>> seen
    [np.float64(0.0), np.float64(0.0), np.float64(1.0)]

    It is called once for each time that the function runs, in the order of the program: under
    `vmap` once for each element (once in all if no argument depends on the element), in a graph
    when that is called, in a loop at each step. It isn't called a second time for what the way
    back computes again. If no argument is traced it is called at once, which in a function that
    becomes a graph is while that is made. Of `cond` under `vmap`, where elements differ, both
    branches call it for all elements.

    Args:
        callback: a function, whose result is ignored. What it raises is raised.
        args, kwargs: pytrees for it, of arrays and anything else. It gets arrays of its own,
            without mapped axes, which it may keep.
        ordered: accepted as JAX has it; callbacks always come in order.
    """
    check_function(callback, "debug.callback", direct=True)

    def do(axes: Sequence[Axis], xs: Sequence[Any], whole: Callable[..., Any]) -> None:
        for _, values in elements(axes, xs):
            args, kwargs = whole(values)
            callback(*args, **kwargs)

    perform(CALLBACK, do, getattr(callback, "__name__", type(callback).__name__), (args, kwargs))


def print(
    fmt: str, *args: Any, ordered: bool = False, skip_format_check: bool = False, **kwargs: Any
) -> None:
    """Print values, wherever these are traced.

    >>> import numpy as np
    >>> from fgrad import make_graph, vmap
    >>> def f(x):
    ...     print("x = {x:.1f}, {}", "fine", x=x)
    ...     return x * x
    >>> graph = make_graph(f)(1.0)
    >>> y = graph(2.0)
    x = 2.0, fine
    >>> ys = vmap(f)(np.array([3.0, 4.0]))
    x = 3.0, fine
    x = 4.0, fine

    Args:
        fmt: a format as of `str.format`; a string that was formatted already would hold tracers.
        args, kwargs: what goes into the format, pytrees of arrays or anything else.
        ordered: accepted as JAX has it; lines always come in order.
        skip_format_check: don't look at once whether format and arguments fit.

    Raises:
        ArgumentError: the format doesn't fit the arguments.

    When it prints, and how often: see `callback`.
    """
    if not isinstance(fmt, str):
        raise ArgumentError(
            "debug.print wants a format string first.",
            describe(fmt),
            'write debug.print("{}", x)',
        )
    if not skip_format_check:
        _check_format(fmt, args, kwargs)

    def show(*args: Any, **kwargs: Any) -> None:
        builtins.print(fmt.format(*args, **kwargs))

    show.__name__ = f"print({fmt!r})"
    callback(show, *args, **kwargs)


class _Fields(string.Formatter):
    """Finds the arguments of a format, and formats nothing."""

    def get_field(self, field_name: str, args: Any, kwargs: Any) -> Any:
        first = field_name.partition(".")[0].partition("[")[0]
        key = int(first) if first.isdigit() else first
        self.get_value(key, args, kwargs)
        return "", key

    def check_unused_args(self, used_args: Any, args: Any, kwargs: Any) -> None:
        unused = [k for k in [*range(len(args)), *kwargs] if k not in used_args]
        if unused:
            raise ValueError(f"no place for the argument {unused[0]!r}")

    def format_field(self, value: Any, format_spec: str) -> str:
        return ""


def _check_format(fmt: str, args: Any, kwargs: Any) -> None:
    came = ""
    try:
        _Fields().vformat(fmt, args, kwargs)
    except IndexError as e:
        came = f"more places than the {len(args)} arguments ({e})"
    except KeyError as e:
        came = f"no argument {e}"
    except ValueError as e:
        came = str(e)
    if came:
        raise ArgumentError(
            "debug.print wants a format with a place for each argument.",
            f"{fmt!r}, {came}",
            'write debug.print("x = {}, y = {y}", x, y=y); {{ and }} stand for braces',
        )
