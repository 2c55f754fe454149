"""Sparse Jacobians and Hessians: the pattern found, the columns coloured, a few products read.

It needs SciPy, whose matrices it returns, and is imported by ``import fgrad.sparse``.

>>> import numpy as np
>>> import fgrad.sparse
>>> f = lambda u: np.diff(np.pad(u, 1), 2) - u**3
>>> u = np.linspace(0.0, 1.0, 1000)
>>> pattern = fgrad.sparse.sparsity(f)(u)
>>> fgrad.sparse.coloring(pattern)
Coloring of 2998 entries of a (1000, 1000) matrix: 3 forward, 0 reverse
>>> J = fgrad.sparse.jacobian(f, sparsity=pattern)
>>> J(u)[0, :2].toarray()
array([-2.,  1.])
"""

from __future__ import annotations

import importlib.util as _util

if _util.find_spec("scipy") is None:  # pragma: no cover
    raise ImportError(
        "fgrad.sparse wants SciPy, which is not installed. To do: "
        "python -m pip install 'fgrad[scipy]'"
    )

from .colorings import Coloring as Coloring
from .colorings import coloring as coloring
from .detection import hessian_sparsity as hessian_sparsity
from .detection import sparsity as sparsity
from .matrices import hessian as hessian
from .matrices import jacobian as jacobian
from .matrices import value_and_hessian as value_and_hessian
from .matrices import value_and_jacobian as value_and_jacobian
from .matrices import value_grad_hessian as value_grad_hessian
