"""Cases for `make_coverage.py` of what has no row of its own in the tests' table."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.linalg
import scipy.special

import fgrad
import fgrad.numpy as fnp
from fgrad import hessian, jacfwd, jacrev, make_graph, vmap
from fgrad.scipy import special
from fgrad.scipy.integrate import odeint
from fgrad.scipy.optimize import minimize
from tests.examples.row import I, P, R, Row, constant, linear, multilinear, row

A = np.array([[0.5, 1.5, -1.0], [2.0, -0.5, 1.0]])


def iadd(x: Any) -> Any:
    """``x += 2``, which makes a new array where x is traced."""
    x = x * 1
    x += 2.0
    return x


#: Name -> a case that obeys the laws.
CASES: dict[str, Row] = (
    {
        "numpy.array": linear(np.array, [(3,), (3,)], lambda x, y: fnp.array([x, y, A[0]])),
        "numpy.asarray": linear(np.asarray, [(3,), (3,)], lambda x, y: fnp.asarray([x, y])),
        "numpy.asanyarray": linear(
            np.asanyarray, [(3,), (3,)], lambda x, y: fnp.asanyarray([x, y])
        ),
        "numpy.ascontiguousarray": linear(
            np.ascontiguousarray, [(3,), (3,)], lambda x, y: fnp.ascontiguousarray([x, y])
        ),
        "numpy.c_": linear(np.stack, [(3,), (3,)], lambda x, y: fnp.c_[x, y]),
        "numpy.r_": linear(np.concatenate, [(3,), (3,)], lambda x, y: fnp.r_[x, y]),
        "numpy.fromfunction": linear(
            np.fromfunction, [(2, 3)], lambda x: np.fromfunction(lambda i, j: i * x + j * x, (2, 3))
        ),
        "scipy.special.bessel_jn": row(  # JAX's name
            special.bessel_jn, [P(3)], lambda z: special.bessel_jn(z, v=2), bits=False
        ),
        "numpy.vectorize": row(np.vectorize, [(3,)], lambda x: fnp.vectorize(lambda v: v * v)(x)),
    }
    | {
        f"numpy.ndarray.{name}": case
        for name, case in {
            "T": linear(np.transpose, [(2, 3)], lambda x: x.T),
            "__abs__": row(np.absolute, [P(2, 3)], abs),
            "__add__": linear(np.add, [(2, 3), (3,)], operator.add),
            "__divmod__": row(np.divmod, [P(3), R(3, low=3, high=4)], divmod),
            "__getitem__": linear(np.take, [(3, 4)], lambda x: x[1:, [0, 2]]),
            "__iadd__": row(np.add, [(2, 3)], iadd, complex=True),
            "__iter__": linear(np.stack, [(2, 3)], lambda x: np.stack([y * 2 for y in x])),
            "__matmul__": multilinear(np.matmul, [(2, 3), (3, 2)], operator.matmul, bits=False),
            "__mod__": row(np.remainder, [P(3), R(3, low=3, high=4)], operator.mod),
            "__mul__": multilinear(np.multiply, [(2, 3), (3,)], operator.mul),
            "__neg__": linear(np.negative, [(2, 3)], operator.neg),
            "__pos__": linear(np.positive, [(2, 3)], operator.pos),
            "__pow__": row(np.power, [P(2, 3), (3,)], operator.pow),
            "__rmatmul__": linear(np.matmul, [(3, 2)], lambda x: A @ x, bits=False),
            "__sub__": linear(np.subtract, [(2, 3), (3,)], operator.sub),
            "__truediv__": row(np.true_divide, [(2, 3), P(3)], operator.truediv),
            "__and__": constant(np.bitwise_and, [I(3), I(3)], operator.and_),
            "__or__": constant(np.bitwise_or, [I(3), I(3)], operator.or_),
            "__invert__": constant(np.invert, [I(3)], operator.invert),
            "__eq__": constant(np.equal, [(3,), (3,)], operator.eq),
            "__ge__": constant(np.greater_equal, [(3,), (3,)], operator.ge),
            "__lt__": constant(np.less, [(3,), (3,)], operator.lt),
            "__floordiv__": constant(np.floor_divide, [P(3), P(3)], operator.floordiv),
            "at": linear(fgrad.at, [(3,), (2,)], lambda x, y: fgrad.at(x)[[0, 2]].set(y)),
            "flat": linear(np.ravel, [(2, 3)], lambda x: x.flat[1:4]),
            "ufunc.reduce": linear(np.sum, [(2, 3)], lambda x: np.add.reduce(x, axis=1)),
            "ufunc.accumulate": linear(np.cumsum, [(2, 3)], lambda x: np.add.accumulate(x, axis=1)),
            "ufunc.outer": multilinear(np.multiply, [(2,), (3,)], np.multiply.outer),
        }.items()
    }
)

if hasattr(np, "row_stack"):  # until NumPy 2.4
    CASES["numpy.row_stack"] = linear(np.vstack, [(3,), (3,)], lambda x, y: np.row_stack([x, y]))

#: Name -> a case of a function whose result has a shape that depends on values: eager alone.
EAGER: dict[str, Row] = {
    "numpy.unique": row(np.unique, [(5,)]),
    "numpy.union1d": row(np.union1d, [(3,), (2,)]),
    "numpy.intersect1d": row(np.intersect1d, [(3,)], lambda x: np.intersect1d(x, x[1:])),
    "numpy.setdiff1d": row(np.setdiff1d, [(3,)], lambda x: np.setdiff1d(x, x[:1] + 0)),
    "numpy.trim_zeros": linear(np.trim_zeros, [(3,)], lambda x: np.trim_zeros(np.pad(x, 1))),
}


def _solution(f: Callable[..., Any], x: Any) -> None:
    """The laws, as far as a solver's tolerance allows."""
    h, eye = 1e-4, np.eye(x.size)
    central = np.stack([(f(x + h * e) - f(x - h * e)) / (2 * h) for e in eye], axis=-1)
    for jac in (jacfwd, jacrev):
        np.testing.assert_allclose(jac(f)(x), central, atol=1e-4)
    slope = jacfwd(lambda x: np.sum(f(x)))
    second = np.stack([(slope(x + h * e) - slope(x - h * e)) / (2 * h) for e in eye], axis=-1)
    np.testing.assert_allclose(hessian(lambda x: np.sum(f(x)))(x), second, atol=1e-3)
    many = np.stack([x, 1.1 * x])
    np.testing.assert_allclose(vmap(f)(many), [f(y) for y in many], atol=1e-5)
    np.testing.assert_allclose(make_graph(f)(x)(1.1 * x), f(1.1 * x), atol=1e-5)


