"""Loops of known length as code: the host's numbers, a kernel or two in a step, and no waiting."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import fgrad
import fgrad_nn as nn
from fgrad import jit, random, tree

from ..cupy import laws
from ..cupy.array import ndarray
from ..cupy.traffic import counted

RNG = np.random.default_rng(0)
W, X = RNG.normal(size=(3, 3)) / 2, RNG.normal(size=(5, 3))


def carried_and_stacked(w, x):
    last, ys = fgrad.scan(lambda c, v: (np.tanh(c @ w + v), c), x[0], x)
    return np.sum(last) + np.sum(ys)


def two_results_of_one_value(w, x):
    last, ys = fgrad.scan(lambda c, v: (np.tanh(c @ w + v), np.tanh(c @ w + v) * 2), x[0], x)
    return np.sum(last * np.sum(ys**2, 0))


def carries_that_move_on(w, x):
    """A carry of this step is another one of the next, and of the one behind."""
    step = lambda s, v: ((np.tanh(s[0] @ w + v), s[0], s[1]), s[2] + s[1])  # noqa: E731
    (a, b, c), ys = fgrad.scan(step, (x[0], x[1], x[2]), x)
    return np.sum(np.sin(a) * b * c) + np.sum(ys)


def one_value_for_two_carries(w, x):
    def step(s, v):
        y = np.tanh(s[0] @ w + s[1] + v)
        return (y, y), y

    (a, b), ys = fgrad.scan(step, (x[0], x[1]), x)
    return np.sum(a * b) + np.sum(ys[-1])


def from_the_end(w, x):
    last, ys = fgrad.scan(lambda c, v: (np.tanh(c @ w + v), c * v), x[0], x, reverse=True)
    return np.sum(last) + np.sum(ys**2)


def a_number_of_the_host_first(w, x):
    last, ys = fgrad.scan(lambda c, v: (c * 0.5 + np.sum(v), c), 0.0, x)
    return last * np.sum(ys)


def views_as_carries(w, x):
    def step(c, v):
        return np.reshape(np.tanh(c @ w + v[:, None]), (3, 3)).T, c.T

    last, ys = fgrad.scan(step, w, x)
    return np.sum(np.sin(last)) + np.sum(ys**3)


def numbers_of_steps(w, x):
    return np.sum(fgrad.fori_loop(0, 4, lambda i, c: np.sin(c @ w) * (i + 1), x))


def loops_in_loops(w, x):
    def step(c, v):
        inner, ys = fgrad.scan(lambda d, u: (np.tanh(d + u), d * u), c, x[:2])
        return np.tanh(inner @ w + v), ys

    last, ys = fgrad.scan(step, x[0], x)
    return np.sum(last) + np.sum(ys**2)


def softmaxes(w, x):
    last, ys = fgrad.scan(lambda c, v: (np.tanh(c @ w + v), nn.softmax(c @ w)), x[0], x)
    return np.sum(last) + np.sum(ys**2)


def network(layer):
    """A network's loss of its parameters and inputs, and these."""
    net = nn.serial(layer, nn.dense(2))
    params = net.init(random.key(0), (2, 5, 3))[1]
    return lambda p, x: np.sum(net.apply(p, x) ** 2), params, RNG.normal(size=(2, 5, 3))


LOOPS = {
    f.__name__: (f, W, X)
    for f in (
        carried_and_stacked, two_results_of_one_value, carries_that_move_on,
        one_value_for_two_carries, from_the_end, a_number_of_the_host_first, views_as_carries,
        numbers_of_steps, loops_in_loops, softmaxes,
    )
}  # fmt: skip
LOOPS |= {
    "lstm": network(nn.lstm(4, return_sequences=False)),
    "lstm, peephole": network(nn.lstm(4, peephole=True)),
    "gru": network(nn.gru(4)),
}
KINDS = {
    "value": lambda f: jit(f),
    "gradient": lambda f: jit(fgrad.grad(f, (0, 1))),
    "tangent": lambda f: jit(lambda *xs: fgrad.jvp(f, xs, xs)),
    "gradient of jit": lambda f: fgrad.grad(jit(f), (0, 1)),
    "mapped gradient": lambda f: jit(
        fgrad.vmap(fgrad.grad(lambda s, w, x: f(w, x * s)), (0, None, None))
    ),
}
PLAIN = {
    "value": lambda f: f,
    "gradient": lambda f: fgrad.grad(f, (0, 1)),
    "tangent": lambda f: lambda *xs: fgrad.jvp(f, xs, xs),
    "gradient of jit": lambda f: fgrad.grad(f, (0, 1)),
    "mapped gradient": lambda f: fgrad.vmap(
        fgrad.grad(lambda s, w, x: f(w, x * s)), (0, None, None)
    ),
}


