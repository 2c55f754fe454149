"""Arrays that a pullback has made read-only become writable when nobody holds them any more."""

import gc

import numpy as np
import pytest

from fgrad import grad, vjp
from fgrad.arrays import SPARE
from fgrad.errors import FgradError

LARGE = SPARE // 8 + 5


def fresh(n, seed=0):
    return np.random.default_rng(seed).uniform(0.5, 1.5, n)


def test_nested_gradients_unlock_when_the_last_is_done():
    big = fresh(LARGE)
    seen = []

    def outer(w):
        inner = grad(lambda v: np.sum(np.sin(v) * w * big))(w)
        seen.append(big.flags.writeable)
        return np.sum(inner * w * big)

    grad(outer)(np.ones(len(big)))
    assert seen == [False]
    assert big.flags.writeable


def test_an_exception_unlocks():
    big = fresh(LARGE)

    def f(x):
        y = np.sum(np.sin(x * big) * big)
        raise KeyError(y)

    for call in (lambda: grad(f)(big), lambda: vjp(f, big), lambda: grad(grad(f))(big)):
        with pytest.raises(KeyError):
            call()
        assert big.flags.writeable
    with pytest.raises(FgradError):
        vjp(lambda x: "not an array", big)
    with pytest.raises(FgradError):
        grad(lambda x: np.sin(x) * big)(big)
    assert big.flags.writeable


def test_two_pullbacks_share_an_array():
    big = fresh(LARGE)
    _, first = vjp(np.sin, big)
    _, second = vjp(np.cos, big)
    del first
    assert not big.flags.writeable
    second(big)
    del second
    assert big.flags.writeable


def test_views_are_unlocked_with_their_owner():
    owner = fresh(2 * LARGE)
    view = owner[::2]
    _, pullback = vjp(np.sin, view)
    assert not owner.flags.writeable
    del pullback
    assert owner.flags.writeable
    assert view.flags.writeable


@pytest.mark.parametrize("first", [0, 1])
def test_two_views_of_one_owner(first):
    owner = fresh(2 * LARGE)
    views = [owner[:LARGE], owner[LARGE:], owner[::2]]
    pullbacks = [vjp(np.sin, view)[1] for view in views]
    del pullbacks[first]
    gc.collect()
    assert not owner.flags.writeable
    del pullbacks[:]
    gc.collect()
    for x in (owner, *views):
        assert x.flags.writeable


def test_aux_is_writable():
    big = fresh(LARGE)
    _, aux = grad(lambda x: (np.sum(x * x), (x[1:], x)), has_aux=True)(big)
    aux[0][:] = 0.0
    aux[1][0] = 0.0
