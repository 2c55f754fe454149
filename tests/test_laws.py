"""The laws can fail: each rule that is broken on purpose is caught, also by `fgrad.testing`."""

from __future__ import annotations

import numpy as np
import pytest

from fgrad import tree
from fgrad.core import PRIMITIVES
from fgrad.testing import check_grads

from . import laws, laws_of_vmap
from .breaking import all_first, broken, dropped, flipped, forward, in_reverse, reverse, scaled
from .examples import TABLE

#: Rules that a change leaves right: the row's derivative of heaviside is 0, 1, 0.
SAME = {("heaviside", flipped)}

CASES = [
    pytest.param(p, change, id=f"{p}-{change.__name__}")
    for p in PRIMITIVES.values()
    for change in (scaled, flipped, dropped)
    if p.jvp is not None and (p.name, change) not in SAME
]

ROWS = {name: [] for name in PRIMITIVES}
for _row in TABLE:
    for _name in laws.primitives_of(_row):
        ROWS[_name].append(_row)


def grads(row, dtype):
    """The public check of derivatives, for a row."""
    h, moving = row.fix(row.arguments(0, dtype))
    check_grads(h, tuple(moving), order=1)


def caught(rows, law):
    """Whether the law fails for one of the rows, with real or complex numbers."""
    for row in rows:
        for dtype in (np.float64, np.complex128)[: 1 + row.complex]:
            try:
                law(row, dtype)
            except AssertionError:
                return True
    return False


@pytest.mark.parametrize(("p", "change"), CASES)
def test_a_wrong_derivative_is_caught(p, change):
    rows = [row for row in ROWS[p.name] if row.kind != "constant"]
    rules = [forward(p, change), reverse(p, change)]
    # Both modes of an elementwise function read one formula.
    shared = bool(p.pull) and not p.shaped
    for changed in [rules[0] | rules[1]] if shared else rules:
        with broken(p, **changed):
            assert caught(rows, laws.first_order)
            assert caught(rows, grads)


@pytest.mark.parametrize("change", [in_reverse, all_first], ids=lambda f: f.__name__)
@pytest.mark.parametrize("p", PRIMITIVES.values(), ids=str)
def test_a_wrong_batch_rule_is_caught(p, change):
    rule = p.batch
    with broken(p, batch=lambda *args: tree.map(change, rule(*args))):
        assert caught(ROWS[p.name], laws_of_vmap.batching)
