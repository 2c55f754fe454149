"""The distributions of `scipy.stats` outside of their support, at its ends, in their tails."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats as ss

import fgrad
from fgrad.core import FRONTS
from fgrad.errors import DtypeError, NoRuleError, TracerConversionError
from fgrad.scipy import stats
from fgrad.scipy.stats.families import METHODS, Density, Family, Mass

from .. import laws
from ..examples import TABLE

INF, NAN = np.inf, np.nan
FAMILIES = {k: v for k, v in vars(stats).items() if isinstance(v, Family)}
PAIRS = [(n, m) for n, d in FAMILIES.items() for m in METHODS if hasattr(type(d), m)]

#: Shape parameters: ordinary ones first, then at their ends, large, and wrong ones.
SHAPES = {
    "t": [(3.5,), (INF,), (1e8,), (-1.0,)], "gennorm": [(1.3,), (1.0,), (2.0,), (0.7,), (0.0,)],
    "vonmises": [(2.0,), (0.0,), (1e5,), (-1.0,)], "gamma": [(2.5,), (0.5,), (1.0,), (500.0,)],
    "chi2": [(2.5,), (1.0,), (2.0,), (-2.0,)], "pareto": [(0.7,), (3.0,), (0.0,)],
    "lognorm": [(0.7,), (3.0,), (0.0,)], "invgamma": [(2.5,), (0.5,), (300.0,), (-1.0,)],
    "weibull_min": [(2.5,), (0.5,), (1.0,), (-1.0,)],
    "beta": [(1.5, 2.0), (1.0, 1.0), (0.5, 2.0), (30.0, 20.0), (1.0, -1.0)],
    "truncnorm": [(-1.0, 2.0), (5.0, 9.0), (-40.0, -20.0), (-INF, INF), (2.0, 1.0)],
    "wrapcauchy": [(0.3,), (0.99,), (1.5,)],
    "bernoulli": [(0.3,), (0.0,), (1.0,), (1.2,)],
    "binom": [(7.0, 0.3), (7.0, 0.0), (7.0, 1.0), (2.5, 0.3)],
    "betabinom": [(7.0, 0.3, 2.0), (0.0, 1.0, 1.0)], "geom": [(0.3,), (1.0,), (1e-9,), (0.0,)],
    "nbinom": [(2.5, 0.3), (3.0, 1.0), (3.0, 0.0)],
    "poisson": [(2.5,), (0.0,), (79.9,), (80.1,), (1e3,), (-1.0,)],
}  # fmt: skip
X = np.array([-41.0, -1.3, -0.2, 0.0, 0.3, 0.7, 1.0, 1.2, 2.5, 6.0, 12.0, 40.0, INF, -INF, NAN])
K = np.array([-1.3, -1, 0.0, 0.3, 1, 2, 3, 7, 12, 100, INF, -INF, NAN])
Q = np.array([0.0, 1e-10, 0.1, 0.5, 0.9, 1 - 1e-9, 1, 1.5, -0.1, NAN])
UNIVARIATE = [(n, m) for n, m in PAIRS if isinstance(FAMILIES[n], (Density, Mass))]


def first(name, method):
    """The arguments before the parameters."""
    if method == "entropy":
        return ()
    grid = X if isinstance(FAMILIES[name], Density) else K
    return (Q if method in ("ppf", "isf") else grid,)


def test_each_method_stands_in_the_registry_under_scipys_name_and_has_a_row():
    rows = [row.of for row in TABLE]
    for name, method in PAIRS:
        theirs = getattr(getattr(ss, name), method)
        assert FRONTS[theirs] == getattr(FAMILIES[name], method)
        assert theirs in rows


@pytest.mark.parametrize(("name", "method"), UNIVARIATE)
def test_values_are_scipys_everywhere(name, method):
    ours, theirs = getattr(FAMILIES[name], method), getattr(getattr(ss, name), method)
    head = first(name, method)
    for shapes in SHAPES.get(name, [()]):
        if method == "entropy" and name in ("pareto", "gennorm") and shapes[-1] == 0:
            continue  # theirs divides by zero
        rests = [(), (1.0,)] if isinstance(FAMILIES[name], Mass) else [(), (0.3, 1.7), (0.0, -1.0)]
        for rest in rests:
            with laws.quiet():
                got, want = ours(*head, *shapes, *rest), theirs(*head, *shapes, *rest)
            assert np.shape(got) == np.shape(want)
            # Theirs are NaN at some infinities and ends, and logcdf is 0 for wrong parameters.
            theirs_is_nan = np.isnan(want) & ~np.isnan(got)
            ours_is_nan = np.isnan(got) & (method == "logcdf") & isinstance(FAMILIES[name], Mass)
            assert not np.any(theirs_is_nan & np.isfinite(head)) or method == "entropy"
            # Theirs is -inf where a logarithm is that of a number that underflows.
            underflow = np.isneginf(want) & np.isfinite(got) & method.startswith("log")
            same = ~(theirs_is_nan | ours_is_nan | underflow)
            np.testing.assert_allclose(np.where(same, got, 0), np.where(same, want, 0), 3e-8, 1e-14)


@pytest.mark.parametrize(("name", "method"), [p for p in UNIVARIATE if p[1] != "entropy"])
def test_masks_are_the_same_when_values_are_unknown(name, method):
    (x,) = first(name, method)
    shapes = SHAPES.get(name, [()])[0]
    rest = (0.5, 2.0) if isinstance(FAMILIES[name], Density) else ()
    parameters = [np.array(p) for p in (*shapes, *rest)]
    fn = getattr(FAMILIES[name], method)

    def pull(*args):
        y, pullback = fgrad.vjp(fn, *args)
        return y, pullback(np.ones_like(y))

    with laws.quiet():
        mapped = fgrad.vmap(pull, (0, *(None,) * len(parameters)))(x, *parameters)
        graph = fgrad.make_graph(pull)(x[0], *parameters)
        for i, xi in enumerate(x):
            y, gradients = pull(xi, *parameters)
            recorded = graph(xi, *parameters)
            for a, b, c in zip(
                [y, *gradients], [recorded[0], *recorded[1]], [mapped[0], *mapped[1]], strict=True
            ):
                np.testing.assert_allclose(b, a, 1e-10, 1e-14)
                np.testing.assert_allclose(c[i], a, 1e-10, 1e-14)


@pytest.mark.parametrize(
    ("name", "method"), [p for p in UNIVARIATE if p[1] not in ("entropy", "ppf", "isf")]
)
def test_outside_of_the_support_derivatives_are_zero(name, method):
    dist = FAMILIES[name]
    shapes = SHAPES.get(name, [()])[0]
    rest = (0.5, 2.0) if isinstance(dist, Density) else ()
    parameters = [np.array(p) for p in (*shapes, *rest)]
    value = getattr(getattr(ss, name), "pdf" if isinstance(dist, Density) else "pmf")
    (x,) = first(name, method)
    with laws.quiet():
        x = x[np.isinf(x) | ((value(x, *parameters) == 0) & (np.abs(x) < 7))]
    for xi in x:
        got = fgrad.grad(getattr(dist, method), tuple(range(1 + len(parameters))))(xi, *parameters)
        if ("cdf" not in method and "sf" not in method) or np.isinf(xi):
            np.testing.assert_array_equal(got, 0.0)
        assert np.all(np.isfinite(got))


n, c = stats.norm, stats.cauchy
#: (function, arguments, derivatives in them)
POINTS = [
    # Far tails, by their asymptotic series.
    (n.logcdf, (-40.0,), (40.02496884720727,)),
    (n.logsf, (40.0, 0.0, 2.0), (-10.024876534263926, 10.024876534263926, 200.4975306852785)),
    (n.cdf, (INF, 0.0, 1.0), (0, 0, 0)),
    (stats.logistic.logcdf, (-800.0,), (1.0,)),
    (stats.logistic.logsf, (-800.0,), (0.0,)),
    (c.logcdf, (-1e10,), (1e-10,)),
    (c.logpdf, (1e200,), (-2e-200,)),
    (c.logsf, (-1e10,), (-1 / (np.pi * 1e20),)),
    (stats.gumbel_r.pdf, (-800.0, 0.0, 1.0), (0, 0, 0)),
    (stats.gumbel_r.cdf, (-800.0, 0.0, 1.0), (0, 0, 0)),
    (stats.gumbel_l.sf, (800.0, 0.0, 1.0), (0, 0, 0)),
    (stats.gumbel_r.logsf, (50.0,), (-1.0,)),
    *((f, (x, p), (0, 0)) for d, x, p in ((stats.weibull_min, 1e200, 3.0),
      (stats.invgamma, 1e-200, 2.0)) for f in (d.pdf, d.cdf, d.sf)),
    (stats.gennorm.pdf, (1e200, 3.0), (0, 0)),
    (stats.laplace.logsf, (-50.0,), (-0.5 * np.exp(-50.0),)),
    (stats.expon.logcdf, (1e-300,), (1e300,)),
    (stats.truncnorm.logpdf, (38.5, 38.0, 40.0), (-38.5, 38.02627946657331, 0.0)),
    (stats.truncnorm.logsf, (39.0, 38.0, INF), (-39.02560741993263, 38.02627946657331, 0.0)),
    (stats.truncnorm.logpdf, (0.3, -INF, INF), (-0.3, 0, 0)),
    (stats.vonmises.logpdf, (1e-5, 1e8), (-1e3, 4.9500000125e-9)),
    (stats.t.logpdf, (1.0, 1e10), (-1.0, 5e-21)),
    (stats.t.logpdf, (1.0, INF), (-1.0, 0.0)),
    # Where the function itself underflows; from its continued fraction in 40 digits.
    (stats.gamma.logsf, (800.0, 2.0), (-0.9987515605493135, 6.263077390623632)),
    (stats.gamma.logcdf, (20.0, 300.0), (14.003556924734248, -2.7099522269229204)),
    (stats.chi2.logsf, (3000.0, 4.0), (-0.4996668887408394, 3.445551359181398)),
    (stats.invgamma.logcdf, (1e-3, 2.5), (998501.49924888, 6.205599136589516)),
    (stats.beta.logcdf, (0.2, 1e3, 300.0),
     (4626.7540047541115, -1.3480387830783862, 1.2447462195699106)),
    (stats.beta.logsf, (0.9999999, 0.7, 60.0),
     (-600000000.6108955, 5.317707304394617, -16.123066550469478)),
    (stats.t.logcdf, (-1e5, 80.0), (0.0007999999936780488, -8.828123096134123)),
    (lambda mu: stats.poisson.logcdf(3, mu), (900.0,), (-0.9966703744718641,)),
    # Parameters that are not whole.
    (stats.chi2.logpdf, (1.3, 2.5), (-0.3076923076923077, -0.10166469135809442)),
    (stats.t.logpdf, (1.0, 3.0, 0.0, 1.5), (-16 / 31, 0.04342685002921418, 16 / 31, -10 / 31)),
    (stats.gumbel_l.logpdf, (0.0, 0.0, 2.0), (0.0, 0.0, -0.5)),
    # The middle of functions that are written with |x|.
    (stats.laplace.cdf, (0.0,), (0.5,)),
    (stats.laplace.logpdf, (0.0, 0.0, 1.0), (0, 0, -1)),
    (stats.gennorm.cdf, (0.0, 2.0), (1 / np.sqrt(np.pi), 0)),
    (stats.gennorm.ppf, (0.5, 2.0), (np.sqrt(np.pi), 0)),
    (stats.gennorm.logpdf, (0.0, 0.5), (0.0, 3.6911373403938685)),
    (stats.gennorm.cdf, (0.0, 0.5), (0.25, 0.0)),
    # Ends of the support: one-sided where the density is not 0 there.
    (stats.expon.logpdf, (0.0, 0.0, 1.0), (-1, 1, -1)),
    (stats.expon.cdf, (0.0,), (0,)),
    (stats.expon.ppf, (0.0, 0.0, 1.0), (1, 1, 0)),
    (stats.gamma.logpdf, (0.0, 1.0), (-1, -INF)),
    (stats.gamma.pdf, (0.0, 2.0), (0, 0)),
    (stats.beta.logpdf, (0.0, 1.0, 3.0), (-2, -INF, 1 / 3)),
    (stats.beta.logpdf, (1.0, 1.0, 1.0), (0, 1, -INF)),
    (stats.beta.pdf, (1.0, 2.0, 2.0), (0, 0, 0)),
    (stats.uniform.logpdf, (0.0, 0.0, 2.0), (0, 0, -0.5)),
    (stats.pareto.logpdf, (1.0, 2.0), (-3, 0.5)),
    (stats.truncnorm.ppf, (0.0, -1.0, 2.0), (3.383031628091029, 1, 0)),
    (stats.truncnorm.ppf, (0.5, -INF, INF), (np.sqrt(2 * np.pi), 0, 0)),
    (stats.gamma.ppf, (0.0, 2.0), (INF, 0)),
    (stats.beta.ppf, (1.0, 2.0, 3.0), (INF, 0, 0)),
    (stats.t.isf, (0.0, 3.0), (-INF, 0)),
    # Parameters at their ends.
    (lambda p: stats.bernoulli.pmf(1, p), (0.0,), (1,)),
    (lambda p: stats.bernoulli.logpmf(0, p), (0.0,), (-1,)),
    (lambda p: stats.binom.pmf(1, 3, p), (0.0,), (3,)),
    (lambda p: stats.binom.pmf(2, 3, p), (1.0,), (-3,)),
    (lambda p: stats.binom.cdf(0, 3, p), (0.0,), (-3,)),
    (lambda p: stats.geom.pmf(2, p), (1.0,), (-1,)),
    (lambda p: stats.geom.cdf(1, p), (1.0,), (1,)),
    (lambda n, p: stats.nbinom.pmf(1, n, p), (2.5, 1.0), (0, -2.5)),
    (lambda mu: stats.poisson.pmf(1, mu), (0.0,), (1,)),
    (lambda mu: stats.poisson.logpmf(0, mu), (0.0,), (-1,)),
    (lambda mu: stats.poisson.cdf(0, mu), (0.0,), (-1,)),
    (stats.vonmises.logpdf, (0.5, 0.0), (0, np.cos(0.5))),
    # Whole numbers are constants.
    (stats.poisson.logpmf, (2.0, 1.5), (0, 1 / 3)),
    (stats.bernoulli.ppf, (0.3, 0.4), (0, 0)),
    (stats.binom.logpmf, (1.0, 3.0, 0.5), (0, 0, -2)),
    # A sum below 80, a series from there on.
    (stats.poisson.entropy, (2.0,), (0.28485096042173563,)),
    (stats.poisson.entropy, (1e6,), (5.000000833334167e-07,)),
]  # fmt: skip


@pytest.mark.parametrize(("f", "args", "want"), POINTS)
def test_points(f, args, want):
    with laws.quiet():
        places = tuple(range(len(args)))
        got = fgrad.grad(f, places)(*args)
        np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-25)
        for i in places:
            ts = [float(i == j) for j in places]
            t = fgrad.jvp(f, args, ts)[1]
            assert np.isclose(t, want[i], rtol=1e-9, atol=1e-25) or np.isinf(want).any()


@pytest.mark.parametrize(("f", "x", "want"), [
    (stats.logistic.logpdf, 0.0, -0.5),
    (lambda x: stats.gennorm.logpdf(x, 2.0), 0.0, -2.0),
    (lambda x: stats.gennorm.logpdf(x, 1.0), 0.0, 0.0),
    (lambda k: stats.vonmises.logpdf(1.0, k), 0.0, -0.5),
    (lambda x: stats.norm.logpdf(x, 0.0, 2.0), INF, 0.0),
    (lambda m: stats.poisson.pmf(2, m), 0.0, 1.0),
    (stats.norm.logcdf, -40.0, -0.9993765500),
])  # fmt: skip
def test_second_derivatives(f, x, want):
    np.testing.assert_allclose(fgrad.grad(fgrad.grad(f))(x), want, rtol=1e-6, atol=1e-14)


# ------------------------------------------------------------------ calls
def test_parameters_broadcast_and_may_be_named():
    x, scale = np.arange(3.0), np.array([[1.0], [2.0]])
    want = ss.gamma.logpdf(x, 2.0, 0.5, scale)
    np.testing.assert_allclose(stats.gamma.logpdf(x, a=2.0, loc=0.5, scale=scale), want)
    np.testing.assert_allclose(stats.gamma(2.0, scale=scale, loc=0.5).logpdf(x), want)
    g = fgrad.grad(lambda s: np.sum(stats.gamma(2.0, 0.5, s).pdf(x)))(scale)
    assert g.shape == (2, 1)
    assert isinstance(stats.norm.logpdf(0), np.float64)
    assert stats.norm.entropy(np.zeros(3), 2.0).shape == (3,)
    np.testing.assert_allclose(stats.norm.logpdf([0, 1]), ss.norm.logpdf([0, 1]))


def test_float32_stays_float32():
    x = np.float32([0.5, 1.5])
    for y in (stats.norm.logpdf(x, 0, 2.0), stats.t.cdf(x, 3), stats.beta.ppf(x / 2, 2, 3.0)):
        assert y.dtype == np.float32
    assert fgrad.grad(lambda s: stats.norm.logpdf(1.0, 0.0, s))(np.float32(2.0)).dtype == np.float32


def test_what_has_no_rule_is_scipys_for_plain_values_and_refused_for_traced_ones():
    assert stats.norm.rvs(size=2, random_state=0).shape == (2,)
    assert stats.vonmises.cdf(0.0, 1.0) == 0.5
    with pytest.raises(NoRuleError, match=r"`scipy\.stats\.vonmises\.cdf` has no rule"):
        fgrad.grad(lambda x: stats.vonmises.cdf(x, 1.0))(0.0)
    assert stats.norm.numargs == 0
    with pytest.raises(AttributeError, match="no attribute"):
        stats.norm.spam  # noqa: B018


@pytest.mark.parametrize(("f", "name"), [
    (lambda x: ss.norm.logpdf(x), "norm.logpdf"), (lambda x: ss.norm(x).cdf(0.0), "norm.cdf"),
    (lambda x: ss.multivariate_normal.logpdf([0.0], x), "multivariate_normal.logpdf"),
    (lambda x: ss.gaussian_kde(x), "gaussian_kde"), (lambda x: ss.sem(x), "sem"),
])  # fmt: skip
def test_scipys_functions_of_traced_values_name_ours(f, name):
    with pytest.raises(TracerConversionError, match=rf"call fgrad\.scipy\.stats\.{name}, which"):
        fgrad.grad(f)(np.ones(2))


@pytest.mark.parametrize("call", [
    lambda: stats.norm.logpdf(0.0, 1.0, 2.0, 3.0),
    lambda: stats.norm.logpdf(0.0, 1.0, loc=2.0),
    lambda: stats.norm.logpdf(0.0, spam=2.0),
    lambda: stats.gamma.logpdf(0.0),
])  # fmt: skip
def test_wrong_parameters_raise(call):
    with pytest.raises(TypeError, match="parameters"):
        call()


def test_complex_values_raise():
    with pytest.raises(DtypeError, match="real numbers"):
        stats.norm.logpdf(1j)
