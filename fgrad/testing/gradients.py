"""`check_jvp`, `check_vjp` and `check_grads`, with JAX's signatures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import numpy as np

from fgrad import tree
from fgrad.core import check_function
from fgrad.derivatives import jvp, vjp
from fgrad.errors import ArgumentError, name_of

from ..moving import host_array
from ..tracebacks import boundary
from .comparing import check_close, check_like
from .failures import CheckError, Verdict
from .leaves import (
    Opened,
    cast,
    dtype_of,
    epsilon,
    inner,
    like,
    numbers,
    random_like,
    show,
    vector,
)
from .remainders import Derive, Given, Taylor, examine, largest, pushing

#: Leaves of more numbers than this are not searched for the one that is to blame.
MANY = 32


@boundary
def check_jvp(
    f: Callable[..., Any],
    f_jvp: Callable[..., Any] | None,
    args: Sequence[Any],
    atol: float | None = None,
    rtol: float | None = None,
    eps: float | None = None,
    err_msg: str = "",
    *,
    seed: int = 0,
) -> None:
    """Check a forward derivative against the differences of the function.

    >>> import numpy as np
    >>> check_jvp(np.sin, None, (np.ones(3),))
    >>> check_jvp(np.sin, lambda x, t: (np.sin(*x), -np.cos(*x) * t[0]), (1.0,))
    Traceback (most recent call last):
    ...
    fgrad.testing.failures.CheckError: The jvp of `sin` is wrong in args[0]: ...
      It got: -0.540302306 at result, where differences give 0.5403023...
      To do: ...

    Args:
        f: a function of arrays in pytrees. Leaves that are no real or complex numbers stay as
            they are.
        f_jvp: its derivative, ``(args, tangents) -> (value, tangent)``, such as
            ``functools.partial(fgrad.jvp, f)``, which None stands for. JAX has no None.
        args: a tuple of arguments.
        atol: numbers below it count as zero.
        rtol: what may be lost, as a part of the largest number of the same leaf. None for either
            takes it from the dtype, and from how well the differences settle.
        eps: the longest step of the differences; JAX's is the only step. None takes it from the
            arguments.
        err_msg: what to call the derivative in the message.
        seed: for the direction, which is random.

    Raises:
        CheckError: the derivative is wrong, or can't be checked here (its `verdict` says why); or
            a value or a tangent has another structure, shape or dtype than it must have.
    """
    check_function(f, "check_jvp")
    point = Opened(f, args)
    _jvp(
        point,
        pushing(point, f_jvp),
        Given(atol, rtol, eps),
        err_msg or f"jvp of {name_of(f)}",
        seed,
    )


@boundary
def check_vjp(
    f: Callable[..., Any],
    f_vjp: Callable[..., Any] | None,
    args: Sequence[Any],
    atol: float | None = None,
    rtol: float | None = None,
    eps: float | None = None,
    err_msg: str = "",
    *,
    seed: int = 0,
) -> None:
    """Check a reverse derivative against differences; `fgrad.vjp`'s also against its jvp.

    The pullback of a random cotangent is paired with a random direction, as real(sum(g t)), and
    that must be the derivative of the function's result, paired with the cotangent. The second
    check needs no steps, so it is exact up to rounding: both derivatives are adjoints.

    >>> import numpy as np
    >>> check_vjp(lambda w, x: w["a"] @ x, None, ({"a": np.eye(2)}, np.ones(2)))

    Args:
        f_vjp: ``(*args) -> (value, pullback)``, such as ``functools.partial(fgrad.vjp, f)``, which
            None stands for; ``pullback(cotangent)`` is a tuple with an entry for each argument.
        f, args, atol, rtol, eps, err_msg, seed: as for `check_jvp`.

    Raises:
        CheckError: as for `check_jvp`.
    """
    check_function(f, "check_vjp")
    point = Opened(f, args)
    what = err_msg or f"vjp of {name_of(f)}"
    given = Given(atol, rtol, eps)
    if f_vjp is None:
        ts = random_like(point.xs, np.random.default_rng(seed))
        with np.errstate(all="ignore"):
            y, t = jvp(point.call, tuple(point.xs), tuple(ts))
        _adjoint(point, y, t, ts, given, what, seed)
    _vjp(point, f_vjp, given, what, seed)


@boundary
def check_grads(
    f: Callable[..., Any],
    args: Sequence[Any],
    order: int = 2,
    modes: Sequence[str] = ("fwd", "rev"),
    atol: float | None = None,
    rtol: float | None = None,
    eps: float | None = None,
    *,
    seed: int = 0,
) -> None:
    """Check the derivatives that fgrad makes of a function, in all nestings up to an order.

    >>> import numpy as np
    >>> check_grads(lambda x: np.sum(np.tanh(x) ** 2), (np.ones((2, 3), np.float16),))
    >>> check_grads(np.abs, (0.0,))
    Traceback (most recent call last):
    ...
    fgrad.testing.failures.CheckError: The jvp of `absolute` cannot be checked here: there is a
    kink in args[0], less than ... away.
      ...

    Args:
        f: a function of arrays in pytrees.
        args: a tuple of arguments.
        order: 2 checks the derivatives and their derivatives. JAX has no default.
        modes: "fwd" for jvp, "rev" for vjp; of an order 2 with both, all four nestings.
        atol, rtol, eps, seed: as for `check_jvp`.

    Raises:
        CheckError: as for `check_jvp`; it names the nesting.
    """
    check_function(f, "check_grads")
    if isinstance(modes, str) or not modes or not set(modes) <= {"fwd", "rev"}:
        raise ArgumentError(
            "check_grads wants modes as a tuple of 'fwd' and 'rev'.",
            f"modes={modes!r}",
            "for one of them write ('fwd',) or ('rev',)",
        )
    nest(Opened(f, args), order, modes, Given(atol, rtol, eps), name_of(f), seed)


def nest(
    point: Opened, order: int, modes: Sequence[str], given: Given, name: str, seed: int
) -> None:
    """`check_grads` of a function of leaves."""
    if not point.xs:
        return
    ts = random_like(point.xs, np.random.default_rng(seed))
    with np.errstate(all="ignore"):
        y, t = jvp(point.call, tuple(point.xs), tuple(ts))
    if given.scale is None:
        given = given._replace(scale=largest(vector(numbers(y)), vector(numbers(t))))
    if "fwd" in modes:
        what = f"jvp of {name}"
        _jvp(point, pushing(point, None), given, what, seed)
        if order > 1 and numbers(y):
            nest(pushed(point, ts), order - 1, modes, given, what, seed + 1)
    if "rev" in modes:
        what = f"vjp of {name}"
        if "fwd" in modes:
            _adjoint(point, y, t, ts, given, what, seed)
        else:
            _vjp(point, None, given, what, seed)
        if order > 1:
            g = random_cotangent(y, seed)
            nest(pulled(point, g), order - 1, modes, given, what, seed + 1)


def pushed(point: Opened, ts: Sequence[Any]) -> Opened:
    """The jvp in a fixed direction, as a function of the leaves."""
    f = point.call

    def call(*xs: Any) -> Any:
        t = jvp(f, xs, tuple(cast(t, x) for t, x in zip(ts, xs, strict=True)))[1]
        return [u for u in tree.leaves(t) if dtype_of(u).kind in "fc"]

    return point.derived(call)


def pulled(point: Opened, g: Any) -> Opened:
    """The vjp of a fixed cotangent, as a function of the leaves."""
    f = point.call

    def call(*xs: Any) -> Any:
        y, pullback = vjp(f, *xs)
        return list(pullback(tree.map(cast, g, y)))

    return point.derived(call)


def random_cotangent(y: Any, seed: int) -> Any:
    """A random cotangent of a result; zeros stand for its integers."""
    ys, structure = tree.flatten(y)
    gs = iter(random_like(numbers(y), np.random.default_rng(seed + 7)))
    moving = [dtype_of(u).kind in "fc" for u in ys]
    filled = [like(next(gs), u) if m else np.zeros_like(u) for u, m in zip(ys, moving, strict=True)]
    return structure.unflatten(filled)


# ------------------------------------------------------------------ the checks themselves
def _jvp(point: Opened, derive: Derive, given: Given, what: str, seed: int) -> None:
    """Check a jvp of opened arguments."""

    def verify(value: Any, tangent: Any, few: Any) -> None:
        _check_value(point, value, what)
        check_like(value, tangent, what, "tangent", "the value", derivative=True)

    ts = random_like(point.xs, np.random.default_rng(seed))
    found = examine(point.call, point.xs, ts, derive, given, verify)
    if not found:
        _blame(point, point.call, derive, ts, found, given, what)


def _vjp(
    point: Opened, f_vjp: Callable[..., Any] | None, given: Given, what: str, seed: int
) -> None:
    """Check a vjp of opened arguments against differences."""
    with np.errstate(all="ignore"):
        g = random_cotangent(point.call(*point.xs), seed)
    gs = numbers(g)

    def derive(xs: Sequence[Any], ts: Sequence[Any]) -> tuple[Any, Any, Any]:
        if f_vjp is None:
            y, pullback = vjp(point.call, *xs)
            cts = list(pullback(tree.map(cast, g, y)))
        else:
            y, pullback = f_vjp(*point.args(xs))
            cts = point.of(pullback(tree.map(cast, g, y)), "cotangents")
        same = [np.shape(c) == np.shape(x) for c, x in zip(cts, xs, strict=True)]
        return y, inner(cts, ts)[0] if all(same) else None, cts

    def verify(value: Any, tangent: Any, cts: Any) -> None:
        _check_value(point, value, what)
        check_like(point.xs, cts, what, "cotangent", "the argument", point.paths, derivative=True)

    def paired(*xs: Any) -> Any:
        return inner(gs, numbers(point.call(*xs)))[0]

    ts = random_like(point.xs, np.random.default_rng(seed))
    found = examine(paired, point.xs, ts, derive, given, verify)
    if not found:
        _blame(point, paired, derive, ts, found, given, what)


def _adjoint(
    point: Opened, y: Any, t: Any, ts: Sequence[Any], given: Given, what: str, seed: int
) -> None:
    """Check that fgrad's vjp is the adjoint of a jvp that is known."""
    g = random_cotangent(y, seed)
    with np.errstate(all="ignore"):
        value, pullback = vjp(point.call, *point.xs)
        cts = list(pullback(g))
    _check_value(point, value, what, y)
    check_like(point.xs, cts, what, "cotangent", "the argument", point.paths, derivative=True)
    eps = epsilon([*point.xs, *numbers(y)])
    part = max(64 * eps, 1e-11) if given.rtol is None else max(8 * eps, given.rtol)
    scale = largest(vector(numbers(y)), vector(numbers(t))) if given.scale is None else given.scale
    least = 16 * part * min(1.0, scale) if given.atol is None else given.atol
    left, size = inner(numbers(g), numbers(t))
    right, more = inner(cts, ts)
    if abs(left - right) <= least + part * max(size, more):
        return
    lines = []
    for i, (path, u) in enumerate(zip(point.paths, ts, strict=True)):
        alone = [v if i == j else 0 * v for j, v in enumerate(ts)]
        with np.errstate(all="ignore"):
            _, one = jvp(point.call, tuple(point.xs), tuple(alone))
        a, size = inner(numbers(g), numbers(one))
        b, more = inner([cts[i]], [u])
        if not abs(a - b) <= least + part * max(size, more):
            lines.append((path, a, b, u))
    path, a, b, u = lines[0] if lines else ("the arguments", left, right, ts)
    nonfinite = not np.isfinite(a - b)
    raise CheckError(
        f"The {what} is not the adjoint of the jvp in {path}.",
        f"{b:.9g} by the cotangent, where the jvp gives {a:.9g}, in the direction "
        f"{show(u) if hasattr(u, 'dtype') else u}",
        "correct the vjp of what the function calls (or its jvp; check_jvp tells)",
        Verdict.NONFINITE if nonfinite else Verdict.WRONG,
        path,
    )


