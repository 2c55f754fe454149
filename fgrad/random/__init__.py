"""Randomness as values: numbers that are functions of a key, and of nothing else.

>>> from fgrad import random
>>> k1, k2 = random.split(random.key(0))
>>> random.normal(k1, (2,))
array([-0.58247935, -0.55444059])
>>> bool(random.normal(k1) == random.normal(k1))  # no state
True

A key is an array of two uint64, made by `key` of a number and by `split` and `fold_in` of other
keys. Arrays are what transformations work on: `vmap` maps over keys, a graph can be called with
another. The functions are those of `jax.random`, with two differences: a key is an ordinary array,
and numbers are float64 and int64 unless a dtype is given. Samples are differentiable in the
parameters of continuous distributions, and constant in those of discrete ones.
"""

from .arrangements import choice as choice
from .arrangements import permutation as permutation
from .continuous import bits as bits
from .continuous import cauchy as cauchy
from .continuous import double_sided_maxwell as double_sided_maxwell
from .continuous import exponential as exponential
from .continuous import gumbel as gumbel
from .continuous import laplace as laplace
from .continuous import logistic as logistic
from .continuous import lognormal as lognormal
from .continuous import maxwell as maxwell
from .continuous import normal as normal
from .continuous import pareto as pareto
from .continuous import rademacher as rademacher
from .continuous import rayleigh as rayleigh
from .continuous import triangular as triangular
from .continuous import truncated_normal as truncated_normal
from .continuous import uniform as uniform
from .continuous import weibull_min as weibull_min
from .discrete import bernoulli as bernoulli
from .discrete import binomial as binomial
from .discrete import categorical as categorical
from .discrete import geometric as geometric
from .discrete import multinomial as multinomial
from .discrete import poisson as poisson
from .discrete import randint as randint
from .inverse_gaussian import wald as wald
from .keys import check_reuse as check_reuse
from .keys import fold_in as fold_in
from .keys import key as key
from .keys import split as split
from .shaped import ball as ball
from .shaped import beta as beta
from .shaped import chisquare as chisquare
from .shaped import dirichlet as dirichlet
from .shaped import f as f
from .shaped import gamma as gamma
from .shaped import generalized_normal as generalized_normal
from .shaped import loggamma as loggamma
from .shaped import t as t
from .vectors import multivariate_normal as multivariate_normal
from .vectors import orthogonal as orthogonal
