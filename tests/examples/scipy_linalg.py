"""Rows of scipy.linalg, at matrices whose values are apart."""

from __future__ import annotations

import numpy as np
import scipy.linalg as sl

from fgrad.scipy import linalg

from .row import I, P, constant, linear, multilinear, row
from .scipy_linalg_tools import (
    adjoint,
    ahead,
    apart,
    definite,
    heavy,
    oriented,
    phases_away,
    projectors,
    solution_and_residues,
    symmetric,
    turning,
    well,
    wide,
)

SQUARE = [[(3, 3)], [(2, 2, 2)]]


def _each(of, shapes, call, **flags):
    return [row(of, s, call, **{"bits": False, "complex": True, **flags}) for s in shapes]


#: Its LDL factors have a block of two.
SWAP = np.array([[0.0, 4.0, 0.0], [4.0, 0.0, 1.0], [0.0, 1.0, 5.0]])

STRUCTURED = [
    row(sl.toeplitz, [(3,)], lambda c: linalg.toeplitz(c), complex=True),
    linear(sl.toeplitz, [(3,), (2,)], lambda c, r: linalg.toeplitz(c, r)),
    linear(sl.circulant, [(2, 3)], lambda c: linalg.circulant(c)),
    linear(sl.hankel, [(3,), (2,)], lambda c, r: linalg.hankel(c, r)),
    linear(sl.hankel, [(3,)], lambda c: linalg.hankel(c)),
    linear(sl.leslie, [(3,), (2,)], lambda f, s: linalg.leslie(f, s)),
    row(sl.companion, [P(2, 4)], lambda a: linalg.companion(a), complex=True),
    row(sl.fiedler, [(3,)], lambda a: linalg.fiedler(a), complex=True),
    *(row(sl.fiedler_companion, [P(n)], lambda a: linalg.fiedler_companion(a), complex=True)
      for n in (2, 5, 6)),
    *(linear(sl.convolution_matrix, [(3,)], lambda a, m=m: linalg.convolution_matrix(a, 4, m))
      for m in ("full", "same", "valid")),
    linear(sl.block_diag, [(2, 2, 3), (2,), (1, 1)],
           lambda a, b, c: linalg.block_diag(a, b, c)),
    multilinear(sl.khatri_rao, [(2, 3), (2, 2, 3)], lambda a, b: linalg.khatri_rao(a, b)),
    linear(sl.diagsvd, [(3,)], lambda s: linalg.diagsvd(s, 3, 4)),
]  # fmt: skip