def _check_value(point: Opened, value: Any, what: str, want: Any = None) -> None:
    """The value that comes with a derivative is the function's own."""
    with np.errstate(all="ignore"):
        want = point.call(*point.xs) if want is None else want
    check_like(want, value, what, "value", "the function's own")
    want, value = tree.map(host_array, want), tree.map(host_array, value)
    check_close(want, value, what, "the function", point.xs)


# ------------------------------------------------------------------ what to say
def _blame(
    point: Opened,
    call: Callable[..., Any],
    derive: Derive,
    ts: Sequence[Any],
    found: Taylor,
    given: Given,
    what: str,
) -> NoReturn:
    """Find the leaf, and the number of it, that fail alone, and raise."""
    path = "the arguments"
    direction: Any = list(ts)

    def alone(i: int, v: Any) -> Taylor:
        only = [v if i == j else 0 * u for j, u in enumerate(ts)]
        return examine(call, point.xs, only, derive, given)

    for i, (name, t) in enumerate(zip(point.paths, ts, strict=True)):
        one = alone(i, t)
        if one.verdict is not found.verdict:
            continue
        path, direction, found = name, t, one
        shape = np.shape(t)
        for index in np.ndindex(shape) if np.size(t) <= MANY else ():
            unit = np.zeros(shape, dtype_of(t))
            unit[index] = 1
            single = alone(i, like(unit, t))
            if single.verdict is one.verdict:
                path = f"{name}[{', '.join(map(str, index))}]" if shape else name
                direction, found = unit, single
                break
        break
    raise CheckError(*explain(found, what, path, direction), found.verdict, path)


