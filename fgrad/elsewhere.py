"""Functions of other libraries: what they are called, and how their rules are found.

SciPy is an extra, and importing it takes longer than everything else in fgrad. Its rules stand in
`fgrad.scipy`, which is imported when the user imports it, or when one of SciPy's ufuncs first
meets a traced array.
"""

from __future__ import annotations

import dis
import importlib
import importlib.util
import itertools
import linecache
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from .core import FRONTS


def qualified(fn: Callable[..., Any]) -> str:
    """The name under which users know a function; a ufunc of elsewhere by its bare name.

    >>> qualified(np.tanh), qualified(np.linalg.norm)
    ('np.tanh', 'np.linalg.norm')
    """
    name = getattr(fn, "__name__", repr(fn))
    if isinstance(fn, np.ufunc):
        if getattr(np, name, None) is fn:
            return f"np.{name}"
        return f"scipy.special.{name}" if is_special(fn) else name
    module = getattr(fn, "__module__", None) or "numpy"
    if module.startswith("scipy."):  # scipy.linalg._matfuncs, which is nobody's to import
        return f"{_public(module)}.{name}"
    return f"{module}.{name}".replace("numpy.", "np.", 1)


def _public(module: str) -> str:
    """The module that users import: ``scipy.linalg`` of ``scipy.linalg._matfuncs``."""
    return ".".join(itertools.takewhile(lambda part: part[0] != "_", module.split(".")))


def is_special(fn: Callable[..., Any]) -> bool:
    """Whether a function is one of `scipy.special`, which need not be imported."""
    special = sys.modules.get("scipy.special")
    return special is not None and getattr(special, fn.__name__, None) is fn


def late_front(ufunc: Callable[..., Any]) -> Callable[..., Any] | None:
    """What to do for a ufunc of SciPy's, whose declarations may not be imported yet."""
    if is_special(ufunc):
        importlib.import_module("fgrad.scipy.special")
    return FRONTS.get(ufunc)


def _called(frame: Any) -> str:
    """The function that a frame runs; a distribution's methods as ``norm.logpdf``."""
    name, owner = frame.f_code.co_name, frame.f_locals.get("self")
    if name == "__ua_function__":  # of scipy.fft, which asks its backends
        return str(frame.f_locals["method"].__name__)
    owner = type(getattr(owner, "dist", owner)).__name__  # what a frozen distribution is made of
    if owner.endswith("_gen"):
        owner = owner.removesuffix("_gen")
        return owner if name in ("__call__", "freeze") else f"{owner}.{name}"
    return owner if name in ("__init__", "__call__") else name


def instead_of_scipy() -> str | None:
    """What to type if one of SciPy's functions is turning a traced array into a plain one."""
    frame, found = sys._getframe(1), None
    while frame := frame.f_back:  # type: ignore[assignment]
        module = str(frame.f_globals.get("__name__", ""))
        if module.startswith(("scipy._lib", "scipy.stats._axis_nan_policy")):
            # A decorator, which holds the function that it wraps.
            held = (frame.f_locals.get(name) for name in ("f", "fn", "func", "hypotest_fun_in"))
            inner = next((f for f in held if callable(f)), None)
            found = qualified(inner) if inner is not None else found
        elif module.startswith("scipy."):
            found = f"{_public(module)}.{_called(frame)}"
        elif found and not module.startswith(("numpy", "fgrad.")):
            break
    words = (found or "").split(".")
    home = ".".join(words[: 2 if "stats" in words else -1])
    if not home or importlib.util.find_spec(f"fgrad.{home}") is None:
        return None
    ours: Any = importlib.import_module(f"fgrad.{home}")
    for name in words[home.count(".") + 1 :]:
        ours = getattr(ours if ours.__class__ is type(sys) else type(ours), name, None)
    if ours is None:
        return None
    return f"call fgrad.{found}, which differentiates (import fgrad.{home})"


def _callee(frame: Any) -> Any:
    """The function that a frame is calling, if its source says so by names; else None.

    A function that is written in C has no frame of its own.
    """
    places = itertools.islice(frame.f_code.co_positions(), frame.f_lasti // 2, None)
    line, _, column, _ = next(places, (None,) * 4)
    if line is None or column is None:
        return None
    text = linecache.getline(frame.f_code.co_filename, line).encode()[column:].decode()
    root, *names = text.partition("(")[0].split(".")
    found = {**frame.f_globals, **frame.f_locals}.get(root)
    for name in names:
        # Properties of the user's objects are not for us to call.
        look = getattr if isinstance(found, type(sys)) or _draws(found) else _stored
        found = look(found, name.strip(), None)
    return found


def _draws(x: Any) -> bool:
    """Whether it is one of NumPy's generators; NumPy imports their module when it is asked for."""
    return any(cls.__module__.startswith("numpy.random.") for cls in type(x).__mro__)


def _stored(x: Any, name: str, default: Any) -> Any:
    return getattr(x, "__dict__", {}).get(name, default)


def instead_of_numpy() -> str | None:
    """What to type if NumPy's function, or writing into an array, asks for a plain array."""
    frame = sys._getframe(2)  # who made the array of the traced value
    callee = _callee(frame)
    if callee is np.arange:
        return (
            "np.arange has as many elements as its arguments say, so these must be plain: write "
            "start + step * np.arange(n) with a plain n, or np.linspace(start, stop, n)"
        )
    if getattr(callee, "__module__", None) == "numpy.random" or _draws(
        getattr(callee, "__self__", None)
    ):
        return (
            "NumPy's random numbers have no derivatives in their parameters: draw with "
            "fgrad.random and a key, as in loc + scale * fgrad.random.normal(key, shape) or "
            "fgrad.random.gamma(key, a, shape)"
        )
    if dis.opname[frame.f_code.co_code[frame.f_lasti]] == "STORE_SUBSCR":
        return "a[i] = x writes into a plain array; a = fgrad.at(a)[i].set(x) makes a changed copy"
    name = None
    while frame is not None and str(frame.f_globals.get("__name__", "")).startswith("numpy"):
        owner = type(frame.f_locals.get("self")).__name__
        name = {"RClass": "r_", "CClass": "c_", "vectorize": "vectorize"}.get(
            owner, frame.f_code.co_name
        )
        frame = frame.f_back  # type: ignore[assignment]
    known = name in ("r_", "c_", "vectorize") or getattr(np, str(name), None) in {*FRONTS}
    return (
        f"call fgrad.numpy.{name}, which sees all traced arguments; np.stack([x, y]) makes one "
        "array of a list"
        if known
        else None
    )
