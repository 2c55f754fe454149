"""Functions of other libraries: what they are called, and how their rules are found.

SciPy is an extra, and importing it takes longer than everything else in fgrad. Its rules stand in
`fgrad.scipy`, which is imported when the user imports it, or when one of SciPy's ufuncs first
meets a traced array.
"""

from __future__ import annotations

import importlib
import importlib.util
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
        return ".".join([*(part for part in module.split(".") if part[0] != "_"), name])
    return f"{module}.{name}".replace("numpy.", "np.", 1)


def is_special(fn: Callable[..., Any]) -> bool:
    """Whether a function is one of `scipy.special`, which need not be imported."""
    special = sys.modules.get("scipy.special")
    return special is not None and getattr(special, fn.__name__, None) is fn


def late_front(ufunc: Callable[..., Any]) -> Callable[..., Any] | None:
    """What to do for a ufunc of SciPy's, whose declarations may not be imported yet."""
    if is_special(ufunc):
        importlib.import_module("fgrad.scipy.special")
    return FRONTS.get(ufunc)


def instead_of_scipy() -> str | None:
    """What to type if one of SciPy's functions is turning a traced array into a plain one."""
    frame, found = sys._getframe(1), None
    while frame := frame.f_back:  # type: ignore[assignment]
        module = str(frame.f_globals.get("__name__", ""))
        if module.startswith("scipy._lib"):  # a decorator, which holds the function that it wraps
            held = (frame.f_locals.get(name) for name in ("f", "fn", "func"))
            inner = next((f for f in held if callable(f)), None)
            found = qualified(inner) if inner is not None else found
        elif module.startswith("scipy."):
            found = ".".join([*module.split(".")[:2], frame.f_code.co_name])
        elif found and not module.startswith(("numpy", "fgrad.")):
            break
    home, _, name = (found or "").rpartition(".")
    if not home or importlib.util.find_spec(f"fgrad.{home}") is None:
        return None
    if not hasattr(importlib.import_module(f"fgrad.{home}"), name):
        return None
    return f"call fgrad.{found}, which differentiates (import fgrad.{home})"
