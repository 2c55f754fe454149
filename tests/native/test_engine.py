"""From text to machine code: what compiles, what is refused, how long code lives."""

from __future__ import annotations

import ctypes
import gc
import threading
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fgrad.compiler.native import engine
from fgrad.compiler.native.engine import NativeRefused, compile_module
from tests.native.kernels import call, loop

pytestmark = pytest.mark.skipif(engine.available() is not None, reason="needs llvmlite")

PRODUCT = "define double @product(double %x, double %y) { %z = fmul double %x, %y ret double %z }"


def of_doubles(code: engine.Compiled, name: str, count: int) -> Any:
    """A function of doubles that returns one."""
    return ctypes.CFUNCTYPE(ctypes.c_double, *[ctypes.c_double] * count)(code.address(name))


@pytest.mark.parametrize("level", [0, 1, 2, 3])
def test_compiles_and_runs(level: int) -> None:
    code = compile_module(PRODUCT, level=level)
    assert of_doubles(code, "product", 2)(3.0, 0.5) == 1.5
    assert code.seconds > 0
    assert not code.cached
    assert code.calls == ()


def test_only_functions_for_the_outside_have_addresses() -> None:
    text = PRODUCT.replace("define", "define internal")
    code = compile_module(
        f"{text}\ndefine double @square(double %x) {{ %y = call double @product(double %x, "
        "double %x) ret double %y }"
    )
    assert list(code.addresses) == ["square"]
    assert of_doubles(code, "square", 1)(3.0) == 9.0


def test_names_of_different_programs_do_not_meet() -> None:
    first = compile_module(PRODUCT)
    second = compile_module(PRODUCT.replace("fmul", "fadd"))
    assert of_doubles(first, "product", 2)(3.0, 4.0) == 12.0
    assert of_doubles(second, "product", 2)(3.0, 4.0) == 7.0


def test_arithmetic_keeps_its_meaning() -> None:
    """No sum is regrouped, NaN and infinities are heeded, subnormal numbers stay."""
    code = compile_module(
        "define double @lost(double %x) { %y = fadd double %x, 1.0e16 "
        "%z = fsub double %y, 1.0e16 ret double %z }\n"
        "define double @zero(double %x) { %y = fmul double %x, 0.0 ret double %y }\n"
        "define double @half(double %x) { %y = fmul double %x, 0.5 ret double %y }\n"
    )
    assert of_doubles(code, "lost", 1)(1.0) == 0.0
    assert np.isnan(of_doubles(code, "zero", 1)(np.inf))
    assert np.copysign(1.0, of_doubles(code, "zero", 1)(-2.0)) == -1.0
    assert of_doubles(code, "half", 1)(1e-323) == 5e-324
    assert np.float64(5e-324) * 1.0 > 0  # nor has the processor been set otherwise


def test_fills_and_copies_are_found() -> None:
    """LLVM makes calls of C's functions of plain loops."""
    text = """
define void @fill(ptr %x) {
  br label %body
body:
  %i = phi i64 [ 0, %0 ], [ %next, %body ]
  %p = getelementptr double, ptr %x, i64 %i
  store double 0.0, ptr %p
  %next = add nuw nsw i64 %i, 1
  %more = icmp ult i64 %next, 1000
  br i1 %more, label %body, label %end
end:
  ret void
}"""
    x = np.ones(1001)
    code = compile_module(text)
    ctypes.CFUNCTYPE(None, ctypes.c_void_p)(code.address("fill"))(x.ctypes.data)
    assert x.sum() == 1.0


def test_code_is_freed_with_its_object() -> None:
    code = compile_module(PRODUCT)
    seen = weakref.ref(code)
    del code
    gc.collect()
    assert seen() is None


def test_threads() -> None:
    """Programs that want the same functions may be compiled at once."""
    x = np.linspace(0.1, 2.0, 37)
    texts = [loop(name, "f64", 1) for name in ("log10", "hypot", "cbrt", "log10")]
    results: list[engine.Compiled] = []
    threads = [
        threading.Thread(target=lambda t=text: results.append(compile_module(t)))
        for text in texts * 3
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == len(threads)
    np.testing.assert_allclose(call("log10", x), np.log10(x), rtol=1e-15)


def test_too_large() -> None:
    message = "too large: compiling it would take about 25 s"
    with pytest.raises(NativeRefused, match=message):
        compile_module(PRODUCT + " " * 25_000_000)
    with pytest.raises(NativeRefused, match=message):
        compile_module(PRODUCT + "; br i1\n" * 5_000)


def test_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "LONGEST", 1e-3)
    with pytest.raises(NativeRefused, match="compiling takes more than 0 s"):
        compile_module(PRODUCT, level=3)


