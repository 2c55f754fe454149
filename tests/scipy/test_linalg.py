"""Keywords of scipy.linalg on traced matrices: SciPy's value, or an error that says what to do."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import scipy.linalg as sl

import fgrad
from fgrad import tree
from fgrad.errors import NoRuleError
from fgrad.scipy import linalg

RNG = np.random.default_rng(0)
A, B = RNG.normal(size=(2, 4, 4)) + 3 * np.eye(4)
S = A @ A.T
TALL, WIDE = RNG.normal(size=(5, 3)), RNG.normal(size=(3, 5))
b, bs = RNG.normal(size=4), RNG.normal(size=(4, 2))
BANDS = RNG.normal(size=(4, 5)) + np.array([[0.0], [4.0], [0.0], [0.0]])
FLAGS = (False, True)


def traced(name, args, keywords):
    """The value as `jvp` computes it."""
    moving = [i for i, x in enumerate(args) if isinstance(x, np.ndarray)]

    def f(*xs):
        new = dict(zip(moving, xs, strict=True))
        full = [new.get(i, x) for i, x in enumerate(args)]
        return getattr(linalg, name)(*full, **keywords)

    xs = [args[i] for i in moving]
    return fgrad.jvp(f, xs, xs)[0]


def numbers(out):
    return [np.asarray(x) for x in tree.leaves(out)]


def every(**choices):
    return [dict(zip(choices, c, strict=True)) for c in itertools.product(*choices.values())]


CALLS = [
    *(("solve_triangular", (A, y), k) for y in (b, bs)
      for k in every(trans=(0, 1, 2, "N", "T", "C"), lower=FLAGS, unit_diagonal=FLAGS)),
    *(("solve", (x, b), {"assume_a": s, "lower": True}) for x, s in (
        (A, None), (A, "general"), (S, "pos"), (A, "her"), (A, "sym"), (A, "diagonal"),
        (A, "tridiagonal"), (A, "upper triangular"), (A, "lower triangular"), (A, "banded"))),
    ("solve", (A, b), {"transposed": True, "overwrite_a": True, "check_finite": False}),
    *(("inv", (x,), {"assume_a": s}) for x, s in ((A, None), (S, "pos"), (A, "upper triangular"))),
    *(("lu", (x,), k) for x in (A, TALL, WIDE, np.stack([A, B]))
      for k in ({}, {"permute_l": True}, {"p_indices": True})),
    *(("lu_factor", (x,), {}) for x in (A, TALL, WIDE)),
    *(("qr", (x,), k) for x in (A, TALL, WIDE)
      for k in every(mode=("full", "economic", "r", "raw"), pivoting=FLAGS)),
    *(("rq", (x,), {"mode": m}) for x in (A, TALL, WIDE) for m in ("full", "economic", "r")),
    *(("qr_multiply", (TALL, c), {"mode": m, **k})
      for c, m in ((TALL.T, "right"), (WIDE[:, :2], "left"), (TALL[:, 0], "right"))
      for k in every(pivoting=FLAGS, conjugate=FLAGS)),
    *(("ldl", (S,), k) for k in every(lower=FLAGS, hermitian=FLAGS)),
    *(("polar", (x,), {"side": s}) for x in (A, TALL, WIDE) for s in ("right", "left")),
    *(("schur", (A,), {"sort": s}) for s in (None, "lhp", "rhp", "iuc", "ouc")),
    *(("hessenberg", (A,), {"calc_q": q}) for q in FLAGS),
    *(("cholesky", (S,), {"lower": lo}) for lo in FLAGS),
    *(("pinv", (TALL,), k) for k in ({}, {"rtol": 0.3}, {"atol": 1.0, "return_rank": True})),
    *(("lstsq", (x, y), {}) for x, y in ((TALL, TALL[:, 0]), (TALL, TALL), (WIDE, WIDE[:, 0]))),
    *(("eigvalsh", (S, S + np.eye(4)), {"type": t, "lower": lo}) for t in (1, 2, 3)
      for lo in FLAGS),
    *(("eigvalsh", (S,), {"subset_by_index": i}) for i in (None, (1, 2), [0, 0])),
    *(("svd", (x,), {"compute_uv": False}) for x in (TALL, WIDE)),
    *(("eigh_tridiagonal", (b, b[1:]), k) for k in (
        {}, {"eigvals_only": True}, {"select": "i", "select_range": (1, 2)})),
    *(("solve_discrete_lyapunov", (A / 9, S), {"method": m}) for m in (None, "direct", "bilinear")),
    *(("convolution_matrix", (b, 6), {"mode": m}) for m in ("full", "valid", "same")),
    *(("solve_banded", ((2, 1), BANDS, y), {}) for y in (BANDS[0], BANDS.T)),
    *(("norm", (A,), k) for k in ({}, {"ord": 1}, {"ord": "nuc"}, {"axis": 0, "keepdims": True})),
    ("solve_circulant", (b, bs), {}), ("solve_circulant", (np.ones(4), b), {"singular": "lstsq"}),
    ("fractional_matrix_power", (S, 2), {}), ("fractional_matrix_power", (S, -0.5), {}),
    ("expm_frechet", (A / 3, B), {"method": "blockEnlarge"}),
    ("subspace_angles", (TALL, TALL[:, :2] + 0.1), {}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "args", "keywords"), CALLS, ids=lambda x: str(x)[:24])
def test_keywords_have_scipys_values(name, args, keywords):
    got = numbers(traced(name, args, keywords))
    want = numbers(getattr(sl, name)(*args, **keywords))
    for x, y in zip(got, want, strict=True):
        assert np.shape(x) == np.shape(y)
        np.testing.assert_allclose(x, y, atol=1e-12 * max(1, np.max(np.abs(y), initial=0)))


@pytest.mark.parametrize(
    ("call", "way_out"),
    [
        (lambda x: linalg.eigh(x, subset_by_value=(0, 1)), "np.where"),
        (lambda x: linalg.eigh_tridiagonal(x[0], x[0, 1:], select="v", select_range=(0, 1)),
         "range of indices"),
        (lambda x: linalg.eig(x, homogeneous_eigvals=True), "leave it away"),
        (lambda x: linalg.funm(x, np.exp, disp=False), "leave disp away"),
    ],
)  # fmt: skip
def test_what_has_no_rule_says_what_to_do(call, way_out):
    with pytest.raises(NoRuleError, match=way_out):
        fgrad.grad(lambda x: np.sum(np.real(call(x)[0])))(S)


def test_check_finite_asks_as_scipy_does():
    x = A.copy()
    x[0, 0] = np.nan
    with pytest.raises(ValueError, match="infs or NaNs"):
        fgrad.grad(lambda x: linalg.det(x))(x)
    with np.errstate(invalid="ignore"):
        assert np.isnan(fgrad.grad(lambda x: linalg.det(x, check_finite=False))(x)).any()


def test_plain_arguments_are_scipys_business():
    assert type(linalg.qr(A, mode="r")) is tuple
    np.testing.assert_array_equal(linalg.expm(A), sl.expm(A))
    assert linalg.hilbert is sl.hilbert