def of(name, kind):
    """A loop's compiled and uncompiled function, and its arguments."""
    f, *args = LOOPS[name]
    args = [np.array([1.0, 0.5]), *args] if kind == "mapped gradient" else args
    return KINDS[kind](f), PLAIN[kind](f), args


def on_device(compiled, args, cupy):
    """The third call, and what it asked for."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # nothing runs as it is written
        for _ in range(3):
            there = tree.to_device(args, cupy)
            with counted() as traffic:
                got = compiled(*there)
    assert all(isinstance(y, ndarray) for y in tree.leaves(got))
    return got, traffic


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", LOOPS)
def test_numbers_are_the_hosts_and_nothing_waits(cupy, name, kind):
    compiled, plain, args = of(name, kind)
    got, traffic = on_device(compiled, args, cupy)
    assert (traffic.syncs, traffic.to_host, traffic.to_device) == (0, 0, 0)
    laws.close(laws.back(got), plain(*args), f"{name}, {kind}", 1e-9)


@pytest.mark.parametrize("name", LOOPS)
def test_calls_do_not_share_what_they_keep(cupy, name):
    compiled, _, args = of(name, "gradient")
    there = tree.to_device(args, cupy)
    first, second = compiled(*there), compiled(*there)
    kept = laws.back(first)
    for y in tree.leaves(second):
        y[...] = -1.0
    compiled(*tree.map(lambda x: x * 2, there))
    laws.close(laws.back(first), kept, name)


def test_a_step_of_an_elman_network_is_a_product_and_a_kernel(cupy):
    compiled = jit(carried_and_stacked)
    source = compiled.source(cupy.asarray(W), cupy.asarray(X))
    step = [line.strip() for line in source.splitlines() if line.startswith(" " * 8)]
    calls = [line for line in step if "(" in line]
    assert [line.split("(")[0] for line in calls] == ["cupy_dot", "fgrad_add_tanh"]


def test_what_is_joined_is_written_where_it_is_joined(cupy):
    """The way back of an LSTM: a product, and a kernel that writes the gates side by side."""
    compiled, _, args = of("lstm", "gradient")
    there = tree.to_device(args, cupy)
    source = compiled.source(*there)
    assert "concatenate" not in source
    back = source[source.rindex("for i") :].splitlines()[1:]
    calls = [
        x.strip() for x in back if x.startswith(" " * 8) and x.strip().startswith(("cupy", "fgrad"))
    ]
    assert [x.split("_")[0] for x in calls] == ["fgrad", "cupy"]


def test_loops_over_arrays_of_the_host_have_compiled_bodies(cupy):
    def f(w, x):
        last, ys = fgrad.scan(lambda c, i: (np.tanh(c @ w) * i, c), x[0], np.arange(4.0))
        return np.sum(last) + np.sum(ys)

    compiled = jit(fgrad.grad(f))
    got, traffic = on_device(compiled, (W, X), cupy)
    assert traffic.to_host == 0
    laws.close(laws.back(got), fgrad.grad(f)(W, X), "host")
    assert "call_scan" in compiled.source(cupy.asarray(W), cupy.asarray(X))


@pytest.mark.parametrize("transform", [lambda f: f, lambda f: fgrad.grad(f, 1)])
def test_branches_and_loops_of_unknown_length_have_compiled_bodies(cupy, transform):
    def branches(w, x):
        def step(c, v):
            one, other = lambda c: np.tanh(np.sin(c) @ w) * 2, lambda c: np.cos(c) * 3 + 1
            return fgrad.cond(np.sum(v) > 0, one, other, c), c

        last, ys = fgrad.scan(step, x[0], x)
        return np.sum(last) + np.sum(ys)

    def steps(w, x):
        going = lambda c: np.sum(c**2) < 50  # noqa: E731
        return np.sum(fgrad.while_loop(going, lambda c: np.sin(c * 1.1) + c * 1.2 + 1, x))

    for f in (branches, steps):
        got, traffic = on_device(jit(transform(f)), (W, X), cupy)
        laws.close(laws.back(got), transform(f)(W, X), f.__name__)
        assert traffic.syncs == traffic.to_host > 0  # the conditions


def test_a_callback_in_a_loop_is_called_in_each_step(cupy):
    seen = []

    def f(x):
        def step(c, v):
            fgrad.debug.callback(lambda c: seen.append(c.shape), c)
            return c + v, c

        return np.sum(fgrad.scan(step, x[0], x)[1])

    compiled = jit(f)
    for k in range(1, 4):
        laws.close(laws.back(compiled(cupy.asarray(X))), f(X), "callback")
        assert len(seen) == 10 * k
