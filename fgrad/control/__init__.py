"""Control flow that works under every transformation, eager and staged."""

from __future__ import annotations

from .associative import associative_scan as associative_scan
from .branches import cond as cond
from .branches import switch as switch
from .counting import fori_loop as fori_loop
from .mapping import map as map
from .scans import scan as scan
from .whiles import while_loop as while_loop
