"""SciPy's own functions on traced values: right, or an error that names ours."""

import numpy as np
import pytest
import scipy.fft
import scipy.integrate
import scipy.linalg
import scipy.optimize
import scipy.signal
import scipy.sparse.linalg
import scipy.special
import scipy.stats

from fgrad import grad
from fgrad.errors import FgradError

X, V = np.eye(3) + 0.1, np.zeros(3)
CALLS = {
    "special.logsumexp": scipy.special.logsumexp,
    "special.softmax": scipy.special.softmax,
    "special.zeta": lambda x: scipy.special.zeta(x, 2.0),
    "special.lambertw": scipy.special.lambertw,
    "special.factorial": lambda x: scipy.special.factorial(x[0, 0]),
    "linalg.expm": scipy.linalg.expm,
    "linalg.solve": lambda x: scipy.linalg.solve(x, np.ones(3)),
    "linalg.inv": scipy.linalg.inv,
    "stats.norm.logpdf": scipy.stats.norm.logpdf,
    "signal.convolve": lambda x: scipy.signal.convolve(x, x),
    "fft.dct": scipy.fft.dct,
    "integrate.trapezoid": scipy.integrate.trapezoid,
    "optimize.minimize": lambda x: scipy.optimize.minimize(lambda v: (v[0] - x[0, 0]) ** 2, 0.0).x,
    "optimize.least_squares": lambda x: scipy.optimize.least_squares(lambda v: v - x[0], x0=V).x,
    "optimize.minimize_scalar": lambda x: (
        scipy.optimize.minimize_scalar(lambda v: (v - x[0, 0]) ** 2).x
    ),
    "sparse.linalg.cg": lambda x: scipy.sparse.linalg.cg(X, x[0])[0],
    "integrate.quad": lambda x: scipy.integrate.quad(lambda t: np.exp(-t * x[0, 0]), 0, 1)[0],
}


def test_ufuncs_ask_numpys_protocol():
    assert grad(scipy.special.erf)(0.0) == pytest.approx(2 / np.sqrt(np.pi))


@pytest.mark.parametrize("method", ["L-BFGS-B", "Nelder-Mead", "BFGS", "SLSQP"])
@pytest.mark.parametrize("of_start", [False, True])
def test_minimize_by_any_method(method, of_start):
    def solve(x):
        start = x[0] if of_start else V
        return scipy.optimize.minimize(lambda v: np.sum((v - x[0]) ** 2), start, method=method).x

    with pytest.raises(FgradError, match=r"To do: call fgrad\.scipy\.optimize\.minimize, which"):
        grad(lambda x: np.sum(solve(x)))(X)


@pytest.mark.parametrize("name", CALLS)
def test_the_error_names_ours(name):
    home = name.rpartition(".")[0].removesuffix(".norm")
    with pytest.raises(FgradError, match=rf"fgrad\.scipy\.{name}, which differentiates") as info:
        grad(lambda x: np.sum(CALLS[name](x)))(X)
    assert f"(import fgrad.scipy.{home})" in str(info.value)
