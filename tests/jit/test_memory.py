"""What compiling costs in memory, and what is kept; long programs in several functions."""

from __future__ import annotations

import gc
import tracemalloc

import numpy as np
import pytest

from fgrad import grad, jit, value_and_grad
from fgrad.compiler.chunks import LONG, Lines, chunks
from fgrad.debug import profile

RNG = np.random.default_rng(0)


def recurrent(params, xs):
    w, u, b = params
    h = np.tanh(xs[0] @ w + b)
    for x in xs[1:]:
        h = np.tanh(x @ w + b + h @ u)
    return np.sum(h * h)


def network(params, x):
    for w, b in params:
        x = np.tanh(x @ w + b)
    return np.mean(x * x)


def normals(*shapes):
    return [RNG.normal(size=s) / 10 for s in shapes]


CELL = normals((64, 64), (64, 64), (64,)), [RNG.normal(size=(32, 64)) for _ in range(50)]
LAYERS = [tuple(normals((200, 200), (200,))) for _ in range(4)], RNG.normal(size=(300, 200))
LONG_ARRAY = (RNG.normal(size=300_000),)


def elementwise(x):
    t = np.exp(x * 0.5)
    u = np.log(t + 1.5)
    return np.sum(np.sin(u * x) * t + u * u)


def peak(call):
    """The most memory that there was during a call, above what there was before, and its result."""
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        out = call()
        return tracemalloc.get_traced_memory()[1] - before, out
    finally:
        tracemalloc.stop()


WORK = {"recurrent": (recurrent, CELL), "network": (network, LAYERS)}


@pytest.mark.parametrize("name", WORK)
def test_the_first_call_takes_at_most_twice_what_later_calls_take(name):
    f, args = WORK[name]
    compiled = jit(value_and_grad(f))
    jit(value_and_grad(f))(*args)  # what is loaded and cached once for all functions
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        compiled(*args)
        first = tracemalloc.get_traced_memory()[1] - before
        compiled(*args)
        gc.collect()
        tracemalloc.reset_peak()
        compiled(*args)
        steady = tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
    assert first <= 2 * steady, (first, steady)


@pytest.mark.parametrize(("f", "args"), [*WORK.values(), (elementwise, LONG_ARRAY)])
def test_recording_holds_what_reverse_mode_holds(f, args):
    """No value outlives the last operation that reads it; the rest is the record, per operation."""
    plain = value_and_grad(f)
    plain(*args)
    eager, _ = peak(lambda: plain(*args))
    first, _ = peak(lambda: jit(value_and_grad(f)).compile(*args))
    operations = len(jit(plain).graph(*args).equations)
    assert first <= 1.35 * eager + 3000 * operations + 100_000


def test_loops_over_blocks_need_no_large_arrays():
    compiled = jit(value_and_grad(elementwise))
    compiled(*LONG_ARRAY)
    compiled(*LONG_ARRAY)
    size, _ = peak(lambda: compiled(*LONG_ARRAY))
    assert size <= 1.05 * LONG_ARRAY[0].nbytes


# ------------------------------------------------------------------ long programs
def test_a_long_program_is_several_functions():
    def f(params, xs):
        with np.errstate(over="ignore"):
            return recurrent(params, xs)

    plain, compiled = grad(f), jit(grad(f))
    code = compiled.source(*CELL)
    assert max(map(len, (part.splitlines() for part in code.split("def ")))) < 2 * LONG
    for scale in (1.0, 2.0):
        args = [scale * p for p in CELL[0]], CELL[1]
        for got, want in zip(compiled(*args), plain(*args), strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-12)


def test_long_programs_with_numbers_and_branches():
    def f(x, y):
        first = x
        for k in range(200):
            x = np.sin(x) * y + np.cos(x) / (k + 1.0)
        if x > 0:
            for k in range(200):
                x = np.tanh(x + y) - np.sin(first * k)
        return x, first, np.stack([x, y]) * 2

    compiled = jit(f)
    for x in np.linspace(-2, 2, 9):
        for got, want in zip(compiled(x, 0.7), f(x, 0.7), strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-9)
    assert "def chunk" in compiled.source(1.0, 0.7)


def test_a_chunk_gets_what_it_reads_and_gives_what_is_read():
    lines = [f"t{k + 1} = t{k} + 1" for k in range(2 * LONG)]
    functions, calls = chunks(lines, ["t0", "other"], [f"t{2 * LONG}", "t7"])
    names = {}
    for text in functions:
        exec(text, names)
    names.update(t0=5, other=3)
    exec("\n".join(calls), names)
    assert names[f"t{2 * LONG}"] == 5 + 2 * LONG
    assert names["t7"] == 12
    assert "t8" not in names
    assert chunks(lines[:9], ["t0"], []) == ([], lines[:9])


def test_a_profile_sees_into_the_parts_of_a_long_program():
    profiled = profile(jit(grad(recurrent)), *CELL, repeats=1)
    calls = {}
    for row in profiled.rows:
        if row.phase == "forward":
            calls[row.operation] = calls.get(row.operation, 0) + row.calls
    assert calls["tanh"] == len(CELL[1])
    assert not any("chunk" in row.operation for row in profiled.rows)


def test_what_is_kept_besides_buffers_is_small():
    compiled = jit(grad(recurrent))
    compiled(*CELL)
    gc.collect()
    tracemalloc.start()
    compiled = jit(grad(recurrent))
    compiled(*CELL)
    gc.collect()
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    compiled(*CELL)
    (spec,) = compiled._specs
    operations = len(compiled.graph(*CELL).equations)
    assert kept - spec.root.nbytes < 400 * operations  # the code, its text, and captured arrays


def test_the_lines_of_a_program_are_split_when_somebody_reads_them():
    lines = Lines("a = 1\nb = 2\n\nc = 3")
    assert len(lines) == 4
    assert lines[1] == "b = 2\n"
    assert lines[2:] == ["\n", "c = 3"]
    assert [*lines] == ["a = 1\n", "b = 2\n", "\n", "c = 3"]