#: Name -> a check of its own.
CHECKS: dict[str, Callable[[], None]] = {
    "scipy.integrate.odeint": lambda: _solution(
        lambda p: odeint(
            lambda y, t, p: -p * y, p[::-1] + 1.0, np.array([0.0, 1.0]), (p,), rtol=1e-9, atol=1e-9
        )[-1],
        np.array([0.5, 1.5]),
    ),
    "scipy.optimize.minimize": lambda: _solution(
        lambda p: (
            minimize(
                lambda x, p: np.sum(np.cosh(x - p)) + 0.1 * np.sum(x) ** 2,
                np.zeros(2),
                (p,),
                tol=1e-10,
            ).x
        ),
        np.array([0.5, 1.5]),
    ),
}

#: Name -> a call whose answer doesn't depend on the values as a derivative could tell.
FACTS: dict[str, Callable[[Any], Any]] = {
    "numpy.array_equal": lambda x: np.array_equal(x, x),
    "numpy.array_equiv": lambda x: np.array_equiv(x, x[:1]),
    "numpy.argwhere": lambda x: np.argwhere(x > 1),
    "numpy.nonzero": lambda x: np.nonzero(x > 1),
    "numpy.flatnonzero": lambda x: np.flatnonzero(x > 1),
    "numpy.can_cast": lambda x: np.can_cast(x, np.float32),
    "numpy.result_type": lambda x: np.result_type(x, np.float32),
    "numpy.iscomplexobj": lambda x: np.iscomplexobj(x),
    "numpy.isrealobj": lambda x: np.isrealobj(x),
    "numpy.isscalar": lambda x: np.isscalar(x),
    "numpy.ndim": lambda x: np.ndim(x),
    "numpy.shape": lambda x: np.shape(x),
    "numpy.size": lambda x: np.size(x, 1),
    "numpy.diag_indices": lambda x: np.diag_indices(len(x)),
    "numpy.diag_indices_from": lambda x: np.diag_indices_from(x[:, :2]),
    "numpy.tri": lambda x: np.tri(*x.shape),
    "numpy.tril_indices": lambda x: np.tril_indices(len(x)),
    "numpy.triu_indices": lambda x: np.triu_indices(len(x)),
    "numpy.tril_indices_from": lambda x: np.tril_indices_from(x),
    "numpy.triu_indices_from": lambda x: np.triu_indices_from(x),
    "numpy.unravel_index": lambda x: np.unravel_index(4, x.shape),
    "numpy.fft.fftfreq": lambda x: np.fft.fftfreq(x.size),
    "numpy.fft.rfftfreq": lambda x: np.fft.rfftfreq(x.size),
    "scipy.linalg.dft": lambda x: scipy.linalg.dft(len(x)),
    "scipy.linalg.hadamard": lambda x: scipy.linalg.hadamard(len(x)),
    "scipy.linalg.helmert": lambda x: scipy.linalg.helmert(len(x)),
    "scipy.linalg.hilbert": lambda x: scipy.linalg.hilbert(len(x)),
    "scipy.special.bernoulli": lambda x: scipy.special.bernoulli(len(x)),
    "numpy.ndarray.__array_function__": lambda x: hasattr(x, "__array_function__"),
    "numpy.ndarray.__array_ufunc__": lambda x: hasattr(x, "__array_ufunc__"),
    "numpy.ndarray.__bool__": lambda x: bool(x[0, 0] > 1),
    "numpy.ndarray.__contains__": lambda x: 1.5 in x,
    "numpy.ndarray.__len__": lambda x: len(x),
    "numpy.ndarray.dtype": lambda x: x.dtype,
    "numpy.ndarray.itemsize": lambda x: x.itemsize,
    "numpy.ndarray.nbytes": lambda x: x.nbytes,
    "numpy.ndarray.ndim": lambda x: x.ndim,
    "numpy.ndarray.shape": lambda x: x.shape,
    "numpy.ndarray.size": lambda x: x.size,
    "numpy.ndarray.nonzero": lambda x: (x > 1).nonzero(),
}


