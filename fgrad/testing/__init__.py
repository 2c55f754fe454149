"""Checks of derivatives and of other transformations, and strategies to draw arguments for them.

The checks need NumPy alone. `laws` and the strategies need hypothesis, and are imported when they
are first asked for: ``from fgrad.testing import strategies as st``.

    ====================  ================================================================
    `check_grads`         all derivatives of a function, in all nestings up to an order
    `check_jvp`           a forward derivative, yours or fgrad's
    `check_vjp`           a reverse derivative, yours or fgrad's
    `check_vmap`          vmap is the stack of calls
    `check_staging`       a graph is the function on other data
    `check_dtypes`        a derivative has its primal's dtype
    `taylor`              what is found in one direction, as data
    `laws`                all of these as one property-based test
    `strategies`          arrays, trees, axes, subscripts for hypothesis
    ====================  ================================================================
"""

from __future__ import annotations

import importlib
from typing import Any

from .failures import CheckError as CheckError
from .failures import Verdict as Verdict
from .gradients import check_grads as check_grads
from .gradients import check_jvp as check_jvp
from .gradients import check_vjp as check_vjp
from .remainders import Taylor as Taylor
from .remainders import taylor as taylor
from .transforms import check_dtypes as check_dtypes
from .transforms import check_staging as check_staging
from .transforms import check_vmap as check_vmap

#: The names that need hypothesis, and the modules that have them.
_LATE = {"laws": "properties", "LAWS": "properties", "strategies": "strategies"}


def __getattr__(name: str) -> Any:
    """Import what needs hypothesis when it is asked for."""
    if name not in _LATE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module(f".{_LATE[name]}", __name__)
    return module if name == "strategies" else getattr(module, name)
