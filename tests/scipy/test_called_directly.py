"""SciPy's own functions on traced values: right, or an error that names ours."""

import numpy as np
import pytest
import scipy.fft
import scipy.integrate
import scipy.linalg
import scipy.optimize
import scipy.signal
import scipy.special
import scipy.stats

from fgrad import grad
from fgrad.errors import FgradError

X = np.eye(3) + 0.1
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
    "integrate.quad": lambda x: scipy.integrate.quad(lambda t: np.exp(-t * x[0, 0]), 0, 1)[0],
}


def test_ufuncs_ask_numpys_protocol():
    assert grad(scipy.special.erf)(0.0) == pytest.approx(2 / np.sqrt(np.pi))


@pytest.mark.parametrize("name", CALLS)
def test_the_error_names_ours(name):
    home = name.rpartition(".")[0].removesuffix(".norm")
    with pytest.raises(FgradError, match=rf"fgrad\.scipy\.{name}, which differentiates") as info:
        grad(lambda x: np.sum(CALLS[name](x)))(X)
    assert f"(import fgrad.scipy.{home})" in str(info.value)
