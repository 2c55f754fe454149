"""Our own exp, sin and so on: their accuracy, their values at the edges, and all widths alike."""

from __future__ import annotations

import contextlib
import io
import itertools
import subprocess
import sys
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import pytest
from llvmlite import binding
from mpmath import mpf

import fgrad
from fgrad.compiler.native import engine, llvm, vectors
from fgrad.compiler.native.vectors import tables
from fgrad.compiler.native.vectors.functions import FORMULAS
from fgrad.scipy import special
from tests.native import fit_tables
from tests.native.kernels import DTYPES, call, compiled, numpys, ulps

pytestmark = pytest.mark.skipif(engine.available() is not None, reason="needs llvmlite")

ALL = [(name, kind) for name in vectors.ARITY for kind in DTYPES]
#: The greatest error in units of the last place, for these and for the others; on a hundred times
#: as many numbers none goes beyond 0.9, and 2.0.
CLOSE, BOUND = 1.0, 2.0
CLOSEST = {
    "f64": {"exp", "exp2", "expm1", "log", "log1p", "log2", "log10", "sin", "cos", "arctan",
            "cbrt", "power", "hypot"},
    "f32": {"exp", "exp2", "log", "log1p"},
}  # fmt: skip
EXACT = {
    "exp2": lambda x: mpmath.power(2, x), "expit": lambda x: 1 / (1 + mpmath.exp(-x)),
    "log2": lambda x: mpmath.log(x) / mpmath.log(2), "power": mpmath.power,
    "arcsinh": mpmath.asinh, "arccosh": mpmath.acosh, "arctanh": mpmath.atanh,
    "arcsin": mpmath.asin, "arccos": mpmath.acos, "arctan": mpmath.atan, "arctan2": mpmath.atan2,
    "cbrt": lambda x: mpmath.sign(x) * mpmath.cbrt(abs(x)),
}  # fmt: skip
#: Where each function varies; outside of that the edges are looked at.
RANGES: dict[str, tuple[float, float]] = {
    "exp": (-745, 709), "expm1": (-60, 709), "exp2": (-1074, 1023), "sinh": (-710, 710),
    "cosh": (-710, 710), "tanh": (-20, 20), "erf": (-6, 6), "expit": (-744, 60),
}  # fmt: skip
BELOW_ONE = {"arcsin", "arccos", "arctanh"}
POSITIVE = {"log", "log2", "log10", "power"}


def numbers(name: str, rng: Any, n: int) -> Any:
    """Numbers of all sizes from where a function varies: half of them between -4 and 4."""
    sizes = 2.0 ** rng.uniform(-1070, 1020, n) * rng.choice([-1, 1], n)
    near = np.concatenate([rng.uniform(-4, 4, n), rng.uniform(-1, 1, n)])
    close = 1 + 2.0 ** rng.uniform(-50, -2, n) * rng.choice([-1, 1], n)
    low, high = RANGES.get(name, (-1e4, 1e4))
    x = np.concatenate([sizes, near, close, rng.uniform(low, high, n)])
    quarters = rng.integers(1, 2**30, n) * (np.pi / 2)
    x = np.concatenate([x, quarters]) if name in ("sin", "cos", "tan") else x
    x = np.abs(x) if name in POSITIVE else x
    x = 1 + np.abs(x) if name == "arccosh" else x
    x = x[x > -1] if name == "log1p" else x
    return x[np.abs(x) < 1] if name in BELOW_ONE else x


def exact(name: str, *x: float) -> Any:
    """The value to 40 digits or more."""
    return EXACT.get(name, getattr(mpmath, name, None))(*map(mpf, x))


def error(found: float, wanted: Any, kind: str) -> float:
    """The error in units of the last place that a number of this size has."""
    bits, least, most = {"f64": (53, -1022, 1024), "f32": (24, -126, 128)}[kind]
    if not np.isfinite(found):  # right if the exact value rounds to infinity
        return 0.0 if abs(wanted) >= mpf(2) ** most * (1 - mpf(2) ** -(bits + 1)) else np.inf
    if wanted == 0:
        return 0.0 if found == 0 else np.inf
    exponent = max(int(mpmath.frexp(wanted)[1]) - 1, least)
    return float(abs(mpf(float(found)) - wanted) / mpf(2) ** (exponent - bits + 1))


