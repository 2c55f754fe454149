"""What the checks raise: an AssertionError with the three parts of all messages."""

from __future__ import annotations

import enum

from fgrad.errors import FgradError


class Verdict(enum.Enum):
    """What the differences of a function say about a derivative.

    Attributes:
        RIGHT: differences settle, and on the derivative.
        WRONG: differences settle, and elsewhere.
        KINK: the slopes on both sides differ, or grow without bound: there is no derivative.
        JUMP: the function is discontinuous here.
        ROUNDING: differences don't settle well enough to tell.
        NONFINITE: the value or the derivative is NaN or infinite, or so is all around the point.
    """

    RIGHT = "right"
    WRONG = "wrong"
    KINK = "a kink"
    JUMP = "a jump"
    ROUNDING = "rounding"
    NONFINITE = "not finite"


class CheckError(FgradError, AssertionError):
    """A check failed.

    Attributes:
        verdict: why; `Verdict.WRONG` unless the check could not tell.
        path: the leaf of the arguments that is to blame, as in ``args[0]['w']``; empty if the
            check did not find a single one.
    """

    def __init__(
        self,
        wanted: str,
        came: str,
        to_do: str,
        verdict: Verdict = Verdict.WRONG,
        path: str = "",
    ) -> None:
        super().__init__(wanted, came, to_do)
        self.verdict, self.path = verdict, path
        self.args = (wanted, came, to_do, verdict, path)  # for pickle
