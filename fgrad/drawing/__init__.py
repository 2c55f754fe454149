"""Pictures of computations: what a function does, with values and derivatives at each place."""

from .drawing import Drawing as Drawing
from .drawing import draw as draw
