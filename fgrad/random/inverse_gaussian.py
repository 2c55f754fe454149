"""The Wald, or inverse Gaussian, distribution, and how its samples move with the mean.

Samples are those of J. R. Michael, W. R. Schucany, R. W. Haas, Generating random variates using
transformations with multiple roots (1976). Which root is taken depends on the mean, so a sample is
no smooth function of it; what is differentiated is the quantile function, as for `gammas`. With
the distribution function F(x) = Q(1/s - s/m) + exp(2/m) Q(s/m + 1/s), where s = sqrt(x), m is the
mean and Q the upper tail of the normal distribution, dF/dm = -2 exp(2/m) Q(s/m + 1/s) / m**2: the
other terms cancel. Over the density that leaves the ratio of tail and density of the latter.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..ops.casts import stop_gradient_leaf
from ..rules import elementwise, line_up, primitive
from ..tracebacks import boundary
from .arguments import positive
from .continuous import start_with
from .keys import divide
from .normals import random_normal, random_open_uniform, upper_tail

_DOUBLE = np.dtype(np.float64)
#: From here on the continued fraction has all digits.
_FAR = 5.0


def _fraction(t: Any) -> Any:
    """1/(t + 2/(t + 3/(t + ...))): DLMF 7.9.3 without its first step."""
    y = t
    for k in range(40, 1, -1):
        y = t + k / y
    return 1 / y


def mills_ratio(t: Any) -> Any:
    """The upper tail of the normal distribution over its density, for t > 0."""
    far = t > _FAR
    near = np.where(far, 1.0, t)
    low = math.sqrt(2 * math.pi) * np.exp(0.5 * near * near) * upper_tail(near)
    high = np.where(far, t, _FAR)
    return np.where(far, 1 / (high + _fraction(high)), low)[()]


def _mills_slope(ans: Any, t: Any) -> Any:
    """t ans - 1, which cancels for large t."""
    far = np.greater(t, _FAR)
    return np.where(far, -ans * _fraction(np.where(far, t, _FAR)), t * ans - 1)


mills = elementwise(mills_ratio, _mills_slope)


def _slope(x: Any, mean: Any) -> Any:
    """dx/dm at a fixed quantile."""
    s = np.sqrt(x)
    return 2 * x * s / (mean * mean) * mills(s / mean + 1 / s)


def wald_path(x: Any, mean: Any) -> Any:
    """The sample x, as it moves with the mean at a fixed quantile; constant in x."""
    return np.copy(x)[()]


moving = primitive(
    wald_path,
    jvp=lambda ts, ans, x, mean: None if ts[1] is None else ts[1] * _slope(ans, mean),
    vjp=[None, lambda g, ans, x, mean: g * _slope(ans, mean)],
    batch=line_up,
)(lambda x, mean: ((x, mean), {}))


@boundary
def wald(key: Any, mean: Any, shape: Any = None, dtype: Any = float) -> Any:
    """When a Brownian motion of drift 1 / mean first reaches 1: numbers of variance mean**3."""
    axes, new, (m,) = start_with(key, shape, dtype, "wald", mean)
    positive("wald", "mean", m)
    m = np.broadcast_to(m.astype(_DOUBLE), axes)
    known = stop_gradient_leaf(m)
    known = np.where(np.greater(known, 0), known, np.nan)
    k1, k2 = divide(key, 2)
    a = known * np.square(random_normal(k1, shape=axes, dtype=_DOUBLE))
    root = 2 * known / (2 + a + np.sqrt(a * (a + 4)))
    first = np.less_equal(random_open_uniform(k2, shape=axes) * (known + root), known)
    return moving(np.where(first, root, known * known / root), m).astype(new)
