"""Sparse Jacobians and Hessians are the dense ones, and wrong patterns are refused."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from scipy.sparse import csr_array, csr_matrix

import fgrad
import fgrad.sparse as fs
from benchmarks import sparse as benchmark
from fgrad.errors import ArgumentError, DtypeError, ShapeError, TracerConversionError
from fgrad.sparse import colorings

MODES = ["auto", "forward", "reverse", "bidirectional"]
X = np.linspace(1.0, 2.0, 9)


def band(x):
    return np.sin(x[1:]) * x[:-1] ** 2


def arrow(x):
    return np.concatenate([np.sum(np.exp(x), keepdims=True), x[1:] * x[0]])


def rosenbrock(x):
    return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def hub(x):
    return x[0] ** 2 * np.sum(np.exp(x[1:])) + np.sum(x**3)


# ------------------------------------------------------------------ laws
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("f", [band, arrow, np.tanh, np.sum, np.cumsum, lambda x: np.ones(3)])
def test_jacobian_is_the_dense_one(f, mode):
    want = np.reshape(fgrad.jacobian(f)(X), (-1, 9))
    J = fs.jacobian(f, mode=mode)(X)
    assert isinstance(J, csr_array)
    np.testing.assert_allclose(J.toarray(), want, rtol=1e-13, atol=1e-13)
    pattern = fs.sparsity(f)(X)
    again = fs.jacobian(f, pattern, mode=mode)(X)
    np.testing.assert_array_equal(again.toarray(), J.toarray())
    for chunk_size in (1, 2, "auto"):
        J = fs.jacobian(f, pattern, mode=mode, chunk_size=chunk_size, check=False)(X)
        np.testing.assert_allclose(J.toarray(), want, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("f", [rosenbrock, hub, np.sum, lambda x: np.prod(x[:4])])
def test_hessian_is_the_dense_one(f):
    want = fgrad.hessian(f)(X)
    H = fs.hessian(f)(X)
    assert isinstance(H, csr_array)
    np.testing.assert_allclose(H.toarray(), want, rtol=1e-12, atol=1e-12)
    assert (H != H.T).nnz == 0
    for given in (fs.hessian_sparsity(f)(X), np.ones((9, 9)), csr_matrix(np.ones((9, 9)))):
        H = fs.hessian(f, given, chunk_size=2)(X)
        np.testing.assert_allclose(H.toarray(), want, rtol=1e-12, atol=1e-12)


def test_a_larger_pattern_has_zeros():
    J = fs.jacobian(np.tanh, np.ones((9, 9)))(X)
    assert J.nnz == 81
    np.testing.assert_allclose(J.toarray(), fgrad.jacobian(np.tanh)(X), atol=1e-15)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("mode", MODES)
def test_dtype_is_the_arguments(dtype, mode):
    x = X.astype(dtype)
    J = fs.jacobian(lambda x: np.tanh(x[1:]) * x[:-1], mode=mode)(x)
    assert J.dtype == max(np.dtype(dtype), np.dtype(np.float32))
    want = fgrad.jacobian(lambda x: np.tanh(x[1:]) * x[:-1])(x)
    np.testing.assert_allclose(J.toarray(), want, rtol=16 * np.finfo(dtype).eps)
    H = fs.hessian(lambda x: np.sum(x[1:] * np.sin(x[:-1])))(x)
    assert H.dtype == J.dtype


# ------------------------------------------------------------------ pytrees and arguments
def system(p, x, *, scale=1.0):
    return {"a": p["u"] * x, "b": [np.sum(p["u"]) * p["v"] * scale]}


TREE = {"u": np.array([1.0, 2.0, 3.0]), "v": 0.5}


@pytest.mark.parametrize("mode", MODES)
def test_pytrees_are_vectors_in_the_order_of_their_leaves(mode):
    J = fs.jacobian(system, mode=mode)(TREE, np.ones(3), scale=2.0).toarray()
    blocks = fgrad.jacobian(system)(TREE, np.ones(3), scale=2.0)
    rows = [
        np.concatenate([np.reshape(b["u"], (-1, 3)), np.reshape(b["v"], (-1, 1))], axis=1)
        for b in (blocks["a"], blocks["b"][0])
    ]
    np.testing.assert_allclose(J, np.concatenate(rows))


def test_several_arguments():
    def f(x, n, y):
        return x * np.roll(y, n)

    x, y = np.arange(1.0, 4.0), np.array([4.0, 6.0, 9.0])
    a, b = fgrad.jacobian(f, argnums=(0, 2))(x, 1, y)
    for keywords in ({"argnums": (0, 2)}, {"argnums": (0,), "argnames": ("y",)}):
        J = fs.jacobian(f, **keywords)(x, 1, y=y) if "argnames" in keywords else fs.jacobian(
            f, **keywords
        )(x, 1, y)  # fmt: skip
        np.testing.assert_allclose(J.toarray(), np.concatenate([a, b], axis=1))
    J = fs.jacobian(lambda p: p[0] * p[1], allow_int=True)((x, 3))
    np.testing.assert_array_equal(J.toarray(), 3 * np.eye(3))


def test_values_and_aux():
    value, J = fs.value_and_jacobian(band)(X)
    np.testing.assert_array_equal(value, band(X))
    np.testing.assert_allclose(J.toarray(), fgrad.jacobian(band)(X), atol=1e-15)
    for mode in MODES:
        J, aux = fs.jacobian(lambda x: (band(x), {"n": x[0]}), has_aux=True, mode=mode)(X)
        assert aux == {"n": 1.0}
        (value, aux), J = fs.value_and_jacobian(
            lambda x: (band(x), x.shape), has_aux=True, mode=mode
        )(X)
        assert aux == (9,)
        np.testing.assert_array_equal(value, band(X))
    value, H = fs.value_and_hessian(rosenbrock)(X)
    assert value == rosenbrock(X)
    H, aux = fs.hessian(lambda x: (rosenbrock(x), "aux"), has_aux=True)(X)
    assert aux == "aux"
    (value, aux), g, H = fs.value_grad_hessian(lambda x: (rosenbrock(x), "aux"), has_aux=True)(X)
    assert (value, aux) == (rosenbrock(X), "aux")
    np.testing.assert_array_equal(g, fgrad.grad(rosenbrock)(X))
    np.testing.assert_allclose(H.toarray(), fgrad.hessian(rosenbrock)(X), rtol=1e-13, atol=1e-13)
    value, g, H = fs.value_grad_hessian(lambda p: np.sum(p["u"] ** 2) * p["v"])(TREE)
    assert type(g["v"]) is float
    np.testing.assert_array_equal(g["u"], TREE["u"])
    assert H.shape == (4, 4)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("check", [True, False])
def test_nothing_in_or_out(mode, check):
    options = {"mode": mode, "check": check}
    assert fs.jacobian(np.sin, **options)(np.zeros(0)).shape == (0, 0)
    assert fs.jacobian(np.diff, **options)(np.zeros(1)).shape == (0, 1)
    assert fs.jacobian(lambda x: np.ones(2), **options)(np.zeros(0)).shape == (2, 0)
    assert fs.jacobian(lambda x: 3.0 * x, **options)(2.0).toarray() == 3
    assert fs.hessian(np.sum, check=check)(np.zeros(0)).shape == (0, 0)
    value, H = fs.value_and_hessian(lambda x: 1.0, check=check)(np.zeros(2))
    assert value == 1
    assert H.nnz == 0


# ------------------------------------------------------------------ what is done how often
def test_colours_are_chosen_once(monkeypatch):
    calls = []
    chosen = fs.matrices.colored
    monkeypatch.setattr(fs.matrices, "colored", lambda *a: calls.append(a) or chosen(*a))
    J = fs.jacobian(band, fs.sparsity(band)(X))
    assert len(calls) == 1
    J(X), J(2 * X)
    assert len(calls) == 1
    c = fs.coloring(fs.sparsity(band)(X))
    np.testing.assert_allclose(fs.jacobian(band, coloring=c)(X).toarray(), J(X).toarray())
    own = colorings.Coloring(np.eye(9), columns=np.zeros(9, int))
    assert fs.jacobian(np.tanh, coloring=own)(X).nnz == 9


@pytest.mark.parametrize(("mode", "most"), [("forward", 1), ("reverse", 1), ("bidirectional", 2)])
def test_the_function_runs_once(mode, most):
    runs = []

    def f(x):
        runs.append(x)
        return band(x)

    J = fs.value_and_jacobian(f, fs.sparsity(band)(X), mode=mode)
    J(X)
    assert len(runs) <= most
    H = fs.value_grad_hessian(lambda x: runs.append(x) or rosenbrock(x), np.ones((9, 9)))
    runs.clear()
    H(X)
    assert len(runs) == 1


def test_results_are_the_users():
    pattern = fs.sparsity(band)(X)
    J = fs.jacobian(band, pattern)
    first = J(X)
    first.data[:] = 7
    first.indices[:] = 0
    np.testing.assert_allclose(J(X).toarray(), fgrad.jacobian(band)(X), atol=1e-15)


def test_fgrad_does_not_import_scipy():
    program = "import sys, fgrad; assert not {'scipy', 'fgrad.sparse'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)


def test_the_benchmark_runs(capsys):
    benchmark.main(100, 0.0)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[2:]] == ["band", "plate", "arrow", "rosenbrock"]
    assert [line.split()[1] for line in lines[2:]] == ["5+0", "7+0", "2+1", "3+0"]


# ------------------------------------------------------------------ errors
def test_a_pattern_that_lacks_an_entry_is_refused():
    """Any single missing entry, in each mode."""
    for f, transformation, modes in (
        (band, fs.jacobian, MODES),
        (arrow, fs.jacobian, MODES),
        (rosenbrock, fs.hessian, [None]),
    ):
        hessian = transformation is fs.hessian
        full = (fs.hessian_sparsity if hessian else fs.sparsity)(f)(X).toarray()
        for i, j in zip(*np.nonzero(full), strict=True):
            less = full.copy()
            less[i, j] = False
            if hessian:
                less[j, i] = False
            for mode in modes:
                options = {} if hessian else {"mode": mode}
                with pytest.raises(ArgumentError, match=r"has all entries"):
                    transformation(f, less, **options)(X)
                transformation(f, less, check=False, **options)(X)


def test_the_check_does_not_cry_wolf():
    """Rounding, cancellation, overflow and NaN aren't missing entries."""
    for f in (
        lambda x: (1e8 * x + x**2) - 1e8 * x,
        lambda x: np.sqrt(x - 1) * x,
        lambda x: np.log(x - 1.5) * np.roll(x, 1),
        lambda x: np.exp(500 * x) * np.exp(500 * x),
        lambda x: np.concatenate([1e-200 * x, 1e200 * x]),
        lambda x: np.cumsum(x.astype(np.float32)) * np.float32(0.1),
    ):
        with np.errstate(all="ignore"):
            J, want = fs.jacobian(f)(X), fgrad.jacfwd(f)(X)
            here = fs.sparsity(f)(X).toarray()
        np.testing.assert_allclose(J.toarray()[here], want[here])


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: fs.jacobian(arrow, np.eye(9))(X), ArgumentError,
         r"jacobian wants a sparsity pattern that has all entries of the Jacobian.*\n"
         r"  It got: a pattern of 9 entries; row 0 times a random vector is .*\n"
         r"  To do: find the pattern .*fgrad.sparse.sparsity"),
        (lambda: fs.jacobian(arrow, np.eye(9), mode="reverse")(X), ArgumentError, r"column \d"),
        (lambda: fs.hessian(hub, np.eye(9))(X), ArgumentError, r"all entries of the Hessian"),
        (lambda: fs.jacobian(band, np.eye(5))(X), ShapeError,
         r"shape \(m, 9\)[\s\S]*shape \(5, 5\)[\s\S]*leave it away"),
        (lambda: fs.jacobian(band, np.eye(9))(X), ShapeError,
         r"shape \(8, 9\): a row for each number of the result of `band`[\s\S]*\(9, 9\)"),
        (lambda: fs.jacobian(band, np.eye(9), mode="reverse")(X), ShapeError, r"\(8, 9\)"),
        (lambda: fs.jacobian(band, np.ones((8, 5)), mode="reverse")(X), ShapeError, r"\(8, 5\)"),
        (lambda: fs.hessian(hub, np.eye(5))(X), ShapeError, r"shape \(9, 9\)[\s\S]*\(5, 5\)"),
        (lambda: fs.hessian(hub, np.tri(9)), ArgumentError, r"symmetric[\s\S]*sparsity.T"),
        (lambda: fs.jacobian(band)(np.arange(3)), DtypeError, r"int64[\s\S]*astype\(float\)"),
        (lambda: fs.jacobian(band)(X + 1j), DtypeError,
         r"real arguments[\s\S]*complex128[\s\S]*imaginary part"),
        (lambda: fs.jacobian(lambda x: x.astype(int))(X), DtypeError,
         r"returns real arrays[\s\S]*int64[\s\S]*has_aux"),
        (lambda: fs.jacobian(lambda x: {"a": 1j * x}, mode="reverse")(X), DtypeError,
         r"complex128[\s\S]*\['a'\][\s\S]*imaginary part"),
        (lambda: fs.hessian(np.sin)(X), ShapeError, r"real scalar"),
        (lambda: fs.jacobian(band, mode="sideways"), ArgumentError, r"mode[\s\S]*'sideways'"),
        (lambda: fs.jacobian(band, np.eye(3), coloring=fs.coloring(np.eye(3))), ArgumentError,
         r"both sparsity and coloring[\s\S]*pass one"),
        (lambda: fs.jacobian(band, coloring=[0, 1]), ArgumentError, r"as a Coloring"),
        (lambda: fs.jacobian(band, coloring=fs.coloring(np.eye(3), "symmetric")), ArgumentError,
         r"isn't symmetric[\s\S]*mode=\"auto\""),
        (lambda: fs.hessian(hub, coloring=fs.coloring(np.eye(3))), ArgumentError,
         r"is symmetric[\s\S]*mode=\"symmetric\""),
        (lambda: fgrad.vmap(lambda x: fs.jacobian(np.sin)(x).data)(np.ones((2, 3))),
         TracerConversionError, r"plain arrays[\s\S]*vmap tracer[\s\S]*fgrad.jacobian"),
        (lambda: fgrad.grad(lambda a: fs.jacobian(lambda x: a * x)(X).sum())(2.0),
         TracerConversionError, r"plain arrays[\s\S]*grad tracer"),
        (lambda: fs.jacobian(lambda x: float(x[0]))(X), TracerConversionError, r"Python float"),
        (lambda: fs.jacobian(3.0), ArgumentError, r"wants a function"),
        (lambda: fs.jacobian(lambda x: x / np.sum(x))(np.ones(30_000)), ArgumentError,
         r"few arguments each[\s\S]*30000 numbers[\s\S]*900000000 places[\s\S]*fgrad.jvp"),
    ],
)  # fmt: skip
def test_errors(call, error, text):
    with pytest.raises(error, match=text):
        call()
