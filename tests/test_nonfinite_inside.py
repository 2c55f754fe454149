"""NaN and infinity inside of loops, branches, rules and solvers."""

import numpy as np
import pytest

import fgrad
from fgrad import (
    checkpoint,
    cond,
    custom_jvp,
    custom_vjp,
    explain_nonfinite,
    grad,
    hessian,
    jit,
    jvp,
    scan,
    vjp,
    vmap,
    while_loop,
)
from fgrad.core import full_lower
from fgrad.debug.events import Argument, Watch
from fgrad.debug.located import follow
from fgrad.debug.profiling import Timer
from fgrad.errors import ArgumentError

from .examples import TABLE
from .test_nonfinite import line_of

A = np.array


# ------------------------------------------------------------------ control flow, rules
def step(c, x):
    c = c + x
    return c, np.sqrt(c)  # here


def branch(x):
    return np.sqrt(x)  # here


BODIES = {
    "scan": (lambda xs: np.sum(scan(step, 0.0, xs)[1]), step),
    "a long scan": (lambda xs: np.sum(scan(step, 0.0, xs, checkpoint_every=2)[1]), step),
    "cond": (lambda xs: cond(xs[0] > 0.5, np.log, branch, xs[0]), branch),
    "checkpoint": (checkpoint(lambda xs: branch(xs[0])), branch),
    "while": (lambda xs: while_loop(lambda s: s[0] < 1, lambda s: (s[0] + 1, branch(s[1])),
                                    (0, xs[0]))[1], branch),
}  # fmt: skip


@pytest.mark.parametrize("name", BODIES)
def test_bodies(name):
    f, body = BODIES[name]
    bad, good = A([0.0, 1.0, 2.0]), A([0.1, 1.0, 2.0])
    assert not explain_nonfinite(grad(f), good)
    made = {
        "grad": (grad(f), bad),
        "vmap": (vmap(grad(f)), np.stack([good, bad])),
        "vmap inside": (grad(lambda x: np.sum(vmap(f)(x))), np.stack([good, bad])),
        "jit": (jit(grad(f)), bad),
    }
    for g, x in made.values():
        found = explain_nonfinite(g, x)
        assert (found.operation, found.phase) == ("sqrt", "backward")
        assert found.line == line_of(body, "# here")
    assert explain_nonfinite(*made["vmap"]).leaves[0].index == (1, 0)


@custom_vjp
def norm(x):
    return np.sqrt(np.sum(x * x))


def norm_bwd(kept, g):
    x, y = kept
    return (g * x / y,)  # here


norm.defvjp(lambda x: (norm(x), (x, norm(x))), norm_bwd)


@custom_jvp
def slow_root(x):
    return np.sqrt(x)


@slow_root.defjvp
def slow_root_jvp(primals, tangents):
    (x,), (t,) = primals, tangents
    return slow_root(x), t / (2 * np.sqrt(x))  # here


def test_rules_of_the_users():
    for f, x in ((grad(norm), np.zeros(2)), (vmap(grad(norm)), np.zeros((2, 2)))):
        found = explain_nonfinite(f, x)
        assert (found.operation, found.phase, found.inside) == ("divide", "backward", "norm")
        assert found.line == line_of(norm_bwd, "# here")
        assert "in the backward function of `norm`" in str(found)
    found = explain_nonfinite(lambda x: jvp(slow_root, (x,), (1.0,)), 0.0)
    assert (found.operation, found.phase, found.inside) == ("divide", "tangent", "slow_root")
    assert found.line == line_of(slow_root_jvp, "# here")
    found = explain_nonfinite(grad(slow_root), 0.0)
    assert (found.operation, found.line) == ("divide", line_of(slow_root_jvp, "# here"))


def test_code_that_needs_plain_arrays():
    def f(x):
        y = np.atleast_1d(np.asarray(x)).tolist()
        return np.log(x - y[0]) + float(x) + np.unwrap(A([0.0, 1.0]))[0]

    assert explain_nonfinite(f, 2.0).operation == "log"
    # A function that fgrad has no rule for is one operation.
    with np.errstate(all="ignore"):
        found = explain_nonfinite(lambda x: np.apply_along_axis(np.sum, 0, np.log(x)), np.zeros(2))
    assert found.operation == "log"


