"""Schedules: numbers, such as learning rates, as functions of the steps made so far.

>>> import numpy as np
>>> from fgrad_nn.schedules import warmup_cosine_decay_schedule
>>> schedule = warmup_cosine_decay_schedule(0.0, 1.0, warmup_steps=2, decay_steps=6)
>>> schedule(1)
np.float64(0.5)
>>> schedule(np.arange(7)).round(2)
array([0.  , 0.5 , 1.  , 0.85, 0.5 , 0.15, 0.  ])

A schedule takes a count, an integer or an array of them, and returns a float, or an array of
floats; so it can be plotted at once, and works where counts are traced. Any function of a count is
one. The names and arguments are optax's. Where optax takes a number of steps that isn't positive
for a constant, these raise an `ArgumentError`.
"""

from .formulas import constant_schedule as constant_schedule
from .formulas import cosine_decay_schedule as cosine_decay_schedule
from .formulas import exponential_decay as exponential_decay
from .formulas import inverse_time_decay as inverse_time_decay
from .formulas import linear_schedule as linear_schedule
from .formulas import piecewise_constant_schedule as piecewise_constant_schedule
from .formulas import piecewise_interpolate_schedule as piecewise_interpolate_schedule
from .formulas import polynomial_schedule as polynomial_schedule
from .joined import cosine_onecycle_schedule as cosine_onecycle_schedule
from .joined import cyclic_schedule as cyclic_schedule
from .joined import join_schedules as join_schedules
from .joined import linear_onecycle_schedule as linear_onecycle_schedule
from .joined import sgdr_schedule as sgdr_schedule
from .joined import warmup_constant_schedule as warmup_constant_schedule
from .joined import warmup_cosine_decay_schedule as warmup_cosine_decay_schedule
from .joined import warmup_exponential_decay_schedule as warmup_exponential_decay_schedule
