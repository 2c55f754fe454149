"""Looking into a function while it is transformed: printing, checks, memory, NaN, time.

Outside of graphs `print` itself shows traced values, and a debugger stops at them. The functions
here also work where the values are not known while the function runs: under `fgrad.vmap`, in
graphs, in loops and branches that are recorded. `explain_nonfinite` finds what made NaN or
infinity, `profile` where the time goes.
"""

from __future__ import annotations

from ..tracebacks import full_tracebacks as full_tracebacks
from .checking import check as check
from .devices import OutOfRangeError as OutOfRangeError
from .devices import SingularError as SingularError
from .devices import debug_cupy as debug_cupy
from .explanations import Explanation as Explanation
from .explanations import Leaf as Leaf
from .explanations import Operand as Operand
from .nonfinite import debug_nans as debug_nans
from .nonfinite import explain_nonfinite as explain_nonfinite
from .places import Line as Line
from .printing import callback as callback
from .printing import print as print
from .profiles import Profile as Profile
from .profiles import Row as Row
from .profiling import profile as profile
from .residuals import Residual as Residual
from .residuals import print_saved_residuals as print_saved_residuals
from .residuals import saved_residuals as saved_residuals
