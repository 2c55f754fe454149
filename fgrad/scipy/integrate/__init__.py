"""Integrals of samples, of functions and of differential equations, as in `scipy.integrate`."""

from __future__ import annotations

from .ode import odeint as odeint
from .ode import solve_ivp as solve_ivp
from .quadrature import fixed_quad as fixed_quad
from .quadrature import quad as quad
from .quadrature import quad_vec as quad_vec
from .samples import cumulative_simpson as cumulative_simpson
from .samples import cumulative_trapezoid as cumulative_trapezoid
from .samples import romb as romb
from .samples import simpson as simpson
from .samples import trapezoid as trapezoid
