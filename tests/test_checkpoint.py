"""checkpoint: nothing changes but what is kept; schedules of checkpoints in loops."""

import tracemalloc
from functools import cache

import numpy as np
import pytest

from fgrad import (
    checkpoint_policies,
    elementwise,
    grad,
    hessian,
    jacfwd,
    jacrev,
    jvp,
    make_graph,
    tree,
    value_and_grad,
    vmap,
)
from fgrad.checkpointing import checkpoint, checkpoint_name
from fgrad.control import scan
from fgrad.control.schedules import Schedule
from fgrad.errors import ArgumentError, DtypeError, FgradError, TracerConversionError

W = np.array([[0.5, 0.2], [-0.1, 0.7]])
X = np.array([0.3, 0.4])
XS = np.stack([X, -X, 2 * X])
BOTH = (0, 1)

POLICIES = {
    "none": None,
    "nothing": checkpoint_policies.nothing,
    "dots": checkpoint_policies.dots,
    "everything": checkpoint_policies.everything,
    "names": checkpoint_policies.names("a"),
}


def inside(w, x):
    y = checkpoint_name({"y": np.sin(w @ x)}, "a")["y"]
    return np.tanh(w @ y) * y, {"n": np.sum(np.exp(y))}


def twice(layer):
    def loss(w, x):
        a, b = layer(w, x)
        c, d = layer(w, a)
        return np.sum(c**3) + b["n"] * d["n"]

    return loss


def close(a, b):
    for x, y in zip(tree.leaves(a), tree.leaves(b), strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-10, atol=1e-12)


FORMS = {
    "arguments": lambda policy: checkpoint(inside, policy=policy),
    "captured": lambda policy: lambda w, x: checkpoint(lambda x: inside(w, x), policy=policy)(x),
    "all_captured": lambda policy: lambda w, x: checkpoint(lambda: inside(w, x), policy=policy)(),
    "nested": lambda policy: checkpoint(checkpoint(inside, policy=policy), policy=policy),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=list(FORMS))
@pytest.mark.parametrize("policy", POLICIES.values(), ids=list(POLICIES))
def test_every_mode(form, policy):
    layer = form(policy)
    f, plain = twice(layer), twice(inside)
    close(f(W, X), plain(W, X))
    close(grad(f, BOTH)(W, X), grad(plain, BOTH)(W, X))
    close(jvp(f, (W, X), (W, X)), jvp(plain, (W, X), (W, X)))
    close(hessian(f, BOTH)(W, X), hessian(plain, BOTH)(W, X))
    close(jacrev(grad(f), 0)(W, X), jacrev(grad(plain), 0)(W, X))
    close(jacrev(jacfwd(f), 0)(W, X), jacrev(jacfwd(plain), 0)(W, X))
    close(jacrev(layer, BOTH)(W, X), jacrev(inside, BOTH)(W, X))
    axes = (None, 0)
    close(vmap(f, axes)(W, XS), vmap(plain, axes)(W, XS))
    close(vmap(grad(f, BOTH), axes)(W, XS), vmap(grad(plain, BOTH), axes)(W, XS))
    close(vmap(hessian(f, 1), axes)(W, XS), vmap(hessian(plain, 1), axes)(W, XS))
    close(
        grad(lambda w: np.sum(vmap(f, axes)(w, XS)))(W),
        grad(lambda w: np.sum(vmap(plain, axes)(w, XS)))(W),
    )
    graph = make_graph(f)(W, X)
    assert graph.count()["checkpoint"] == 2
    close(graph(2 * W, -X), plain(2 * W, -X))
    close(grad(graph, BOTH)(2 * W, -X), grad(plain, BOTH)(2 * W, -X))
    close(make_graph(grad(f, BOTH))(W, X)(2 * W, -X), grad(plain, BOTH)(2 * W, -X))
    close(make_graph(hessian(f, 1))(W, X)(2 * W, -X), hessian(plain, 1)(2 * W, -X))


def peak(f, *args):
    f(*args)
    tracemalloc.start()
    f(*args)
    size = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return size


@pytest.mark.parametrize("captured", [False, True])
def test_memory_of_a_chain(captured):
    x = np.linspace(0.0, 1.0, 100_000)
    block = lambda y, w: np.tanh(np.exp(np.sin(w * y)) * np.cos(y))  # noqa: E731

    def chain(layer):
        def loss(x, w):
            for _ in range(8):
                x = layer(x, w)
            return np.sum(x)

        return grad(loss, BOTH)

    by_argument, plain = checkpoint(block), chain(block)
    again = chain(lambda y, w: checkpoint(lambda y: block(y, w))(y) if captured else
                  by_argument(y, w))  # fmt: skip
    assert peak(again, x, 1.1) < 0.6 * peak(plain, x, 1.1)
    close(again(x, 1.1), plain(x, 1.1))


