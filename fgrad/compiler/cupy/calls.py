"""Calls with CuPy's arrays: recorded, or found to be such that they can't be compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..paths import Recording
from ..signature import Signature
from ..specs import record
from .recording import REFUSALS


class Uncompiled(Exception):
    """The function is to run as it is written.

    Attributes:
        reason: what it does that can't be compiled.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def recorded(f: Callable[..., Any], signature: Signature) -> tuple[Recording, Any]:
    """What the function did, and its result.

    Raises:
        Uncompiled: what it computes on the device can't be compiled.
        TracerConversionError: the same, of a function of NumPy's arrays.
    """
    if signature.unseen:
        raise Uncompiled(
            "arrays that it finds in objects or containers, where nobody sees them change"
        )
    if signature.library is None:
        return record(f, signature)
    try:
        recording, result = record(f, signature)
    except REFUSALS as e:
        raise Uncompiled(f"{e.came}: {e.wanted.rstrip('.')}") from e
    if recording.reads_others():
        raise Uncompiled("arrays that it reads, and that somebody else may change")
    return recording, result
