"""Compiled functions on a GPU: loops with kernels in them, in each transformation, and networks."""

from __future__ import annotations

import numpy as np
import pytest

import fgrad
from fgrad import jit, random, tree
from fgrad_nn import StatefulLayer

from ..cupy import laws
from ..jit_cupy.test_loops import KINDS, LOOPS, of
from ..nn.layer_cases import CASES as LAYERS

pytestmark = pytest.mark.gpu


@pytest.mark.parametrize("kind", KINDS)
def test_loops_give_the_hosts_numbers(cupy, kind):
    for name in LOOPS:
        compiled, plain, args = of(name, kind)
        there = tree.to_device(args, cupy)
        for _ in range(2):
            got = compiled(*there)
        laws.close(laws.back(got), plain(*args), f"{name}, {kind}", 1e-8)


def test_layers_give_the_hosts_numbers(cupy):
    for name, case in LAYERS.items():
        if isinstance(case.layer, StatefulLayer):
            continue
        _, params = case.layer.init(random.key(0), case.shape)

        def f(params, x, apply=case.layer.apply):
            return sum(np.sum(np.sin(y)) for y in tree.leaves(apply(params, x)))

        gradient, args = fgrad.value_and_grad(f), (params, case.inputs())
        there = tree.to_device(args, cupy)
        for transformed in (gradient, jit(gradient)):
            for _ in range(2):
                got = transformed(*there)
            laws.close(laws.back(got), gradient(*args), name, 1e-8)