SOLVING = [
    *_each(sl.solve, [[(3, 3), (3,)], [(2, 3, 3), (3, 2)]],
           lambda a, b: linalg.solve(well(a), b)),
    *_each(sl.solve, [[(3, 3), (3,)]],
           lambda a, b: linalg.solve(well(a), b, transposed=True), complex=False),
    *(row(sl.solve, [(3, 3), (3,)],
          lambda a, b, s=s, f=f: linalg.solve(f(a), b, assume_a=s, lower=s == "her"),
          complex=True, bits=False)
      for s, f in (("pos", definite), ("her", definite), ("sym", lambda a: well(a) + well(a).T),
                   ("upper triangular", well), ("lower triangular", well), ("diagonal", well),
                   ("tridiagonal", well))),
    *_each(sl.inv, [[(3, 3)]], lambda a: linalg.inv(well(a))),
    *_each(sl.inv, [[(3, 3)]], lambda a: linalg.inv(definite(a), assume_a="pos")),
    *_each(sl.det, [[(3, 3)], [(2, 2, 2)]], lambda a: linalg.det(well(a) / 4)),
    *(row(sl.solve_triangular, s,
          lambda a, b, t=t, lo=lo, u=u: linalg.solve_triangular(well(a), b, t, lo, u),
          complex=True, bits=False)
      for s, t, lo, u in (([(3, 3), (3,)], 0, False, False), ([(2, 2), (2, 2)], 1, True, False),
                          ([(2, 2), (2, 1)], "T", False, True),
                          ([(2, 2, 2), (2, 1)], "C", True, True))),
    *(row(sl.cholesky, [s], lambda a, lo=lo: linalg.cholesky(definite(a), lower=lo),
          complex=True, bits=False)
      for s, lo in (((3, 3), False), ((2, 3, 3), True))),
    # The other triangle could be anything, and is in SciPy 1.18.
    *(row(sl.cho_factor, [(3, 3)],
          lambda a, lo=lo, part=part: part(linalg.cho_factor(definite(a), lo)[0]),
          complex=True, bits=False)
      for lo, part in ((False, np.triu), (True, np.tril))),
    *(row(sl.cho_solve, [(3, 3), s], lambda c, b, lo=lo: linalg.cho_solve((well(c), lo), b),
          complex=True, bits=False)
      for s, lo in (((3,), False), ((3, 2), True))),
    *_each(sl.lu, [[(3, 3)], [(4, 2)], [(2, 2, 3)]],
           lambda a: linalg.lu(well(a), permute_l=True)),
    row(sl.lu, [(3, 3)], lambda a: linalg.lu(well(a)[::-1])[1:], complex=True, bits=False),
    row(sl.lu, [(3, 3)], lambda a: linalg.lu(well(a), p_indices=True)[2], bits=False),
    constant(sl.lu, [(3, 3)], lambda a: linalg.lu(a)[0], bits=False),
    constant(sl.lu, [(3, 3)], lambda a: linalg.lu(a, p_indices=True)[0], bits=False),
    *_each(sl.lu_factor, [[(3, 3)], [(4, 2)], [(2, 3)]],
           lambda a: linalg.lu_factor(well(a))[0]),
    constant(sl.lu_factor, [(2, 3, 3)], lambda a: linalg.lu_factor(a)[1]),
    *(row(sl.lu_solve, [(3, 3), s],
          lambda a, b, t=t: linalg.lu_solve(linalg.lu_factor(well(a)[::-1]), b, t),
          complex=True, bits=False)
      for s, t in (((3,), 0), ((3, 2), 1), ((3,), 2))),
    row(sl.lu_solve, [(3, 3), I(3), (3,)],
        lambda a, p, b: linalg.lu_solve((well(a), p), b), bits=False),
    row(sl.lu_solve, [(2, 3, 3), (3, 2)],
        lambda a, b: linalg.lu_solve((well(a), np.array([[2, 1, 2], [1, 2, 2]], np.int32)), b),
        bits=False),
    *_each(sl.lstsq, [[(4, 2), (4,)], [(4, 2), (4, 3)]],
           lambda a, b: solution_and_residues(linalg.lstsq(well(a), b))),
    row(sl.lstsq, [(2, 3, 1), (3, 2)],
        lambda a, b: [*linalg.lstsq(well(a), b)[:2]], bits=False),
    row(sl.lstsq, [(2, 3), (2,)], lambda a, b: linalg.lstsq(well(a), b)[0], bits=False),
    row(sl.lstsq, [(4, 2), (4,)],
        lambda a, b: linalg.lstsq(well(a), b, lapack_driver="gelsy")[0], bits=False),
    *_each(sl.pinv, [[(3, 2)]], lambda a: linalg.pinv(well(a))),
    row(sl.pinv, [(2, 2, 2)],
        lambda a: linalg.pinv(well(a), atol=0.1, return_rank=True)[0], bits=False),
    *_each(sl.pinvh, [[(3, 3)]], lambda a: linalg.pinvh(symmetric(a))),
    *(row(sl.norm, [(3, 4)], lambda a, kw=kw: linalg.norm(a, **kw), complex=True, bits=False)
      for kw in ({}, {"ord": 1}, {"axis": 0, "ord": 3, "keepdims": True})),
]  # fmt: skip

FACTORS = [
    *(row(sl.qr, [s], lambda a, m=m: [*linalg.qr(well(a), mode=m)], complex=True, bits=False)
      for s, m in (((4, 2), "full"), ((2, 3), "full"), ((2, 3, 2), "economic"), ((3, 2), "r"),
                   ((3, 2), "raw"))),
    row(sl.qr, [(2, 3)],
        lambda a: linalg.qr(well(a), mode="economic", pivoting=True)[:2], bits=False),
    constant(sl.qr, [(2, 3)], lambda a: linalg.qr(a, mode="r", pivoting=True)[1]),
    *(row(sl.qr_multiply, [(3, 2), s],
          lambda a, c, m=m, k=k: linalg.qr_multiply(well(a), c, m, conjugate=k)[0],
          complex=True, bits=False)
      for s, m, k in (((2, 3), "right", False), ((2,), "left", True))),
    *(row(sl.rq, [s], lambda a, m=m: linalg.rq(well(a), mode=m), complex=True, bits=False)
      for s, m in (((3, 3), "full"), ((2, 3), "economic"), ((3, 3), "r"))),
    *(row(sl.polar, [s], lambda a, d=d: [*linalg.polar(well(a), d)], complex=True, bits=False)
      for s, d in (((3, 3), "right"), ((3, 2), "right"), ((2, 2, 3), "right"), ((3, 2), "left"))),
    row(sl.orthogonal_procrustes, [(3, 2), (3, 2)],
        lambda a, b: linalg.orthogonal_procrustes(well(a), well(b)), bits=False),
    *(row(sl.ldl, [(3, 3)], lambda a, lo=lo, h=h, f=f: linalg.ldl(f(a), lo, h)[:2], complex=True,
          bits=False)
      for lo, h, f in ((True, True, symmetric), (False, True, symmetric),
                       (True, False, lambda a: well(a) + np.swapaxes(well(a), -1, -2)))),
    row(sl.ldl, [(2, 3, 3)],
        lambda a: [*linalg.ldl((a + np.swapaxes(a, -1, -2)) / 4 + SWAP.astype(a.dtype))[:2]],
        bits=False),
    constant(sl.ldl, [(3, 3)], lambda a: linalg.ldl(symmetric(a))[2], bits=False),
    row(sl.subspace_angles, [(4, 2), (4, 2)], lambda a, b: linalg.subspace_angles(well(a), b),
        bits=False),
    row(sl.subspace_angles, [(3, 1), (3, 2)], lambda a, b: linalg.subspace_angles(a, b),
        complex=True, bits=False),
    *_each(sl.schur, [[(3, 3)]], lambda a: phases_away(linalg.schur(apart(a), "complex"))),
    *(row(sl.schur, [s], lambda a: oriented(*linalg.schur(turning(a))), bits=False)
      for s in ((3, 3), (2, 3, 3))),
    row(sl.schur, [(3, 3)], lambda a: oriented(*linalg.schur(turning(a), sort="rhp")[:2]),
        bits=False),
    row(sl.rsf2csf, [(3, 3)],
        lambda a: phases_away(linalg.rsf2csf(*linalg.schur(turning(a)))), bits=False),
    *_each(sl.hessenberg, [[(4, 4)]], lambda a: linalg.hessenberg(well(a), calc_q=True)),
    row(sl.hessenberg, [(2, 3, 3)], lambda a: linalg.hessenberg(well(a)), bits=False),
]  # fmt: skip


