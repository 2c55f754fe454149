"""Trees of arrays in files: safetensors, which hold numbers and nothing that could be executed.

>>> import pathlib, tempfile
>>> import numpy as np
>>> from fgrad_nn.files import load, load_metadata, save
>>> path = pathlib.Path(tempfile.mkdtemp()) / "model.safetensors"
>>> save(path, {"w": np.ones(2), "layers": [1.5, None]}, {"epochs": 3})
>>> load(path), load_metadata(path)
({'w': array([1., 1.]), 'layers': [1.5, None]}, {'epochs': 3})
"""

from .atomic import write_atomically as write_atomically
from .saving import load as load
from .saving import load_metadata as load_metadata
from .saving import save as save
from .torch_files import load_torch as load_torch
