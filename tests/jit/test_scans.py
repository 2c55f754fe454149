"""What the compiler makes of loops: what is in them, in front of them and behind them."""

from __future__ import annotations

import re
import threading
from typing import Any

import numpy as np
import pytest

from fgrad import (
    control,
    debug,
    grad,
    jit,
    scan,
    tree,
    value_and_grad,
    vmap,
    while_loop,
)  # fmt: skip
from fgrad.compiler.jitted import Jitted
from fgrad.compiler.passes import Options

RNG = np.random.default_rng(0)
W, U, B = RNG.normal(size=(3, 4)) * 0.3, RNG.normal(size=(4, 4)) * 0.3, RNG.normal(size=4) * 0.1


def loss(params: Any, xs: Any, **options: Any) -> Any:
    """A recurrent network and the sum of its squares."""
    w, u, b = params

    def step(h: Any, x: Any) -> Any:
        h = np.tanh(x @ w + h @ u + b)
        return h, h * h

    _, ys = scan(step, np.zeros((*xs.shape[1:-1], 4)), xs, **options)
    return np.sum(ys)


def data(steps: int = 6, rows: int = 5, seed: int = 0) -> Any:
    return (W, U, B), np.random.default_rng(seed).normal(size=(steps, rows, 3))


def close(got: Any, want: Any, tolerance: float = 1e-12) -> None:
    for y, z in zip(tree.leaves(got), tree.leaves(want), strict=True):
        np.testing.assert_allclose(y, z, rtol=tolerance, atol=tolerance)


def loops(f: Any, *args: Any) -> list[str]:
    """The functions that the loops of a compiled function are."""
    source = f.source(*args)
    parts = re.split(r"^(?=def )", source, flags=re.M)
    return [part for part in parts if part.startswith("def loop")]


# ------------------------------------------------------------------ what moves, and what stays
def test_the_way_back_computes_nothing_again() -> None:
    f = jit(value_and_grad(loss))
    args = data()
    close(f(*args), value_and_grad(loss)(*args))
    forward, back = loops(f, *args)
    assert forward.count("tanh(") == 1
    assert "tanh(" not in back


def test_nor_does_that_of_a_loop_in_a_loop() -> None:
    def f(u: Any, xs: Any) -> Any:
        def outer(c: Any, x: Any) -> Any:
            last = scan(lambda h, s: (np.tanh(h @ u + s * c), None), c, x)[0]
            return last, np.sum(last)

        last, sums = scan(outer, np.ones((2, 4)), xs)
        return np.sum(last) + np.sum(sums**2)

    xs = RNG.normal(size=(5, 3, 2, 4))
    compiled = jit(value_and_grad(f, (0, 1)))
    for _ in range(2):
        close(compiled(U, xs), value_and_grad(f, (0, 1))(U, xs))
    assert compiled.source(U, xs).count("tanh(") == 1


def test_products_leave_the_loops() -> None:
    f = jit(value_and_grad(loss))
    for loop in loops(f, *data()):  # h @ u forward, its cotangent back
        assert loop.count(".dot(") == 1


def test_without_reassociation_products_stay() -> None:
    f = jit(value_and_grad(loss), reassociate=False)
    args = data()
    close(f(*args), value_and_grad(loss)(*args))
    forward, back = loops(f, *args)
    assert forward.count(".dot(") == 2
    assert back.count(".dot(") == 3
    assert "tanh(" not in back


def test_without_reassociation_each_bit_stays() -> None:
    f = jit(loss, reassociate=False)
    for seed in (0, 1):
        args = data(seed=seed)
        assert f(*args) == loss(*args)


@pytest.mark.parametrize("name", ["residuals", "hoisting", "contraction", "sinking"])
def test_each_pass_has_a_switch(name: str) -> None:
    f = value_and_grad(loss, (0, 1))  # the derivative of xs is a product that is only stacked
    part = Jitted(f, frozenset(), False, Options(without=frozenset([name])), 64)
    args = data()
    for _ in range(2):
        close(part(*args), f(*args))
    assert part.source(*args) != jit(f).source(*args)


def test_it_says_what_has_moved() -> None:
    f = jit(value_and_grad(loss, (0, 1)))
    f(*data())
    (rules,) = re.findall(r"rules that took: (.*)", f.explain())
    for name in ("handed on", "hoisted", "contracted", "sunk"):
        assert f"{name} " in rules


def test_a_product_that_is_only_stacked_is_done_behind() -> None:
    def f(xs: Any) -> Any:
        return scan(lambda h, x: (np.tanh(h + x), np.tanh(h) @ U), np.zeros(4), xs)[1]

    xs = RNG.normal(size=(7, 4))
    compiled = jit(f)
    close(compiled(xs), f(xs))
    close(compiled(xs), f(xs))
    (loop,) = loops(compiled, xs)
    assert ".dot(" not in loop


def test_a_map_has_no_loop() -> None:
    f = lambda xs: control.map(lambda x: np.tanh(x @ U + B), xs)  # noqa: E731
    xs = RNG.normal(size=(7, 4))
    compiled = jit(f)
    compiled(xs)
    close(compiled(xs), f(xs))
    assert loops(compiled, xs) == []


def test_what_is_the_same_in_all_steps_is_computed_once() -> None:
    def f(w: Any, xs: Any) -> Any:
        return scan(lambda h, x: (h * np.exp(w) + x, None), np.zeros((40, 40)), xs)[0]

    w, xs = RNG.normal(size=(40, 40)) * 0.1, RNG.normal(size=(5, 40, 40))
    compiled = jit(f)
    compiled(w, xs)
    close(compiled(w, xs), f(w, xs))
    (loop,) = loops(compiled, w, xs)
    assert "exp(" not in loop


