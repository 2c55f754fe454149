"""Solutions of equations as functions of what these depend on: the implicit function theorem."""

from __future__ import annotations

from .custom_solvers import custom_linear_solve as custom_linear_solve
from .custom_solvers import custom_root as custom_root
from .equations import Equations as Equations
from .equations import jacobian as jacobian
from .equations import plain as plain
from .fixed_points import fixed_point as fixed_point
from .implicit import implicit as implicit
from .minima import argmin as argmin
from .problem import Info as Info
from .roots import root as root
from .systems import linear_solver as linear_solver
