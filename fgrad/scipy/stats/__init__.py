"""The distributions of `scipy.stats`, differentiable in the value and in every parameter.

They are called as SciPy's are, and their formulas are our own for plain values too: float32 stays
float32, and logarithms of tails don't underflow. A distribution of integers is constant in its
value, for it is zero between two integers, and in parameters that count. Outside of the support,
and where a density falls to 0 at its end, derivatives are 0; wrong parameters give NaN, as in
SciPy.

>>> import numpy as np
>>> import fgrad
>>> from fgrad.scipy import stats
>>> fgrad.grad(stats.norm.logpdf, (0, 1, 2))(3.0, 1.0, 2.0)
(-0.5, 0.5, 0.0)
"""

from __future__ import annotations

from .bounded import beta as beta
from .bounded import truncnorm as truncnorm
from .bounded import uniform as uniform
from .bounded import wrapcauchy as wrapcauchy
from .counts import bernoulli as bernoulli
from .counts import betabinom as betabinom
from .counts import binom as binom
from .counts import geom as geom
from .counts import nbinom as nbinom
from .counts import poisson as poisson
from .kernels import gaussian_kde as gaussian_kde
from .positive import chi2 as chi2
from .positive import expon as expon
from .positive import gamma as gamma
from .positive import halfnorm as halfnorm
from .positive import invgamma as invgamma
from .positive import lognorm as lognorm
from .positive import pareto as pareto
from .positive import weibull_min as weibull_min
from .real_line import cauchy as cauchy
from .real_line import gumbel_l as gumbel_l
from .real_line import gumbel_r as gumbel_r
from .real_line import laplace as laplace
from .real_line import logistic as logistic
from .real_line import norm as norm
from .samples import mode as mode
from .samples import rankdata as rankdata
from .samples import sem as sem
from .shaped import gennorm as gennorm
from .shaped import t as t
from .shaped import vonmises as vonmises
from .vectors import dirichlet as dirichlet
from .vectors import multinomial as multinomial
from .vectors import multivariate_normal as multivariate_normal
