"""The declarations of all primitives; importing them registers them."""

from . import casts as casts
from . import contract as contract
from . import cumulative as cumulative
from . import index as index
from . import join as join
from . import linalg as linalg
from . import matrix as matrix
from . import numeric as numeric
from . import reduce as reduce
from . import shape as shape
from . import ufuncs as ufuncs
from . import update as update
