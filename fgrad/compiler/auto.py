"""Auto: a program that begins as NumPy's calls, and becomes machine code if that pays.

When its calls have taken as long as compiling may, machine code is made beside them, by another
thread. Then some calls run as machine code, and the faster of the two stays.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from time import perf_counter
from typing import Any

#: Seconds that a program has run before machine code is made of it.
WORTH = 1.0
#: Calls of machine code that are timed before it is chosen.
TRIALS = 5


class Auto:
    """Runs a program, at first as ``code``.

    Args:
        code: NumPy's calls.
        make: makes machine code; None if there is nothing that it can be made of.
        absent: what a program answers to a call that it isn't made for.
    """

    def __init__(
        self, code: Callable[..., Any], make: Callable[[], Callable[..., Any] | None], absent: Any
    ) -> None:
        self._code, self._make, self._absent = code, make, absent
        self._spent = 0.0
        self._last: deque[float] = deque(maxlen=TRIALS)
        self._trials: list[float] = []
        self._lock = threading.Lock()
        self._native: Callable[..., Any] | None = None
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
        self._native = self._make()
        if self._native is None:
            self.said = "NumPy: there is nothing in it for machine code"
        else:
            self.said = "machine code, on trial"
            self._run = self._tried

    def _tried(self, *args: Any, **kwargs: Any) -> Any:
        native = self._native
        assert native is not None
        start = perf_counter()
        out = native(*args, **kwargs)
        if out is not self._absent:
            self._trials.append(perf_counter() - start)
            if len(self._trials) >= TRIALS:
                faster = min(self._trials) < min(self._last)
                self._run = native if faster else self._code
                self.said = "machine code, which is faster" if faster else "NumPy, which is faster"
        return out
