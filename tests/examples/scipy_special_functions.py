"""Rows of `scipy.special`: Bessel and hypergeometric functions, integrals, polynomials."""

from __future__ import annotations

import scipy.special as sp

from fgrad.scipy import special
from fgrad.scipy.special import bessel_jn

from .row import I, P, R, row

X = R(2, 3)
POSITIVE = P(2, 3)
UNIT = R(2, 3, low=0.15, high=0.9)

#: (function, operand, whether it takes complex numbers)
UNARY = [
    (sp.j0, X, False), (sp.j1, X, False), (sp.y0, POSITIVE, False), (sp.y1, POSITIVE, False),
    (sp.i0, X, False), (sp.i1, X, False), (sp.k0, POSITIVE, False), (sp.k1, POSITIVE, False),
    (sp.i0e, POSITIVE, False), (sp.i1e, POSITIVE, False), (sp.k0e, POSITIVE, False),
    (sp.k1e, POSITIVE, False), (sp.i0e, R(2, low=45, high=55), False),
    (sp.k1e, R(2, low=45, high=55), False),
    (sp.expi, POSITIVE, True), (sp.exp1, POSITIVE, True), (sp.spence, POSITIVE, True),
    (sp.sici, POSITIVE, True), (sp.shichi, POSITIVE, True), (sp.fresnel, X, True),
    (sp.airy, X, True), (sp.zetac, R(2, 3, low=1.5, high=5), False),
    (sp.ellipk, UNIT, False), (sp.ellipe, UNIT, False), (sp.ellipkm1, UNIT, False),
    (sp.wrightomega, X, True), (sp.ellipk, R(2, low=-0.09, high=0.09), False),
]  # fmt: skip

#: (function, order, argument, whether it takes complex numbers)
BESSEL = [
    (sp.jv, R(3), POSITIVE, True), (sp.yv, R(3), POSITIVE, True), (sp.iv, R(3), POSITIVE, True),
    (sp.kv, R(3), POSITIVE, True), (sp.ive, R(3), POSITIVE, False),
    (sp.kve, R(3), POSITIVE, True), (sp.jve, P(3), POSITIVE, False),
    (sp.yve, P(3), POSITIVE, False), (sp.struve, P(3), POSITIVE, False),
    (sp.modstruve, P(3), POSITIVE, False), (sp.hyp0f1, P(3), POSITIVE, True),
    (sp.hankel1, P(2), P(2), True), (sp.hankel2, P(2), P(2), True),
    (sp.hankel1e, P(2), P(2), True), (sp.hankel2e, P(2), P(2), True),
    (sp.yn, I(2, 3, high=4), P(3), False), (sp.kn, I(2, 3, high=4), P(3), False),
    (sp.expn, I(2, 3, high=4), P(3), False),
    (sp.ellipkinc, X, R(3, low=-0.5, high=0.9), False),
    (sp.ellipeinc, R(2, 3, low=-5, high=5), R(3, low=-0.5, high=0.9), False),
    (sp.ellipj, X, R(3, low=0.1, high=0.9), False), (sp.agm, POSITIVE, P(3), False),
]  # fmt: skip

HYPERGEOMETRIC = [
    row(sp.hyp1f1, [P(2), P(2), R(2)]),
    row(sp.hyp1f1, [P(2), P(2), R(2, low=-0.1, high=0.1)]),
    row(sp.hyp2f1, [P(2), P(2), R(2, low=1.3, high=3), R(2, low=0.1, high=0.6)]),
    row(sp.hyperu, [P(2, 3)], lambda x: sp.hyperu(0.5, 1.2, x)),
    row(sp.hyp1f1, [(2,)], lambda z: sp.hyp1f1(0.5, 1.5, z), complex=True),
    row(sp.hyp2f1, [R(2, low=-0.4, high=0.4)], lambda z: sp.hyp2f1(0.5, 1.2, 1.5, z), complex=True),
]  # fmt: skip

DEGREE = I(2, high=5)
POLYNOMIALS = [
    *(
        row(f, [I(2, 3, high=5), UNIT])
        for f in (
            sp.eval_legendre, sp.eval_sh_legendre, sp.eval_chebyt, sp.eval_chebyu, sp.eval_chebyc,
            sp.eval_chebys, sp.eval_sh_chebyt, sp.eval_sh_chebyu, sp.eval_laguerre,
            sp.eval_hermite, sp.eval_hermitenorm,
        )
    ),
    row(sp.eval_legendre, [UNIT], lambda x: sp.eval_legendre(2.5, x)),
    row(sp.eval_gegenbauer, [DEGREE, P(2), R(2)]),
    row(sp.eval_genlaguerre, [DEGREE, P(2), R(2)]),
    row(sp.eval_jacobi, [DEGREE, P(2), P(2), R(2)]),
    row(sp.eval_sh_jacobi, [DEGREE, R(2, low=3, high=4), P(2), R(2, low=0.1, high=0.9)]),
]  # fmt: skip

SPHERICAL = [
    *(
        row(f, [I(2, high=4), P(2)], ours)
        for f, ours in (
            (sp.spherical_jn, special.spherical_jn), (sp.spherical_yn, special.spherical_yn),
            (sp.spherical_in, special.spherical_in), (sp.spherical_kn, special.spherical_kn),
        )
    ),
    row(sp.spherical_jn, [P(2)], lambda z: special.spherical_jn(2, z, derivative=True),
        bits=False),
    row(sp.jv, [P(3)], lambda z: bessel_jn(z, v=2)),
    row(sp.sph_harm_y, [I(2, low=2, high=4), I(2, low=-1, high=3), P(2), P(2)],
        special.sph_harm_y),
    row(sp.lambertw, [P(2, 3)], special.lambertw, complex=True),
    row(sp.lambertw, [R(2, low=-0.3, high=-0.1)], lambda z: special.lambertw(z, -1)),
]  # fmt: skip

ZETA = [
    row(sp.zeta, [R(2, 3, low=1.5, high=5), P(3)], special.zeta),
    row(sp.zeta, [R(2, 3, low=-3.4, high=0.6)], special.zeta, complex=True),
]  # fmt: skip

DERIVATIVES = [
    row(sp.jvp, [P(2)], lambda z: special.jvp(0.5, z, 2), complex=True, bits=False),
    row(sp.yvp, [P(2)], lambda z: special.yvp(0.5, z, 2), complex=True, bits=False),
    row(sp.ivp, [P(2)], lambda z: special.ivp(0.5, z), complex=True, bits=False),
    row(sp.kvp, [P(2)], lambda z: special.kvp(0.5, z), complex=True, bits=False),
    row(sp.h1vp, [P(2)], lambda z: special.h1vp(0.5, z), complex=True, bits=False),
    row(sp.h2vp, [P(2)], lambda z: special.h2vp(0.5, z, 0), complex=True, bits=False),
]

ROWS = [
    *(row(f, [x], complex=c) for f, x, c in UNARY),
    *(row(f, [v, x]) for f, v, x, _ in BESSEL),
    *(row(f, [P(2)], lambda z, f=f: f(0.5, z), complex=True) for f, *_, c in BESSEL if c),
    *HYPERGEOMETRIC, *POLYNOMIALS, *SPHERICAL, *DERIVATIVES, *ZETA,
]  # fmt: skip
