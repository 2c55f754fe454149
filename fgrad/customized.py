"""What functions with custom rules share: their arguments, results, and what rules may return."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any, cast

from . import tree
from .arrays import INEXACT, PYTHON_SCALARS, aval, is_a, shape_of
from .checks import check_like, say
from .core import Primitive, Tracer, bind, check_function, full_lower, home, is_traceable
from .errors import ArgumentError, DtypeError, TracerConversionError, describe


class Custom:
    """A function with rules of its own, and how its arguments are told apart."""

    def __init__(
        self,
        f: Callable[..., Any],
        nondiff_argnums: int | Sequence[int] = (),
        nondiff_argnames: str | Sequence[str] = (),
    ) -> None:
        kind = type(self).__name__
        check_function(f, kind)
        functools.update_wrapper(cast(Any, self), f)
        self.f, self.kind = f, kind
        self.__name__ = getattr(f, "__name__", type(f).__name__)
        numbers = nondiff_argnums if isinstance(nondiff_argnums, Sequence) else (nondiff_argnums,)
        names = (nondiff_argnames,) if isinstance(nondiff_argnames, str) else nondiff_argnames
        self._signature: inspect.Signature | None
        try:
            self._signature = inspect.signature(f)
        except ValueError:  # some built-in functions have none
            self._signature = None
        parameters = list(self._signature.parameters) if self._signature else []
        for name in names:
            if name not in parameters:
                raise ArgumentError(
                    f"{kind} wants nondiff_argnames among the parameters of {self.__name__}.",
                    repr(name),
                    f"they are {', '.join(parameters)}",
                )
        self._fixed = {int(i) for i in numbers} | {parameters.index(name) for name in names}

    def __repr__(self) -> str:
        return f"<{self.kind} {self.__name__}>"

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        """As a method, with the instance as the first argument."""
        return self if instance is None else functools.partial(cast(Any, self), instance)

    def split(self, args: Any, kwargs: Any) -> tuple[tuple[Any, ...], list[Any]]:
        """The differentiable arguments and the others, all by position."""
        if kwargs and self._signature is not None:
            bound = self._signature.bind(*args, **kwargs)
            bound.apply_defaults()
            args, kwargs = bound.args, bound.kwargs
        if kwargs:
            raise ArgumentError(
                f"{self.kind} wants the arguments of {self.__name__} by position.",
                f"the keywords {', '.join(kwargs)}",
                "pass them by position, or take the * out of the function's signature",
            )
        fixed = {i + len(args) if i < 0 else i for i in self._fixed}
        for i in sorted(fixed & set(range(len(args)))):
            for x in tree.leaves(args[i]):
                if isinstance(x, Tracer):
                    raise TracerConversionError(
                        f"{self.__name__} has custom rules and wants untraced values as its "
                        f"nondiff argument {i}: their derivative would be lost.",
                        repr(x),
                        "take the argument out of nondiff_argnums, or pass "
                        "fgrad.stop_gradient's value from outside of the transformation",
                    )
        moving = tuple(x for i, x in enumerate(args) if i not in fixed)
        return moving, [x for i, x in enumerate(args) if i in fixed]

    def joined(self, fixed: Sequence[Any], moving: Sequence[Any]) -> list[Any]:
        """The arguments of the function in their order."""
        n = len(fixed) + len(moving)
        places = {i + n if i < 0 else i for i in self._fixed}
        a, b = iter(fixed), iter(moving)
        return [next(a) if i in places else next(b) for i in range(n)]


class Call:
    """One call of a function with custom rules, as a function of the leaves of its arguments.

    Attributes:
        leaves: those of the differentiable arguments, until `apply` has used them: the rules live
            on with the tape or the graph, which keep what they need themselves.
        count: how many there are.
        structure: that of the tuple of differentiable arguments.
        fixed: the nondiff arguments.
        out: the structure of the result, once it is known.
    """

    def __init__(self, custom: Custom, args: Any, kwargs: Any) -> None:
        self.custom, self.name = custom, custom.__name__
        moving, self.fixed = custom.split(args, kwargs)
        self.leaves, self.structure = tree.flatten(moving)
        for path, x in tree.leaves_with_path(moving):
            if not is_traceable(x):
                raise DtypeError(
                    f"{self.name} has custom rules and wants pytrees of arrays as its arguments.",
                    f"{describe(x)} at {tree.path_str(path)} of its arguments",
                    "name the argument in nondiff_argnums, or nondiff_argnames",
                )
        self._avals = [aval(x) for x in self.leaves]
        self.count = len(self.leaves)
        self.out: Any = None
        self._moving: list[bool] = []

    def trees(self, leaves: Sequence[Any]) -> Any:
        """The tuple of differentiable arguments that has these leaves."""
        return tree.unflatten(self.structure, leaves)

    def run(self, *leaves: Any) -> tuple[Any, ...]:
        """The leaves of the function's result."""
        return self.flat(self.custom.f(*self.custom.joined(self.fixed, self.trees(leaves))))

    def flat(self, out: Any) -> tuple[Any, ...]:
        """The leaves of a result."""
        ys, self.out = tree.flatten(out)
        for y in ys:
            if not is_traceable(y):
                raise DtypeError(
                    f"{self.name} has custom rules and wants to return arrays in pytrees.",
                    say(y),
                    "return arrays and numbers",
                )
        self._moving = [aval(y).dtype.kind in INEXACT for y in ys]
        return tuple(ys)

    def apply(self, p: Primitive) -> Any:
        """The result of the operation that this call is."""
        leaves, self.leaves = self.leaves, []
        return self.result(bind(p, leaves, {}))

    def result(self, leaves: Sequence[Any]) -> Any:
        """The result of these leaves."""
        return tree.unflatten(self.out, leaves)

    def pair(self, both: Any, what: str) -> tuple[Any, Any]:
        """What a rule returns, which must be two things."""
        if not (isinstance(both, tuple) and len(both) == 2):
            second = "its tangent" if what == "rule" else "residuals"
            raise ArgumentError(
                f"The {what} of {self.name} wants to return a pair: the result and {second}.",
                say(both),
                "return a tuple of the two",
            )
        return both

    def tangents(self, tangents: Any, ys: Sequence[Any]) -> list[Any]:
        """The tangents of a result, for its leaves that have any."""
        wanted = f"The rule of {self.name} wants to return a tangent of the result's structure."
        if tangents is None:
            ts: list[Any] = [None] * len(ys)
        else:
            ts = tree.flatten_up_to(
                self.out, tangents, what=wanted, to_do="return None in place of a zero tangent"
            )
        out = []
        for path, t, y in zip(self.out.accessors(), ts, ys, strict=True):
            if aval(y).dtype.kind in INEXACT:
                if t is None:
                    t = home(y).zeros(shape_of(y), aval(y).dtype)
                out.append(self._like(t, y, "tangent", tree.path_str(path)))
        return out

    def cotangents(self, gs: Sequence[Any]) -> Any:
        """The cotangent of the result; None in the place of integers."""
        rest = iter(gs)
        return tree.unflatten(self.out, [next(rest) if m else None for m in self._moving])

    def cotangents_of_arguments(self, cts: Any) -> list[Any]:
        """What a backward function returned, for the leaves that have cotangents."""
        arguments = self.trees(self._avals)
        if not isinstance(cts, tuple) or len(cts) != len(arguments):
            raise ArgumentError(
                f"The backward function of {self.name} wants to return a tuple with a cotangent "
                "for each argument.",
                f"{say(cts)}, for {len(arguments)} arguments",
                "return (ct,) for a single argument; None stands for zero",
            )
        out = []
        for k, (ct, argument) in enumerate(zip(cts, arguments, strict=True)):
            leaves, structure = tree.flatten(argument)
            flat = [None] * len(leaves) if ct is None else tree.flatten_up_to(
                structure, ct,
                what=f"The backward function of {self.name} wants a cotangent of the structure "
                f"of argument {k}.",
                to_do="return None in place of a zero cotangent",
            )  # fmt: skip
            for path, c, a in zip(structure.accessors(), flat, leaves, strict=True):
                if a.dtype.kind in INEXACT:
                    c = home(*tree.leaves(cts)).zeros(a.shape, a.dtype) if c is None else c
                    out.append(self._like(c, a, "cotangent", f"[{k}]{tree.path_str(path)}"))
        return out

    def _like(self, t: Any, x: Any, what: str, path: str) -> Any:
        """A tangent or cotangent that is like its primal, from a rule."""
        a = aval(x)
        if is_a(full_lower(x), PYTHON_SCALARS) and hasattr(t, "dtype"):
            t = t if t.dtype == a.dtype else t.astype(a.dtype)
        check_like(t, a, f"{self.name}, with its custom rule,", what, path)
        return t
