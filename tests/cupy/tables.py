"""Which rows of the table of laws do less with CuPy's arrays than with NumPy's, and why.

Rows are named by their function. All others are equal on both, without waiting for the device.
"""

from __future__ import annotations

import types
from typing import Any

import numpy as np

from .. import examples
from ..examples import Row, random

#: The shape of the answer is that of values, which the host must know; or CuPy's own does it so.
WAITS = {
    "compress": "the shape of the answer is the number of places chosen",
    "ndarray.compress": "the shape of the answer is the number of places chosen",
    "extract": "the shape of the answer is the number of places chosen",
    "bincount": "the length of the answer is the greatest number",
    "tile": "the number of copies is an array there",
    "ufunc.reduceat": "where the parts begin is an array there",
    "insert": "where to insert is an array there",
    "histogram": "the operand isn't traced, and CuPy's own waits",
    "poly": "it asks whether all eigenvalues are real, where they come as complex numbers",
    "roots": "it asks whether all eigenvalues are real, where they come as complex numbers",
    "solve_circulant": "it asks whether the matrix is singular",
    "multivariate_normal.pdf": "it asks for the rank of the covariance",
    "multivariate_normal.entropy": "it asks for the rank of the covariance",
    **dict.fromkeys(
        ("PchipInterpolator", "Akima1DInterpolator", "CubicHermiteSpline", "PPoly",
         "pchip_interpolate"), "it asks where the points lie",
    ),
}  # fmt: skip

#: What CuPy's own function refuses, where the operand of a piecewise constant one isn't traced.
REFUSED_BY_CUPY = {
    "any": "`where`", "all": "`where`", "spacing": "no such function",
    "ufunc.reduce": "only add and multiply have it", "ufunc.accumulate": "only add and multiply",
}  # fmt: skip

#: Rows of which the answer is another one.
DIFFERENT = {
    "empty_like": "what is in an empty array is nobody's promise",
    "polymul": "leading zeros stay, as in graphs: their number is known to the device alone",
}

#: Functions of SciPy's that CuPy has no counterpart of, or none of what their derivative needs.
UNAVAILABLE = frozenset(
    [
        "BSpline",
        "CubicSpline",
        "Slerp",
        "agm",
        "airy",
        "bernoulli.isf",
        "bernoulli.ppf",
        "beta.isf",
        "beta.logsf",
        "beta.sf",
        "betaincc",
        "betainccinv",
        "bicgstab",
        "binom.cdf",
        "binom.isf",
        "binom.logcdf",
        "binom.ppf",
        "cg",
        "cho_factor",
        "cholesky_banded",
        "coherence",
        "companion",
        "convolve2d",
        "correlate",
        "correlate2d",
        "coshm",
        "cosm",
        "csd",
        "dawsn",
        "dct",
        "dctn",
        "dst",
        "dstn",
        "eig_banded",
        "eigh_tridiagonal",
        "eigvalsh_tridiagonal",
        "ellipe",
        "ellipeinc",
        "ellipj",
        "ellipk",
        "ellipkinc",
        "ellipkm1",
        "erfi",
        "eval_chebyc",
        "eval_chebys",
        "eval_chebyt",
        "eval_chebyu",
        "eval_gegenbauer",
        "eval_genlaguerre",
        "eval_hermite",
        "eval_hermitenorm",
        "eval_jacobi",
        "eval_laguerre",
        "eval_legendre",
        "eval_sh_chebyt",
        "eval_sh_chebyu",
        "eval_sh_jacobi",
        "eval_sh_legendre",
        "expm",
        "expm_frechet",
        "fftconvolve",
        "fiedler_companion",
        "filtfilt",
        "fresnel",
        "funm",
        "geom.isf",
        "geom.ppf",
        "gmres",
        "h1vp",
        "h2vp",
        "hankel1",
        "hankel1e",
        "hankel2",
        "hankel2e",
        "hessenberg",
        "hilbert",
        "hyp0f1",
        "hyp1f1",
        "hyp2f1",
        "hyperu",
        "i0e",
        "i1",
        "i1e",
        "idct",
        "idctn",
        "idst",
        "idstn",
        "interpn",
        "istft",
        "iv",
        "ive",
        "ivp",
        "j1",
        "jv",
        "jve",
        "jvp",
        "k0e",
        "k1",
        "k1e",
        "kn",
        "kv",
        "kve",
        "kvp",
        "ldl",
        "lfilter",
        "logm",
        "logsumexp",
        "lu",
        "lu_factor",
        "lu_solve",
        "make_interp_spline",
        "mode",
        "modstruve",
        "nbinom.isf",
        "nbinom.logsf",
        "nbinom.ppf",
        "nbinom.sf",
        "ndtri_exp",
        "oaconvolve",
        "orthogonal_procrustes",
        "owens_t",
        "periodogram",
        "pinv",
        "pinvh",
        "poisson.entropy",
        "poisson.isf",
        "poisson.ppf",
        "polar",
        "powm1",
        "rankdata",
        "rsf2csf",
        "savgol_filter",
        "schur",
        "signm",
        "sinhm",
        "sinm",
        "solve_banded",
        "solve_continuous_are",
        "solve_continuous_lyapunov",
        "solve_discrete_are",
        "solve_discrete_lyapunov",
        "solve_sylvester",
        "solveh_banded",
        "sosfilt",
        "sosfiltfilt",
        "spectrogram",
        "spence",
        "spherical_in",
        "spherical_jn",
        "spherical_kn",
        "spline_filter",
        "spline_filter1d",
        "sqrtm",
        "stdtr",
        "stdtrit",
        "stft",
        "struve",
        "t.cdf",
        "t.isf",
        "t.logcdf",
        "t.logsf",
        "t.ppf",
        "t.sf",
        "tanhm",
        "tanm",
        "truncnorm.isf",
        "truncnorm.ppf",
        "upfirdn",
        "voigt_profile",
        "vonmises.entropy",
        "vonmises.logpdf",
        "vonmises.pdf",
        "welch",
        "wofz",
        "wrightomega",
        "y1",
        "yv",
        "yve",
        "yvp",
    ]
)

