"""`explain_nonfinite` and `debug_nans`: which operation made NaN or infinity, and what cures it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from .. import tree
from ..arrays import is_array
from ..core import WATCH, Tracer, check_function, full_lower, rerun
from ..derivatives import Pullback, pull_back, push_forward
from ..errors import ArgumentError, NonFiniteError, describe, name_of
from ..linearization import linearize
from ..moving import host_array
from ..tracebacks import boundary
from .events import Argument, Log, Watch, is_finite, made_by
from .explanations import Explanation, Leaf, explanation
from .located import follow
from .provenance import first_bad, trace_back


@boundary
def explain_nonfinite(f: Callable[..., Any], *args: Any, **kwargs: Any) -> Explanation:
    """Which operation made NaN or infinity first, of a value, a gradient or anything else.

    >>> import numpy as np
    >>> from fgrad import grad
    >>> def loss(x):
    ...     return np.sum(np.where(x > 0, np.log(x), 0.0))
    >>> found = explain_nonfinite(grad(loss), np.array([1.0, 0.0]))
    >>> found.operation, found.phase, found.source
    ('log', 'backward', 'return np.sum(np.where(x > 0, np.log(x), 0.0))')
    >>> found.masked_by is not None, found.operands[0].value, found.leaf, found.leaves[0].index
    (True, np.float64(0.0), '', (1,))
    >>> bool(explain_nonfinite(loss, np.array([1.0, 0.0])))
    False

    The function runs once more, on followed values; nothing of it needs to change. Of the element
    of the result that is NaN (or else infinite) the way is gone back, element by element where
    that is known, to the operation that made it of finite numbers. An infinity that was in the
    arguments, such as a mask of -inf, counts as meant, and what made NaN of it is named.

    Args:
        f: a function, also ``grad(f)``, ``vmap(grad(f))``, one that calls `jvp`, `vjp` or solvers,
            or a compiled one, which runs as it was written.
        args, kwargs: its arguments: plain arrays in pytrees, and anything else.

    Returns:
        An `Explanation`, which is false if all of the result is finite. ``print`` shows it.

    Raises:
        ArgumentError: ``f`` is no function, or an argument is traced.

    As under `grad`, the function must not write into its arguments. Effects (`debug.print` and its
    like) don't happen. Values that don't depend on arguments, of
    ``f`` or of a transformation inside of it, aren't followed. All operands of operations on a
    tape are kept while it runs, so it takes more memory than the derivative.
    """
    check_function(f, "explain_nonfinite")
    for path, x in tree.leaves_with_path((args, kwargs)):
        if isinstance(x, Tracer):
            raise ArgumentError(
                "explain_nonfinite wants plain arguments.",
                f"{describe(x)} that is traced, at {tree.path_str(path)} of (args, kwargs)",
                "call it outside of other transformations: explain_nonfinite(grad(f), x)",
            )
    out, log = _followed(Watch(f), f, args, kwargs)
    return _explained(out, log)


def _followed(watch: Watch, f: Callable[..., Any], args: Any, kwargs: Any) -> tuple[Any, Log]:
    """The result, in followed values, and what the run has left."""
    with np.errstate(all="ignore"):
        return rerun(follow, watch, f, args, kwargs, Argument), watch.log


def _explained(out: Any, log: Log) -> Explanation:
    leaves, chosen = [], None
    for path, y in tree.leaves_with_path(out):
        plain = full_lower(y)
        if not is_array(plain) or is_finite(plain):
            continue
        plain = host_array(plain)
        index = first_bad(plain)
        assert index is not None
        count = int(np.sum(np.logical_not(np.isfinite(plain))))
        leaves.append(Leaf(tree.path_str(path), count, plain.size, index))
        # NaN tells more than infinity: it is never meant.
        if chosen is None or (np.isnan(plain[index]) and not np.isnan(chosen[1][chosen[2]])):
            chosen = y, plain, index
    if chosen is None:
        return Explanation(True)
    y, plain, index = chosen
    value, event = plain[index], made_by(y)
    if event is None:
        return Explanation(
            False, phase="captured", value=value, leaves=tuple(leaves),
            cure="look at what the function captures and computes without its arguments",
        )  # fmt: skip
    return explanation(trace_back(event, plain, index), log, leaves, value)


# ------------------------------------------------------------------ debug_nans
@contextmanager
def debug_nans() -> Iterator[None]:
    """Inside, a transformation whose result isn't finite raises, and says which operation it was.

    >>> import numpy as np
    >>> from fgrad import grad
    >>> with debug_nans():
    ...     grad(lambda x: np.sqrt(x) * 1.0)(0.0)
    Traceback (most recent call last):
    ...
    fgrad.errors.NonFiniteError: debug_nans wants finite results of `<lambda>` ...

    `grad`, `value_and_grad`, `jvp`, `vjp` (its pullback, too), `vmap`, compiled functions, and all
    that is made of them. JAX's has the same name; this one looks at results, so an infinity or NaN
    that is left away on the way isn't an error. What isn't finite is looked for by running the
    function again on followed values, until the operation that made it raises: a debugger stops
    there. NumPy's own warnings are off meanwhile. It is a context of its own in each thread and
    task; operations cost nothing for it, inside or outside.

    Raises, inside:
        NonFiniteError: also a `FloatingPointError`; its attribute ``explanation`` is what
            `explain_nonfinite` says.
    """
    token = WATCH.set(_checked)
    try:
        yield
    finally:
        WATCH.reset(token)


def _checked(fn: Callable[..., Any], args: Any, kwargs: Any) -> Any:
    """Call a transformed function, and raise if its result isn't finite."""
    token = WATCH.set(None)
    try:
        with np.errstate(all="ignore"):
            out = fn(*args, **kwargs)
        traced = any(isinstance(x, Tracer) for x in tree.leaves((args, kwargs, out)))
        if not traced:
            if not all(is_finite(y) for y in tree.leaves(out) if is_array(y)):
                _raise(fn, args, kwargs, _users(fn, args))
            if fn is pull_back:
                out = (out[0], _CheckedPullback(out[1], args, kwargs), *out[2:])
        return out
    finally:
        WATCH.reset(token)


