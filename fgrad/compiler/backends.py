"""Backends: what compiled functions are made of, NumPy's calls or machine code, and who says so."""

from __future__ import annotations

import functools
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace

from ..errors import ArgumentError
from .native import available, native_options
from .passes import Options

#: What `jit` can make of a function.
BACKENDS = ("numpy", "native", "auto")

_CHOSEN: ContextVar[str | None] = ContextVar("backend", default=None)


@contextmanager
def jit_backend(name: str) -> Iterator[None]:
    """Make the programs of compiled functions by a backend, in this block.

    It holds for functions that are compiled without a ``backend`` of their own, and for programs
    that are made in the block; those that are there already are used as they are.

    >>> import numpy as np
    >>> from fgrad import jit
    >>> f = jit(lambda x: np.sum(x * x))
    >>> with jit_backend("numpy"):
    ...     float(f(np.ones(3)))
    3.0

    Args:
        name: "numpy", "native" or "auto", as for `jit`.

    Raises:
        ArgumentError: there is no backend of that name.
    """
    token = _CHOSEN.set(check_backend(name, "jit_backend wants"))
    try:
        yield
    finally:
        _CHOSEN.reset(token)


def check_backend(name: object, who: str) -> str:
    """Refuse a name that is none."""
    if isinstance(name, str) and name in BACKENDS:
        return name
    raise ArgumentError(
        f"{who} the name of a backend.",
        repr(name),
        'say "numpy", "native" (machine code, by llvmlite) or "auto" (which of both is faster)',
    )


def resolved(options: Options, strict: bool) -> Options:
    """The options of a program that is made now: with the backend that is to be taken.

    Raises:
        ArgumentError: the environment names none; or, with ``strict``, machine code can't be made.
    """
    name = options.backend or _CHOSEN.get()
    if name is None:
        name = os.environ.get("FGRAD_BACKEND") or "numpy"
        check_backend(name, "The variable FGRAD_BACKEND wants")
    if name == "numpy":
        return replace(options, backend="numpy")
    reason = available()
    if reason is None:
        return native_options(options) if name == "native" else replace(options, backend="auto")
    if name == "native":
        if strict:
            raise ArgumentError(
                'jit wants what machine code is made with, for backend="native".',
                reason,
                'python -m pip install "fgrad[native]", or leave out strict=True to run as NumPy',
            )
        _warn(reason)
    return replace(options, backend="numpy")


@functools.cache
def _warn(reason: str) -> None:
    """Say once why there is no machine code."""
    warnings.warn(
        f"compiled functions run as NumPy, without machine code: {reason}", RuntimeWarning,
        stacklevel=2,
    )  # fmt: skip
