"""Tracebacks that show the user's own lines: fgrad's frames are taken out where an error leaves.

A public function is marked by `boundary`. What is raised below it loses the frames that belong to
this package, in the exception itself and in those that led to it; the exception is the same object
with the same text. ``FGRAD_TRACEBACK=full`` in the environment keeps all frames, and so does
`full_tracebacks` for a block of code.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import FunctionType, TracebackType
from typing import Any, TypeVar

from .errors import FgradError

F = TypeVar("F", bound=FunctionType | Callable[..., Any])

#: The folders whose files are left out, and what the names of generated code begin with.
PACKAGE = os.path.dirname(os.path.abspath(__file__))
OURS = (PACKAGE + os.sep, PACKAGE + "_nn" + os.sep, "<fgrad")

NOTE = "(fgrad's own frames are left out; FGRAD_TRACEBACK=full in the environment shows them)"

#: What a line of fgrad's raises for wrong operands of the user's, whose own line says enough.
EXPECTED = (FgradError, TypeError, ValueError, IndexError, ArithmeticError, MemoryError)

_FULL: ContextVar[bool] = ContextVar("full_tracebacks", default=False)


@contextmanager
def full_tracebacks() -> Iterator[None]:
    """Keep fgrad's own frames in the tracebacks of errors raised in this block.

    >>> import numpy as np, traceback
    >>> from fgrad import debug, grad
    >>> def frames():
    ...     try:
    ...         grad(np.exp)(np.ones(2))
    ...     except ValueError as e:
    ...         return len(traceback.extract_tb(e.__traceback__))
    >>> with debug.full_tracebacks():
    ...     many = frames()
    >>> many > 1
    True
    """
    token = _FULL.set(True)
    try:
        yield
    finally:
        _FULL.reset(token)


def boundary(f: F) -> F:
    """Mark a function that users call: errors leave it without fgrad's frames."""
    hide = hide_frames

    def public(*args: Any, **kwargs: Any) -> Any:
        try:
            return f(*args, **kwargs)
        except BaseException as e:
            hide(e)
            raise  # of the changed traceback, and without an entry for this line

    # With the globals of `f`, because doctest passes over functions of another module's.
    made = FunctionType(public.__code__, f.__globals__, f.__name__, None, public.__closure__)
    return functools.update_wrapper(made, f)  # type: ignore[return-value]


def hide_frames(e: BaseException) -> None:
    """Take fgrad's frames out of the traceback of an exception and of those behind it."""
    if _FULL.get() or os.environ.get("FGRAD_TRACEBACK") == "full":
        return
    if isinstance(e, Exception) and not isinstance(e, EXPECTED) and _raised_by_us(e):
        e.add_note(NOTE)
    waiting: list[BaseException | None] = [e]
    seen: set[int] = set()
    while waiting:
        each = waiting.pop()
        if each is not None and id(each) not in seen:
            seen.add(id(each))
            each.__traceback__ = _without_ours(each.__traceback__)
            waiting += [each.__cause__, each.__context__]
            if isinstance(each, BaseExceptionGroup):
                waiting += each.exceptions


def _raised_by_us(e: BaseException) -> bool:
    """Whether the line that raised is one of fgrad's: then its frames may be what is looked for."""
    tb = e.__traceback__
    while tb is not None and tb.tb_next is not None:
        tb = tb.tb_next
    return tb is not None and _is_ours(tb)


def _is_ours(tb: TracebackType) -> bool:
    return tb.tb_frame.f_code.co_filename.startswith(OURS)


def _without_ours(tb: TracebackType | None) -> TracebackType | None:
    kept = []
    while tb is not None:
        if not _is_ours(tb):
            kept.append(tb)
        tb = tb.tb_next
    head = None
    for tb in reversed(kept):
        tb.tb_next = head
        head = tb
    return head