#: Functions of SciPy's that work in some of their ways.
PARTLY = frozenset(
    [
        "RegularGridInterpolator",
        "Rotation",
        "convolve",
        "cumulative_simpson",
        "detrend",
        "eig",
        "eigh",
        "fractional_matrix_power",
        "gaussian_kde",
        "interp1d",
        "map_coordinates",
        "multivariate_normal.logpdf",
        "qr",
        "zeta",
    ]
)

_RANDOM = {row.number for row in random.ROWS}
_SCIPY = {
    row.number
    for name, m in vars(examples).items()
    if name.startswith("scipy_")
    for row in getattr(m, "ROWS", ())
}


def name_of(row: Row) -> str:
    """The name of a row's function, as the tables have it."""
    return str(row).partition("(")[0]


def is_scipy(row: Row) -> bool:
    """Whether a row is about a function of SciPy's."""
    return row.number in _SCIPY


def available(row: Row) -> bool:
    """Whether CuPy has what the row takes."""
    return not is_scipy(row) or name_of(row) not in UNAVAILABLE


def is_random(row: Row) -> bool:
    """Whether it draws numbers: keys are the host's, see test_random."""
    return row.number in _RANDOM


def may_wait(row: Row) -> bool:
    """Whether the host may wait: for a mask's number of places, or for one of `WAITS`."""
    return name_of(row) in WAITS or _by_mask(row.call) or _combines(row)


def _by_mask(call: Any) -> bool:
    """Whether a row's call indexes with a mask that it closes over."""
    if not isinstance(call, types.FunctionType):
        return False
    held = [c.cell_contents for c in call.__closure__ or ()]
    held += [call.__globals__[n] for n in call.__code__.co_names if n in ("MASK", "ROWS_MASK")]
    held += [y for x in held if isinstance(x, tuple) for y in x]
    return any(isinstance(x, np.ndarray) and x.dtype == bool for x in held)


def _combines(row: Row) -> bool:
    """Whether values for one place multiply, which no atomic operation does, or x > 0 indexes."""
    code = getattr(row.call, "__code__", None)
    names = () if code is None else code.co_names
    by_values = name_of(row) == "at" and "set" in names and row.call.__closure__ is None
    return by_values or bool({"multiply", "max", "min"} & {*names} and "at" in names)
