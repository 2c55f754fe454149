"""The functions of `scipy.special`, with derivatives in every argument that has one.

Its ufuncs stand here as they are: they ask NumPy's protocol, so importing this module is enough
for `scipy.special.erf(x)` of a traced x.
"""

from __future__ import annotations

from scipy.special import erf as erf

from . import errors as errors
from .sums import logsumexp as logsumexp
