"""Matrix products through SciPy's BLAS and NumPy's own loop: all layouts, and what is around c."""

from __future__ import annotations

import ctypes
import functools
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fgrad.compiler.native import blas, engine
from tests.native.kernels import DTYPES

pytestmark = pytest.mark.skipif(engine.available() is not None, reason="needs llvmlite")

ROADS = {"scipy": blas._from_scipy, "numpy": blas._from_numpy}


@functools.cache
def product(road: str, kind: str) -> Any:
    """The product as a function of addresses, sizes and flags."""
    names = ("a", "b", "c"), ("m", "n", "k", "lda", "ldb", "ldc"), ("ta", "tb", "add")
    kinds = ("ptr", "i64", "i1")
    given = ", ".join(f"{t} %{n}" for t, group in zip(kinds, names, strict=True) for n in group)
    code = engine.compile_module(
        f"{ROADS[road](kind)}\ndefine void @product({given}) {{\n"
        f"  call void @{blas.symbol(kind)}({given})\n  ret void\n}}"
    )
    types = [ctypes.c_void_p] * 3 + [ctypes.c_int64] * 6 + [ctypes.c_bool] * 3
    return code, ctypes.CFUNCTYPE(None, *types)(code.address("product"))


SIZE = st.integers(1, 9)
MORE = st.integers(0, 3)


@pytest.mark.parametrize("kind", DTYPES)
@pytest.mark.parametrize("road", ROADS)
@given(
    sizes=st.tuples(SIZE, SIZE, SIZE),
    more=st.tuples(MORE, MORE, MORE),
    flags=st.tuples(*[st.booleans()] * 3),
)
def test_products(road: str, kind: str, sizes: Any, more: Any, flags: Any) -> None:
    (m, n, k), (ta, tb, add) = sizes, flags
    rng = np.random.default_rng([*sizes, *more, *flags])
    a, b, c = (
        rng.integers(-5, 5, (rows, columns + extra)).astype(DTYPES[kind])
        for (rows, columns), extra in zip(
            ((k, m) if ta else (m, k), (n, k) if tb else (k, n), (m, n)), more, strict=True
        )
    )
    x = a[:, :m].T if ta else a[:, :k]
    y = b[:, :k].T if tb else b[:, :n]
    wanted = c.copy()  # whole numbers: exact in any order; what is beside c stays
    wanted[:, :n] = x @ y + (c[:, :n] if add else 0)
    _, call = product(road, kind)
    call(
        a.ctypes.data, b.ctypes.data, c.ctypes.data, m, n, k,
        a.shape[1], b.shape[1], c.shape[1], ta, tb, add,
    )  # fmt: skip
    np.testing.assert_array_equal(c, wanted)


@pytest.mark.parametrize("road", ROADS)
def test_nan_in_what_is_overwritten(road: str) -> None:
    """What stood in c before counts only if it is added to."""
    a, b, c = np.ones((6, 6)), np.ones((6, 6)), np.full((6, 6), np.nan)
    for m, n in ((6, 6), (1, 6), (6, 1)):
        c[:] = np.nan
        addresses = (x.ctypes.data for x in (a, b, c))
        product(road, "f64")[1](*addresses, m, n, 6, 6, 6, 6, False, False, False)
        np.testing.assert_array_equal(c[:m, :n], 6.0)


def test_which_functions_are_called() -> None:
    assert product("scipy", "f32")[0].calls == ("fgrad_blas_gemm_f32", "fgrad_blas_gemv_f32")
    assert product("numpy", "f64")[0].calls == ("fgrad_matmul_f64",)


def test_numpys_bits() -> None:
    """The products of `numpy.matmul` itself."""
    assert "fgrad_matmul_f64" in blas.definitions(["f64", "f64"])
    assert "fgrad_blas" not in blas.definitions(["f32"])
    assert blas.definitions([]) == ""
    rng = np.random.default_rng(0)
    for m, n, k in ((7, 5, 90), (1, 40, 70), (33, 1, 70), (64, 64, 64)):
        a, b, c = rng.normal(size=(m, k)), rng.normal(size=(k, n)), np.empty((m, n))
        addresses = (x.ctypes.data for x in (a, b, c))
        product("numpy", "f64")[1](*addresses, m, n, k, k, n, n, False, False, False)
        np.testing.assert_array_equal(c, a @ b)


def test_other_record_of_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    """If NumPy's record has another form, nothing is called by it: SciPy's BLAS, or none."""
    monkeypatch.setattr(blas.np, "matmul", np.add)
    assert "fgrad_blas_gemm_f64" in blas.definitions(["f64"])
    monkeypatch.setattr(blas, "_scipy", lambda: None)
    with pytest.raises(engine.NativeRefused, match="not found: fgrad_blas_gemm_f64"):
        engine.Machine().load(
            f"{blas.definitions(['f64'])}\n@x = global ptr @{blas.symbol('f64')}", 0
        )
    with pytest.raises(engine.NativeRefused, match="not found: fgrad_matmul_f64"):
        engine.Machine().load(
            f"{blas._from_numpy('f64')}\n@x = global ptr @{blas.symbol('f64')}", 0
        )