def _users(fn: Any, args: Any) -> Any:
    """The function of the user's in a call of a transformation."""
    if fn in (push_forward, pull_back):
        return args[1]
    if fn is linearize:
        return args[0]
    return getattr(fn, "_f", None) or getattr(fn, "__wrapped__", fn)


class _CheckedPullback(Pullback):
    """A pullback whose results are looked at."""

    def __init__(self, pullback: Pullback, args: Any, kwargs: Any) -> None:
        self.__dict__.update(vars(pullback))
        self._pullback, self._call = pullback, (args, kwargs)

    def __call__(self, ct: Any) -> tuple[Any, ...]:
        args, kwargs = self._call

        def pulled(ct: Any, *args: Any, **kwargs: Any) -> Any:
            return pull_back(*args, **kwargs)[1](ct)

        if WATCH.get() is not _checked:
            return self._pullback(ct)
        token = WATCH.set(None)
        try:
            with np.errstate(all="ignore"):
                out = self._pullback(ct)
            if not all(is_finite(y) for y in tree.leaves(out)):
                _raise(pulled, (ct, *args), kwargs, args[1])
            return out
        finally:
            WATCH.reset(token)


def _raise(fn: Callable[..., Any], args: Any, kwargs: Any, f: Any) -> None:
    """Find the operation, and raise there if it runs again; ``f`` is what the message names."""
    wanted = f"debug_nans wants finite results of {name_of(f)} and its derivatives."
    out, log = _followed(Watch(fn), fn, args, kwargs)
    found = _explained(out, log)
    if found.finite:
        raise NonFiniteError(
            wanted,
            "NaN or infinity, which a second run didn't give: the function changes between calls",
            "pass what changes (random numbers, counters) as an argument",
        )
    error = NonFiniteError(
        wanted,
        found.findings().replace("\n", "\n    "),
        found.cure or "look at what was captured",
    )
    error.explanation = found
    if found.number >= 0:
        _followed(Watch(fn, found.number, error), fn, args, kwargs)
    raise error
