"""Rows of `scipy.special`: gamma and error functions, logarithms, sums, distributions."""

from __future__ import annotations

import numpy as np
import scipy.special as sp

from fgrad.scipy import special
from fgrad.scipy.special import logs

from .row import I, P, R, constant, row

UNIT = R(2, 3, low=0.05, high=0.95)
SMALL = R(2, 3, low=-0.9, high=0.9)
X = R(2, 3)
POSITIVE = P(2, 3)

#: (function, operand, whether it takes complex numbers)
UNARY = [
    (sp.gamma, POSITIVE, True), (sp.gammaln, POSITIVE, False), (sp.loggamma, POSITIVE, True),
    (sp.rgamma, X, True), (sp.digamma, POSITIVE, True),
    (sp.erf, X, True), (sp.erfc, X, True), (sp.erfcx, X, True), (sp.erfi, X, True),
    (sp.erfinv, SMALL, False), (sp.erfcinv, R(2, 3, low=0.1, high=1.9), False),
    (sp.dawsn, X, True), (sp.wofz, X, True),
    (sp.ndtr, X, True), (sp.log_ndtr, X, True), (sp.ndtri, UNIT, False),
    (sp.ndtri_exp, R(2, 3, low=-3, high=-0.1), False),
    (sp.entr, POSITIVE, False), (sp.expit, X, False), (sp.logit, UNIT, False),
    (sp.log_expit, X, False), (sp.exp2, X, False), (sp.exp10, SMALL, False),
    (sp.expm1, X, True), (sp.log1p, POSITIVE, True), (sp.cbrt, POSITIVE, False),
    (sp.cosm1, X, False), (sp.exprel, X, False), (sp.sindg, X, False), (sp.cosdg, X, False),
    (sp.tandg, X, False), (sp.cotdg, POSITIVE, False),
]  # fmt: skip

#: (function, operands)
OTHERS = [
    (sp.xlogy, X, POSITIVE), (sp.xlog1py, X, P(3)),
    (sp.rel_entr, POSITIVE, P(3)), (sp.kl_div, POSITIVE, POSITIVE),
    (sp.boxcox, POSITIVE, X), (sp.boxcox1p, POSITIVE, R(3)),
    (sp.inv_boxcox, P(2, 1), P(3)), (sp.inv_boxcox1p, R(2, 3, low=0.05, high=0.09), P(3)),
    (sp.powm1, POSITIVE, R(3)), (sp.huber, P(3), X), (sp.pseudo_huber, P(3), X),
    (sp.beta, POSITIVE, P(3)), (sp.betaln, POSITIVE, P(3)), (sp.poch, POSITIVE, P(3)),
    (sp.binom, R(2, 3, low=2.2, high=4), P(3)), (sp.owens_t, X, P(3)),
    (sp.gammainc, POSITIVE, P(3)), (sp.gammaincc, P(2, 1), R(3, low=2, high=4)),
    (sp.gammaincinv, POSITIVE, R(3, low=0.1, high=0.9)),
    (sp.gammainccinv, P(3), UNIT),
    (sp.chdtr, P(3), POSITIVE), (sp.chdtrc, P(3), POSITIVE), (sp.chdtri, P(3), UNIT),
    (sp.stdtr, P(3), X), (sp.stdtrit, P(3), UNIT),
    (sp.pdtr, I(2, 3), POSITIVE), (sp.pdtrc, I(2, 3), POSITIVE),
]  # fmt: skip

#: Of more operands: of one axis, for there are many ways to map them.
MANY = [
    (sp.betainc, P(2), P(2), R(2, low=0.1, high=0.9)),
    (sp.betaincc, P(2), P(2), R(2, low=0.1, high=0.9)),
    (sp.betaincinv, P(2), P(2), R(2, low=0.1, high=0.9)),
    (sp.betainccinv, P(2), P(2), R(2, low=0.1, high=0.9)),
    (sp.voigt_profile, R(2), P(2), P(2)),
    (sp.gdtr, P(2), P(2), P(2)), (sp.gdtrc, P(2), P(2), P(2)),
    (sp.fdtr, P(2), P(2), P(2)), (sp.fdtrc, P(2), P(2), P(2)),
    (sp.fdtri, P(2), P(2), R(2, low=0.1, high=0.7)),
    (sp.bdtr, I(2, high=4), I(2, low=4, high=7), R(2, low=0.1, high=0.9)),
    (sp.bdtrc, I(2, high=4), I(2, low=4, high=7), R(2, low=0.1, high=0.9)),
    (sp.nbdtr, I(2, high=4), I(2, low=1, high=4), R(2, low=0.1, high=0.9)),
    (sp.nbdtrc, I(2, high=4), I(2, low=1, high=4), R(2, low=0.1, high=0.9)),
]  # fmt: skip