def test_vectors_are_multiplied_behind_the_loop_too() -> None:
    def f(u: Any, xs: Any) -> Any:
        return np.sum(scan(lambda h, x: (np.tanh(u @ h + x), None), np.zeros(4), xs)[0])

    xs = RNG.normal(size=(9, 4))
    compiled = jit(grad(f))
    compiled(U, xs)
    close(compiled(U, xs), grad(f)(U, xs))
    _, back = loops(compiled, U, xs)
    assert back.count(".dot(") == 1
    assert "4, 4" not in back


# ------------------------------------------------------------------ size
def test_a_long_loop_is_as_short_as_a_short_one() -> None:
    f = jit(value_and_grad(loss))
    short, long = ([len(x.splitlines()) for x in loops(f, *data(n, 1))] for n in (10, 2_000))
    assert short == long


def test_memory_is_that_of_what_is_kept() -> None:
    """A track, the results, and the inputs' products, whose place the slopes take."""
    args = data(400, 8)
    f = jit(value_and_grad(loss))
    f(*args)
    stack = 400 * 8 * 4 * 8
    (bytes_,) = re.findall(r"buffers: (\d+) bytes", f.explain())
    assert int(bytes_) < 3.2 * stack


def test_checkpoints_are_kept_to() -> None:
    args = data(100, 4)
    plain = value_and_grad(loss)(*args)
    f = jit(value_and_grad(lambda p, xs: loss(p, xs, checkpoint_every=10)))
    close(f(*args), plain)
    close(f(*args), plain)
    text = f.source(*args)
    assert text.count("tanh(") == 2  # forward, and again on the way back
    (saving,) = re.findall(r"buffers: (\d+) bytes", f.explain())
    full = jit(value_and_grad(loss))
    full(*args)
    (whole,) = re.findall(r"buffers: (\d+) bytes", full.explain())
    assert int(saving) < int(whole)


# ------------------------------------------------------------------ what else a loop may do
def test_effects_happen_in_their_order(capsys: Any) -> None:
    def f(x: Any) -> Any:
        def step(c: Any, r: Any) -> Any:
            debug.print("{}", c)
            return c + r, None

        scan(step, x, np.array([1.0, 2.0]))  # for its effect alone
        return scan(step, x, np.array([1.0, 2.0]))[0]

    compiled = jit(f)
    compiled(1.0)
    capsys.readouterr()
    assert compiled(5.0) == 8.0
    assert capsys.readouterr().out.split() == ["5.0", "6.0", "5.0", "6.0"]
    slope = jit(grad(f))
    slope(1.0)
    capsys.readouterr()
    assert slope(5.0) == 1.0
    assert capsys.readouterr().out.split() == ["5.0", "6.0", "5.0", "6.0"]


def test_a_captured_array_is_read_at_each_call() -> None:
    scale = np.ones(3)
    f = jit(lambda xs: scan(lambda c, x: (c + x * scale, None), np.zeros(3), xs)[0])
    xs = np.ones((4, 3))
    f(xs)
    scale[0] = 5.0
    np.testing.assert_array_equal(f(xs), [20.0, 4.0, 4.0])


def test_loops_of_other_lengths_inside_and_before() -> None:
    """The way back through `while_loop` slices arrays whose length no recording knows."""

    def grown(c: Any, x: Any) -> Any:
        return while_loop(lambda c: np.sum(c) < 30.0, lambda c: c * x + 1.0, c)

    def inside(x: Any) -> Any:
        return np.sum(scan(lambda c, r: (np.sqrt(grown(c, x + r)), None), x, np.arange(3.0))[0])

    def before(x: Any) -> Any:
        start = grown(x, x) / 30.0
        return np.sum(scan(lambda c, r: (np.tanh(c * x + r), None), start, np.arange(3.0))[0])

    def twice(f: Any) -> Any:
        return grad(lambda x: np.sum(np.tanh(grad(f)(x))))

    def mapped(f: Any) -> Any:
        return lambda x: vmap(grad(f))(np.stack([x, x + 0.3]))

    for f in (inside, before):
        for plain in (grad(f), twice(f), mapped(f)):
            compiled = jit(plain)
            for k in (1.5, 3.0, 1.1, 40.0, 1.5):
                x = np.array([k, 1.2])
                close(compiled(x), plain(x), 1e-9)


def test_threads_have_loops_of_their_own() -> None:
    f = jit(value_and_grad(loss))
    calls = [data(seed=seed) for seed in range(4)]
    wants = [value_and_grad(loss)(*args) for args in calls]
    f(*calls[0])
    errors: list[AssertionError] = []

    def work(k: int) -> None:
        try:
            for _ in range(20):
                close(f(*calls[k]), wants[k])
        except AssertionError as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors


def test_an_error_in_a_step_leaves_nothing_behind() -> None:
    def f(xs: Any) -> Any:
        with np.errstate(over="raise"):
            return scan(lambda c, x: (np.exp(c * x), c), np.zeros(3), xs)

    compiled = jit(f)
    good, bad = np.ones((3, 3)), np.full((6, 3), 10.0)
    close(compiled(good), f(good))
    jitted = jit(f)
    jitted(bad * 0)
    with pytest.raises(FloatingPointError, match="overflow"):
        jitted(bad)
    close(jitted(bad * 0), f(bad * 0))
