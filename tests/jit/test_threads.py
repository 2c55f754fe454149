"""Loops over large arrays on two threads: the same results, and nothing left behind."""

from __future__ import annotations

import multiprocessing
import os
import re
import sys
import threading

import numpy as np
import pytest

from fgrad import jit, value_and_grad
from fgrad.compiler import threads
from fgrad.errors import ArgumentError

RNG = np.random.default_rng(0)
X, ROW = RNG.normal(size=(4000, 100)), RNG.normal(size=100)


def loss(row, x):
    y = np.exp(np.tanh(x) * row) * x + np.sin(x * row) / (1.0 + x * x)
    return np.sum(y * y / np.sum(np.exp(-y * y), axis=1, keepdims=True))


F = value_and_grad(loss, (0, 1))


def flat(out):
    value, (row, x) = out
    return [value, row, x]


@pytest.mark.parametrize("count", [1, 2, 3, 20])
def test_results_do_not_depend_on_the_number_of_threads(count):
    want = flat(jit(F, threads=1)(ROW, X))
    compiled = jit(F, threads=count)
    compiled(ROW, X)
    assert ("together(" in compiled.source(ROW, X)) is (count > 1)
    one = flat(jit(F, threads=1).compile(ROW, X)(ROW, X))
    for _ in range(3):
        for got, same, close in zip(flat(compiled(ROW, X)), one, want, strict=True):
            np.testing.assert_array_equal(got, same)
            np.testing.assert_allclose(got, close, rtol=1e-10, atol=1e-10)
    assert threading.active_count() == 1 or not re.search("ThreadPool", str(threading.enumerate()))


def test_small_arrays_stay_on_one_thread():
    assert "together(" not in jit(F, threads=2).source(ROW, X[:500])


def test_other_threads_use_no_more_threads(monkeypatch):
    """A program that calls it from threads of its own gets those, and no others."""
    made = []

    class Counting(threads.ThreadPoolExecutor):
        def __init__(self, *args):
            made.append(threading.current_thread())
            super().__init__(*args)

    monkeypatch.setattr(threads, "ThreadPoolExecutor", Counting)
    compiled = jit(F, threads=2)
    want = flat(compiled(ROW, X))
    wrong = []

    def work():
        for _ in range(3):
            for got, near in zip(flat(compiled(ROW, X)), want, strict=True):
                if not np.allclose(got, near, rtol=1e-9):
                    wrong.append(got)

    workers = [threading.Thread(target=work) for _ in range(4)]
    for w in workers:
        w.start()
    for _ in range(3):  # and the main thread at the same time
        flat(compiled(ROW, X))
    for w in workers:
        w.join()
    assert not wrong
    assert made == [threading.main_thread()] * 3


def test_what_errstate_says_holds_in_all_threads():
    def f(x):
        with np.errstate(divide="raise"):
            return np.exp(1.0 / x) + np.sin(x) * np.cos(x) + np.tanh(x) * np.log(np.abs(x) + 1.0)

    x = np.full(800_000, 2.0)
    compiled = jit(f, threads=2)
    compiled(x)
    for place in (3, 300_000, 799_999):
        y = x.copy()
        y[place] = 0.0
        with pytest.raises(FloatingPointError, match="divide by zero"):
            compiled(y)
    np.testing.assert_allclose(compiled(x), f(x), rtol=1e-13)


def test_without_a_thread_to_be_had_the_caller_does_all(monkeypatch):
    class Full:
        def __init__(self, count):
            pass

        def __enter__(self):
            return self

        def __exit__(self, *args):
            pass

        def submit(self, *args):
            raise RuntimeError("can't start new thread")

    compiled = jit(F, threads=2)
    compiled(ROW, X)
    want = flat(compiled(ROW, X))
    monkeypatch.setattr(threads, "ThreadPoolExecutor", Full)
    for a, b in zip(flat(compiled(ROW, X)), want, strict=True):
        np.testing.assert_array_equal(a, b)


def _in_child(queue, compiled, x):
    queue.put(float(compiled(ROW, x)[0]))


@pytest.mark.skipif(sys.platform != "linux", reason="fork is what Linux has")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_process_has_threads_too():
    compiled = jit(F, threads=2)
    compiled(ROW, X)
    want = float(compiled(ROW, X)[0])
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=_in_child, args=(queue, compiled, X))
    child.start()
    assert queue.get(timeout=60) == want
    child.join()
    assert child.exitcode == 0


def test_how_many_threads_there_may_be(monkeypatch):
    for name in threads.VARIABLES:
        monkeypatch.delenv(name, raising=False)
    assert threads.allowed(None) == min(2, threads.cores())
    assert threads.allowed(5) == 5
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert threads.allowed(None) == 1
    monkeypatch.setenv("FGRAD_NUM_THREADS", "3")
    assert threads.allowed(None) == 3
    monkeypatch.setenv("FGRAD_NUM_THREADS", "many")
    assert threads.allowed(None) == 1
    assert 1 <= threads.cores() <= (os.cpu_count() or 1)


@pytest.mark.parametrize("wrong", [0, -1, 1.5, "two", True])
def test_a_wrong_number_of_threads(wrong):
    text = (
        f"jit wants a number of threads of one or more.\n  It got: {wrong!r}\n"
        "  To do: leave it out for two where there are two cores; 1 for none besides the caller's"
    )
    with pytest.raises(ArgumentError, match=re.escape(text)):
        jit(loss, threads=wrong)