@pytest.mark.parametrize(("name", "kind"), ALL)
def test_accuracy(name: str, kind: str) -> None:
    rng = np.random.default_rng(len(name) + ord(name[-1]))
    with np.errstate(over="ignore"):
        x = numbers(name, rng, 25).astype(DTYPES[kind])
    x = x[np.isfinite(x) & (x != 0)]
    xs = [x]
    if name == "power":  # exponents that reach the largest and the smallest results
        with np.errstate(all="ignore"):
            xs = [x, rng.uniform(-745, 709, x.size) / np.log(x.astype("f8"))]
        xs = [v[np.isfinite(xs[1])].astype(DTYPES[kind]) for v in xs]
    elif vectors.ARITY[name] == 2:
        xs = [x, rng.permutation(x)]
    y = call(name, *xs, kind=kind)
    bound = CLOSE if name in CLOSEST[kind] else BOUND
    if FORMULAS[name, kind].__name__ == "by_way_of_double":
        bound = 0.501
    with mpmath.workprec(160):
        for found, *given in zip(y, *xs, strict=True):
            wanted = exact(name, *map(float, given))
            assert error(found, wanted, kind) <= bound, (given, found)


def edges(kind: str) -> Any:
    """Numbers at which formulas break: limits of the format, and where functions change course."""
    info = np.finfo(DTYPES[kind])
    sizes = [
        0.0, np.inf, np.nan, float(info.tiny), float(info.smallest_subnormal), float(info.max),
        float(info.max) / 2, 1.0, 1 + info.eps, 1 - info.epsneg, 0.5, 2.0, 3.0, 1 / 3, 1e-20, 1e22,
        1e-30, np.pi / 4, np.pi / 2, np.pi, 0.625, 0.875, 6.0, 8.0, 10.0, 20.0, 22.0, 40.0, 100.0,
        1000.0, 2.0**23 + 1, 2.0**24, 2.0**30, 2.0**30 - 64,
        88.72, 88.73, 89.4, 89.42, 87.33, 103.97, 103.98, 128.0, 149.0, 150.0,
        709.78, 709.79, 710.47, 710.48, 708.4, 745.13, 745.14, 1024.0, 1074.0, 1075.0,
    ]  # fmt: skip
    if kind == "f64":
        sizes += [1e308, 1e-310, 2.0**52 + 0.5, 2.0**53, 1e15 + 0.5, 1e-300]
    return np.array([s * x for x in sizes for s in (1, -1)], DTYPES[kind])


@pytest.mark.parametrize(("name", "kind"), ALL)
def test_edges_as_numpy(name: str, kind: str) -> None:
    """NaN, infinities, signed zeros, subnormal numbers, overflow: equal to NumPy or SciPy."""
    xs = [edges(kind)]
    if vectors.ARITY[name] == 2:
        xs = [np.array(x) for x in zip(*itertools.product(xs[0], xs[0]), strict=True)]
    with np.errstate(all="ignore"):
        wanted = numpys(name)(*xs)
    found = call(name, *xs, kind=kind)
    apart = ulps(found, wanted)
    if name == "expit":  # SciPy's overflows early on the way to 0, where ours are subnormal
        apart[(wanted == 0) & (found < np.finfo(DTYPES[kind]).tiny)] = 0
    signs = (np.signbit(found) == np.signbit(wanted)) | np.isnan(wanted)
    wrong = (apart > 4) | ~signs
    assert not wrong.any(), [(*(x[wrong] for x in xs), found[wrong], wanted[wrong])]