@pytest.mark.parametrize(
    "text", ["spam", "define void @f() { ret double 1.0 }", "define i32 @f() { ret i32 %x }"]
)
def test_wrong_text(text: str) -> None:
    with (
        pytest.warns(RuntimeWarning, match=r"text that LLVM can't read(.|\n)*please report it"),
        pytest.raises(NativeRefused, match="LLVM can't read the program"),
    ):
        compile_module(text)


def test_unknown_function() -> None:
    with pytest.raises(NativeRefused, match="not found: fgrad_spam_f64"):
        compile_module(
            "declare double @fgrad_spam_f64(double)\ndefine double @f(double %x) { %y = "
            "call double @fgrad_spam_f64(double %x) ret double %y }"
        )


def test_without_llvmlite(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> None:
        raise ImportError

    monkeypatch.setattr(engine, "_binding", missing)
    assert engine.available() == "llvmlite isn't installed"
    with pytest.raises(NativeRefused, match="llvmlite isn't installed"):
        compile_module(PRODUCT)


def test_unlinkable() -> None:
    """What a program calls by names of C must be there."""
    with pytest.raises(NativeRefused, match="LLVM can't link the program"):
        compile_module("declare void @spam_of_nobody()\ndefine void @f() { call void "
                       "@spam_of_nobody() ret void }")  # fmt: skip


def test_where_no_memory_may_hold_code(monkeypatch: pytest.MonkeyPatch) -> None:
    def refusing() -> None:
        raise RuntimeError("no memory")

    monkeypatch.setattr(engine, "_machine", refusing)
    assert engine.available() == "LLVM makes no code in this process: no memory"


class Llvm:
    """What is asked of LLVM about itself and the processor."""

    llvm_version_info = (20, 1, 0)
    triple = "x86_64-unknown-linux-gnu"

    def get_process_triple(self) -> str:
        return self.triple


@pytest.mark.parametrize(
    ("version", "triple", "features", "reason"),
    [
        ((15, 0, 7), "x86_64-apple-darwin", "+fma", r"too old: it has LLVM 15\.0\.7, 20 is wanted"),
        ((20, 1, 0), "x86_64-pc-windows-msvc", "+sse2,-fma", "no fused multiply-add"),
        ((20, 1, 0), "riscv64-unknown-linux-gnu", "", "no code is made for riscv64"),
        ((20, 1, 0), "arm64-apple-darwin", "", None),
        ((22, 1, 0), "x86_64-unknown-linux-gnu", "+avx,+fma", None),
    ],
)
def test_unfit(
    monkeypatch: pytest.MonkeyPatch,
    version: tuple[int, ...],
    triple: str,
    features: str,
    reason: str | None,
) -> None:
    llvm: Any = Llvm()
    llvm.llvm_version_info, llvm.triple = version, triple
    monkeypatch.setattr(engine, "_binding", lambda: llvm)
    monkeypatch.setattr(engine, "processor", lambda: ("some", features))
    found = engine._unfit.__wrapped__()
    assert found is None if reason is None else __import__("re").search(reason, found)


def test_kept_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second process, here a second machine, finds the code of the first."""
    tmp_path.chmod(0o700)
    monkeypatch.setenv("FGRAD_NATIVE_CACHE", str(tmp_path))
    text = loop("sin", "f32", 1)
    first, second = (engine.Machine().load(text, 2) for _ in range(2))
    assert (first.cached, second.cached) == (False, True)
    assert first.calls == second.calls != ()
    third = engine.Machine().load(text, 1)  # another level is another program
    assert not third.cached
    assert list(first.addresses) == list(second.addresses) == ["loop"]
    x, y = np.linspace(0, 9, 33, dtype="f4"), np.empty(33, "f4")
    prototype = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)
    prototype(second.address("loop"))(x.ctypes.data, y.ctypes.data, 33)
    np.testing.assert_array_equal(y, call("sin", x, kind="f32"))
