"""`scipy.special`: digits far out, what is refused, and JAX's `bessel_jn`."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.special as sp

import fgrad
from fgrad.errors import ArgumentError, NoRuleError
from fgrad.scipy import special
from fgrad.scipy.special import quadrature

#: (function, arguments, number of the argument, derivative): 17 digits, by mpmath.
DIGITS = [
    (sp.gammainc, (1e-08, 0.001), 0, -6.3315389796816063),
    (sp.gammainc, (0.3, 1e-10), 0, -0.025467862220657005),
    (sp.gammainc, (1000.0, 700.0), 0, -3.6515889441599401e-27),
    (sp.gammainc, (10.0, 120.0), 0, -2.9971367752554284e-39),
    (sp.gammainc, (10000.0, 10000.0), 0, -0.0039894560494536686),
    (sp.gammainc, (10000.0, 9900.0), 1, 0.0024359334431713201),
    (sp.betainc, (0.001, 20.0, 1e-10), 0, -19.103932079187717),
    (sp.betainc, (0.3, 0.001, 0.999999999), 1, 23.085685177227836),
    (sp.betainc, (1000.0, 2000.0, 0.35), 0, -0.0015879476476782359),
    (sp.betainc, (1000.0, 2000.0, 0.35), 2, 7.1510741161387164),
    (sp.betainc, (2.0, 30.0, 1e-06), 1, 3.0499100346150963e-11),
    (sp.betaln, (1000000.0, 0.001), 0, -1.0000004995001662e-9),
    (sp.stdtr, (40.0, -10.0), 0, -2.6847318784769646e-13),
    (sp.jv, (7.5, 100000.0), 0, 0.00014056844628976773),
    (sp.jv, (50.0, 300.0), 0, -0.06343225738157872),
    (sp.jv, (3.3, 1e-05), 0, -4.9106633616651201e-18),
    (sp.kv, (20.0, 0.001), 0, 6.7421455796433641e+83),
    (sp.iv, (3.0, 50.0), 0, -1.6220613324062946e+19),
    (sp.hyp1f1, (2.5, 4.0, -30.0), 0, -0.004332330255101704),
    (sp.hyp1f1, (2.5, 4.0, 1e-06), 1, -1.5625009843753372e-7),
    (sp.hyp2f1, (0.5, 1.2, 1.5, -3.0), 2, 0.16406824115734676),
    (special.zeta, (1.0001, 7.3), 0, -99999998.162134706),
    (special.zeta, (-20.3,), 0, 233.83261913010331),
    (sp.ellipkinc, (4.0, 0.5), 1, 1.8187517342763671),
    (sp.ellipkm1, (1e-09,), 0, -499999997.43801815),
    (sp.agm, (1e-05, 3.0), 0, 2405.0248653157395),
]  # fmt: skip


@pytest.mark.parametrize(("f", "args", "i", "want"), DIGITS)
def test_derivatives_keep_their_digits_far_out(f, args, i, want):
    got = fgrad.grad(f, i)(*args)
    np.testing.assert_allclose(got, want, 1e-11)


@pytest.mark.parametrize(
    ("f", "args", "i", "text"),
    [
        (special.polygamma, (1.0, 2.0), 0, "polygamma` has no derivative in `n`"),
        (sp.yn, (1.0, 2.0), 0, "yn` has no derivative in `n`"),
        (sp.expn, (1.0, 2.0), 0, "expn` has no derivative in `n`"),
        (sp.eval_legendre, (2.0, 0.3), 0, "eval_legendre` has no derivative in `n`"),
        (special.spherical_jn, (2.0, 0.3), 0, "spherical_jn` has no derivative in `n`"),
        (sp.hyperu, (1.0, 2.0, 3.0), 1, "hyperu` has no derivative in `a` and `b`"),
        (sp.bdtr, (2.0, 4, 0.3), 0, "bdtr` has no derivative in `k`"),
        (lambda n: special.comb(n, 2, exact=True), (5.0,), 0, "`comb` with exact=True"),
        (lambda n: special.factorial(n, extend="all"), (5.0,), 0, "`factorial` wants extend="),
        (lambda x: special.sph_harm_y(1, 0, x, 0.1, diff_n=1), (0.5,), 0, "leave diff_n away"),
        (lambda x: special.zeta(x, out=np.ones(())), (2.5,), 0, "takes no out= here"),
    ],
)
def test_what_has_no_derivative_says_so(f, args, i, text):
    with pytest.raises(NoRuleError, match=text):
        fgrad.grad(f, i)(*args)


def test_whole_numbers_are_told_by_stop_gradient():
    got = fgrad.grad(lambda n: special.polygamma(fgrad.stop_gradient(n), 2.0) * n)(1.0)
    np.testing.assert_allclose(got, sp.polygamma(1, 2.0), 1e-14)


def test_complex_scaled_bessel_functions_are_refused():
    with pytest.raises(NoRuleError, match=r"`scipy\.special\.ive` has no complex derivative"):
        fgrad.jvp(lambda z: sp.ive(1.0, z), (1.0 + 1.0j,), (1.0 + 0.0j,))


def test_the_sign_of_a_complex_sum_is_refused():
    with pytest.raises(NoRuleError, match="return_sign=True wants real numbers"):
        fgrad.vjp(lambda z: special.logsumexp(z, return_sign=True), np.array([1j, 2.0]))


def test_multigammaln_checks_its_domain_under_transformations():
    with pytest.raises(ValueError, match="not met"):
        fgrad.grad(lambda a: special.multigammaln(a, 5))(1.0)


def test_zeta_is_differentiated_up_to_a_height():
    with np.errstate(all="ignore"):
        z = np.array([0.5 + 149.0j, 0.5 + 151.0j])
        slope = fgrad.jvp(special.zeta, (z,), (np.ones_like(z),))[1]
    step = 1e-5
    want = (sp.zeta(z + step) - sp.zeta(z - step)) / (2 * step)
    np.testing.assert_allclose(slope[0], want[0], 1e-7)
    assert np.isnan(slope[1])


def test_an_order_where_the_function_is_not_real_has_no_derivative():
    assert np.isnan(fgrad.grad(sp.jv)(2.0, -1.0))
    np.testing.assert_allclose(fgrad.grad(sp.jv, 1)(2.0, -1.0), sp.jvp(2, -1.0), 1e-14)


def test_large_arrays_are_integrated_in_blocks():
    a = np.linspace(0.1, 30.0, quadrature._BLOCK // 16)
    whole = fgrad.grad(lambda a: np.sum(sp.gammainc(a, 7.0)))(a)
    parts = [fgrad.grad(lambda a: np.sum(sp.gammainc(a, 7.0)))(p) for p in np.split(a, 64)]
    np.testing.assert_allclose(whole, np.concatenate(parts), 1e-13)


def test_bessel_jn_is_jaxs():
    z = np.array([[0.5, 1.0, 10.0]])
    want = np.stack([sp.jv(k, z) for k in range(4)])
    np.testing.assert_allclose(special.bessel_jn(z, v=3), want, 1e-14)
    jacobian = fgrad.jvp(lambda z: special.bessel_jn(z, v=3, n_iter=30), (z,), (np.ones_like(z),))
    np.testing.assert_allclose(jacobian[1], np.stack([sp.jvp(k, z) for k in range(4)]), 1e-13)
    with pytest.raises(ArgumentError, match="highest order as a whole number"):
        special.bessel_jn(z, v=1.5)


def test_logsumexp_of_numbers_is_a_number():
    assert fgrad.grad(lambda b: special.logsumexp(1.0, b=b))(4.0) == 0.25
    assert fgrad.grad(special.logsumexp)(3.0) == 1.0
    out = fgrad.vjp(lambda b: special.logsumexp(1.0, b=b, return_sign=True), -4.0)[0]
    np.testing.assert_allclose(out, sp.logsumexp(1.0, b=-4.0, return_sign=True))


def test_derivatives_of_bessel_functions_count():
    with pytest.raises(ArgumentError, match="`jvp` wants how often"):
        fgrad.grad(lambda z: special.jvp(1.0, z, -1))(2.0)


def test_bernoulli_is_scipys():
    np.testing.assert_array_equal(special.bernoulli(4), sp.bernoulli(4))
