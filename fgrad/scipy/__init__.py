"""SciPy's names, for functions of traced values.

``import scipy.special`` is enough for its ufuncs: they ask NumPy's protocol. SciPy's other
functions turn their arguments into plain arrays at once; for these there are modules of the same
names here, which are SciPy's own functions for plain arguments and differentiate traced ones:

>>> import numpy as np
>>> import fgrad, fgrad.scipy.special
>>> x = np.array([0.0, 0.0])
>>> fgrad.grad(fgrad.scipy.special.logsumexp)(x)
array([0.5, 0.5])
"""

from __future__ import annotations

import importlib as _importlib
import importlib.util as _util
from typing import Any

_MODULES = (
    "cluster", "fft", "integrate", "interpolate", "linalg", "ndimage", "optimize", "signal",
    "sparse", "spatial", "special", "stats",
)  # fmt: skip

if _util.find_spec("scipy") is None:  # pragma: no cover
    raise ImportError(
        "fgrad.scipy wants SciPy, which is not installed. To do: "
        "python -m pip install 'fgrad[scipy]'"
    )


def __getattr__(name: str) -> Any:
    """A module, imported when it is first asked for, as SciPy does it: most take long."""
    if name in _MODULES:
        return _importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULES})
