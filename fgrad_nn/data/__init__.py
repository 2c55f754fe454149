"""Data for training: batches of any tree of arrays, their preparation, and readers of files.

>>> import numpy as np
>>> from fgrad import random
>>> from fgrad_nn.data import batches
>>> data = {"x": np.arange(10.0).reshape(5, 2), "y": np.arange(5)}
>>> for batch in batches(data, 2, random.key(0)):
...     print(batch["y"])
[4 2]
[3 0]
[1]
"""

from .array_files import read_idx as read_idx
from .array_files import read_npz as read_npz
from .batching import Batches as Batches
from .batching import Position as Position
from .batching import batches as batches
from .csv_files import Table as Table
from .csv_files import read_csv as read_csv
from .prefetching import Prefetch as Prefetch
from .prefetching import prefetch as prefetch
from .preparing import Standardizer as Standardizer
from .preparing import fit_standardizer as fit_standardizer
from .preparing import train_test_split as train_test_split
from .sharding import ShardedBatches as ShardedBatches
from .sharding import shard as shard
