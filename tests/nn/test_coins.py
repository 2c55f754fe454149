"""Biased coins: as often True as they should be, whatever the probability."""

from __future__ import annotations

import numpy as np
import pytest

from fgrad import jit, random, vmap
from fgrad_nn import coins as module
from fgrad_nn.coins import coins


@pytest.mark.parametrize("p", [0.0, 1e-6, 0.1, 0.5, 1 / 3, 0.9, 1 - 2**-17, 1.0])
def test_they_fall_as_often_as_they_should(p):
    n = 1 << 20
    found = coins(random.key(1), p, (4, n // 4))
    assert found.shape == (4, n // 4)
    assert found.dtype == bool
    assert abs(found.sum() - n * p) <= 5 * np.sqrt(n * p * (1 - p)) + 1e-9
    both = (found[:, 1:] & found[:, :-1]).sum()  # neighbours, which share a word, are independent
    assert abs(both - (n - 4) * p * p) <= 8 * np.sqrt(n * p * p) + 1e-9


def test_bits_that_are_equal_are_decided_by_others():
    # Sixteen bits of each word are those of p, so that all is up to the other words.
    p = (1000 + 0.25) / 2**16
    words, spare = np.full(4096, 1000 * 0x0001000100010001, np.uint64), np.arange(1024)
    spare = (spare.astype(np.uint64) << np.uint64(54)) + np.uint64(5)
    found = module._compare_of(words, spare, p=p, n=4 * 4096)
    assert found.mean() == 0.25
    assert not module._compare_of(words, spare, p=1000 / 2**16, n=4 * 4096).any()


def test_compiled_and_mapped_they_are_the_same():
    keys = random.split(random.key(0), 3)
    draw = lambda key: coins(key, 0.3, (5, 7))  # noqa: E731
    each = np.stack([draw(key) for key in keys])
    np.testing.assert_array_equal(vmap(draw)(keys), each)
    np.testing.assert_array_equal(jit(vmap(draw))(keys), each)
    np.testing.assert_array_equal(jit(draw)(keys[0]), each[0])
    assert coins(keys[0], 0.3, ()).shape == ()
    assert coins(keys[0], 0.3, (0, 3)).shape == (0, 3)
