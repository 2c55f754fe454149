"""Scopes: what the names in printed code stand for."""

from __future__ import annotations

import keyword
import re
from typing import Any

import numpy as np

from ..arrays import ndarray

#: Names that the printed code gives to its own values.
_OWN = re.compile(
    r"(t|b|v|p|h|e|k|x|y|s|n|c|a|block|chunk)\d+(_\d+)?|[XYSAT]\d+|i|j|k|args|kwargs|arenas|kept|make|"
    r"memory|no|elsewhere|parts|pool|result|run|start|stop|truth|yes"
)


def _safe(stem: str) -> str:
    """A name that is none of the code's own, of whatever a user's class or function is called."""
    if not stem.isidentifier() or keyword.iskeyword(stem) or not stem.isascii():
        stem = "".join(c if c.isalnum() and c.isascii() else "_" for c in stem)
        return f"_{stem}"
    return f"_{stem}" if _OWN.fullmatch(stem) or stem.endswith("_") else stem


class Scope:
    """The names that the printed code may use, and what they stand for."""

    def __init__(self) -> None:
        self.names: dict[str, Any] = {"ndarray": ndarray}
        self._known: dict[Any, str] = {id(ndarray): "ndarray"}

    def copy(self) -> Scope:
        """The same names, to which others can be added."""
        new = Scope()
        new.names, new._known = dict(self.names), dict(self._known)
        return new

    def bind(self, value: Any, stem: str) -> str:
        """A name for a value: the same one for the same object."""
        key = id(value)
        if key not in self._known:
            stem = _safe(stem)
            name = stem if stem not in self.names else f"{stem}_{len(self.names)}"
            self.names[name] = value
            self._known[key] = name
        return self._known[key]

    def number(self, value: Any, dtype: Any = None) -> str:
        """A name for a number; as an array of a dtype, which ufuncs take quicker than a number."""
        key = (type(value), repr(value), dtype)
        if key not in self._known:
            name = f"k{len(self.names)}"
            self.names[name] = value if dtype is None else np.array(value, dtype)
            self._known[key] = name
        return self._known[key]
