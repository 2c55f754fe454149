"""select: values, derivatives and what the formulas get to see."""

import numpy as np
import pytest

from fgrad import grad, hessian, jacfwd, jacrev, jit, jvp, make_graph, select, vmap
from fgrad.errors import DtypeError

X = np.array([-1.0, 0.0, 0.5, 4.0])


def safe_log(x):
    return select(x > 0, np.log, lambda x: x - 1.0, x)


def test_no_formula_sees_what_is_not_its_own():
    with np.errstate(all="raise"):
        np.testing.assert_array_equal(safe_log(X), [-2, -1, np.log(0.5), np.log(4)])
        want = np.diag([1.0, 1.0, 2.0, 0.25])
        for jac in (jacfwd, jacrev):
            np.testing.assert_array_equal(jac(safe_log)(X), want)
        h = hessian(lambda x: np.sum(safe_log(x)))(X)
        np.testing.assert_array_equal(h, np.diag([0, 0, -4, -1 / 16]))
        np.testing.assert_array_equal(vmap(safe_log)(np.stack([X, X + 1]))[1], safe_log(X + 1))
        np.testing.assert_array_equal(vmap(grad(safe_log))(np.array([1.0, 2.0])), [1, 0.5])
        graph = make_graph(grad(lambda x: np.sum(safe_log(x))))(X)
        np.testing.assert_array_equal(graph(X[::-1]), np.diag(want)[::-1])


def test_a_formula_without_elements_is_not_called():
    def never(x):
        raise AssertionError("called")

    np.testing.assert_array_equal(select(X < 9, np.negative, never, X), -X)
    np.testing.assert_array_equal(select(X > 9, never, np.negative, X), -X)
    assert grad(lambda x: select(x > 0, np.sqrt, never, x))(4.0) == 0.25
    assert select(True, np.sqrt, never, 4.0) == 2.0
    # Where nobody can know, it is called, and has no say.
    with np.errstate(all="ignore"):
        got = vmap(grad(safe_log))(np.array([-1.0, 0.0]))
    np.testing.assert_array_equal(got, [1, 1])


def test_operands_broadcast_together():
    x, y = X[1:], np.array([[1.0], [3.0]])

    def f(x, y):
        return select(x > y, lambda x, y: np.sqrt(x - y), lambda x, y: {"z": y - x}["z"], x, y)

    want = np.where(x > y, np.sqrt(np.abs(x - y)), y - x)
    with np.errstate(all="raise"):
        np.testing.assert_array_equal(f(x, y), want)
        _, t = jvp(f, (x, y), (np.ones(3), np.zeros((2, 1))))
    slope = np.where(x > y, 0.5 / np.sqrt(np.abs(x - y)), -1)
    np.testing.assert_allclose(t, slope)
    np.testing.assert_allclose(grad(lambda x: np.sum(f(x, y)))(x), slope.sum(0))
    whole = select(np.array([True, True]), lambda x: x, lambda x: -x, 3.0)
    np.testing.assert_array_equal(whole, [3.0, 3.0])
    out = select(x > 1, lambda p: (p["a"], 1.0), lambda p: (-p["a"], 0.0), {"a": x})
    np.testing.assert_array_equal(out, [[0.0, -0.5, 4.0], [0.0, 0.0, 1.0]])


def test_the_condition_is_boolean():
    with pytest.raises(DtypeError, match=r"boolean(.|\n)*float64 array(.|\n)*n != 0"):
        select(X, np.exp, np.sin, X)
    with pytest.raises(DtypeError, match="select wants"):
        select([True], np.exp, np.sin, X)


@pytest.mark.parametrize("x", [0.5, np.float32(0.5), np.array(0.5)])
@pytest.mark.parametrize("f", [np.sin, lambda x: 2 * x])
def test_a_compiled_choice_of_numbers_has_their_kind(x, f):
    def chosen(x):
        return select(x > 0, f, np.negative if f is np.sin else lambda x: 3 * x, x)

    got, want = jit(chosen)(x), chosen(x)
    assert type(got) is type(want)
    assert got == want
