"""Looking into a function while it is transformed: printing, callbacks, checks, memory.

Outside of graphs `print` itself shows traced values, and a debugger stops at them. The functions
here also work where the values are not known while the function runs: under `fgrad.vmap`, in
graphs, in loops and branches that are recorded.
"""

from __future__ import annotations

from .checking import check as check
from .printing import callback as callback
from .printing import print as print
from .residuals import Residual as Residual
from .residuals import print_saved_residuals as print_saved_residuals
from .residuals import saved_residuals as saved_residuals
