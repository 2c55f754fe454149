"""Control flow misused: each error has its three parts, and names what is wrong."""

import numpy as np
import pytest

from fgrad import grad, make_graph, psum, vmap
from fgrad.checkpointing import checkpoint
from fgrad.control import associative_scan, cond, fori_loop, scan, switch, while_loop
from fgrad.control import map as map_slices
from fgrad.errors import (
    ArgumentError,
    DtypeError,
    EscapedTracerError,
    ShapeError,
    TracerConversionError,
    TreeError,
)

X = np.arange(3.0)


def staged(f):
    return lambda *xs: make_graph(f)(*xs)


def mapped(f):
    return lambda *xs: vmap(f)(*(np.stack([x, x]) for x in xs))


def positive(x):
    return np.sum(x) > 1


def by_scan(step):
    return lambda x: scan(lambda c, _: (step(c), None), x, length=3)


#: What is wrong -> function of X, error, and what its message says.
WRONG = {
    "pred_number": (lambda x: cond(1.0, np.sin, np.cos, x), DtypeError, "boolean.*1.0.*compare"),
    "pred_array": (lambda x: cond(x > 1, np.sin, np.cos, x), ShapeError, r"\(3,\).*np.where"),
    "pred_none": (lambda x: cond(None, np.sin, np.cos, x), DtypeError, "None"),
    "no_function": (lambda x: cond(True, x, np.cos, x), ArgumentError, "functions to choose from"),
    "index_float": (lambda x: switch(1.0, [np.sin], x), DtypeError, "integer.*1.0.*astype"),
    "index_bool": (lambda x: switch(True, [np.sin], x), DtypeError, "integer.*True"),
    "index_array": (lambda x: switch(np.arange(2), [np.sin], x), ShapeError, r"\(2,\)"),
    "no_branches": (lambda x: switch(0, [], x), ArgumentError, "at least one"),
    "condition_number": (
        lambda x: while_loop(lambda x: np.sum(x), np.sin, x), DtypeError, "boolean.*condition",
    ),
    "condition_array": (lambda x: while_loop(lambda x: x < 5, np.sin, x), ShapeError, "np.all"),
    "bounds": (lambda x: fori_loop(0.0, 3, lambda i, x: x, x), DtypeError, "bounds.*0.0"),
    "step_none": (lambda x: scan(None, x, length=3), ArgumentError, "function of one step"),
    "step_single": (lambda x: scan(lambda c, _: c, x, length=3), ArgumentError, "pair"),
    "lengths": (
        lambda x: scan(lambda c, s: (c, None), x, {"a": np.ones(3), "b": np.ones((4, 2))}),
        ShapeError, r"length: 3, as xs\['a'\].*length 4 of xs\['b'\]",
    ),
    "length_differs": (
        lambda x: scan(lambda c, s: (c, None), x, np.ones(3), length=4), ShapeError, "4, as length",
    ),
    "scalar_slices": (lambda x: scan(lambda c, s: (c, None), x, 1.0), ShapeError, "as xs"),
    "text_slices": (lambda x: scan(lambda c, s: (c, None), x, "ab"), DtypeError, "as xs"),
    "no_length": (lambda x: scan(lambda c, _: (c, None), x), ArgumentError, "number of steps"),
    "negative_length": (
        lambda x: scan(lambda c, _: (c, None), x, length=-1), ArgumentError, "not negative.*-1",
    ),
    "unroll": (
        lambda x: scan(lambda c, _: (c, None), x, length=2, unroll=0), ArgumentError, "unroll",
    ),
    "every": (
        lambda x: scan(lambda c, _: (c, None), x, length=2, checkpoint_every=0),
        ArgumentError, "checkpoint_every.*at least 1",
    ),
    "memory": (
        lambda x: scan(lambda c, _: (c, None), x, length=2, checkpoint_memory=1.5),
        ArgumentError, "checkpoint_memory.*bytes",
    ),
    "every_and_memory": (
        lambda x: scan(
            lambda c, _: (c, None), x, length=2, checkpoint_memory=1, checkpoint_every=1
        ),
        ArgumentError, "both",
    ),
    "ragged_results": (
        lambda x: scan(lambda c, i: (c, x[: int(i)]), 0.0, np.arange(3)), ShapeError,
        r"one shape.*\(0,\).*\(1,\)",
    ),
    "carry_text": (lambda x: scan(lambda c, _: (c, None), "a", length=2), DtypeError, "'a'"),
    "carry_leaf": (by_scan(lambda c: "a"), DtypeError, "'a'.*of the carry that"),
    "result_text": (
        lambda x: scan(lambda c, _: (c, "a"), x, length=2), DtypeError, "returns? arrays.*'a'",
    ),
    "map_nothing": (lambda x: map_slices(np.sin, ()), ArgumentError, "arrays to map over"),
    "batch_size": (lambda x: map_slices(np.sin, x, batch_size=0), ArgumentError, "batch_size"),
    "no_axis": (lambda x: associative_scan(np.add, x, axis=1), ShapeError, "axis 1"),
    "no_elements": (lambda x: associative_scan(np.add, []), ArgumentError, "arrays to scan"),
    "unequal_elements": (
        lambda x: associative_scan(lambda a, b: a, (x, np.ones(4))), ShapeError, "one length: 3",
    ),
    "joined_shape": (
        lambda x: associative_scan(lambda a, b: np.sum(a), x), ShapeError, "keeps shapes",
    ),
    "joined_tree": (
        lambda x: associative_scan(lambda a, b: [a], (x, x)), TreeError, "tree like its arguments",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("f", "error", "text"), WRONG.values(), ids=list(WRONG))
def test_wrong_arguments(f, error, text):
    with pytest.raises(error, match=f"(?s){text}") as caught:
        f(X)
    assert caught.value.wanted
    assert caught.value.came
    assert caught.value.to_do


CARRIES = {
    "shape": (lambda c: np.append(c, 1.0), ShapeError,
              r"began as float64\[3\] and became float64\[4\].*np.zeros\(\(4,\)\)"),
    "dtype": (lambda c: c.astype(np.float32), DtypeError,
              r"began as float64\[3\] and became float32\[3\].*astype\(np.float32\)"),
    "structure": (lambda c: (c, c), TreeError, "The carries of .* must have the same structure"),
}  # fmt: skip


@pytest.mark.parametrize(("step", "error", "text"), CARRIES.values(), ids=list(CARRIES))
@pytest.mark.parametrize("way", [lambda f: f, staged, mapped, lambda f: grad(f)])
def test_a_carry_that_changes(step, error, text, way):
    for loop in (
        by_scan(step),
        lambda x: fori_loop(0, 3, lambda i, c: step(c), x),
        lambda x: while_loop(lambda c: np.sum(x) < 10, step, x),
    ):
        with pytest.raises(error, match=f"(?s){text}"):
            way(loop)(X)


def test_a_carry_says_which_leaf():
    with pytest.raises(ShapeError, match=r"at \['a'\]\[1\] and became float64\[3\]"):
        while_loop(lambda c: True, lambda c: {"a": (0, c["a"][1] + X)}, {"a": (0, np.float64(1.0))})
    with pytest.raises(ShapeError, match=r"began as float64\[\] and became float64\[3\]"):
        scan(lambda c, x: (c + X, None), 0.0, X)
    with pytest.raises(ShapeError, match=r"began as float64\[\] and became float64\[3\]"):
        make_graph(lambda x: scan(lambda c, _: (c + x, None), 0.0, length=2))(X)


BRANCHES = {
    "shape": (lambda x: x[:2], ShapeError, r"shape \(2,\).*shape \(3,\)|shape \(3,\).*\(2,\)"),
    "dtype": (lambda x: x.astype(np.float32), DtypeError, "float32"),
    "structure": (lambda x: {"a": x}, TreeError, r"chooses from, must have the same structure\."),
    "integer": (lambda x: np.sum(x) > 1, ShapeError, "bool"),
    "text": (lambda x: "a", DtypeError, "'a'"),
}


@pytest.mark.parametrize(("f", "error", "text"), BRANCHES.values(), ids=list(BRANCHES))
@pytest.mark.parametrize("way", [staged, mapped])
def test_branches_that_disagree(f, error, text, way):
    with pytest.raises(error, match=f"(?s){text}"):
        way(lambda x: cond(positive(x), np.sin, f, x))(X)
    with pytest.raises(error, match=f"(?s){text}"):
        way(lambda x: switch(np.sum(x).astype(int), [np.sin, np.cos, f], x))(X)


def test_eager_checks_what_runs():
    assert cond(False, lambda x: "never", np.sum, X) == 3.0


def test_branches_that_ask_for_values():
    def asks(x):
        return x if x[0] > 0 else -x

    with pytest.raises(TracerConversionError, match="cond wants functions that don't ask"):
        vmap(lambda x: cond(positive(x), asks, np.sin, x))(np.ones((2, 3)))
    with pytest.raises(TracerConversionError, match="scan wants functions that don't ask"):
        scan(lambda c, _: (asks(c), None), X, length=2, checkpoint_every=1)


def test_bodies_that_ask_for_known_values_may_do_so():
    def f(x):
        def step(c, k):
            return (c * x if k > 1 else c + x), None

        return scan(step, X, np.arange(4.0))[0]

    np.testing.assert_array_equal(make_graph(f)(X)(2 * X), f(2 * X))
    assert make_graph(f)(X).count()["multiply"] >= 2

    def g(x):
        return fori_loop(0, 3, lambda i, c: c + x if i % 2 else c * x, x)

    np.testing.assert_array_equal(make_graph(g)(X)(2 * X), g(2 * X))


def test_finished_values():
    kept = []
    grad(lambda x: kept.append(x) or np.sum(x))(X)
    for f in (
        lambda x: scan(lambda c, _: (c, None), x, length=2),
        lambda x: scan(lambda c, s: (c, None), 0.0, x),
        lambda x: associative_scan(np.add, x),
        lambda x: cond(np.sum(x) > 1, np.sin, np.cos, x),
    ):
        with pytest.raises(EscapedTracerError):
            f(kept[0])


COLLECTING = {
    "cond": lambda x: cond(x > 1, lambda x: psum(x, "i"), lambda x: x, x),
    "while": lambda x: while_loop(lambda c: c < 9, lambda c: c + psum(c, "i"), x),
    "every": lambda x: scan(lambda c, s: (c + psum(c, "i"), None), x, X, checkpoint_every=2)[0],
    "checkpoint": lambda x: checkpoint(lambda x: psum(x, "i"))(x),
}


@pytest.mark.parametrize("f", COLLECTING.values(), ids=list(COLLECTING))
def test_sums_over_mapped_axes_inside_are_refused(f):
    for g in (f, grad(f)):
        with pytest.raises((TracerConversionError, ArgumentError), match="psum"):
            vmap(g, axis_name="i")(X + 1)


def test_sums_over_mapped_axes_in_python_loops():
    for every in (None, 2):
        f = lambda x, k=every: scan(  # noqa: E731
            lambda c, s: (c + s * psum(x, "i"), None), x, X, checkpoint_every=k
        )[0]
        np.testing.assert_array_equal(vmap(f, axis_name="i")(X + 1), X + 1 + 3 * 6)
        slope = grad(lambda y, f=f: np.sum(vmap(f, axis_name="i")(y) ** 2))(X + 1)
        plain = grad(lambda y: np.sum((y + 3 * np.sum(y)) ** 2))(X + 1)
        np.testing.assert_allclose(slope, plain)
    np.testing.assert_array_equal(vmap(f, axis_name="i")(X + 1), X + 1 + 3 * 6)
    staged_f = make_graph(vmap(f, axis_name="i"))(X)
    np.testing.assert_array_equal(staged_f(X + 1), X + 1 + 3 * 6)
    g = lambda x: scan(lambda c, s: (c + np.sum(vmap(lambda y: y / psum(y, "i"),  # noqa: E731
                       axis_name="i")(s * x)), None), 0.0, np.ones((2, 3)),
                       checkpoint_every=1)[0]  # fmt: skip
    np.testing.assert_allclose(vmap(g)(X + 1), [2, 2, 2])