def _set(x: Any) -> None:
    x[0] = 1.0


#: Name -> a call that raises, with the reason in its message.
RAISES: dict[str, Callable[[Any], Any]] = {
    "numpy.fill_diagonal": lambda x: np.fill_diagonal(x, 1.0),
    "numpy.place": lambda x: np.place(x, [True], [1.0]),
    "numpy.put": lambda x: np.put(x, [0], [1.0]),
    "numpy.put_along_axis": lambda x: np.put_along_axis(x, np.array([[0]]), 1.0, 1),
    "numpy.ndarray.__array__": lambda x: np.asarray(x),
    "numpy.ndarray.__float__": lambda x: float(x[0, 0]),
    "numpy.ndarray.__index__": lambda x: [1, 2, 3][x[0, 0]],
    "numpy.ndarray.__setitem__": _set,
    "numpy.ndarray.fill": lambda x: x.fill(1.0),
    "numpy.ndarray.item": lambda x: x.item(0),
    "numpy.ndarray.partition": lambda x: x.partition(1),
    "numpy.ndarray.resize": lambda x: x.resize(6),
    "numpy.ndarray.sort": lambda x: x.sort(),
    "numpy.ndarray.tolist": lambda x: x.tolist(),
    "numpy.ndarray.ufunc.at": lambda x: np.add.at(x, [0], 1.0),
    "numpy.frompyfunc": lambda x: np.frompyfunc(lambda v: 2 * v, 1, 1)(x),
    "numpy.ndarray.ufunc.where=": lambda x: np.sin(x, where=x > 1),
    "numpy.ndarray.ufunc.out=": lambda x: np.sin(x, out=np.empty((2, 3))),
}
