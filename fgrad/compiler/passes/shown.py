"""Which ufuncs a rule is shown: most rules are of one or two."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..program import Rule


def of(*ufuncs: Any) -> Callable[[Rule], Rule]:
    """Say of which ufuncs a rule is; those of others are never shown to it."""

    def enter(rule: Rule) -> Rule:
        rule.ufuncs = ufuncs  # type: ignore[attr-defined]
        return rule

    return enter