def test_effects_do_not_happen():
    seen = []

    def f(x):
        fgrad.debug.callback(seen.append, x)
        return np.log(x)

    assert explain_nonfinite(f, 0.0)
    assert not seen


def test_errors():
    with pytest.raises(ArgumentError, match=r"explain_nonfinite wants a function"):
        explain_nonfinite(np.ones(2))
    with pytest.raises(ArgumentError, match=r"(?s)wants plain arguments.*traced, at \[0\]\[0\]"):
        grad(lambda x: explain_nonfinite(np.sqrt, x))(1.0)


def test_ways_back_of_what_is_constant():
    """The rule of ``x / c`` reads the cotangent and c, and nothing that depends on x."""
    c = A([1.0, 0.0])

    def f(x):
        return x / c  # here

    def g(x):
        return np.sum(f(x) * 0.0)

    x = np.ones(2)
    ways = (
        grad(g), fgrad.jacrev(f), fgrad.jacfwd(f), lambda x: vjp(f, x)[1](np.ones(2)),
        hessian(lambda x: np.sum(f(x) ** 2)),
        lambda x: vmap(lambda x: grad(g)(x))(np.stack([x, x])), jit(grad(g)),
        lambda x: fgrad.linearize(f, x)[1](np.ones(2)), lambda x: jvp(f, (x,), (np.ones(2),)),
        lambda x: fgrad.hvp(lambda x: np.sum(f(x) ** 2), (x,), (np.ones(2),)),
    )  # fmt: skip
    for way in ways:
        found = explain_nonfinite(way, x)
        assert found.operation in ("divide", "square")
        assert found.line == line_of(f, "# here"), found


@pytest.mark.filterwarnings("ignore:Mean of empty")
def test_cures_that_depend_on_the_value():
    for f, x, keyword in (
        (np.log, -1.0, "negative"), (np.sqrt, -1.0, "negative"),
        (lambda x: x**0.5, A(-1.0), "root"),
        (lambda x: x**1.5, A(-1.0), "power"),
        (lambda x: np.exp(x) / (1 + np.exp(x)), 800.0, "expit"),
        (lambda x: np.log(1 + np.exp(x)), 800.0, "logsumexp"), (np.cosh, 800.0, "overflows"),
        (lambda x: x * np.log(x), 0.0, "xlogy"), (np.tan, np.inf, "domain"),
        (lambda x: np.square(x), 1e300, "too large"), (np.arctanh, 2.0, "clip"),
        (np.mean, np.zeros(0), "no elements"), (lambda x: x % 0.0, A(1.0), "epsilon"),
        (lambda x: np.inf - np.inf * x, 1.0, "infinity minus infinity"),
        (lambda x: (x * np.inf) / (x * np.inf), 1.0, "infinity over infinity"),
        (lambda x: 0.0 * (x * np.inf), 1.0, "0 times infinity"),
    ):  # fmt: skip
        with np.errstate(all="ignore"):
            found = explain_nonfinite(f, x)
        assert found
        assert keyword in found.cure, (found.operation, found.cure)


def test_solvers():
    """Their own calls of the function are plain, though transformations are in it."""

    def solve(a):
        r = fgrad.root(lambda z: z * grad(lambda z: z**2 / 2)(z) - a, 1.0)
        return np.log(r - 2.0)  # here

    found = explain_nonfinite(grad(solve), 4.0)
    assert (found.operation, found.line) == ("log", line_of(solve, "# here"))


@pytest.mark.parametrize("row", TABLE[::60], ids=str)
def test_following_changes_nothing(row):
    """Values and derivatives are those that come when nobody looks."""
    f, xs = row.fix(row.arguments(0, np.float64))

    def both(*xs):
        y, pullback = vjp(f, *xs)
        return y, pullback(fgrad.tree.map(np.ones_like, y))

    want = f(*xs) if row.kind == "constant" else both(*xs)
    for trace in (Watch(f), Timer(f, 0.0)):
        got = follow(trace, f if row.kind == "constant" else both, xs, {}, Argument)
        got = fgrad.tree.map(full_lower, got)
        for a, b in zip(fgrad.tree.leaves(got), fgrad.tree.leaves(want), strict=True):
            assert np.asarray(a).dtype == np.asarray(b).dtype
            np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)