FUNCTIONS = [
    *(row(getattr(sl, n), [(2, 2)], lambda a, n=n: getattr(linalg, n)(a / 2), complex=True,
          bits=False)
      for n in ("expm", "sinm", "cosm", "tanm", "sinhm", "coshm", "tanhm")),
    row(sl.expm, [(1, 3, 3)], lambda a: linalg.expm(a), bits=False),
    row(sl.expm_frechet, [(2, 2), (2, 2)],
        lambda a, e: linalg.expm_frechet(wide(a), wide(e)), complex=True, bits=False),
    row(sl.expm_frechet, [(2, 2), (2, 2)],
        lambda a, e: linalg.expm_frechet(wide(a), wide(e), compute_expm=False), bits=False),
    *_each(sl.sqrtm, SQUARE, lambda a: linalg.sqrtm(apart(a))),
    *_each(sl.logm, [[(2, 2)]], lambda a: linalg.logm(apart(wide(a)))),
    *_each(sl.signm, [[(2, 2)]], lambda a: linalg.signm(apart(a) - 2 * np.eye(2, dtype=a.dtype))),
    *_each(sl.fractional_matrix_power, [[(2, 2)]],
           lambda a: linalg.fractional_matrix_power(apart(a), 0.3)),
    row(sl.fractional_matrix_power, [(2, 2)],
        lambda a: linalg.fractional_matrix_power(well(a), -2), bits=False),
    *_each(sl.funm, [[(2, 2)]], lambda a: linalg.funm(apart(a), np.sin)),
    *_each(sl.solve_sylvester, [[(2, 2), (1, 1), (2, 1)]],
           lambda a, b, q: linalg.solve_sylvester(well(a), well(b), q)),
    *_each(sl.solve_continuous_lyapunov, [[(2, 2), (2, 2)]],
           lambda a, q: linalg.solve_continuous_lyapunov(well(a), q)),
    *(row(sl.solve_discrete_lyapunov, [(2, 2), (2, 2)],
          lambda a, q, m=m: linalg.solve_discrete_lyapunov(wide(a) / 4, wide(q), m),
          complex=True, bits=False)
      for m in (None, "bilinear")),
]  # fmt: skip

CONTROL = [
    row(f, [(2, 2)], g, bits=False)
    for f, g in (
        (sl.solve_continuous_are,
         lambda x: linalg.solve_continuous_are(x / 4, well(x)[:, :1], definite(x),
                                               definite(x[:1]))),
        (sl.solve_continuous_are,
         lambda x: linalg.solve_continuous_are(x / 4, well(x), definite(x), definite(x), well(x),
                                               x / 9)),
        (sl.solve_discrete_are,
         lambda x: linalg.solve_discrete_are(x / 4, well(x)[:, :1], definite(x), definite(x[:1]))),
        (sl.solve_discrete_are,
         lambda x: linalg.solve_discrete_are(x / 4, well(x), definite(x), definite(x), well(x),
                                             x / 9)))
]  # fmt: skip

