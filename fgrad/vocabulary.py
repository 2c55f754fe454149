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
    np.argpartition: "argpartition",
}  # fmt: skip

#: `np.add.reduce` and its like -> the function that does the same.
REDUCTIONS: dict[Any, Any] = {
    np.add: np.sum, np.multiply: np.prod, np.maximum: np.max, np.minimum: np.min,
    np.logical_and: np.all, np.logical_or: np.any,
}  # fmt: skip
ACCUMULATIONS: dict[Any, Any] = {np.add: np.cumsum, np.multiply: np.cumprod}

#: What to type instead of functions that write into their arguments or lose the trace.
INSTEAD: dict[Any, Any] = {
    np.copyto: "fgrad.numpy.full(shape, x), or fgrad.at(a)[i].set(x) for a changed copy",
    np.put: "fgrad.at(a)[i].set(x)",
    np.putmask: "np.where(mask, values, x)",
    np.place: "np.where(mask, values, x)",
    np.fill_diagonal: "fgrad.at(a)[i, i].set(x)",
    np.save: "return the value from the function and save it outside",
}


#: Methods of arrays that write into the array -> what to type instead.
WRITING_METHODS = {
    "sort": "np.sort(x)", "partition": "np.partition(x, kth)", "fill": "np.full_like(x, v)",
    "put": "x.at[i].set(v)", "itemset": "x.at[i].set(v)", "resize": "np.resize(x, shape)",
    "setfield": "x.at[i].set(v)", "setflags": "np.copy(x)", "byteswap": "np.copy(x)",
}  # fmt: skip
