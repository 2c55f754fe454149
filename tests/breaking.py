"""Rules broken on purpose, for tests that must notice."""

from __future__ import annotations

from contextlib import contextmanager

import numpy as np

import fgrad
from fgrad import tree
from fgrad.recorders import RECORDERS
from fgrad.rules import Deferred


@contextmanager
def broken(p, **rules):
    """The primitive with other rules, for a while."""
    before = {name: getattr(p, name) for name in rules}
    # The recorders have bound the rules that they were made with.
    fn = getattr(np, p.name, None)
    recorder = RECORDERS.pop(fn, None)
    try:
        for name, rule in rules.items():
            object.__setattr__(p, name, rule)
        yield
    finally:
        for name, rule in before.items():
            object.__setattr__(p, name, rule)
        if recorder is not None:
            RECORDERS[fn] = recorder


def forward(p, change):
    """The primitive's forward rule, with changed results."""
    return {"jvp": wrong(p.jvp, change)}


def reverse(p, change):
    """The primitive's backward rules, with changed results."""
    return {"vjp": wrong(p.vjp, change), "pull": tuple(wrong(r, change) for r in p.pull)}


def wrong(rule, change):
    """A rule whose results are changed."""
    if rule is None:
        return None

    def one(c):
        if isinstance(c, Deferred):
            c.parts[:] = [(x, arrays, change(g), spec) for x, arrays, g, spec in c.parts]
            return c
        return None if c is None else change(c)

    def broken_rule(*args, **kwargs):
        out = rule(*args, **kwargs)
        return type(out)(map(one, out)) if isinstance(out, (list, tuple)) else one(out)

    return broken_rule


# ------------------------------------------------------------------ changes
def scaled(c):
    """A thousandth too large."""
    return c * 1.001


def flipped(c):
    """The last axis the wrong way round; for a number, the sign."""
    return np.flip(c, -1) if np.ndim(c) else -c


def dropped(c):
    """Without its largest number, as if a term were missing there."""
    size = np.abs(c)
    return np.where(size == np.max(size, initial=0.0), 0, c).astype(np.asarray(c).dtype)


def in_reverse(y):
    """A batch with its elements in reverse."""
    return np.flip(y, 0)


def all_first(y):
    """A batch whose elements all are the first."""
    return np.broadcast_to(y[:1], np.shape(y))


# ------------------------------------------------------------------ derivatives of users
def made(f, by):
    """The jvp of a function, made wrong by a factor."""

    def f_jvp(args, tangents):
        y, t = fgrad.jvp(f, args, tangents)
        return y, tree.map(lambda u: (u * by).astype(u.dtype), t)

    return f_jvp


def made_vjp(f, by):
    """The vjp of a function, made wrong by a factor."""

    def f_vjp(*args):
        y, pullback = fgrad.vjp(f, *args)
        return y, lambda g: tree.map(lambda c: (c * by).astype(c.dtype), pullback(g))

    return f_vjp