def explain(found: Taylor, what: str, path: str, direction: Any) -> tuple[str, str, str]:
    """The three parts of the message for a verdict."""
    moving = ", ".join(map(show, direction)) if isinstance(direction, list) else show(direction)
    way = f"in the direction {moving} ({found.dtype})"
    here = f"{found.claimed:.9g} at {found.place}"
    if found.verdict is Verdict.WRONG:
        return (
            f"The {what} is wrong in {path}: the Taylor remainder falls like "
            f"h^{found.slope:.1f}, not h^2.",
            f"{here}, where differences give {found.found:.9g} (give or take {found.error:.0e}), "
            f"{way}",
            "correct the rules of the functions that lead from there to here; taylor(f, args, "
            "tangents) looks at one direction",
        )
    if found.verdict in (Verdict.KINK, Verdict.JUMP):
        sides = f"slopes {found.left:.6g} on the left and {found.right:.6g} on the right"
        return (
            f"The {what} cannot be checked here: there is {found.verdict.value} in {path}, "
            f"less than {max(found.distance, 1e-9):.0e} of the direction away.",
            f"{sides}, {here}, {way}",
            "check it at other arguments; in a strategy, arrays(away_from=(the kink,))",
        )
    if found.verdict is Verdict.NONFINITE:
        return (
            f"The {what} is not finite in {path}, or the function around it is not.",
            f"{here}, where differences give {found.found:.9g}, {way}",
            "check it inside of the function's domain, and where its derivative is finite",
        )
    return (
        f"The {what} cannot be checked here: rounding hides what the function does in {path}.",
        f"{here}, where differences give {found.found:.9g}, known to {found.error:.0e}, {way}",
        "use float64, arguments of a size at which the result changes, or give atol and rtol",
    )
