"""What type checkers know of a compiled function: the signature of the one that was compiled."""

from __future__ import annotations

from typing import Any, Protocol, TypeVar

from ..core import P
from ..graph import Graph

R_co = TypeVar("R_co", covariant=True)


class Compiled(Protocol[P, R_co]):
    """A function made by `jit`, as `Jitted` implements it."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co: ...

    def __get__(self, instance: Any, owner: Any = None) -> Any: ...

    def compile(self, *args: Any, **kwargs: Any) -> Any:
        """Make the program for such arguments, or for their shapes, now."""

    def graph(self, *args: P.args, **kwargs: P.kwargs) -> Graph:
        """The operations of the function."""

    def source(self, *args: P.args, **kwargs: P.kwargs) -> str:
        """The code that runs for these arguments."""

    def explain(self) -> str:
        """What is compiled, and why."""

    def clear(self) -> None:
        """Forget all programs."""
