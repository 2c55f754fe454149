"""The ground: an interpreter below all others, through which every computation passes.

Its tracers stand in the place of the arguments, so each operation of the function and of its
derivatives comes down to it at last, with plain arrays. It changes no value. Loops, branches and
functions with rules of their own, which are one operation to others, are opened.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .. import tree
from ..arrays import INEXACT, aval, is_array
from ..core import FRONTS, Params, Primitive, Trace, Tracer, bind, full_lower
from ..elsewhere import late_front
from ..kinds import KIND
from ..moving import host_array
from ..tracer import ArrayTracer

#: Where the primitives are declared that hold functions which run on values of any kind.
_OPENED = frozenset(
    f"fgrad.{name}"
    for name in (
        "checkpointing", "compiler.transformed", "control.branches", "control.folds",
        "control.whiles", "custom_batching", "custom_gradients", "custom_rules",
    )
)  # fmt: skip


class GroundTracer(ArrayTracer):
    """A value that is followed; unlike the tracer of a derivative it may become a plain one."""

    __slots__ = ()

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        return host_array(self.value).__array__(*args, **kwargs)

    def __float__(self) -> float:  # type: ignore[override]
        return float(self.value)

    def __int__(self) -> int:  # type: ignore[override]
        return int(self.value)

    def __complex__(self) -> complex:  # type: ignore[override]
        return complex(self.value)

    def item(self, *args: Any) -> Any:
        """The plain number."""
        return host_array(self.value).item(*args)

    def tolist(self) -> Any:
        """The plain numbers."""
        return host_array(self.value).tolist()

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if FRONTS.get(ufunc) is None and late_front(ufunc) is None and _alone(inputs):
            return self.owner.foreign(
                ufunc if method == "__call__" else getattr(ufunc, method), inputs, kwargs
            )
        return super().__array_ufunc__(ufunc, method, *inputs, **kwargs)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if func not in FRONTS and _alone((args, kwargs)):
            return self.owner.foreign(func, args, kwargs)
        return super().__array_function__(func, types, args, kwargs)


def _alone(x: Any) -> bool:
    """Whether no tracer of another interpreter is among the arguments."""
    return all(isinstance(y, GroundTracer) for y in tree.leaves(x) if isinstance(y, Tracer))


class Ground(Trace):
    """The interpreter; what it does with each operation is said by `step`."""

    def tracer(self, value: Any, slot: Any = None) -> Any:
        """A followed value, if it is of a kind that can be infinite; else the value itself."""
        if not is_array(value) or aval(value).dtype.kind not in INEXACT:
            return value
        x = GroundTracer()
        x.owner, x.value, x.slot = self, value, slot
        return x

    def follow(self, one: Any) -> Any:
        """What begins a way back, which is followed too."""
        return self.tracer(one)

    def wrap(self, x: Any, slots: Callable[[str], Any] = lambda path: None) -> Any:
        """A tree with tracers for its arrays; ``slots`` takes the path of a leaf to its slot."""
        leaves, structure = tree.flatten(x)
        paths = structure.accessors()
        return tree.unflatten(
            structure,
            [
                y if isinstance(y, Tracer) else self.tracer(y, slots(tree.path_str(path)))
                for path, y in zip(paths, leaves, strict=True)
            ],
        )

    def process(self, p: Primitive, operands: Sequence[Any], params: Params) -> Any:
        if is_opened(p):
            return p.impl(*operands, **self.opened(params))
        below = [x.value if isinstance(x, Tracer) and x.owner is self else x for x in operands]
        if p is KIND:  # fgrad's own; the number is the same
            (x,) = operands
            mine = isinstance(x, Tracer) and x.owner is self
            return self.tracer(bind(p, below, params), x.slot if mine else None)
        return self.step(p, operands, below, params)

    def opened(self, params: Params) -> Params:
        """The params of an operation that holds functions; compiled ones as they were written."""
        flat = params.get("flat")
        return params if flat is None else {"flat": _Uncompiled(flat)}

    def step(self, p: Primitive, operands: Any, below: Sequence[Any], params: Params) -> Any:
        """One operation: ``below`` has the operands without tracers of this interpreter."""
        ans = bind(p, below, params)
        return tuple(map(self.tracer, ans)) if p.several else self.tracer(ans)

    def foreign(self, fn: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """A function of NumPy's that fgrad has no rule for, as one operation on plain arrays."""
        leaves, structure = tree.flatten((args, kwargs))

        def impl(*xs: Any) -> tuple[Any, ...]:
            args, kwargs = tree.unflatten(structure, xs)
            out = fn(*args, **kwargs)
            ys, shape[0] = tree.flatten(out)
            return tuple(ys)

        shape: list[Any] = [None]
        name = getattr(fn, "__name__", type(fn).__name__)
        p = Primitive(name, impl, None, None, _no_batch, several=True)
        return tree.unflatten(shape[0], self.step(p, leaves, [full_lower(x) for x in leaves], {}))


def is_opened(p: Primitive | None) -> bool:
    """Whether an operation holds functions that are followed themselves."""
    return p is not None and p.batch.__module__ in _OPENED


def _no_batch(*args: Any) -> None:
    """The operation is called where it stands."""


class _Uncompiled:
    """What the operation of a compiled function holds, with the function as it was written."""

    def __init__(self, flat: Any) -> None:
        self._flat = flat

    def derived(self, kind: Any, make: Callable[..., Any]) -> Any:
        """The function of the leaves, made from that of the user."""
        return make(self._flat.function())

    def compiled(self, fn: Any) -> Any:
        """A function, as it is."""
        return fn

    @property
    def rest(self) -> Any:
        """What the latest result is besides arrays, which the caller reads from what it passed."""
        return self._flat.rest

    @rest.setter
    def rest(self, value: Any) -> None:
        self._flat.rest = value
