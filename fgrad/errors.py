"""Exception types, and the one form that every message has.

A message of fgrad has three parts, a line each: what was wanted, what came, what to do.
Every type derives from :class:`FgradError` and from the built-in exception that NumPy or Python
would have raised in its place, so ``except TypeError`` written for plain NumPy still catches it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

__all__ = [
    "ArgumentError",
    "CheckError",
    "CommunicationError",
    "ConvergenceError",
    "DomainError",
    "DtypeError",
    "EscapedTracerError",
    "FgradError",
    "FileError",
    "GraphError",
    "KeyReuseError",
    "MissingPackageError",
    "NoRuleError",
    "NonFiniteError",
    "ShapeError",
    "TracerConversionError",
    "TreeError",
]


class FgradError(Exception):
    """Base of all errors that fgrad raises.

    >>> raise FgradError("grad wants a scalar.", "an array of shape (3,)", "return np.sum(y)")
    Traceback (most recent call last):
    ...
    fgrad.errors.FgradError: grad wants a scalar.
      It got: an array of shape (3,)
      To do: return np.sum(y)

    Args:
        wanted: a sentence that says what was wanted.
        came: what came instead, with shape, dtype and path in the pytree where there are any.
        to_do: what the user can type to get on.
    """

    def __init__(self, wanted: str, came: str, to_do: str) -> None:
        super().__init__(wanted, came, to_do)
        self.wanted, self.came, self.to_do = wanted, came, to_do

    def __str__(self) -> str:
        return f"{self.wanted}\n  It got: {self.came}\n  To do: {self.to_do}"


class ArgumentError(FgradError, TypeError):
    """An argument of a transformation (``argnums``, ``in_axes``) is not what its signature says."""


class DtypeError(FgradError, TypeError):
    """A leaf has a dtype, or a type, that the transformation cannot work with."""


class DomainError(FgradError, ValueError):
    """A number lies outside of what the function is defined for."""


class KeyReuseError(FgradError, RuntimeError):
    """A random key was used a second time, where the user has asked to be told."""


class ShapeError(FgradError, ValueError):
    """An array has another shape than the one that was wanted."""


class TreeError(FgradError, ValueError):
    """Two pytrees differ in structure; the message holds the path of the first difference."""


class NoRuleError(FgradError, TypeError):
    """A function of NumPy was called on a tracer and fgrad has no rule for it."""


class TracerConversionError(FgradError, TypeError):
    """A traced value was to become a plain number or array, which would lose its derivative."""


class EscapedTracerError(FgradError, RuntimeError):
    """A tracer was used after the transformation that made it had ended."""


class CheckError(FgradError, ValueError):
    """A check of the user's own, `fgrad.debug.check`, doesn't hold."""


class CommunicationError(FgradError, RuntimeError):
    """Processes that compute together have not met, or have not agreed on what to do."""


class ConvergenceError(FgradError, ArithmeticError):
    """A solver has found no solution that could be differentiated."""


class FileError(FgradError, ValueError):
    """A file is damaged, or holds something else than was wanted."""


class MissingPackageError(FgradError, ImportError):
    """A function needs a package that isn't installed."""


class NonFiniteError(FgradError, FloatingPointError):
    """A computation has run into a NaN or an infinity, with which it would be no use to go on.

    Attributes:
        explanation: what `fgrad.explain_nonfinite` says of it, in `fgrad.debug_nans`.
    """

    explanation: Any = None


class GraphError(FgradError, ValueError):
    """A graph is malformed, or was called with other arguments than it was made for."""


def describe(x: Any) -> str:
    """Say what ``x`` is in the words of all messages: type, shape and dtype.

    >>> import numpy as np
    >>> describe(np.zeros((2, 3), np.float32))
    'a float32 array of shape (2, 3)'
    >>> describe("spam"), describe(None), describe(2.5)
    ("'spam' (a str)", 'None', '2.5 (a float)')
    """
    if x is None:
        return "None"
    if hasattr(x, "shape") and hasattr(x, "dtype"):
        # Tracers and what stands for an array are arrays to the reader; a subclass is what it is.
        plain = (
            type(x) is np.ndarray or issubclass(type(x), np.generic) or not hasattr(x, "__array__")
        )
        noun = "array" if plain or hasattr(x, "slot") else type(x).__name__
        return f"{article(str(x.dtype))} {x.dtype} {noun} of shape {tuple(x.shape)}"
    text = " ".join(repr(x).split())
    text = text if len(text) <= 40 else text[:37] + "..."
    return f"{text} ({article(type(x).__name__)} {type(x).__name__})"


def article(word: str) -> str:
    """'an' before a vowel that is spoken as one, else 'a'."""
    return "an" if word[:1].lower() in "aeio" else "a"


def name_of(fn: Callable[..., Any]) -> str:
    """The name of a function and the line where it is defined, for messages.

    >>> name_of(len)
    '`len`'
    """
    name = getattr(fn, "__name__", None)
    while hasattr(fn, "__wrapped__") or isinstance(fn, functools.partial):
        fn = fn.func if isinstance(fn, functools.partial) else fn.__wrapped__
        name = name or getattr(fn, "__name__", None)
    code = getattr(fn, "__code__", None) or getattr(type(fn).__call__, "__code__", None)
    name = name or type(fn).__name__
    return f"`{name}`" if code is None else f"`{name}` ({code.co_filename}:{code.co_firstlineno})"
