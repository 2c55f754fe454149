"""Programs of several processes, on one machine or many: sums, copies and exchanges of pytrees.

Each process, called a rank, runs the same program on its own data. What they do together are
operations like any other: they are differentiated forward and in reverse, mapped, and compiled.

>>> import numpy as np
>>> from fgrad import grad
>>> from fgrad.distributed import pmean, psum, world
>>> comm = world()
>>> pmean(grad(lambda w: w**2)(3.0), comm)
np.float64(6.0)

Arrays of NumPy are moved by MPI (the extra ``mpi``), those of CuPy by NCCL. Without either it is a
single process, whose operations are those of one rank. See docs/distributed.md.

The files, from below: `transports` (the interface, one process), `mpi`, `nccl`, `messages` (arrays
into messages), `agreement` (what ranks must agree on), `communicator`, `primitives`,
`collectives`, `transfers`.
"""

from .collectives import all_gather as all_gather
from .collectives import barrier as barrier
from .collectives import broadcast as broadcast
from .collectives import pmax as pmax
from .collectives import pmean as pmean
from .collectives import pmin as pmin
from .collectives import ppermute as ppermute
from .collectives import psum as psum
from .collectives import reduce_scatter as reduce_scatter
from .communicator import Communicator as Communicator
from .communicator import from_mpi as from_mpi
from .communicator import world as world
from .transfers import recv as recv
from .transfers import send as send
