"""Who holds an array besides a list: whether somebody might change it without our knowing."""

from __future__ import annotations

from typing import Any

from ..arrays import ALONE, references


def is_held_elsewhere(arrays: list[Any]) -> bool:
    """Whether somebody besides this list holds one of the arrays, or one that it is a view of.

    The list is emptied.
    """
    views = [sum(y.base is x for y in arrays) for x in arrays]
    held = any(references(arrays, i) > ALONE + n for i, n in enumerate(views))
    owners = [*{id(x.base): x.base for x in arrays if x.base is not None}.values()]
    arrays.clear()
    return held or any(references(owners, i) > ALONE for i in range(len(owners)))
