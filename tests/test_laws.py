"""The laws can fail: each rule that is broken on purpose is caught."""

from __future__ import annotations

from contextlib import contextmanager

import numpy as np
import pytest

from fgrad import tree
from fgrad.core import PRIMITIVES, Tracer
from fgrad.recorders import RECORDERS

from . import laws, laws_of_vmap
from .examples import TABLE


@contextmanager
def broken(p, **rules):
    """The primitive with other rules, for a while."""
    before = {name: getattr(p, name) for name in rules}
    try:
        for name, rule in rules.items():
            object.__setattr__(p, name, rule)
        yield
    finally:
        for name, rule in before.items():
            object.__setattr__(p, name, rule)


def scaled(rule):
    """A rule whose results are a thousandth too large."""
    if rule is None:
        return None

    def wrong(*args, **kwargs):
        out = rule(*args, **kwargs)
        if isinstance(out, (list, tuple)):
            return type(out)(c if c is None else times(c) for c in out)
        return out if out is None else times(out)

    return wrong


def times(c):
    return c * 1.001 if isinstance(c, (np.ndarray, np.generic, Tracer, float)) else scaled_parts(c)


def scaled_parts(c):
    c.parts[:] = [(x, arrays, g * 1.001, spec) for x, arrays, g, spec in c.parts]
    return c


def flipped(rule):
    """A batch rule that returns the elements in reverse."""
    return lambda *args: tree.map(lambda y: np.flip(y, 0), rule(*args))


ROWS = {name: [] for name in PRIMITIVES}
for _row in TABLE:
    for _name in laws.primitives_of(_row):
        ROWS[_name].append(_row)


def caught(rows, law):
    """Whether the law fails for one of the rows, with real or complex numbers."""
    for row in rows:
        for dtype in (np.float64, np.complex128)[: 1 + row.complex]:
            try:
                law(row, dtype)
            except AssertionError:
                return True
    return False


@pytest.mark.parametrize("p", [p for p in PRIMITIVES.values() if p.jvp is not None], ids=str)
def test_a_wrong_derivative_is_caught(p, monkeypatch):
    # The recorders have bound the rules that they were made with.
    monkeypatch.delitem(RECORDERS, getattr(np, p.name, None), raising=False)
    rows = [row for row in ROWS[p.name] if row.kind != "constant"]
    forward = {"jvp": scaled(p.jvp)}
    reverse = {"vjp": scaled(p.vjp), "pull": tuple(map(scaled, p.pull))}
    # Both modes of an elementwise function read one formula.
    shared = bool(p.pull) and not p.shaped
    for rules in [forward | reverse] if shared else [forward, reverse]:
        with broken(p, **rules):
            assert caught(rows, laws.first_order)


@pytest.mark.parametrize("p", PRIMITIVES.values(), ids=str)
def test_a_wrong_batch_rule_is_caught(p):
    with broken(p, batch=flipped(p.batch)):
        assert caught(ROWS[p.name], laws_of_vmap.batching)
