"""Steps that add to updates, and that keep them or the parameters in bounds."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from fgrad import random, tree
from fgrad.arrays import is_a
from fgrad.tracebacks import boundary

from ..masks import beside
from .leaves import choose, conjugate, each, is_complex, zero
from .masking import Mask, mask_of
from .numbers import (
    COUNT,
    NOT_NEGATIVE,
    cast,
    is_zero,
    real,
    real_or_schedule,
    weak,
)
from .records import (
    GradientTransformation,
    PyTree,
    dtype_of,
    empty_state,
    shape_of,
    transformation,
)
from .scaling import ScaleByScheduleState, scheduled


class AddNoiseState(NamedTuple):
    """Steps made, the key of the next noise."""

    count: Any
    rng_key: Any


class ZeroNansState(NamedTuple):
    """For each leaf, whether the last update had a NaN there."""

    found_nan: PyTree


@boundary
def add_decayed_weights(weight_decay: Any = 0.0, mask: Mask = None) -> GradientTransformation:
    """Add the parameters, times a number, to the updates.

    After a scaling such as Adam's, and before the learning rate, that is decoupled weight decay.

    >>> opt = add_decayed_weights(0.5, mask={"w": True, "bias": False})
    >>> params = {"w": 2.0, "bias": 2.0}
    >>> opt.update({"w": 1.0, "bias": 1.0}, opt.init(params), params)[0]
    {'w': 2.0, 'bias': 1.0}

    Args:
        weight_decay: a finite real number, or a schedule.
        mask: which parameters decay: a tree of bools that is a prefix of the parameters', or a
            function that makes it of the parameters, such as :func:`match_paths` returns.

    Raises:
        TreeError, DtypeError: from `update`, the mask doesn't fit, or has other things than bools.

    Source: Loshchilov and Hutter, Decoupled weight decay regularization (2019).
    """
    decay = real_or_schedule("weight_decay", weight_decay)
    varies = callable(decay)

    def init(params: PyTree) -> PyTree:
        return ScaleByScheduleState(COUNT) if varies else empty_state(params)

    def rule(updates: PyTree, state: Any, params: PyTree, **extra: Any) -> Any:
        now = weak(scheduled(decay, state.count) if varies else decay)
        state = ScaleByScheduleState(state.count + 1) if varies else state
        if is_zero(now):
            return updates, state
        if mask is None:
            # the gradient of |p|**2 / 2 is conj(p), in the convention that gradients have here
            return each(lambda u, p: u + cast(now, u) * conjugate(p), updates, params), state

        def leaf(u: Any, p: Any, decays: bool) -> Any:
            return u + cast(now, u) * conjugate(p) if decays else u

        return each(leaf, updates, params, mask_of(mask, params)), state

    return transformation(init, rule)


@boundary
def add_noise(eta: Any, gamma: Any, key: Any) -> GradientTransformation:
    """Add normal noise of variance eta / step**gamma.

    >>> from fgrad import random
    >>> opt = add_noise(0.01, 0.55, random.key(0))
    >>> updates, state = opt.update([1.0], opt.init([1.0]), [1.0])
    >>> bool(abs(updates[0] - 1.0) < 0.5), updates[0] == 1.0
    (True, False)

    Args:
        eta: the variance at the first step.
        gamma: how fast it falls.
        key: a key of `fgrad.random`, or an integer to make one of.

    Source: Neelakantan et al., Adding gradient noise improves learning for very deep networks
    (2015), section 3.
    """
    eta, gamma = real("eta", eta, NOT_NEGATIVE), real("gamma", gamma, NOT_NEGATIVE)
    key = random.key(key) if is_a(key, (int, np.integer)) else key

    def leaf(deviation: Any, u: Any, k: Any) -> Any:
        noise = random.normal(k, shape_of(u))
        if is_complex(u):
            other = random.normal(random.fold_in(k, 1), shape_of(u))
            noise = (noise + 1j * other) * 0.5**0.5
        return u + beside((deviation * noise).astype(dtype_of(u)), u)

    def rule(updates: PyTree, state: Any, params: PyTree, **extra: Any) -> Any:
        count = state.count + 1
        deviation = np.sqrt(eta / count**gamma)
        next_key, here = random.split(state.rng_key)
        keys = keys_for(here, updates)
        noisy = each(lambda u, k: leaf(deviation, u, k), updates, keys)
        return noisy, AddNoiseState(count, next_key)

    return transformation(lambda params: AddNoiseState(COUNT, key), rule)


def keys_for(key: Any, params: PyTree) -> PyTree:
    """A key for each leaf."""
    structure = tree.structure(params)
    return structure.unflatten(random.split(key, structure.num_leaves + 1)[1:])


@boundary
def zero_nans() -> GradientTransformation:
    """Replace NaN by 0.

    >>> opt = zero_nans()
    >>> opt.update([np.nan, 1.0], opt.init([1.0, 1.0]), [1.0, 1.0])
    ([0.0, 1.0], ZeroNansState(found_nan=[np.True_, np.False_]))

    Returns:
        A transformation whose state tells for each leaf whether there was a NaN.
    """

    def rule(updates: PyTree, state: Any, params: PyTree, **extra: Any) -> Any:
        found = tree.map(lambda u: np.any(np.isnan(u)), updates)
        return each(lambda u: choose(np.isnan(u), zero(u), u), updates), ZeroNansState(found)

    return transformation(lambda params: ZeroNansState(tree.map(lambda p: np.False_, params)), rule)


@boundary
def keep_params_nonnegative() -> GradientTransformation:
    """Shorten updates so that parameters don't fall below 0.

    It is the last of a chain; parameters must not be negative at the beginning.

    >>> opt = keep_params_nonnegative()
    >>> opt.update([-3.0, 1.0], opt.init([1.0, 1.0]), [1.0, 1.0])[0]
    [-1.0, 1.0]
    """

    def rule(updates: PyTree, state: Any, params: PyTree, **extra: Any) -> Any:
        return each(lambda u, p: choose(p + u < 0, -p, u), updates, params), state

    return transformation(empty_state, rule)
