"""Auto: a program that begins as NumPy's calls, and becomes machine code if that pays.

When its calls have taken as long as compiling may, machine code is made beside them, by another
thread, of all paths that have been taken. Then some calls are done both ways, and the faster of the
two stays.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from statistics import median
from time import perf_counter
from typing import Any, Protocol

#: Seconds that a program has run before machine code is made of it.
WORTH = 1.0
#: Calls that are timed before one of the two is chosen.
TRIALS = 5


class Root(Protocol):
    """The first segment of a tree of paths."""

    code: Any


class Programs(Protocol):
    """What can be compiled either way."""

    root: Any

    @property
    def has_effects(self) -> bool:
        """Whether a call does something that it must not do twice."""

    def native(self) -> Root | None:
        """The tree as machine code; None if there is nothing that it can be made of."""

    def keep(self, root: Any) -> None:
        """Forget the other tree."""


class Auto:
    """Runs a program, at first as NumPy's calls.

    Args:
        programs: the tree of its paths.
        absent: what a program answers to a call that it isn't made for.
    """

    def __init__(self, programs: Programs, absent: Any) -> None:
        self._programs, self._absent = programs, absent
        self._root: Root = programs.root
        self._code: Callable[..., Any] = self._root.code
        self._spent = 0.0
        self._last: deque[float] = deque(maxlen=TRIALS)
        self._trials: list[tuple[float, float]] = []
        self._lock = threading.Lock()
        self._native: Root | None = None
        self._run: Callable[..., Any] = self._watched
        self.said = "watched: it has not run for long enough to be worth machine code"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The program's answer."""
        return self._run(*args, **kwargs)

    def _watched(self, *args: Any, **kwargs: Any) -> Any:
        start = perf_counter()
        out = self._code(*args, **kwargs)
        if out is not self._absent:
            took = perf_counter() - start
            self._spent += took
            self._last.append(took)
            if self._spent > WORTH:
                with self._lock:
                    if self._run == self._watched:
                        self._run = self._code
                        threading.Thread(target=self._compile, name="fgrad native").start()
        return out

    def _compile(self) -> None:
        native = self._programs.native()
        if native is None:
            self._programs.keep(self._root)
            self.said = "NumPy: there is nothing in it for machine code"
        else:
            self._native = native
            self.said = "machine code, on trial"
            self._run = self._alone if self._programs.has_effects else self._both

    def _both(self, *args: Any, **kwargs: Any) -> Any:
        """A call on trial: done both ways, for each call may take another path."""
        assert self._native is not None
        codes = [self._native.code, self._code]
        times = [0.0, 0.0]
        out = self._absent
        for k in (0, 1) if len(self._trials) % 2 else (1, 0):
            start = perf_counter()
            out = codes[k](*args, **kwargs)
            times[k] = perf_counter() - start
            if out is self._absent:
                return out
        self._note(times[0], times[1])
        return out

    def _alone(self, *args: Any, **kwargs: Any) -> Any:
        """The same of a program with effects, which happen once; compared with earlier calls."""
        assert self._native is not None
        start = perf_counter()
        out = self._native.code(*args, **kwargs)
        if out is not self._absent:
            self._note(perf_counter() - start, min(self._last))
        return out

    def _note(self, native: float, other: float) -> None:
        with self._lock:
            self._trials.append((native, other))
            if len(self._trials) != TRIALS:
                return
            assert self._native is not None
            faster = median(a / b for a, b in self._trials) < 1
            root = self._native if faster else self._root
            self._run = root.code
            self.said = "machine code, which is faster" if faster else "NumPy, which is faster"
        self._programs.keep(root)
