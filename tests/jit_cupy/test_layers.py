"""Layers of `fgrad_nn`, compiled with their gradients, and compiled inside of these."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import fgrad
from fgrad import jit, random, tree
from fgrad_nn import StatefulLayer

from ..cupy import laws
from ..cupy.traffic import counted
from ..nn.layer_cases import CASES

NAMES = [name for name, case in CASES.items() if not isinstance(case.layer, StatefulLayer)]
#: Every fourth, and those with loops, branches or graphs in them.
CHOSEN = [*dict.fromkeys([*NAMES[::4], "remat", "layer_stack", "lstm, peephole", "transformer"])]
HOW = {
    "jit of the gradient": lambda f: jit(fgrad.value_and_grad(f)),
    "gradient of jit": lambda f: fgrad.value_and_grad(jit(f)),
}


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("name", CHOSEN)
def test_numbers_are_the_hosts_and_nothing_waits(cupy, name, how):
    layer = CASES[name].layer
    _, params = layer.init(random.key(0), CASES[name].shape)

    def f(params, x):
        return sum(np.sum(np.sin(y)) for y in tree.leaves(layer.apply(params, x)))

    args = params, CASES[name].inputs()
    there = tree.to_device(args, cupy)
    compiled = HOW[how](f)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(2):
            with counted() as traffic:
                got = compiled(*there)
    assert (traffic.syncs, traffic.to_host, traffic.to_device) == (0, 0, 0)
    laws.close(laws.back(got), fgrad.value_and_grad(f)(*args), name, 1e-8)