EIGEN = [
    row(sl.eigh, [(3, 3)], lambda a: projectors(*linalg.eigh(symmetric(a))), bits=False),
    row(sl.eigh, [(2, 3, 3)], lambda a: projectors(*linalg.eigh(symmetric(a), lower=False)),
        complex=True, bits=False),
    row(sl.eigh, [(3, 3)],
        lambda a: linalg.eigh(symmetric(a), eigvals_only=True, subset_by_index=(1, 2)),
        bits=False),
    *(row(sl.eigh, [(3, 3), (3, 3)],
          lambda a, b, t=t: projectors(*linalg.eigh(symmetric(a), definite(b), type=t)),
          complex=True, bits=False)
      for t in (1, 2, 3)),
    row(sl.eigvalsh, [(3, 3)], lambda a: linalg.eigvalsh(symmetric(a), subset_by_index=(0, 1)),
        complex=True, bits=False),
    row(sl.eigh_tridiagonal, [(3,), P(2)],
        lambda d, e: projectors(*linalg.eigh_tridiagonal(3 * d, e)), bits=False),
    row(sl.eigh_tridiagonal, [(4,), P(3)],
        lambda d, e: [*linalg.eigh_tridiagonal(3 * d, e, select="i", select_range=(1, 2))],
        bits=False),
    row(sl.eigvalsh_tridiagonal, [(3,), P(2)],
        lambda d, e: linalg.eigvalsh_tridiagonal(3 * d, e), bits=False),
    row(sl.eig, [(3, 3)], lambda a: phases_away(linalg.eig(apart(a), left=True)), complex=True,
        bits=False),
    row(sl.eig, [(3, 3), (3, 3)], lambda a, b: linalg.eig(apart(a), definite(b), right=False),
        bits=False),
    row(sl.eigvals, [(3, 3)], lambda a: linalg.eigvals(apart(a)), complex=True, bits=False),
    row(sl.svd, [(3, 2)], lambda a: projectors(*linalg.svd(well(a))[1::-1]), complex=True,
        bits=False),
    row(sl.svd, [(2, 2, 3)],
        lambda a: projectors(linalg.svd(well(a))[1], adjoint(linalg.svd(well(a))[2])), bits=False),
    row(sl.svd, [(2, 3)], lambda a: linalg.svd(well(a), compute_uv=False), bits=False),
    row(sl.svdvals, [(2, 3)], lambda a: linalg.svdvals(well(a)), complex=True, bits=False),
]  # fmt: skip

BANDED = [
    *_each(sl.solve_banded, [[(4, 4), (4,)]],
           lambda ab, b: linalg.solve_banded((2, 1), heavy(ab, 1), b)),
    row(sl.solve_banded, [(2, 2, 3), (3, 2)],
        lambda ab, b: linalg.solve_banded((1, 0), heavy(ab, 0), b), bits=False),
    *(row(f, [(2, 3), (3,)], lambda ab, b, c=c, lo=lo: c(lo, heavy(ab, 0 if lo else 1), b),
          complex=True, bits=False)
      for f, c in (
          (sl.solveh_banded, lambda lo, ab, b: linalg.solveh_banded(ab, b, lower=lo)),
          (sl.cho_solve_banded, lambda lo, ab, b: linalg.cho_solve_banded((ab, lo), b)))
      for lo in (False, True)),
    *(row(f, [(2, 3)], lambda ab, c=c, lo=lo: c(lo, heavy(ab, 0 if lo else 1)), complex=True,
          bits=False)
      for f, c, lo in (
          (sl.cholesky_banded, lambda lo, ab: linalg.cholesky_banded(ab, lower=lo), False),
          (sl.cholesky_banded, lambda lo, ab: linalg.cholesky_banded(ab, lower=lo), True),
          (sl.eig_banded, lambda lo, ab: projectors(*linalg.eig_banded(ab, lo)), True),
          (sl.eigvals_banded,
           lambda lo, ab: linalg.eigvals_banded(ab, lo, select="i", select_range=(1, 2)),
           False))),
    *_each(sl.solve_toeplitz, [[(3,), (3,)]],
           lambda c, b: linalg.solve_toeplitz(ahead(c), b)),
    row(sl.solve_toeplitz, [(3,), (3,), (3, 2)],
        lambda c, r, b: linalg.solve_toeplitz((ahead(c), r), b), bits=False),
    multilinear(sl.matmul_toeplitz, [(3,), (2, 2)],
                lambda c, x: linalg.matmul_toeplitz((c, c[:2]), x), bits=False),
    multilinear(sl.matmul_toeplitz, [(3,), (3,)],
                lambda c, x: linalg.matmul_toeplitz(c, x), bits=False, complex=False),
    *_each(sl.solve_circulant, [[(3,), (3, 2)]],
           lambda c, b: linalg.solve_circulant(ahead(c), b)),
]  # fmt: skip

ROWS = [*STRUCTURED, *SOLVING, *FACTORS, *FUNCTIONS, *CONTROL, *EIGEN, *BANDED]
