"""The line search for the strong Wolfe conditions."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from fgrad import cond, value_and_grad, while_loop
from fgrad.errors import ArgumentError, describe
from fgrad.tracebacks import boundary

from .leaves import add_scaled, as_float64, choose, each, root, zeros
from .linesearch import slope_along, target
from .numbers import AT_LEAST_1, COUNT, INSIDE, NOT_NEGATIVE, POSITIVE, real, whole, with_numbers
from .records import GradientTransformation, PyTree, fit, transformation


class ZoomLinesearchInfo(NamedTuple):
    """How many points the search looked at; by how much it missed its two conditions."""

    num_linesearch_steps: Any
    decrease_error: Any
    curvature_error: Any


class ScaleByZoomLinesearchState(NamedTuple):
    """The step; value and gradient at its end (NaN and zeros before the first step)."""

    learning_rate: Any
    value: Any
    grad: PyTree
    info: ZoomLinesearchInfo


class _Search(NamedTuple):
    """An interval, of which low is the better end; a third point; the best point so far."""

    tried: Any
    low: Any
    value_low: Any
    slope_low: Any
    high: Any
    value_high: Any
    third: Any
    value_third: Any
    best: Any
    value_best: Any
    slope_best: Any
    grad_best: PyTree
    found: Any
    done: Any


@boundary
def scale_by_zoom_linesearch(
    max_linesearch_steps: int,
    max_learning_rate: Any = None,
    tol: Any = 0.0,
    increase_factor: Any = 2.0,
    slope_rtol: Any = 1e-4,
    curv_rtol: Any = 0.9,
    approx_dec_rtol: Any = 1e-6,
    stepsize_precision: Any = 1e-5,
    initial_guess_strategy: str = "keep",
) -> GradientTransformation:
    """Find a step where the function has fallen enough, and its slope has become small enough.

    >>> from fgrad_nn.optimizers import chain, sgd
    >>> f = lambda x: np.sum(x ** 2)
    >>> opt = chain(sgd(1.0), scale_by_zoom_linesearch(15))
    >>> x = np.array([1.0])
    >>> updates, state = opt.update(2 * x, opt.init(x), x, value=f(x), grad=2 * x, value_fn=f)
    >>> updates, state[1].learning_rate
    (array([-1.]), np.float64(0.5))

    First the step is made longer until an interval has good points in it; then the interval is
    narrowed, by the minima of cubics and parabolas. If no step is found, the best point that was
    seen is taken: one where the function has fallen, or, if there was none, no step at all, which
    the errors in `info` tell (optax takes the last point then, though the function may rise). A
    direction that doesn't lead down gets no step.

    Args:
        max_linesearch_steps: how many points are looked at.
        max_learning_rate: the longest step, in units of the updates; None for any.
        tol: by how much the conditions may be missed.
        increase_factor: what a step is multiplied by that is too short.
        slope_rtol: c1, the part of what the slope promises by which the function must fall.
        curv_rtol: c2, the part of the first slope that the last one may have.
        approx_dec_rtol: a rise of the value by this part of it is forgiven where the slope shows
            a fall, for near a minimum differences of values are rounding; None to forgive none.
        stepsize_precision: an interval shorter than this part of its ends isn't narrowed more than
            once, if a point has been found where the function falls (for optax it isn't a part of
            the ends, but a length).
        initial_guess_strategy: 'keep' to begin with the last step, 'one' for 1.

    Raises:
        ArgumentError: a number is out of range; from `update`, value, grad or value_fn is missing.

    Source: Nocedal and Wright, Numerical optimization (2006), algorithms 3.5 and 3.6, and
    interpolation as in section 3.5; Hager and Zhang, Algorithm 851 (2006), equation 4, for the
    approximate condition.
    """
    most = whole("max_linesearch_steps", max_linesearch_steps, 1)
    longest = np.inf
    if max_learning_rate is not None:
        longest = real("max_learning_rate", max_learning_rate, POSITIVE)
    tol = real("tol", tol, NOT_NEGATIVE)
    grow = real("increase_factor", increase_factor, AT_LEAST_1)
    c1, c2 = real("slope_rtol", slope_rtol, INSIDE), real("curv_rtol", curv_rtol, INSIDE)
    forgive = approx_dec_rtol
    if forgive is not None:
        forgive = real("approx_dec_rtol", forgive, NOT_NEGATIVE)
    precision = real("stepsize_precision", stepsize_precision, NOT_NEGATIVE)
    if initial_guess_strategy not in ("keep", "one"):
        raise ArgumentError(
            "initial_guess_strategy must be 'keep' or 'one'.",
            describe(initial_guess_strategy),
            "pass one of the two",
        )

    def init(params: PyTree) -> ScaleByZoomLinesearchState:
        info = ZoomLinesearchInfo(COUNT, np.float64(np.inf), np.float64(np.inf))
        return ScaleByZoomLinesearchState(np.float64(1.0), np.float64(np.nan), zeros(params), info)

    def rule(
        updates: PyTree,
        state: Any,
        params: PyTree,
        *,
        value: Any = None,
        grad: Any = None,
        value_fn: Any = None,
        **extra: Any,
    ) -> Any:
        f = value_and_grad(target("a zoom line search", value_fn, extra, value=value, grad=grad))
        grad = fit("gradient", grad, params)
        value0, slope0 = as_float64(value), slope_along(updates, grad)
        first = np.float64(1.0) if initial_guess_strategy == "one" else state.learning_rate
        first = choose(first > 0, np.minimum(first, longest), np.minimum(1.0, longest))

        @np.errstate(invalid="ignore", over="ignore")
        def errors(t: Any, new: Any, slope: Any) -> tuple[Any, Any]:
            miss = new - value0 - c1 * t * slope0
            if forgive is not None:
                rise = new - value0 - forgive * np.abs(value0)
                miss = np.minimum(miss, np.maximum(rise, slope - (2 * c1 - 1) * slope0))
            bad = ~np.isfinite(new) | np.isnan(slope)
            return (
                choose(bad, np.inf, np.maximum(miss, 0.0)),
                choose(bad, np.inf, np.maximum(np.abs(slope) - c2 * np.abs(slope0), 0.0)),
            )

        def step(s: _Search) -> _Search:
            longer = np.minimum(choose(s.low > 0, grow * s.low, first), longest)
            t = choose(s.found, _inside(s), longer)
            new, g = f(add_scaled(params, t, updates))
            new, slope = as_float64(new), slope_along(updates, g)
            fall, curve = errors(t, new, slope)
            met = np.maximum(fall, curve) <= tol
            worse = (fall > 0) | ((new >= s.value_low) & (s.tried > 0))
            turn = ~worse & (slope * choose(s.found, s.high - s.low, 1.0) >= 0)
            better = met | ((fall <= tol) & (~s.found | (new < s.value_best)))

            def low(old: Any, now: Any) -> Any:
                return choose(worse, old, now)

            def high(old: Any, low: Any, now: Any) -> Any:
                return choose(worse, now, choose(turn, low, old))

            def third(high: Any, low: Any, next_low: Any) -> Any:
                """The end that was left; before there was an interval, none but low."""
                return choose(s.found, choose(worse | turn, high, low), next_low)

            def best(old: Any, now: Any) -> Any:
                return choose(better, now, old)

            next_low, next_value = low(s.low, t), low(s.value_low, new)
            furthest = ~s.found & ~worse & ~turn & (t >= longest)
            narrow = s.found & (np.abs(s.high - s.low) <= precision * np.maximum(s.high, s.low))
            return _Search(
                tried=s.tried + 1,
                low=next_low,
                value_low=next_value,
                slope_low=low(s.slope_low, slope),
                high=high(s.high, s.low, t),
                value_high=high(s.value_high, s.value_low, new),
                third=third(s.high, s.low, next_low),
                value_third=third(s.value_high, s.value_low, next_value),
                best=best(s.best, t),
                value_best=best(s.value_best, new),
                slope_best=best(s.slope_best, slope),
                grad_best=cond(better, lambda old, g: g, lambda old, g: old, s.grad_best, g),
                found=s.found | worse | turn,
                done=met | furthest | (narrow & (best(s.best, t) > 0)),
            )

        zero = np.float64(0.0)
        begin = _Search(
            COUNT,
            *(zero, value0, slope0),
            *(zero, value0),
            *(zero, value0),
            *(zero, value0, slope0, grad),
            found=np.False_,
            done=~(slope0 < 0),  # a direction that doesn't lead down is done before it begins
        )
        end = while_loop(lambda s: ~s.done & (s.tried < most), step, begin)
        fall, curve = errors(end.best, end.value_best, end.slope_best)
        info = ZoomLinesearchInfo(
            end.tried, choose(end.best == 0, np.where(slope0 == 0, 0.0, np.inf), fall), curve
        )
        updates = each(with_numbers(lambda t, u: t * u, end.best), updates)
        return updates, ScaleByZoomLinesearchState(end.best, end.value_best, end.grad_best, info)

    return transformation(init, rule)


@np.errstate(invalid="ignore", over="ignore")
def _inside(s: _Search) -> Any:
    """A point between low and high: the minimum of a cubic, or of a parabola, or the middle.

    Both have the value and slope of low and the value of high, the cubic that of the third point,
    too. A minimum that is near an end, by a fifth of the interval or a tenth, isn't taken.
    """
    gap, other = s.high - s.low, s.third - s.low
    middle, width = (s.low + s.high) / 2, choose(gap == 0, 1.0, gap)
    off = s.value_high - s.value_low - s.slope_low * gap
    bend = off / (width * width)
    step = -s.slope_low / choose(bend == 0, 1.0, 2 * bend)
    part = step / width
    where = choose((bend != 0) & (part > 0.1) & (part < 0.9), s.low + step, middle)
    rest = s.value_third - s.value_low - s.slope_low * other
    under = (gap * other) ** 2 * (gap - other)
    known = under != 0
    under = choose(known, under, 1.0)
    a = (other**2 * off - gap**2 * rest) / under
    b = (gap**3 * rest - other**3 * off) / under
    square = b * b - 3 * a * s.slope_low
    step = (root(np.maximum(square, 0.0)) - b) / choose(a == 0, 1.0, 3 * a)
    part = step / width
    good = known & (a != 0) & (square >= 0) & (part > 0.2) & (part < 0.8)  # NaN is not good
    return choose(good, s.low + step, where)
