"""CuPy's public interface as data: `contract.json`, which `make_contract.py` wrote."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

import numpy

CONTRACT: dict[str, Any] = json.loads((Path(__file__).parent / "contract.json").read_text())

#: Dtypes that CuPy has.
DTYPES = frozenset(map(numpy.dtype, "?bBhHiIlLqQefdFD"))


def signature(text: str) -> inspect.Signature:
    """A signature of its text."""
    return inspect.signature(eval(f"lambda {text[1:-1]}: None", {"numpy": numpy}))
