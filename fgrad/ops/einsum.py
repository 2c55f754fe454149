"""`numpy.einsum`: products of any number of arrays, and sums over any of their axes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..arrays import namespace, ndim_of, shape_of
from ..core import Array, Params, bind, home
from ..fronts import given
from ..rules import multilinear
from ..tracer import register
from .contract import LETTERS
from .creation import as_array
from .update import at


def _parse(subscripts: str, ranks: Sequence[int]) -> tuple[list[str], str]:
    """Labels of each operand and of the result, with letters in place of dots."""
    subscripts = subscripts.replace(" ", "")
    left, arrow, right = subscripts.partition("->")
    inputs = left.split(",")
    if len(inputs) != len(ranks):
        raise ValueError(
            f"einsum got {len(ranks)} operands for {len(inputs)} terms in {subscripts!r}"
        )
    free = [c for c in LETTERS if c not in subscripts]
    dots = max(
        (n - len(s.replace("...", "")) for s, n in zip(inputs, ranks, strict=True) if "..." in s),
        default=0,
    )
    letters = "".join(free[:dots])
    expanded = []
    for s, n in zip(inputs, ranks, strict=True):
        k = n - len(s.replace("...", ""))
        expanded.append(s.replace("...", letters[dots - k :] if k > 0 else ""))
        if len(expanded[-1]) != n:
            raise ValueError(f"einsum term {s!r} doesn't fit an operand of {n} dimensions")
    if arrow:
        return expanded, right.replace("...", letters)
    together = "".join(expanded)
    once = sorted(c for c in set(together) if together.count(c) == 1 and c not in letters)
    return expanded, letters + "".join(once)


def _einsum_impl(*operands: Any, inputs: tuple[str, ...], output: str) -> Any:
    out = namespace(operands[0]).einsum(f"{','.join(inputs)}->{output}", *operands)
    # einsum gives views of single operands; an answer must not be one of a later argument.
    return out


def _einsum_transpose(i: int, g: Array, *xs: Any, inputs: tuple[str, ...], output: str) -> Array:
    """Exchange operand i and the result; give back labels that only operand i has."""
    labels, x = inputs[i], xs[i]
    others = [x for j, x in enumerate(xs) if j != i]
    other_inputs = [s for j, s in enumerate(inputs) if j != i]
    known = set(output).union(*other_inputs)
    unique = "".join(dict.fromkeys(labels))
    found = "".join(c for c in unique if c in known)
    many = len(others) > 1
    c = np.einsum(f"{','.join([output, *other_inputs])}->{found}", g, *others, optimize=many)
    sizes = dict(zip(labels, shape_of(x), strict=True))
    # Where an operand has length 1 for a longer label, c is longer too, until unbroadcast.
    longer = dict(zip(found, shape_of(c), strict=True))
    shape = tuple(longer.get(label, sizes[label]) for label in unique)
    if found != unique:
        missing = tuple(k for k, label in enumerate(unique) if label not in known)
        c = np.broadcast_to(np.expand_dims(c, missing), shape)
    if unique == labels:
        return c
    ranges = {
        label: home(c).arange(n).reshape((-1,) + (1,) * (len(unique) - 1 - k))
        for k, (label, n) in enumerate(zip(unique, shape, strict=True))
    }
    index = tuple(ranges[label] for label in labels)
    return at(home(c).zeros(shape_of(x), c.dtype))[index].add(c)


def _einsum_batch(
    p: Any, size: int, xs: Sequence[Any], batched: Sequence[bool], params: Params
) -> Any:
    inputs, output = params["inputs"], params["output"]
    new = next(c for c in LETTERS if c not in "".join(inputs) + output)
    inputs = tuple(new + s if b else s for s, b in zip(inputs, batched, strict=True))
    return bind(p, xs, {"inputs": inputs, "output": new + output})


@multilinear(np.einsum, _einsum_transpose, batch=_einsum_batch, impl=_einsum_impl)
def _einsum(*operands: Any, inputs: tuple[str, ...], output: str) -> Any:
    return operands, {"inputs": inputs, "output": output}


def einsum(
    subscripts: Any, /, *operands: Any, out: None = None, optimize: Any = False, **kwargs: Any
) -> Any:
    """`numpy.einsum`, in both of its forms."""
    dtype = kwargs.pop("dtype", None)
    kwargs = {k: v for k, v in kwargs.items() if k not in ("order", "casting")}
    given(out=out, **kwargs)
    if not isinstance(subscripts, str):
        subscripts, operands = _from_lists((subscripts, *operands))
    operands = tuple(map(as_array, operands))
    if dtype is not None:
        operands = tuple(x.astype(dtype) for x in operands)
    inputs, output = _parse(subscripts, [ndim_of(x) for x in operands])
    if optimize and len(operands) > 2:
        return _in_pairs(inputs, output, list(operands), optimize)
    return _einsum(*operands, inputs=tuple(inputs), output=output)


def _from_lists(args: tuple[Any, ...]) -> tuple[str, tuple[Any, ...]]:
    """``einsum(x, [0, 1], y, [1, 2], [0, 2])`` as subscripts and operands."""
    pairs = len(args) // 2
    terms = ["".join("..." if k is Ellipsis else LETTERS[k] for k in args[2 * i + 1])
             for i in range(pairs)]  # fmt: skip
    text = ",".join(terms)
    if len(args) % 2:
        text += "->" + "".join("..." if k is Ellipsis else LETTERS[k] for k in args[-1])
    return text, args[: 2 * pairs : 2]


def _in_pairs(inputs: list[str], output: str, operands: list[Any], optimize: Any) -> Any:
    """Contract two operands at a time, in the order that NumPy finds best."""
    shapes = [np.broadcast_to(np.zeros(()), shape_of(x)) for x in operands]
    path = np.einsum_path(f"{','.join(inputs)}->{output}", *shapes, optimize=optimize)[0][1:]
    for step in path:
        some = sorted(step, reverse=True)
        terms, xs = [inputs.pop(k) for k in some], [operands.pop(k) for k in some]
        later = set(output).union(*inputs)
        middle = "".join(c for c in dict.fromkeys("".join(terms)) if c in later)
        result = output if not inputs else middle
        operands.append(_einsum(*xs, inputs=tuple(terms), output=result))
        inputs.append(result)
    return operands[0]


register(np.einsum, einsum)
