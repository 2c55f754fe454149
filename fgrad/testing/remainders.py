"""The Taylor test of a derivative: `taylor`, its verdict, and the numbers behind it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from fgrad.core import check_function
from fgrad.derivatives import jvp

from ..moving import host_array
from ..tracebacks import boundary
from . import differences
from .comparing import check_like
from .differences import Tolerances
from .failures import Verdict
from .leaves import (
    Opened,
    dtype_of,
    epsilon,
    like,
    numbers,
    place,
    random_like,
    spans,
    vector,
    wide,
)

#: By the letter of the coarsest dtype. Functions of float64, and those of narrower numbers that
#: take float64 too, are looked at with the last line; others have to do with their own digits.
LADDERS = {
    "e": Tolerances(32e-3, 5e-2, 0.25, 2.0**-10, 0.5, 2.0, 9),
    "f": Tolerances(4e-6, 3e-4, 1e-2, 2.0**-23, 2.0**-3, 2.0, 16),
    "d": Tolerances(1e-9, 1e-7, 8e-4, 2.0**-52, 2.0**-3, 4.0, 17),
}
#: How much of a derivative rounding may take in each dtype, when it is compared with a wide one.
ROUNDING = {"e": 0.1, "f": 1e-4, "d": 1e-7}
#: The first of the two steps that are enough for most functions.
STEP = 2.0**-10
#: What a function may raise that is not made for float64.
REFUSALS = (TypeError, ValueError, AssertionError)

Derive = Callable[[Sequence[Any], Sequence[Any]], tuple[Any, Any, Sequence[Any]]]


class Given(NamedTuple):
    """What the user says about closeness; None for what the dtype says.

    `scale` is how large the numbers are that ``atol`` is a part of; None for those at hand, which
    in a second derivative may be nothing but rounding.
    """

    atol: float | None = None
    rtol: float | None = None
    eps: float | None = None
    scale: float | None = None


@dataclass(frozen=True)
class Taylor:
    """What `taylor` found.

    Attributes:
        verdict: a `Verdict`.
        slope: how fast ``|f(x + h t) - f(x) - h f'(x) t|`` falls with h: 2 for a right derivative,
            1 for a wrong one and at a kink, 0 at a jump.
        place: the number of the result that is furthest off, as in ``result['w'][1, 0]``.
        claimed: the derivative there, as it was given.
        found: the derivative there, by differences.
        error: how well that is known.
        left, right: the slopes there on both sides of the point.
        distance: for a kink or a jump, how many steps in the direction it is away, about.
        dtype: the dtype in which all that was computed.
    """

    verdict: Verdict
    slope: float
    place: str
    claimed: float
    found: float
    error: float
    left: float
    right: float
    distance: float
    dtype: str

    def __bool__(self) -> bool:
        """Whether the derivative is right."""
        return self.verdict is Verdict.RIGHT


@boundary
def taylor(
    f: Callable[..., Any],
    args: Sequence[Any],
    tangents: Any = None,
    *,
    f_jvp: Callable[..., Any] | None = None,
    atol: float | None = None,
    rtol: float | None = None,
    eps: float | None = None,
    seed: int = 0,
) -> Taylor:
    """Tell whether a directional derivative is right, wrong, at a kink, or can't be told.

    >>> import numpy as np
    >>> taylor(np.tanh, (0.5,)).verdict
    <Verdict.RIGHT: 'right'>
    >>> wrong = taylor(np.tanh, (0.5,), (1.0,), f_jvp=lambda x, t: (np.tanh(*x), 0.8))
    >>> wrong.verdict, wrong.claimed, round(wrong.found, 6)
    (<Verdict.WRONG: 'wrong'>, 0.8, 0.786448)
    >>> kink = taylor(np.abs, (0.0,), (1.0,))
    >>> kink.verdict, round(kink.left), round(kink.right)
    (<Verdict.KINK: 'a kink'>, -1, 1)

    A function of float16, float32 or complex64 that takes float64 as well is looked at in both:
    the derivative must be right in float64, and what it is in fewer digits may differ by rounding.

    Args:
        f: a function of arrays in pytrees.
        args: a tuple of its arguments. Only leaves of real and complex numbers move.
        tangents: the direction, a tree like ``args`` with anything for leaves that don't move;
            random if not given.
        f_jvp: the derivative, ``(args, tangents) -> (value, tangent)``; that of `fgrad.jvp` if not
            given.
        atol: numbers below it count as zero. None takes it from the dtype.
        rtol: what may be lost, as a part of the largest number of the same leaf. None takes it
            from the dtype, and from how well the differences settle.
        eps: the longest step. None takes it from the arguments.
        seed: for the random direction.

    Returns:
        A `Taylor`, which is true if its verdict is `Verdict.RIGHT`.
    """
    check_function(f, "taylor")
    point = Opened(f, args)
    rng = np.random.default_rng(seed)
    ts = random_like(point.xs, rng) if tangents is None else point.of(tuple(tangents), "tangents")
    given = Given(atol, rtol, eps)
    return examine(point.call, point.xs, ts, pushing(point, f_jvp), given, alike)


def alike(value: Any, tangent: Any, few: Any) -> None:
    """A tangent has the structure, the shapes and the dtypes of its value."""
    check_like(value, tangent, "jvp", "tangent", "the value", derivative=True)


def pushing(point: Opened, f_jvp: Callable[..., Any] | None) -> Derive:
    """A jvp as `examine` wants it."""

    def derive(xs: Sequence[Any], ts: Sequence[Any]) -> tuple[Any, Any, Any]:
        if f_jvp is None:
            value, tangent = jvp(point.call, tuple(xs), tuple(ts))
        else:
            value, tangent = f_jvp(point.args(xs), point.tangents(ts))
        return value, tangent, numbers(tangent)

    return derive


_DEFAULT = Given()


def examine(
    call: Callable[..., Any],
    xs: Sequence[Any],
    ts: Sequence[Any],
    derive: Derive,
    given: Given = _DEFAULT,
    verify: Callable[[Any, Any, Any], None] | None = None,
) -> Taylor:
    """`taylor` for moving leaves.

    Args:
        call: the function of the leaves whose differences are looked at.
        xs, ts: the leaves and their tangents.
        derive: ``(xs, ts) -> (value, tangent, numbers)``: a value of the leaves, the derivative of
            `call` in the direction, and the numbers that are to be right in each dtype.
        given: atol, rtol and eps.
        verify: called with the results of ``derive``, before anything is made of them.
    """
    with np.errstate(all="ignore"):
        value, tangent, few = derive(xs, ts)
        if verify is not None:
            verify(value, tangent, few)
        letter = _letter([*xs, *numbers(value)])
        if letter == "d":
            return _ladder(call, xs, ts, call(*xs), tangent, "d", given)
        wide_xs, wide_ts = [wide(x) for x in xs], [wide(t) for t in ts]
        y = _attempt(lambda: call(*wide_xs))
        if y is None or _letter(numbers(y)) != "d":
            return _ladder(call, xs, ts, call(*xs), tangent, letter, given)
        derived = _attempt(lambda: derive(wide_xs, wide_ts))
        if derived is None or _letter(derived[2]) != "d":
            given = given._replace(rtol=max(ROUNDING[letter], given.rtol or 0.0))
            return _ladder(call, wide_xs, wide_ts, y, tangent, "d", given)
        found = _ladder(call, wide_xs, wide_ts, y, derived[1], "d", given)
        if found:
            narrow, exact = (value, few), (derived[0], derived[2])

            def again(sign: int) -> Sequence[Any]:
                return derive([_nudged(x, sign) for x in xs], ts)[2]

            found = _few_digits(found, narrow, exact, again, letter, given)
        return found


def _nudged(x: Any, sign: int) -> Any:
    """A leaf with its numbers moved by what rounding is beside a one, every other one back."""
    signs = sign * (1 - 2 * (np.arange(np.size(x)).reshape(np.shape(x)) % 2))
    v = host_array(x)
    return like((v + signs * epsilon([x]) * np.fmax(np.abs(v), 1)).astype(dtype_of(x)), x)


def largest(*vectors: Any) -> float:
    """The largest of all numbers that are finite."""
    sizes = [np.abs(v[np.isfinite(v)]) for v in vectors]
    return max(float(np.max(s, initial=0.0)) for s in sizes)


def _attempt(call: Callable[[], Any]) -> Any:
    """The result, or None of a function that takes no float64."""
    try:
        return call()
    except REFUSALS:
        return None


def _letter(ys: Sequence[Any]) -> str:
    """The letter of the coarsest dtype."""
    eps = epsilon(ys)
    return "e" if eps > 1e-4 else "f" if eps > 1e-10 else "d"


def _ladder(
    call: Callable[..., Any],
    xs: Sequence[Any],
    ts: Sequence[Any],
    y: Any,
    tangent: Any,
    letter: str,
    given: Given,
) -> Taylor:
    """The verdict of differences: of two steps where they are plain, else of the whole ladder."""
    ys = numbers(y)
    v, t, leaf = vector(ys), vector(numbers(tangent)), spans(ys)

    def moved(step: float) -> Any:
        out = vector(numbers(call(*[x + step * u for x, u in zip(xs, ts, strict=True)])))
        return out if out.shape == v.shape else np.full(v.shape, np.nan)

    scale = largest(v, t) if given.scale is None else given.scale
    tol = _tolerances(letter, xs, given, scale)
    finding = None
    if letter == "d":
        first = tol if given.eps else replace(tol, step=STEP)
        finding = differences.quick(moved, v, t, leaf, first)
    if finding is None:
        finding = differences.careful(moved, v, t, leaf, tol)
    return _report(finding, y, t, str(np.dtype(letter)))


def _report(finding: differences.Finding, y: Any, t: Any, dtype: str) -> Taylor:
    """A finding at its worst number."""

    def at(x: Any) -> float:
        return float(x[finding.worst]) if t.size else 0.0

    return Taylor(
        verdict=finding.verdict,
        slope=finding.slope,
        place="result" if finding.verdict is Verdict.RIGHT else place(y, finding.worst),
        claimed=at(t),
        found=at(finding.found),
        error=at(finding.error),
        left=at(finding.left),
        right=at(finding.right),
        distance=finding.distance,
        dtype=dtype,
    )


def _tolerances(letter: str, xs: Sequence[Any], given: Given, scale: float) -> Tolerances:
    """Those of the dtype, or those given; a ladder that reaches as far as the arguments do."""
    tol = LADDERS[letter]
    tol = replace(tol, atol=tol.atol * min(1.0, scale))
    if given.atol is not None or given.rtol is not None:
        part = tol.rtol if given.rtol is None else given.rtol
        tol = replace(tol, atol=given.atol or 0.0, rtol=part, certain=max(tol.certain, part))
    if given.eps is not None:
        return replace(tol, step=float(given.eps))
    if letter != "d":
        return tol
    sizes = [float(np.max(np.abs(host_array(x)), initial=0.0)) for x in xs]
    sizes = [s for s in sizes if 0 < s < np.inf]
    if not sizes:
        return tol
    up = max(0, math.ceil(math.log(min(max(sizes), 1e12), 4)))
    down = max(0, math.ceil(-math.log(max(min(sizes), 1e-12), 4)))
    return replace(tol, step=tol.step * 4.0**up, levels=tol.levels + up + down)


def _few_digits(
    first: Taylor,
    narrow: tuple[Any, Sequence[Any]],
    exact: tuple[Any, Sequence[Any]],
    again: Callable[[int], Sequence[Any]],
    letter: str,
    given: Given,
) -> Taylor:
    """The verdict on a derivative in few digits beside the right one in many.

    ``again`` gives the numbers for arguments that differ by rounding. If they differ as much, it
    is rounding.
    """
    y, y0 = (vector(numbers(value)) for value, _ in (narrow, exact))
    t, t0, leaf = vector(narrow[1]), vector(exact[1]), spans(exact[1])
    if not t.size:
        return first
    eps = LADDERS[letter].eps
    alike = np.array_equal(leaf, spans(numbers(exact[0])))
    size = differences.by_leaf(np.abs(y0), leaf) if alike else np.max(np.abs(y0), initial=0.0)
    room = (given.rtol or ROUNDING[letter]) * differences.by_leaf(np.abs(t0), leaf)
    size = np.fmax(size, given.scale or 0.0)
    room = room + (16 * eps * size if given.atol is None else given.atol)
    excess = np.nan_to_num(np.abs(t - t0) / np.fmax(room, 1e-300), nan=np.inf)
    i = int(np.argmax(excess))
    finite = bool(np.isfinite(y).all())
    if excess[i] <= 1 and finite:
        return first
    verdict = Verdict.WRONG
    if not (finite and np.isfinite(t[i])):
        verdict = Verdict.NONFINITE
    elif np.abs(t - t0)[i] <= 16 * max(np.abs(vector(again(k)) - t)[i] for k in (1, -1)):
        verdict = Verdict.ROUNDING
    at = (float(t[i]), float(t0[i]), float(room[i]), float(t0[i]), float(t0[i]))
    where = place(exact[0], i) if alike else "result"
    return Taylor(verdict, first.slope, where, *at, np.inf, str(np.dtype(letter)))
