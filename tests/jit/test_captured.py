"""What a compiled function reads besides its arguments: never a stale answer."""

from __future__ import annotations

import functools
import types

import numpy as np
import pytest

from fgrad import grad, jit

SCALE = np.array([1.0, 2.0, 3.0])
RATE = 2.0
TABLE = {"w": np.ones(3), "n": 2}
WEIGHTS = [np.ones(3), np.zeros(3)]


def helper(x):
    return x * np.exp(SCALE) * RATE


def by_globals(x):
    return helper(x) + TABLE["w"] * TABLE["n"] + sum(w * x for w in WEIGHTS)


X = np.array([0.5, -1.0, 2.0])


@pytest.fixture
def compiled():
    f = jit(by_globals)
    f(X)
    return f


def same(f):
    np.testing.assert_allclose(f(X), by_globals(X), rtol=1e-13)
    np.testing.assert_allclose(f(X), by_globals(X), rtol=1e-13)


def test_an_array_changed_in_place(compiled):
    SCALE[1] += 1.0
    same(compiled)
    TABLE["w"][0] = 5.0
    same(compiled)
    WEIGHTS[1][:] = 3.0
    same(compiled)
    assert "1 program" in compiled.explain()  # they are inputs


def test_a_global_array_that_is_rebound(compiled, monkeypatch):
    monkeypatch.setitem(globals(), "SCALE", np.array([4.0, 5.0, 6.0]))
    same(compiled)
    monkeypatch.setitem(globals(), "SCALE", np.float64(2.0))
    same(compiled)


def test_a_global_number_that_is_rebound(compiled, monkeypatch):
    monkeypatch.setitem(globals(), "RATE", 7.0)
    same(compiled)
    assert "global RATE, which was rebound" in compiled.explain()


def test_a_function_that_is_rebound(compiled, monkeypatch):
    monkeypatch.setitem(globals(), "helper", lambda x: -x)
    same(compiled)


def test_containers_that_are_changed(compiled, monkeypatch):
    monkeypatch.setitem(TABLE, "n", 5)
    same(compiled)
    monkeypatch.setitem(TABLE, "w", np.full(3, 9.0))
    same(compiled)
    WEIGHTS.append(np.full(3, 2.0))
    same(compiled)
    WEIGHTS.pop()
    same(compiled)


def test_closures_and_what_wraps_them():
    scale = np.ones(3)
    power = 2

    def inner(x):
        return np.sum((x * np.tan(scale)) ** power)

    @functools.wraps(inner)
    def outer(x):
        return inner(x)

    functions = [inner, outer, functools.partial(outer), grad(inner), lambda x: grad(outer)(x)]
    compiled = [jit(f) for f in functions]
    for change in (lambda: None, lambda: scale.__setitem__(0, 2.0)):
        change()
        for f, c in zip(functions, compiled, strict=True):
            for _ in range(2):
                np.testing.assert_allclose(c(X), f(X), rtol=1e-13)
    power = 3
    for f, c in zip(functions, compiled, strict=True):
        np.testing.assert_allclose(c(X), f(X), rtol=1e-13)


class Model:
    bias = np.ones(3)

    def __init__(self):
        self.w = np.ones(3)
        self.config = {"rate": 2.0}

    def predict(self, x):
        return np.tanh(x * self.w) * self.config["rate"] + self.bias * np.sqrt(self.w[0])


def test_attributes_of_objects():
    model = Model()
    compiled = [jit(model.predict), jit(lambda x: model.predict(x) * 2)]

    def check():
        for k, f in enumerate(compiled):
            np.testing.assert_allclose(f(X), model.predict(X) * (k + 1), rtol=1e-14)
            np.testing.assert_allclose(f(X), model.predict(X) * (k + 1), rtol=1e-14)

    check()
    model.w = np.full(3, 4.0)
    check()
    model.w[0] = 9.0  # changed in place
    check()
    model.config["rate"] = 5.0
    check()
    model.predict = types.MethodType(lambda self, x: x - self.w, model)
    np.testing.assert_allclose(compiled[1](X), (X - model.w) * 2)


def test_values_that_a_captured_array_is_asked_for():
    limits = np.array([3.0, 1.0])

    def f(x):
        total = x
        for k in range(int(limits[0])):
            total = total * (k + 1.0) + limits[1]
        return total

    compiled = jit(f)
    for a, b in ((3.0, 1.0), (2.0, 1.0), (2.0, 5.0)):
        limits[:] = a, b
        np.testing.assert_allclose(compiled(X), f(X))
        np.testing.assert_allclose(compiled(X), f(X))


def test_what_the_function_notes_itself_is_no_reason_to_record_again():
    calls = []

    def f(x):
        calls.append(len(calls))
        return x * 2

    compiled = jit(f)
    for _ in range(5):
        compiled(X)
    assert calls == [0]


def test_a_counter_in_a_global(monkeypatch):
    monkeypatch.setitem(globals(), "COUNT", 0)

    def f(x):
        global COUNT
        COUNT += 1
        return x * SCALE

    compiled = jit(f)
    np.testing.assert_array_equal(compiled(X), X * SCALE)
    assert COUNT == 1


def test_a_container_that_holds_itself():
    d = {"x": 1.0}
    d["self"] = d
    compiled = jit(lambda x: x * len(d) + d["x"])
    np.testing.assert_array_equal(compiled(X), X * 2 + 1)
    d["x"] = 5.0
    np.testing.assert_array_equal(compiled(X), X * 2 + 5)