@pytest.mark.parametrize(("name", "kind"), ALL)
def test_all_widths_alike(name: str, kind: str) -> None:
    """A vector's lanes have the bits that the function of one number gives."""
    rng = np.random.default_rng(7)
    with np.errstate(over="ignore"):
        x = np.concatenate([edges(kind), numbers(name, rng, 10).astype(DTYPES[kind])])
    x = x[: x.size // 16 * 16]
    xs = [x, rng.permutation(x)][: vectors.ARITY[name]]
    singly = [call(name, *(v[i : i + 1] for v in xs), kind=kind) for i in range(x.size)]
    one = np.concatenate(singly)
    for lanes in vectors.LANES[kind]:
        many = call(name, *xs, kind=kind, lanes=lanes)
        np.testing.assert_array_equal(many, one)
        np.testing.assert_array_equal(np.signbit(many)[one == 0], np.signbit(one)[one == 0])


@pytest.mark.parametrize("kind", DTYPES)
def test_loops_call_vectors(kind: str) -> None:
    """LLVM takes the function of several numbers for a loop, and another one for its rest."""
    calls = compiled("exp", kind).calls
    assert any(f"exp_{kind}_v" in name for name in calls)
    assert set(calls) <= {vectors.symbol("exp", kind, n) for n in (1, *vectors.LANES[kind])}


@pytest.mark.parametrize("name", ["sin", "cos", "tan"])
def test_arguments_next_to_multiples_of_a_quarter_turn(name: str) -> None:
    """The hardest arguments: the number nearest to a multiple of pi/2 (Muller 2016, 11.1)."""
    x = np.array([6381956970095103 * 2.0**797, 1e22, 1e308, 2.0**1023, np.pi * 2.0**28])
    y = call(name, x)
    with mpmath.workprec(1300):
        for found, given in zip(y, x, strict=True):
            assert error(found, exact(name, given), "f64") <= BOUND


@pytest.mark.parametrize(("name", "base"), [("exp2", 2.0), ("log2", 2.0), ("log10", 10.0)])
def test_whole_powers_are_exact(name: str, base: float) -> None:
    n = np.arange(-300.0, 300.0) if base == 2 else np.arange(0.0, 22.0)
    x = n if name == "exp2" else base**n
    np.testing.assert_array_equal(call(name, x), base**n if name == "exp2" else n)


def test_odd_and_even() -> None:
    """Symmetries hold to the bit."""
    x = np.abs(numbers("sinh", np.random.default_rng(3), 50))
    for name in ("sinh", "tanh", "sin", "tan", "arctan", "arcsinh", "cbrt", "erf"):
        np.testing.assert_array_equal(call(name, -x), -call(name, x))
    for name in ("cosh", "cos"):
        np.testing.assert_array_equal(call(name, -x), call(name, x))


def test_tables_are_up_to_date() -> None:
    text = io.StringIO()
    with contextlib.redirect_stdout(text):
        fit_tables.main()
    assert Path(tables.__file__).read_text() == text.getvalue()


OTHER_PROCESSOR = """
import numpy as np
from tests.native.kernels import call, compiled
from fgrad.compiler.native.engine import processor
assert processor()[0] == "haswell"
x = np.linspace(-30, 30, 101)
for name in ("exp", "sin", "log", "tanh"):
    print(*(v.hex() for v in call(name, np.abs(x) if name == "log" else x).tolist()))
print(*compiled("exp", "f64").calls)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux about the processor")
def test_without_the_newest_instructions(monkeypatch: pytest.MonkeyPatch) -> None:
    """With vectors of 256 bits the same bits come out."""
    if not {"avx2", "fma"} <= set(Path("/proc/cpuinfo").read_text().split()):
        pytest.skip("needs a processor with AVX2")
    monkeypatch.setenv("FGRAD_NATIVE_CPU", "haswell")
    run = subprocess.run(
        [sys.executable, "-c", OTHER_PROCESSOR], capture_output=True, text=True, check=True,
        cwd=Path(__file__).parents[2],
    )  # fmt: skip
    *found, calls = run.stdout.splitlines()
    x = np.linspace(-30, 30, 101)
    for name, line in zip(("exp", "sin", "log", "tanh"), found, strict=True):
        here = call(name, np.abs(x) if name == "log" else x)
        assert [v.hex() for v in here.tolist()] == line.split()
    assert "fgrad_exp_f64_v4" in calls
    assert "fgrad_exp_f64_v8" not in calls


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_functions_that_are_merged_with_a_loop_have_the_same_bits(dtype, monkeypatch):
    rng = np.random.default_rng(7)
    edges = [np.nan, np.inf, -np.inf, 0.0, -0.0, 5e-324, 1e308, 1e22, -745.2, 709.8, 0.5, -1.0]
    spread = rng.normal(size=101) * 10.0 ** rng.integers(-300, 300, 101)
    with np.errstate(all="ignore"):
        x = np.concatenate([spread, edges, rng.normal(size=54)]).astype(dtype)
    found = []
    for count in (0, 1000):
        monkeypatch.setattr(llvm, "MERGED", count)
        f = fgrad.jit(every, backend="native")
        with np.errstate(all="ignore"):
            f(x)
            found.append(f(x))
        assert "machine code: none" not in f.explain()
    for name, a, b in zip(vectors.ARITY, *found, strict=True):
        np.testing.assert_array_equal(a, b, err_msg=name)


def every(x):
    """All functions, of a number or two."""
    return [(getattr(np, name, None) or getattr(special, name))(*[x, x[::-1]][:count])
            for name, count in vectors.ARITY.items()]  # fmt: skip


def test_any_functions_can_be_defined_in_one_module():
    """Sine and what reduces its large arguments too, whichever of them a process needs first."""
    symbol, reduce = vectors.symbol, vectors.REDUCE
    pairs = [symbol(name, kind, n) for name, kind in FORMULAS for n in (1, *vectors.LANES[kind])]
    for wanted in (*([x, reduce] for x in pairs), [*pairs, reduce]):
        binding.parse_assembly(vectors.library(wanted)).verify()
