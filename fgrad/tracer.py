"""The front door: what users can do with a traced array.

A traced array answers to NumPy's own protocols, so ``np.tanh(w @ x + b)`` is all there is. What
each function does stands in its declaration (`ops`); this file only leads there. Operators and
methods are installed on the class by `register` when their function is declared, which makes
``x + y`` one Python call away from the trace.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import numpy as np

from .arrays import NATIVE, PYTHON_SCALARS, is_a
from .core import FRONTS, Tracer, full_lower
from .elsewhere import instead_of_numpy, instead_of_scipy, late_front, qualified
from .errors import NoRuleError, TracerConversionError, describe
from .kinds import python, scalar
from .vocabulary import (
    BINARY_OPERATORS,
    INSTEAD,
    METHODS,
    WRITING,
    WRITING_METHODS,
    instead_of_object_loop,
)

#: The ufuncs that are computed by operators.
OPERATED = frozenset({
    np.add, np.subtract, np.multiply, np.true_divide, np.floor_divide, np.remainder, np.power,
    np.negative, np.positive, np.absolute,
})  # fmt: skip


def class_below(x: Tracer) -> type[Any]:
    """The class of what is below a tracer; that of the tracer, if it isn't one of NumPy's."""
    kind: type[Any] = x.value.__class__
    return kind if kind in NATIVE else type(x)


class ArrayTracer(Tracer):
    """A traced array. It has the methods and operators of `numpy.ndarray` that don't write."""

    __slots__ = ()
    __array_priority__ = 1000.0
    #: Whether tracers of this kind show no value: it would be that of a batch, or of one example.
    HIDES = False

    # ------------------------------------------------------------------ facts
    @property  # type: ignore[misc]  # mypy wants a setter
    def __class__(self) -> type[Any]:
        """What `isinstance` goes by: the class that the function would see without us.

        So users' code finds an array where it asks for one. What goes by ``type(x)`` finds the
        tracer: code in C, for which a tracer is no array, and fgrad's own, which asks `is_a`.

        CuPy's operators go by `isinstance`, and take for an array of theirs what says that it is
        one: for arrays of CuPy's a tracer stays what it is.
        """
        return class_below(self)

    def __dir__(self) -> list[str]:
        return dir(type(self))

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the axes that the function sees."""
        try:
            shape: tuple[int, ...] = self.value.shape
        except AttributeError:  # a Python number
            return ()
        return shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype; float64, complex128 or int64 for a Python number."""
        value = self.value
        return value.dtype if hasattr(value, "dtype") else np.result_type(type(value))

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        size = 1
        for n in self.shape:
            size *= n
        return size

    @property
    def itemsize(self) -> int:
        return self.dtype.itemsize

    @property
    def nbytes(self) -> int:
        return self.size * self.dtype.itemsize

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of unsized object")
        return self.shape[0]

    def __iter__(self) -> Iterator[Any]:
        if not self.shape:
            raise TypeError("iteration over a 0-d array")
        return (self[i] for i in range(self.shape[0]))

    def __contains__(self, value: Any) -> bool:
        return bool(np.any(self == value))

    def __repr__(self) -> str:
        return f"<{_owners(self)}: {self.dtype}{list(self.shape)}>"

    def __str__(self) -> str:
        # The values, for those who print to understand; text has no derivative to lose.
        value = full_lower(self)
        if self.hides or getattr(value, "size", 1) > 100:
            return repr(self)
        return f"<{_owners(self)}: {self.dtype}{list(self.shape)} = {value}>"

    def __format__(self, spec: str) -> str:
        if not spec:
            return str(self)
        if self.hides or self.shape:
            raise TracerConversionError(
                f"The format {spec!r} wants a single number whose value is known.",
                repr(self),
                "leave the format away (f'{x}'), or print outside the transformed function",
            )
        return format(
            full_lower(self).item() if hasattr(self.value, "dtype") else full_lower(self), spec
        )

    @property
    def hides(self) -> bool:
        """Whether the value stands for many: those of a batch, or of all calls of a graph."""
        x: Any = self
        while isinstance(x, ArrayTracer):
            if type(x).HIDES:
                return True
            x = x.value
        return False

    # ------------------------------------------------------------------ NumPy's protocols
    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        front = FRONTS.get(ufunc) or late_front(ufunc)
        if front is None:
            instead = instead_of_scipy() or instead_of_object_loop(ufunc)
            raise no_rule(qualified(ufunc), instead and instead.removeprefix("call "))
        if method == "__call__" and not kwargs:
            # Python's operators keep Python's numbers; NumPy's functions don't.
            return scalar(front(*inputs)) if ufunc in OPERATED else front(*inputs)
        return FRONTS[getattr(np.ufunc, method)](ufunc, *inputs, **kwargs)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        front = FRONTS.get(func)
        if front is not None:
            if kwargs and kwargs.get("out") is not None:
                raise NoRuleError(
                    f"`{qualified(func)}` of traced values can't write into an array.",
                    f"the keyword out={describe(kwargs['out'])}",
                    "leave it away and use the result",
                )
            return front(*args, **kwargs)
        if func in WRITING:
            raise TracerConversionError(
                f"`{qualified(func)}` writes into its first argument, which a traced function "
                "must not do.",
                "a traced value as an argument of it",
                f"make a changed copy: {WRITING[func]}",
            )
        raise no_rule(qualified(func), INSTEAD.get(func))

    # ------------------------------------------------------------------ methods of their own form
    def __pow__(self, y: Any, mod: Any = None) -> Any:
        if mod is not None:
            raise no_rule("pow(x, y, mod)", "x ** y % mod")
        # x ** 2 is np.square(x), in NumPy too: the one power that is everywhere. Not so of integers
        # to the power 2.0, which are floats; and powers of a Python number are Python numbers.
        if type(y) in (int, float) and not is_a(full_lower(self), PYTHON_SCALARS):
            inexact = self.dtype.kind in "fc"
            if y == 2 and (inexact or type(y) is int):
                return FRONTS[np.square](self)
            if y in (0.5, -1) and inexact:
                return FRONTS[np.sqrt if y == 0.5 else np.reciprocal](self)
        return FRONTS[np.power](self, y)

    def __divmod__(self, y: Any) -> tuple[Any, Any]:
        return self // y, self % y

    def __rdivmod__(self, y: Any) -> tuple[Any, Any]:
        return y // self, y % self

    def __getitem__(self, index: Any) -> Any:
        return FRONTS[ArrayTracer.__getitem__](self, index)

    def reshape(self, *shape: Any, order: str = "C", copy: bool | None = None) -> Any:
        """`numpy.reshape`, the new shape as one tuple or as several integers."""
        new = shape[0] if len(shape) == 1 else shape
        return FRONTS[np.reshape](self, new, order=order)

    def transpose(self, *axes: Any) -> Any:
        """`numpy.transpose`, the axes as one tuple, as several integers or left out."""
        new = axes[0] if len(axes) == 1 and not is_a(axes[0], int) else axes
        return FRONTS[np.transpose](self, new or None)

    @property
    def flat(self) -> Any:
        """The entries in C order: `numpy.ravel`, which has no memory to write into."""
        return FRONTS[np.ravel](self)

    @property
    def T(self) -> Any:
        return FRONTS[np.transpose](self)

    @property
    def mT(self) -> Any:
        return FRONTS[np.matrix_transpose](self)

    @property
    def real(self) -> Any:
        return FRONTS[np.real](self)

    @property
    def imag(self) -> Any:
        return FRONTS[np.imag](self)

    @property
    def at(self) -> Any:
        """Changed copies: ``x.at[i].set(v)``, and ``add``, ``multiply``, ``min``, ``max``."""
        return FRONTS[ArrayTracer.at](self)

    # ------------------------------------------------------------------ what cannot be right
    def __bool__(self) -> bool:
        return bool(self.value)

    def __array__(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise self.cannot_become(
            "a NumPy array",
            instead_of_numpy()
            or (
                "pick from a plain array by a traced index with fgrad.numpy.take(a, i, axis=0)"
                if self.dtype.kind in "iu"
                else "call NumPy's functions on the traced value itself; for lists that hold one "
                "use np.stack([x, y]), np.concatenate([x, y]) or fgrad.numpy.array([x, 1.0]); for "
                "another dtype x.astype(dtype); for a[i] = x write a = fgrad.at(a)[i].set(x)"
            ),
        )

    def __float__(self) -> NoReturn:
        raise self.cannot_become(
            "a Python float",
            "leave it an array (np.sin(x) for math.sin(x)); fgrad.stop_gradient, or has_aux=True, "
            "where no derivative is wanted",
        )

    def __int__(self, *digits: Any) -> NoReturn:
        raise self.cannot_become(
            "a Python int",
            "use np.floor(x) or x.astype(int), which stay arrays; write a[i] as "
            "fgrad.numpy.take(a, i, axis=0), range(n) as fgrad.fori_loop(0, n, body, start); "
            "pass what counts in an untransformed argument",
        )

    __index__ = __trunc__ = __floor__ = __ceil__ = __int__

    def __round__(self, ndigits: int | None = None) -> Any:
        return self.__int__() if ndigits is None else python(np.round(self, ndigits), self)

    def __complex__(self) -> NoReturn:
        raise self.cannot_become(
            "a Python complex number",
            "leave it an array; x.astype(complex), or 1j * x, makes it complex",
        )

    def item(self, *args: Any) -> NoReturn:
        """Refused: a plain number has no derivative."""
        self.__float__()

    def tolist(self) -> NoReturn:
        """Refused: a list of plain numbers has no derivatives."""
        raise self.cannot_become(
            "a list of Python numbers",
            "leave it an array, or list(x), whose elements are traced",
        )

    def __setitem__(self, index: Any, value: Any) -> NoReturn:
        raise TracerConversionError(
            "A traced array is a value and can't be written into.",
            f"x[i] = v with x {self!r}",
            "x = fgrad.at(x)[i].set(v) makes a changed copy (also add, multiply, min, max)",
        )

    def __hash__(self) -> NoReturn:
        raise TracerConversionError(
            "A dictionary key or a member of a set must be hashable.",
            f"{self!r}, whose equality is elementwise",
            instead_of_scipy()
            or "use something beside the array as the key, such as its name or position",
        )

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise self.cannot_become(
            "bytes (pickle)", "return the value from the function and store it outside"
        )

    def __copy__(self) -> ArrayTracer:
        return self

    def __deepcopy__(self, memo: Any) -> ArrayTracer:
        return self

    def cannot_become(self, wanted: str, to_do: str) -> TracerConversionError:
        """The error of a conversion that would lose the derivative."""
        return TracerConversionError(
            f"A traced value cannot become {wanted}: its derivative would be lost.",
            f"{self!r}",
            instead_of_scipy() or to_do,
        )


def _owners(x: Any) -> str:
    """Whose value it is, from the innermost transformation outwards: vmap tracer inside grad."""
    words = f"{x.owner.name} tracer"
    while isinstance(x := x.value, Tracer):
        words += f" inside {x.owner.name}"
    return words


class MissingMethodError(NoRuleError, AttributeError):
    """A method or attribute of `numpy.ndarray` that traced arrays don't have."""


class _Missing:
    """Such an attribute, which says what to do instead.

    One for each, and no ``__getattr__``: CPython doesn't specialise reading the attributes of a
    class that has one, ``x.value`` included, and each operation reads several.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, x: Any, cls: Any = None) -> Any:
        if x is None:
            return self
        name = self.name
        to_do = WRITING_METHODS.get(name)
        if to_do is not None:
            to_do = f"it writes into the array; {to_do} makes a changed copy"
        elif hasattr(np, name):
            to_do = no_rule(f"np.{name}", INSTEAD.get(getattr(np, name))).to_do
        else:
            to_do = "compute it from the untraced array, outside the transformed function"
        raise MissingMethodError(f"`x.{name}` is not there for traced arrays.", repr(x), to_do)


for _name in dir(np.ndarray):
    if not _name.startswith("__") and not hasattr(ArrayTracer, _name):
        setattr(ArrayTracer, _name, _Missing(_name))


def no_rule(name: str, instead: str | None = None) -> NoRuleError:
    """The error for a function that has no rule."""
    return NoRuleError(
        f"`{name}` has no rule in fgrad.",
        "a traced value as an argument of it",
        f"use {instead}"
        if instead
        else "write it with functions that fgrad has (see fgrad.numpy), or call it on "
        "fgrad.stop_gradient(x) if its derivative is not wanted",
    )


def register(
    fn: Callable[..., Any],
    front: Callable[..., Any],
    operators: tuple[Callable[..., Any], Callable[..., Any]] | None = None,
) -> None:
    """Make ``front`` what happens when ``fn`` meets a tracer, and install its operators."""
    FRONTS[fn] = front
    stem = BINARY_OPERATORS.get(fn)
    if stem is not None:
        method, reflected = operators or (front, lambda self, other: front(other, self))
        for name, operator in ((f"__{stem}__", method), (f"__r{stem}__", reflected)):
            if name not in vars(ArrayTracer):
                setattr(ArrayTracer, name, operator)
    for name in METHODS.get(fn, "").split():
        setattr(ArrayTracer, name, front)


def register_newer(name: str, front: Callable[..., Any]) -> None:
    """`register` for a function of NumPy's that came after 2.0, if the installed NumPy has it."""
    fn = getattr(np, name, None)
    if fn is not None:
        register(fn, front)
