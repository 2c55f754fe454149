"""What a compiled function can't do: three-part errors, and nothing is cached."""

from __future__ import annotations

import re
import warnings

import numpy as np
import pytest

from fgrad import errors, jit, make_graph

X = np.arange(4.0)


@pytest.mark.parametrize(
    ("f", "words"),
    [
        (lambda x: float(np.sum(x)), "Python float.*\n.*jit tracer: float64.*\n.*static_argnums"),
        (lambda x: x[int(np.sum(x))], "Python int.*\n.*jit tracer.*\n.*static_argnums"),
        (lambda x: [x[i] for i in range(np.argmax(x))], "Python int.*\n.*\n.*static_argnums"),
        (lambda x: np.sum(x).item(), "Python float.*\n.*\n.*"),
        (lambda x: np.asarray(x), "NumPy array.*\n.*jit tracer.*\n.*"),
        (lambda x: x[x > 1], "mask.*\n.*\n.*np.where"),
    ],
)
def test_asking_for_a_number(f, words):
    compiled = jit(f)
    for _ in range(2):
        with pytest.raises(errors.TracerConversionError, match=words):
            compiled(X)
    assert "0 programs" in compiled.explain()


def test_writing_into_a_captured_array():
    total = np.zeros(4)

    def f(x):
        y = x * total
        total[0] += 1.0
        return y + total

    with pytest.raises(
        errors.TracerConversionError, match=r"captures.*\n.*float64.*\n.*return the new"
    ):
        jit(f)(X)


def test_an_array_of_its_own_may_be_filled():
    def f(x):
        a = np.zeros(4)
        y = x * a
        a[1] = 3.0
        z = x * a
        a[:] = 1.0
        return y + 2 * z + x * a

    compiled = jit(f)
    for k in range(3):
        np.testing.assert_array_equal(compiled(X + k), f(X + k))


def test_a_tracer_that_escapes():
    kept = []

    def f(x):
        kept.append(x * 2)
        return x

    jit(f)(X)
    with pytest.raises(errors.EscapedTracerError, match=r"escaped tracer <jit tracer.*`f`"):
        np.exp(kept[0])
    with pytest.raises(errors.EscapedTracerError):
        jit(lambda y: y)(kept[0])
    with pytest.raises(errors.EscapedTracerError):
        jit(lambda x: kept[0])(X)


def test_a_static_argument_that_has_no_hash():
    with pytest.raises(errors.ArgumentError, match=r"hashed.*\n.*for n of `<lambda>`.*\n.*tuple"):
        jit(lambda x, n: x, static_argnums=1)(X, [1, 2])


@pytest.mark.parametrize(
    "value", [np.array([None, 1], dtype=object), np.array(["a"]), (x for x in [1.0]), iter([1.0])]
)
def test_leaves_that_are_no_arrays_of_numbers(value):
    with pytest.raises(errors.DtypeError, match=r"arrays of numbers.*\n.* at x\n.*np.asarray"):
        jit(lambda x: x)(value)


def test_what_is_no_function():
    with pytest.raises(errors.ArgumentError, match="jit wants a function"):
        jit(3.0)


def test_an_exception_passes_through_and_nothing_is_cached():
    fails = [True]

    def f(x):
        if fails[0]:
            raise KeyError("mine")
        return x * 2

    compiled = jit(f)
    with pytest.raises(KeyError, match="mine"):
        compiled(X)
    fails[0] = False
    np.testing.assert_array_equal(compiled(X), X * 2)


def test_the_results_type_may_depend_on_the_arguments():
    compiled = jit(lambda x: {"n": x.ndim, "x": x} if x.ndim else [x, None, "scalar"])
    assert compiled(np.float64(2)) == [2.0, None, "scalar"]
    assert compiled(X)["n"] == 1


def test_printing_happens_while_it_is_recorded(capsys):
    @jit
    def f(x):
        print("running", x)
        return x + 1

    for _ in range(3):
        f(X)
    assert capsys.readouterr().out.count("running <jit tracer: float64[4]>") == 1


def test_a_function_that_is_compiled_for_every_call_warns():
    compiled = jit(lambda x: x * 2)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for n in range(40):
            compiled(np.ones(n))
    assert len(caught) == 1
    assert "x: a float64 array of shape (15,), after a float64 array of shape (14,)" in str(
        caught[0].message
    )


def test_results_that_hold_values_of_an_outer_graph():
    graph = make_graph(lambda x: jit(lambda y: np.sin(y) * x)(x))(X)
    np.testing.assert_array_equal(graph(X + 1), np.sin(X + 1) * (X + 1))


def test_sources_of_other_calls():
    compiled = jit(lambda x: np.tanh(x))
    assert "tanh(x_" in compiled.source(X)
    assert "(2,)" in compiled.source(np.ones(2))
    assert str(compiled.graph(X)).splitlines()[1].strip() == "b:f64[4] = tanh(a)"


@pytest.mark.parametrize(
    ("f", "said"),
    [
        (lambda p, n: float(p["w"][0] * n),
         "<jit tracer: float64[]>, the result of multiply, computed from p['w'] and n, inside"),
        (lambda p, n: range(n), "<jit tracer: int64[]>, which is n, inside"),
        (lambda p, n: int(sum(np.sum(x) for x in p["many"])),
         "the result of add, computed from p['many'][0], p['many'][1], p['many'][2] and others,"),
    ],
)  # fmt: skip
def test_a_refusal_names_what_the_value_comes_from(f, said):
    with pytest.raises(errors.TracerConversionError, match=re.escape(said)):
        jit(f)({"w": np.ones(3), "many": [np.ones(1)] * 6}, 2)
