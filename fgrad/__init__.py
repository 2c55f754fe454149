"""Functional transformations of plain NumPy and CuPy functions."""

from __future__ import annotations

from importlib import metadata as _metadata

from . import checkpoint_policies as checkpoint_policies
from . import debug as debug
from . import errors as errors
from . import mappers as mappers
from . import numpy as numpy
from . import ops as ops
from . import random as random
from . import recorders as recorders
from . import tree as tree
from .batch import vmap as vmap
from .blackbox import external as external
from .callbacks import io_callback as io_callback
from .callbacks import pure_callback as pure_callback
from .checkpointing import checkpoint as checkpoint
from .checkpointing import checkpoint_name as checkpoint_name
from .choosing import select as select
from .collectives import all_gather as all_gather
from .collectives import axis_index as axis_index
from .collectives import pmax as pmax
from .collectives import pmean as pmean
from .collectives import pmin as pmin
from .collectives import psum as psum
from .compiler.jitted import jit as jit
from .control import associative_scan as associative_scan
from .control import cond as cond
from .control import fori_loop as fori_loop
from .control import map as map
from .control import scan as scan
from .control import switch as switch
from .control import while_loop as while_loop
from .conversion import closure_convert as closure_convert
from .curvature import elementwise_grad as elementwise_grad
from .curvature import hessian as hessian
from .curvature import hessian_diagonal as hessian_diagonal
from .curvature import hvp as hvp
from .curvature import laplacian as laplacian
from .curvature import value_and_hessian as value_and_hessian
from .curvature import value_grad_hvp as value_grad_hvp
from .custom import stop_gradient as stop_gradient
from .custom_batching import custom_vmap as custom_vmap
from .custom_batching import sequential_vmap as sequential_vmap
from .custom_gradients import custom_gradient as custom_gradient
from .custom_rules import custom_jvp as custom_jvp
from .custom_rules import custom_vjp as custom_vjp
from .debug import debug_nans as debug_nans
from .debug import explain_nonfinite as explain_nonfinite
from .debug import profile as profile
from .derivatives import grad as grad
from .derivatives import jvp as jvp
from .derivatives import value_and_grad as value_and_grad
from .derivatives import vjp as vjp
from .drawing import draw as draw
from .gauss_newton import gnvp as gnvp
from .graph import Graph as Graph
from .jacobians import jacfwd as jacfwd
from .jacobians import jacobian as jacobian
from .jacobians import jacrev as jacrev
from .jacobians import value_and_jacfwd as value_and_jacfwd
from .jacobians import value_and_jacrev as value_and_jacrev
from .linearization import linear_transpose as linear_transpose
from .linearization import linearize as linearize
from .ops.update import at as at
from .rules import constant as constant
from .rules import elementwise as elementwise
from .rules import linear as linear
from .rules import multilinear as multilinear
from .rules import primitive as primitive
from .scopes import named_scope as named_scope
from .shapes import ShapeDtypeStruct as ShapeDtypeStruct
from .shapes import eval_shape as eval_shape
from .solutions import argmin as argmin
from .solutions import custom_linear_solve as custom_linear_solve
from .solutions import custom_root as custom_root
from .solutions import fixed_point as fixed_point
from .solutions import implicit as implicit
from .solutions import root as root
from .stage import make_graph as make_graph
from .taylor import jet as jet

try:
    __version__ = _metadata.version("fgrad")
except _metadata.PackageNotFoundError:  # run from a source tree that isn't installed
    __version__ = "0+unknown"
