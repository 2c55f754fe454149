"""Arrays of another library than NumPy: which functions compute with them.

A primitive of CuPy's arrays is computed by CuPy's own function, found by NumPy's name once for each
function and class. NumPy's protocols would find it too, each time anew.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextvars import ContextVar
from functools import cache
from importlib import import_module
from types import FunctionType
from typing import Any

import numpy as np

from .arrays import NATIVE, is_a, library, ndarray
from .errors import DtypeError, NoRuleError, describe

#: Who looks at what other libraries compute, ``look(name, operands, params, answer)``; None for
#: nobody. See `debug.debug_cupy`.
WATCHED: ContextVar[Callable[..., None] | None] = ContextVar("WATCHED", default=None)


def implementation(fn: Callable[..., Any], cls: type) -> Callable[..., Any]:
    """The function that computes on arrays of a class what ``fn`` computes on NumPy's.

    fgrad's own are written for every library; operators ask the arrays.

    Raises:
        NoRuleError: the class's library has no such function.
    """
    if type(fn) is FunctionType and not fn.__module__.startswith("scipy."):
        return fn
    return _counterpart(fn, cls)


@cache
def _counterpart(fn: Callable[..., Any], cls: type) -> Callable[..., Any]:
    host, home, name = library(cls), home_of(fn), fn.__name__
    if home is None:
        return fn
    found: Any = host
    if home.startswith("scipy."):
        found = import_module(f"{host.__name__}x.{home}") if home == "scipy.special" else None
        found = host if found is not None and not hasattr(found, name) else found
    else:
        for part in home.split(".")[1:]:
            found = getattr(found, part, None)
    found = getattr(found, name, None)
    if found is None or found is fn:
        raise no_counterpart(f"{home.replace('numpy', 'np', 1)}.{name}", host)
    return found


def no_counterpart(name: str, host: Any) -> NoRuleError:
    """The error for a function that another library doesn't have."""
    title = "CuPy" if host.__name__ == "cupy" else host.__name__
    return NoRuleError(
        f"`{name}` wants NumPy arrays.",
        f"arrays of {title}, which has no function of that name",
        f"write it with functions that {title} has, or move the arrays first: "
        "fgrad.tree.to_host(x)",
    )


def home_of(fn: Callable[..., Any]) -> str | None:
    """The public module of a function of NumPy's or SciPy's; None for one of nobody's.

    >>> home_of(np.tanh), home_of(np.linalg.solve), home_of(abs)
    ('numpy', 'numpy.linalg', None)
    """
    if isinstance(fn, np.ufunc):
        return "numpy" if getattr(np, fn.__name__, None) is fn else "scipy.special"
    module = getattr(fn, "__module__", None) or ""
    public = ".".join(part for part in module.split(".") if part[0] != "_") if module else ""
    return public if public.partition(".")[0] in ("numpy", "scipy") else None


def foreign(operands: Sequence[Any]) -> type | None:
    """The class of the first operand that isn't NumPy's or Python's; None if there is none."""
    for x in operands:
        cls = type(x)
        if cls not in NATIVE and library(cls) is not np:
            return cls
    return None


def compute(name: str, fn: Callable[..., Any], operands: Sequence[Any], params: Any) -> Any:
    """``fn`` of plain operands, by the library of those that aren't NumPy's.

    Raises:
        NoRuleError: that library has no such function.
        DtypeError: arrays of several libraries are among the operands, which it refuses.
    """
    cls = foreign(operands)
    if cls is None:
        return fn(*operands, **params)
    own = implementation(fn, cls)
    # A number that stands in an array of the host's is a number there.
    operands = [x[()] if type(x) is ndarray and not x.ndim else x for x in operands]
    try:
        answer = own(*operands, **params)
    except (TypeError, ValueError, AttributeError) as e:
        refuse_mixed(name, operands, e)
        refuse_elsewhere(name, operands, e)
        raise
    if (look := WATCHED.get()) is not None:
        look(name, operands, params, answer)
    return answer


#: What CuPy says where it has no way to compute something.
_REFUSALS = ("Implicit conversion", "no implementation found", "returned NotImplemented")


def refuse_elsewhere(name: str, args: Sequence[Any], cause: Exception) -> None:
    """Say that a function failed because it is written for NumPy's arrays alone."""
    if any(text in str(cause) for text in _REFUSALS):
        cls = foreign(args)
        if cls is not None:
            raise no_counterpart(name, library(cls)) from cause


def refuse_mixed(name: str, operands: Sequence[Any], cause: Exception) -> None:
    """Say that an operation failed because its operands are on several devices."""
    if any(is_a(x, ndarray) for x in operands):
        raise DtypeError(
            f"`{name}` wants arrays of one library.",
            ", ".join(describe(x) for x in operands),
            "move them to one device first: fgrad.tree.to_device(x, like) or fgrad.tree.to_host(x)",
        ) from cause
