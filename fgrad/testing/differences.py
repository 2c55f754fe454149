"""What the differences of a function on a ladder of steps say about a derivative.

Central differences at steps h, h/q, h/q^2 ... are extrapolated in pairs (L. F. Richardson, The
approximate arithmetical solution by finite differences, 1911), and the disagreement of neighbours
tells how well each pair is known, as in C. Ridders, Accurate computation of F'(x) and
F'(x)F''(x), Advances in Engineering Software 4 (1982). Steps that are too long err alike and fall
off quickly; steps that are too short show the noise of rounding, which grows like 1/h. In between
stands the best pair, with an error that is measured, not assumed. All of it is done for each
number of the result by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .failures import Verdict

Vector = np.ndarray

#: Worst first: the verdict on a function is the worst of those on its numbers.
ORDER = (
    Verdict.NONFINITE, Verdict.WRONG, Verdict.JUMP, Verdict.KINK, Verdict.ROUNDING, Verdict.RIGHT,
)  # fmt: skip
NONFINITE, WRONG, JUMP, KINK, ROUNDING, RIGHT = range(6)
#: A derivative is off if it is so by this many times the error of the differences.
SAFETY = 8.0


@dataclass(frozen=True)
class Tolerances:
    """How close is close.

    Attributes:
        atol: numbers below it count as zero.
        rtol: of the largest number of the same leaf.
        certain: a derivative is right if it is so within this part of it, and if differences can
            tell so much.
        eps: the rounding of the function.
        step: the longest step.
        ratio: of each step to the next.
        levels: the number of steps.
    """

    atol: float
    rtol: float
    certain: float
    eps: float
    step: float
    ratio: float
    levels: int


@dataclass(frozen=True)
class Finding:
    """A verdict, and the numbers that it rests on, one for each number of the result.

    Attributes:
        verdict: the worst of all.
        worst: the number that it is about.
        slope: of the Taylor remainder: 2 for a right derivative, 1 for a wrong one or at a kink,
            0 at a jump.
        found: the derivative by differences.
        error: how well that is known.
        left, right: the slopes on both sides, towards smaller and greater arguments.
        distance: how far a kink or a jump is, in steps of the direction, or less.
    """

    verdict: Verdict
    worst: int
    slope: float
    found: Vector
    error: Vector
    left: Vector
    right: Vector
    distance: float


def quick(
    moved: Callable[[float], Vector], y: Vector, t: Vector, leaf: Vector, tol: Tolerances
) -> Finding | None:
    """The verdict of two steps, if a smooth function at ease makes it plain that t is right."""
    h = tol.step
    up, down, up2, down2 = moved(h), moved(-h), moved(h / 2), moved(-h / 2)
    found = (4.0 * (up2 - down2) - 0.5 * (up - down)) / (3.0 * h)
    gap = ((up2 + down2 - 2 * y) * 4 - (up + down - 2 * y)) / h
    err = np.abs(found - t)
    scale = by_leaf(np.abs(t), leaf)
    value = by_leaf(np.abs(y), leaf)
    near = err <= tol.atol + tol.rtol * scale
    smooth = np.abs(gap) <= 1e-6 * (scale + value) + 32 * tol.eps * value / h
    if not (np.all(near) and np.all(smooth)):  # NaN is neither
        return None
    rest = [np.linalg.norm(up - y - h * t), np.linalg.norm(up2 - y - 0.5 * h * t)]
    noise = 64 * tol.eps * np.linalg.norm(y)
    slope = float(np.log2(rest[0] / rest[1])) if rest[1] > noise else 2.0
    worst = int(np.argmax(err)) if err.size else 0
    return Finding(Verdict.RIGHT, worst, slope, found, err, found, found, np.inf)


def careful(
    moved: Callable[[float], Vector], y: Vector, t: Vector, leaf: Vector, tol: Tolerances
) -> Finding:
    """The verdict of the whole ladder."""
    q = tol.ratio
    steps = tol.step * q ** -np.arange(float(tol.levels))
    h = steps[:, None]
    up = np.stack([moved(s) for s in steps])
    down = np.stack([moved(-s) for s in steps])
    with np.errstate(all="ignore"):
        value = by_leaf(np.where(np.isfinite(y), np.abs(y), 0.0), leaf)
        central = (up - down) / (2 * h)
        flat = _is_flat(up, down, y)
        stair = _stair(up - y, down - y, flat)
        found, error, noise, settled = _settle(central, flat, stair, h, value, tol)
        forward, backward = (up - y) / h, (y - down) / h
        right, left, gap, gap_error = _sides(forward, backward, h, noise, tol)
        scale = by_leaf(np.fmax(np.abs(t), np.where(np.isfinite(found), np.abs(found), 0)), leaf)
        off = np.abs(t - found)
        close = tol.atol + tol.rtol * scale
        bound = np.maximum(close, SAFETY * error)
        known = bound <= np.maximum(close, tol.certain * scale)
        nothing = (np.abs(t) <= tol.atol) & (error <= 1e-3 * tol.certain * np.fmax(value, 1.0))
        verdicts = np.where(off > bound, WRONG, np.where(known | nothing, RIGHT, ROUNDING))
        verdicts = np.where(settled, verdicts, ROUNDING)
        stairs = flat[-1] & (t == 0) & (verdicts == WRONG)
        verdicts = np.where(stairs, ROUNDING, verdicts)
        kink = (np.abs(gap) > np.maximum(SAFETY * gap_error, 1e-6 * scale)) & (gap != 0)
        low, high = np.fmin(left, right), np.fmax(left, right)
        room = np.maximum(np.maximum(close, SAFETY * gap_error), tol.certain * np.abs(gap))
        outside = (t < low - room) | (t > high + room)
        verdicts = np.where(kink, np.where(outside, WRONG, KINK), verdicts)
        sharp = (error <= 0.1 * np.abs(found)) & (found != 0)
        steep = _is_steep(forward, backward, tol.eps * value / h, tol) & ~sharp
        verdicts = np.where(steep, KINK, verdicts)
        far = np.fmax(np.abs(up - y), np.abs(down - y))
        floor = np.maximum(1024 * tol.eps * value, 1e-3 * np.fmax.reduce(far, axis=0))
        jump = _is_jump(up - down, floor, tol) | _is_jump(up + down - 2 * y, floor, tol)
        verdicts = np.where(jump, JUMP, verdicts)
        lost = ~np.isfinite(y) | ~np.isfinite(t) | ~np.isfinite(central).any(axis=0)
        verdicts = np.where(lost, NONFINITE, verdicts)
        if not verdicts.size:
            return Finding(Verdict.RIGHT, 0, 2.0, found, error, left, right, np.inf)
        verdict = int(verdicts.min())
        excess = np.where(verdicts == verdict, np.nan_to_num(off / np.fmax(bound, 1e-300)), -1.0)
        worst = int(np.argmax(excess))
        slope = _slope(up - y - h * t, h, noise, worst)
        distance = np.inf
        if verdict in (JUMP, KINK):
            distance = _distance(forward - backward, gap, h, noise, worst)
    return Finding(ORDER[verdict], worst, slope, found, error, left, right, distance)


def by_leaf(x: Vector, leaf: Vector) -> Vector:
    """The largest number of the leaf that each number is from."""
    if not x.size or leaf[-1] == 0:
        return np.full(x.shape, np.max(x, initial=0.0))
    most = np.zeros(leaf[-1] + 1)
    np.fmax.at(most, leaf, x)
    return most[leaf]


def _is_flat(up: Vector, down: Vector, y: Vector) -> Vector:
    """Which steps are too short to change the value on either side.

    Where a side never changes, as of max(x, 0), the value is constant there and nothing is lost.
    """
    still = np.stack([up == y, down == y])
    return np.asarray(still.all(axis=0) & ~still.all(axis=1).any(axis=0))


def _stair(up: Vector, down: Vector, flat: Vector) -> Vector:
    """The least change of a value that does not change for the shortest step; else zero."""
    least = [np.min(np.where(d != 0, np.abs(d), np.inf), axis=0) for d in (up, down)]
    stair = np.fmin(*least)
    return np.where(flat[-1] & np.isfinite(stair), stair, 0.0)


def _settle(
    central: Vector, flat: Vector, stair: Vector, h: Vector, value: Vector, tol: Tolerances
) -> tuple[Vector, Vector, Vector, Vector]:
    """The derivative where the ladder settles best, its error, the noise, and if it settles.

    Steps too short to change the value at all say nothing, unless no longer step says better.
    """
    q2 = tol.ratio**2
    pairs = (q2 * central[1:] - central[:-1]) / (q2 - 1)
    differ = np.abs(pairs[1:] - pairs[:-1])
    live = ~(flat[2:] | flat[1:-1]) & np.isfinite(differ)
    noise = np.maximum(_noise(differ * h[2:], live, tol), tol.eps * value)
    error = np.maximum(np.maximum(differ[1:], differ[:-1]), 1.5 * noise / h[2:-1])
    error = np.where(np.isfinite(error), error, np.inf)
    middle = pairs[1:-1]
    calm = _calm(np.where(live, differ * h[2:], 0.0), noise)[1:]
    stepped = np.maximum(error, 1.5 * stair / h[2:-1])
    a, a_error = _best(middle, np.where(calm & live[1:] & ~flat[:-3], stepped, np.inf))
    b, b_error = _best(middle, np.where(calm & ~live[1:], error, np.inf))
    c, c_error = _best(middle, error)
    use_a = np.isfinite(a_error) & ((a_error <= 0.1 * np.abs(a)) | ~(b_error < a_error))
    found, error = np.where(use_a, a, b), np.where(use_a, a_error, b_error)
    settled = np.isfinite(error)
    return np.where(settled, found, c), np.where(settled, error, c_error), noise, settled


def _noise(swing: Vector, live: Vector, tol: Tolerances) -> Vector:
    """How far a value is off by rounding: the median of what the shortest steps show.

    Only steps that changed the value count; in the shortest, nothing but noise is left.
    """
    count = np.cumsum(live[::-1], axis=0)[::-1]
    last = np.where(live & (count <= min(6, tol.levels // 2 - 1)), swing, np.nan)
    n = np.isfinite(last).sum(axis=0)
    ordered = np.sort(last, axis=0)  # NaN last
    middle = np.take_along_axis(ordered, np.maximum(n - 1, 0)[None] // 2, 0)[0]
    return np.where(n > 0, middle, 0.0)


def _best(x: Vector, error: Vector) -> tuple[Vector, Vector]:
    """For each number the candidate of least error."""
    k = np.argmin(error, axis=0)[None]
    return np.take_along_axis(x, k, 0)[0], np.take_along_axis(error, k, 0)[0]


def _sides(
    forward: Vector, backward: Vector, h: Vector, noise: Vector, tol: Tolerances
) -> tuple[Vector, Vector, Vector, Vector]:
    """The slopes on both sides, how far they are apart, and how well that is known."""
    q = tol.ratio
    right, left = ((q * d[1:] - d[:-1]) / (q - 1) for d in (forward, backward))
    gap = right - left
    differ = np.abs(gap[1:] - gap[:-1])
    error = np.maximum(np.maximum(differ[1:], differ[:-1]), 4 * noise / h[2:-1])
    error = np.where(np.isfinite(error), error, np.inf)
    calm = np.where(_calm(differ * h[2:], noise)[1:], error, np.inf)
    error = np.where(np.isfinite(calm).any(axis=0), calm, error)
    k = np.argmin(error, axis=0)[None]
    picked = [np.take_along_axis(x[1:-1], k, 0)[0] for x in (right, left, gap)]
    return picked[0], picked[1], picked[2], np.take_along_axis(error, k, 0)[0]


def _calm(swing: Vector, noise: Vector) -> Vector:
    """Which steps are short enough for the function: they and all that are shorter.

    Between steps that are too long, pairs differ by about what the function changes there,
    divided by h, and that gets smaller as h grows: it looks as if they settled.
    """
    swing = np.where(np.isfinite(swing), swing, 0.0)
    wild = (swing > 1e-3 * swing.max(axis=0)) & (swing > 1e3 * noise)
    calm: Vector = np.cumsum(wild[::-1], axis=0)[::-1] == 0
    return calm


def _is_steep(forward: Vector, backward: Vector, noise: Vector, tol: Tolerances) -> Vector:
    """Whether the slope on a side grows without bound as steps get shorter.

    It grows like a power of h above -1; at a jump, and of rounding, like 1 / h.
    """
    size = np.fmax(np.abs(forward), np.abs(backward))
    size = np.where(size > SAFETY * noise, size, np.nan)
    power = np.log(size[1:] / size[:-1]) / np.log(tol.ratio)
    grows = (power > 0.1) & (power < 0.9)
    seen = np.isfinite(power)
    last = seen & (np.cumsum(seen[::-1], axis=0)[::-1] <= 6)
    steep: Vector = (grows | ~last).all(axis=0) & (last.sum(axis=0) == 6)
    return steep


def _is_jump(change: Vector, floor: Vector, tol: Tolerances) -> Vector:
    """Whether a change does not vanish with the step."""
    q = tol.ratio
    rest = (q * change[1:] - change[:-1]) / (q - 1)
    differ = np.abs(rest[1:] - rest[:-1])
    error = np.maximum(differ[1:], differ[:-1])
    best, best_error = _best(rest[1:-1], np.where(np.isfinite(error), error, np.inf))
    size = np.abs(best)
    # The last, shortest step must show it as well, or else it is further away than that.
    return (size > SAFETY * best_error) & (size > floor) & (np.abs(change[-1]) > 0.5 * size)


def _slope(rest: Vector, h: Vector, noise: Vector, worst: int) -> float:
    """How fast the Taylor remainder of a number falls, where it stands above the noise."""
    size = np.abs(rest[:, worst])
    usable = np.isfinite(size) & (size > SAFETY * noise[worst])
    x, z = np.log(h[usable, 0]), np.log(size[usable])
    if len(x) < 3:
        return 2.0
    x, z = x[-8:], z[-8:]
    return float(np.polyfit(x, z, 1)[0])


def _distance(gap: Vector, limit: Vector, h: Vector, noise: Vector, worst: int) -> float:
    """How far the kink is: at a distance d, the gap of the slopes is ``limit * (1 - d / h)``."""
    sizes = np.abs(gap[:, worst])
    seen = np.isfinite(sizes) & (sizes > SAFETY * noise[worst] / h[:, 0])
    if not seen.any():
        return float(h[-1, 0])
    k = int(np.flatnonzero(seen)[-1])
    return float(h[k, 0] * np.clip(1 - sizes[k] / np.abs(limit[worst]), 0.0, 1.0))
