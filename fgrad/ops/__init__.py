"""The declarations of all primitives; importing them registers them."""

from . import casts as casts
from . import contract as contract
from . import cumulative as cumulative
from . import decompositions as decompositions
from . import fft as fft
from . import index as index
from . import inverses as inverses
from . import join as join
from . import linalg as linalg
from . import matrix as matrix
from . import nans as nans
from . import numeric as numeric
from . import order as order
from . import polynomial as polynomial
from . import reduce as reduce
from . import samples as samples
from . import select as select
from . import shape as shape
from . import ufuncs as ufuncs
from . import update as update