COUNTING = [
    row(sp.comb, [R(2, 3, low=2.2, high=4), P(3)], special.comb, bits=False),
    row(sp.comb, [R(2, low=2.2, high=4), I(2)], lambda n, k: special.comb(n, k, repetition=True),
        bits=False),
    row(sp.perm, [R(2, 3, low=2.2, high=4), P(3)], special.perm, bits=False),
    row(sp.factorial, [POSITIVE], special.factorial, bits=False),
    row(sp.factorial, [R(2, low=-0.8, high=-0.1)],
        lambda n: special.factorial(n, extend="complex"), complex=True, bits=False),
]  # fmt: skip

SUMS = [
    row(sp.logsumexp, [X], special.logsumexp, complex=True, bits=False),
    row(sp.logsumexp, [X], lambda x: special.logsumexp(x, axis=1), complex=True, bits=False),
    row(sp.logsumexp, [(2, 3, 2)],
        lambda x: special.logsumexp(x, axis=(0, -1), keepdims=True), bits=False),
    row(sp.logsumexp, [X, P(3)], lambda x, b: special.logsumexp(x, 1, b), complex=True,
        bits=False),
    row(sp.logsumexp, [P(2, 3)], lambda b: special.logsumexp(np.zeros(3), 0, b, True), bits=False),
    row(sp.logsumexp, [X, R(2, 3, low=-3, high=-1)],
        lambda x, b: special.logsumexp(x, axis=1, b=b, return_sign=True), bits=False),
    row(sp.logsumexp, [X], lambda x: special.logsumexp(x, -1, return_sign=True), bits=False),
    row(sp.softmax, [X], special.softmax, complex=True, bits=False),
    row(sp.softmax, [(2, 3, 2)], lambda x: special.softmax(x, axis=(0, -1)), bits=False),
    row(sp.log_softmax, [X], special.log_softmax, bits=False),
    row(sp.log_softmax, [(2, 3, 2)], lambda x: special.log_softmax(x, axis=(0, -1)), bits=False),
    row(sp.softplus, [X], special.softplus),
]  # fmt: skip

ROWS = [
    *(row(f, [x], complex=c) for f, x, c in UNARY),
    *(row(f, xs, complex=f in (sp.xlogy, sp.xlog1py)) for f, *xs in [*OTHERS, *MANY]),
    constant(sp.gammasgn, [X]),
    # The other side of what their rules tell apart.
    row(sp.gamma, [R(2, 2, low=-2.9, high=-2.1)]),
    row(sp.digamma, [R(2, 2, low=-2.9, high=-2.1)], complex=True),
    row(sp.erfcx, [R(2, 2, low=9.5, high=12)], complex=True),
    row(sp.dawsn, [R(2, 2, low=9.5, high=12)]),
    row(sp.poch, [R(2, low=-2.9, high=-2.6), R(2, low=0.1, high=0.3)]),
    row(sp.gammainc, [R(2, low=15, high=25), R(2, low=15, high=25)]),
    row(sp.betainc, [R(2, low=15, high=25), R(2, low=15, high=25), R(2, low=0.3, high=0.7)]),
    row(sp.boxcox, [POSITIVE, R(3, low=2.5, high=4)]),
    row(sp.multigammaln, [R(2, 3, low=1.3, high=4)], lambda a: special.multigammaln(a, 3)),
    row(sp.polygamma, [I(2, 3), P(3)], special.polygamma),
    row(sp.polygamma, [P(3)], lambda x: special.polygamma(2, x)),
    row(logs._zero_over, [X, P(3)], logs.zero_over, complex=True),
    *COUNTING, *SUMS,
]  # fmt: skip
