"""Eight threads at once: right answers, and nothing left read-only."""

import gc
import sys
import threading

import numpy as np
import pytest

from fgrad import grad, hessian, jvp, make_graph, vjp, vmap
from fgrad.arrays import SPARE

BIG = np.linspace(0.1, 1.0, SPARE // 8 + 1)


def loss(w):
    return np.sum(np.tanh(w * BIG) ** 2 * BIG)


def small(w):
    return grad(lambda x: x * grad(lambda y: x * y)(1.0) * w)(4.0)


JOBS = {
    "grad": lambda k: grad(loss)(BIG * k),
    "vjp": lambda k: vjp(loss, BIG * k)[1](1.0)[0],
    "jvp": lambda k: jvp(loss, (BIG * k,), (BIG,))[1],
    "vmap": lambda k: vmap(grad(loss))(np.stack([BIG, BIG * k])),
    "make_graph": lambda k: make_graph(grad(loss))(BIG)(BIG * k),
    "nested": lambda k: small(k),
    "hessian": lambda k: hessian(lambda x: np.sum(np.sin(x * k) ** 2))(np.arange(3.0)),
    "shared argument": lambda k: grad(lambda w: loss(w) * k)(BIG),
}


@pytest.fixture
def fast_switching():
    """Threads that take turns a thousand times as often as usual."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(5e-6)
    yield
    sys.setswitchinterval(interval)


def in_threads(works):
    errors = []
    start = threading.Barrier(len(works))

    def run(work):
        try:
            start.wait()
            work()
        except BaseException as e:
            errors.append(e)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


@pytest.mark.usefixtures("fast_switching")
def test_every_transformation_in_eight_threads():
    want = {name: job(3.0) for name, job in JOBS.items()}

    def work(name):
        def repeat():
            for _ in range(15):
                np.testing.assert_array_equal(JOBS[name](3.0), want[name])

        return repeat

    in_threads([work(name) for name in JOBS])
    gc.collect()
    assert BIG.flags.writeable


@pytest.mark.usefixtures("fast_switching")
def test_one_array_locked_by_eight_threads():
    big = np.linspace(0.1, 1.0, SPARE // 8 + 1)

    def work():
        for k in range(60):
            _, pullback = vjp(lambda w: np.sum(np.sin(w) * big), big)
            assert not big.flags.writeable
            if k % 3 == 0:
                with pytest.raises(KeyError):
                    grad(lambda w: {}[np.sum(w * big) > 0])(big + 1)
            pullback(1.0)
            assert not big.flags.writeable
            del pullback

    in_threads([work] * 8)
    gc.collect()
    assert big.flags.writeable


def test_a_trace_may_be_used_from_another_thread():
    def f(x):
        out = []
        thread = threading.Thread(target=lambda: out.append(np.sum(np.sin(x) * BIG)))
        thread.start()
        thread.join()
        return out[0]

    np.testing.assert_allclose(grad(f)(BIG), np.cos(BIG) * BIG)


def test_a_pullback_collected_in_the_middle_of_locking():
    """A cycle keeps pullbacks alive until the collector runs, at any line of ours."""
    big = np.linspace(0.1, 1.0, SPARE // 8 + 1)
    threshold = gc.get_threshold()
    gc.set_threshold(3)
    try:
        for _ in range(200):
            cycle = [vjp(np.sin, big)[1]]
            cycle.append(cycle)
    finally:
        gc.set_threshold(*threshold)
    del cycle
    gc.collect()
    assert big.flags.writeable
