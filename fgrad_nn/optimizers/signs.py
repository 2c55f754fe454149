"""Steps made of signs, so that the size of gradients doesn't matter: Rprop and Lion."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from fgrad.tracebacks import boundary

from .leaves import each_many, full, zeros
from .numbers import AT_LEAST_1, COUNT, DECAY, FRACTION, POSITIVE, real, with_numbers
from .records import GradientTransformation, PyTree, transformation
from .shapes import no_complex


class ScaleByLionState(NamedTuple):
    """Steps made, first moments."""

    count: Any
    mu: PyTree


class ScaleByRpropState(NamedTuple):
    """Step sizes, and the last steps."""

    step_sizes: PyTree
    prev_updates: PyTree


@boundary
def scale_by_rprop(
    learning_rate: Any,
    eta_minus: Any = 0.5,
    eta_plus: Any = 1.2,
    min_step_size: Any = 1e-6,
    max_step_size: Any = 50.0,
) -> GradientTransformation:
    """Grow the step of an element while its gradient keeps its sign, and shrink it when it turns.

    Where the sign turns there is no step, and the next one is made without a comparison.

    >>> opt = scale_by_rprop(0.1)
    >>> state = opt.init([1.0])
    >>> updates, state = opt.update([5.0], state, [1.0])
    >>> updates, opt.update([0.1], state, [1.0])[0]
    ([0.1], [0.12])

    Args:
        learning_rate: the first step size.
        eta_minus, eta_plus: factors where the sign turns, and where it stays.
        min_step_size, max_step_size: limits of the step sizes.

    Raises:
        DtypeError: from `init`, a parameter is complex.

    Source: Riedmiller and Braun, A direct adaptive method for faster backpropagation learning:
    the RPROP algorithm (1993); Igel and Hüsken, Improving the Rprop learning algorithm (2000),
    variant iRprop-.
    """
    first = real("A learning rate", learning_rate, POSITIVE)
    numbers = (
        real("eta_minus", eta_minus, FRACTION),
        real("eta_plus", eta_plus, AT_LEAST_1),
        real("min_step_size", min_step_size, POSITIVE),
        real("max_step_size", max_step_size, POSITIVE),
    )

    def leaf(minus: Any, plus: Any, low: Any, high: Any, g: Any, size: Any, last: Any) -> Any:
        turn = np.sign(g) * np.sign(last)
        grown = np.clip(size * np.where(turn > 0, plus, minus).astype(_size_dtype(size)), low, high)
        size = np.where(turn == 0, size, grown)[()]
        step = np.where(turn < 0, 0.0, size * np.sign(g))[()]
        return step, size, step

    f = with_numbers(leaf, *numbers)

    def init(params: PyTree) -> ScaleByRpropState:
        no_complex("rprop", params)
        return ScaleByRpropState(full(params, first), zeros(params))

    def rule(updates: PyTree, state: Any, params: PyTree, **extra: Any) -> Any:
        updates, sizes, last = each_many(3, f, updates, state.step_sizes, state.prev_updates)
        return updates, ScaleByRpropState(sizes, last)

    return transformation(init, rule)


def _size_dtype(size: Any) -> np.dtype[Any]:
    """The dtype of the step sizes, which may be Python floats."""
    return np.dtype(getattr(size, "dtype", float))


@boundary
def scale_by_lion(b1: Any = 0.9, b2: Any = 0.99) -> GradientTransformation:
    """Take the sign of a mean of gradients: every element moves by the same amount.

    >>> opt = scale_by_lion()
    >>> updates, state = opt.update([5.0], opt.init([1.0]), [1.0])
    >>> updates
    [1.0]

    Args:
        b1: the decay of the mean whose sign is taken.
        b2: the decay of the mean that is kept.

    Source: Chen et al., Symbolic discovery of optimization algorithms (2023), algorithm 2.
    """
    b1, b2 = real("b1", b1, DECAY), real("b2", b2, DECAY)

    def leaf(b1: Any, a1: Any, b2: Any, a2: Any, g: Any, mu: Any) -> Any:
        return np.sign(a1 * g + b1 * mu), b2 * mu + a2 * g

    def rule(updates: PyTree, state: Any, params: PyTree, **extra: Any) -> Any:
        f = with_numbers(leaf, b1, 1 - b1, b2, 1 - b2)
        updates, mu = each_many(2, f, updates, state.mu)
        return updates, ScaleByLionState(state.count + 1, mu)

    return transformation(lambda params: ScaleByLionState(COUNT, zeros(params)), rule)