@pytest.mark.parametrize(
    ("policy", "times"),
    [(None, 2), (checkpoint_policies.names("b"), 2), (checkpoint_policies.dots, 2),
     (checkpoint_policies.names("a"), 1), (checkpoint_policies.everything, 1)],
)  # fmt: skip
def test_what_is_kept_is_not_computed_again(policy, times):
    calls = []

    def sine(x):
        calls.append(x)
        return np.sin(x)

    slow = elementwise(sine, lambda ans, x: np.cos(x))
    f = checkpoint(lambda x: np.sum(checkpoint_name(slow(x), "a") ** 2), policy=policy)
    np.testing.assert_allclose(grad(f)(X), np.sin(2 * X))
    assert len(calls) == times


def test_what_dots_keeps():
    kept = [name for name in ("matmul", "dot", "einsum", "sin") if
            checkpoint_policies.dots.keeps(name)]  # fmt: skip
    assert kept == ["matmul", "dot", "einsum"]


def test_calls():
    calls = []

    def f(x, power, *, shift):
        calls.append(power)
        return np.sum(x**power) + shift if x[0] > 0 else np.sum(x)

    layer = checkpoint(f)
    np.testing.assert_allclose(grad(layer)(X, 3, shift=1.0), 3 * X**2)
    assert calls == [3, 3]
    np.testing.assert_allclose(grad(layer)(-X, 3, shift=1.0), [1, 1])
    assert jvp(lambda x: layer(x, 3, shift=1.0), (X,), (X,))[1] == pytest.approx(3 * np.sum(X**3))
    assert len(calls) == 5
    assert layer(X, 2, shift=0.0) == pytest.approx(np.sum(X**2))
    assert layer.__name__ == "f"
    options = checkpoint(static_argnums=1)(lambda x, name: np.sum({"sin": np.sin}[name](x)))
    np.testing.assert_allclose(grad(options)(X, "sin"), np.cos(X))


def test_wrong_use():
    with pytest.raises(ArgumentError, match="wants a function"):
        checkpoint(3.0)
    with pytest.raises(ArgumentError, match=r"policy of fgrad.checkpoint_policies.*\n.*'dots'"):
        checkpoint(np.sin, policy="dots")
    with pytest.raises(DtypeError, match="return arrays"):
        grad(lambda x: checkpoint(lambda x: "a")(x))(X)

    def closes(x):
        return checkpoint(lambda y: y if y[0] > 0 else np.sum(x) * y)(x)[0]

    with pytest.raises(TracerConversionError, match="pass the traced values as arguments"):
        grad(closes)(X)

    class Hidden:
        def __init__(self, w):
            self.w = w

        def __call__(self, x):
            return self.w * x

    box = Hidden(None)

    def by_attribute(w):
        box.w = w
        return np.sum(checkpoint(lambda x, hidden=len: box(x))(w))

    with pytest.raises(TracerConversionError, match="pass the value as an argument"):
        grad(by_attribute)(X)


def test_a_function_that_changes():
    count = [0]

    def f(x):
        count[0] += 1
        return np.sum(np.sin(x) if count[0] == 1 else np.cos(x))

    with pytest.raises(FgradError, match="does the same each time"):
        grad(checkpoint(f, policy=checkpoint_policies.everything))(X)


# ------------------------------------------------------------------ loops
@pytest.mark.parametrize("n", [1, 2, 3, 7, 30, 100, 231])
@pytest.mark.parametrize("snapshots", [1, 2, 3, 5])
def test_the_binomial_schedule_repeats_the_fewest_steps(n, snapshots):
    schedule = Schedule(1, snapshots)
    stack, end, steps = schedule.positions(n), n, 0
    forward = n
    while stack:
        assert len(stack) <= snapshots + 1  # one more is used at once
        if end - stack[-1] == 1:
            end = stack.pop()
            continue
        ahead = schedule.ahead(end - stack[-1], max(snapshots - len(stack), 0))
        assert 0 < ahead < end - stack[-1]
        steps += ahead
        stack.append(stack[-1] + ahead)
    assert end == 0

    @cache
    def fewest(length, s):
        """Steps run again, by trying every place for the next checkpoint."""
        if length <= 1:
            return 0
        if s == 1:
            return length * (length - 1) // 2
        return min(
            m + fewest(length - m, s - 1) + fewest(m, s) for m in range(1, length)
        )  # fmt: skip

    # The first run, which keeps the first checkpoints, is the first advance of each of them.
    first = sum(
        b - a for a, b in zip(schedule.positions(n), schedule.positions(n)[1:], strict=False)
    )
    assert steps + first == fewest(n, snapshots)
    assert forward == n


def rnn(n, **options):
    rng = np.random.default_rng(0)
    xs, h = 0.1 * rng.normal(size=(n, 64)), rng.normal(size=64)

    def loss(w):
        return np.sum(scan(lambda h, x: (np.tanh(w @ h + x), None), h, xs, **options)[0] ** 2)

    return value_and_grad(loss), rng.normal(size=(64, 64)) / 8


def test_memory_of_a_long_scan():
    plain, w = rnn(2000)
    often, _ = rnn(2000, checkpoint_every="auto")
    tight, _ = rnn(2000, checkpoint_memory=400_000)
    close(often(w), plain(w))
    close(tight(w), plain(w))
    assert peak(often, w) < peak(plain, w) / 3
    assert peak(tight, w) < 800_000
