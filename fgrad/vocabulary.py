"""NumPy's names: which operators, methods and ufunc methods stand for which functions."""

from __future__ import annotations

from typing import Any

import numpy as np

#: Function -> stem of the operator's methods, `__add__` and `__radd__`.
BINARY_OPERATORS: dict[Any, Any] = {
    np.add: "add", np.subtract: "sub", np.multiply: "mul", np.true_divide: "truediv",
    np.floor_divide: "floordiv", np.remainder: "mod", np.divmod: "divmod", np.power: "pow",
    np.matmul: "matmul", np.bitwise_and: "and", np.bitwise_or: "or", np.bitwise_xor: "xor",
    np.left_shift: "lshift", np.right_shift: "rshift",
}  # fmt: skip

#: Function -> methods that take the array first, under the same arguments as the function.
METHODS: dict[Any, Any] = {
    np.less: "__lt__", np.less_equal: "__le__", np.greater: "__gt__", np.greater_equal: "__ge__",
    np.equal: "__eq__", np.not_equal: "__ne__", np.negative: "__neg__", np.positive: "__pos__",
    np.absolute: "__abs__", np.invert: "__invert__", np.conjugate: "conj conjugate",
    np.sum: "sum", np.mean: "mean", np.prod: "prod", np.max: "max", np.min: "min", np.any: "any",
    np.all: "all", np.argmax: "argmax", np.argmin: "argmin", np.cumsum: "cumsum", np.ptp: "ptp",
    np.cumprod: "cumprod", np.var: "var", np.std: "std", np.ravel: "ravel flatten",
    np.swapaxes: "swapaxes", np.squeeze: "squeeze", np.repeat: "repeat", np.round: "round",
    np.clip: "clip", np.dot: "dot", np.argsort: "argsort", np.diagonal: "diagonal",
    np.trace: "trace", np.nonzero: "nonzero", np.astype: "astype", np.copy: "copy",
    np.take: "take", np.searchsorted: "searchsorted", np.choose: "choose",
    np.argpartition: "argpartition", np.ndarray.view: "view", np.ndarray.compress: "compress",
}  # fmt: skip

#: Functions that write into their first argument -> what to type instead.
WRITING: dict[Any, str] = {
    np.copyto: "a = fgrad.numpy.full(shape, x), or a = fgrad.at(a)[i].set(x) for a changed copy",
    np.put: "a = fgrad.at(a)[i].set(x), of a flat array a",
    np.putmask: "a = np.where(mask, values, x)",
    np.place: "a = np.where(mask, values, x)",
    np.put_along_axis: "a = fgrad.at(a)[np.arange(n)[:, None], i].set(x), for indices i along "
    "axis 1",
    np.fill_diagonal: "i = np.arange(n); a = fgrad.at(a)[i, i].set(x)",
}
#: What to type instead of functions that lose the trace.
INSTEAD: dict[Any, str] = {
    np.save: "np.save outside: return the value from the function and save it there",
    np.savetxt: "np.savetxt outside: return the value from the function and save it there",
}


#: Methods of arrays that write into the array -> what to type instead.
WRITING_METHODS = {
    "sort": "np.sort(x)", "partition": "np.partition(x, kth)", "fill": "np.full_like(x, v)",
    "put": "fgrad.at(x)[i].set(v)", "itemset": "fgrad.at(x)[i].set(v)",
    "resize": "np.resize(x, shape)",
    "setfield": "fgrad.at(x)[i].set(v)", "setflags": "np.copy(x)", "byteswap": "np.copy(x)",
}  # fmt: skip


def instead_of_object_loop(ufunc: Any) -> str | None:
    """What to type for a ufunc that `numpy.frompyfunc` made: it gives arrays of objects."""
    if not all(kind.strip("O->") == "" for kind in ufunc.types):
        return None
    return (
        "the Python function itself with fgrad.vmap(f)(x), or with fgrad.numpy.vectorize(f)(x); "
        "what np.frompyfunc makes gives arrays of objects"
    )
