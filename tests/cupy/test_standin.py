"""The stand-in is what CuPy says of itself: its signatures, its answers to probes, its dtypes."""

from __future__ import annotations

import inspect
import warnings

import numpy as np
import pytest

from .array import LIBRARY, ndarray
from .contract import CONTRACT, signature
from .library import MODULES, installed
from .traffic import counted

NAMES = [(home, name) for home, names in CONTRACT["functions"].items() for name in names]

#: Probes whose outcome here differs, and why.
DIFFER = {
    "d.nonzero": "a method written in Python, not in C",
    "np.add.reduceat(d,i)": "an index beyond the end, which the device doesn't notice",
    "np.broadcast_to(d,(4,2,3)).__setitem__(0,1.)": "stricter: it writes elements several times",
}


#: What NumPy, whose functions the stand-in computes with, has from 2.1 and 2.2 on.
YOUNG = ("cumulative_prod", "cumulative_sum", "count_nonzero", "matvec", "copy=True", "unstack")
OLD_NUMPY = np.lib.NumpyVersion(np.__version__) < "2.2.0"


def skip_the_young(text):
    if OLD_NUMPY and any(word in text for word in YOUNG):
        pytest.skip("a newer NumPy's")


@pytest.mark.parametrize(("home", "name"), NAMES, ids=lambda x: str(x))
def test_functions_have_cupys_signatures(home, name):
    skip_the_young(name)
    fn = getattr(MODULES[home], name)
    if name != "size":
        with pytest.raises(TypeError):
            fn(no_such_keyword=1)
    want = signature(CONTRACT["functions"][home][name])
    assert str(inspect.signature(fn)) == str(want)


@pytest.mark.parametrize("home", list(CONTRACT["missing"]))
def test_what_cupy_lacks_is_missing(home):
    there = [n for n in CONTRACT["missing"][home] if hasattr(MODULES[home], n)]
    assert there == []


def test_ufuncs_have_cupys_methods():
    for name, (module, nin, nout, methods) in CONTRACT["ufuncs"].items():
        u = getattr(MODULES[module], name)
        assert (u.nin, u.nout, u.methods) == (nin, nout, methods), name


def test_arrays_have_cupys_methods_and_lack_what_it_lacks():
    assert [n for n in CONTRACT["missing of arrays"] if hasattr(ndarray, n)] == []
    public = {n for n in vars(ndarray) if not n.startswith("_")}
    assert public - set(CONTRACT["methods"]) - set(CONTRACT["properties"]) == set()


def outcome(expression):
    """What an expression does, in the words of the contract."""
    a = np.arange(6.0).reshape(2, 3)
    names = {
        "np": np, "cupy": LIBRARY, "a": a, "d": LIBRARY.asarray(a),
        "f": LIBRARY.asarray(a.astype("f4")), "i": LIBRARY.arange(3),
        "b": LIBRARY.asarray(np.array([True, False, True])),
    }  # fmt: skip
    with warnings.catch_warnings(), counted() as traffic:
        warnings.simplefilter("ignore")
        try:
            x = eval(expression, names)
        except Exception as e:
            return {"error": type(e).__name__}
    out = {"type": type(x).__name__}
    if isinstance(x, ndarray):
        out |= {"shape": list(x.shape), "dtype": str(x.dtype)}
    counts = {"sync": traffic.syncs, "d2h": traffic.to_host, "h2d": traffic.to_device}
    out |= counts
    return {k: v for k, v in out.items() if v}


@pytest.mark.parametrize("expression", CONTRACT["probes"])
def test_probes_answer_as_with_cupy(expression):
    skip_the_young(expression)
    want = CONTRACT["probes"][expression]
    with installed():
        got = outcome(expression)
    if got.get("shape") != want.get("shape") and want.get("sync"):  # chosen by values, not there
        got["shape"] = want["shape"]
    assert (got == want) != (expression in DIFFER)


# ------------------------------------------------------------------ dtypes
CODES = "?bBhHiIlLefdFD"
NUMBERS = {
    "1": 1, "1.0": 1.0, "1j": 1j, "True": True, "np.float64": np.float64(1),
    "np.float32": np.float32(1), "np.int64": np.int64(1), "np.int8": np.int8(1),
}  # fmt: skip
REDUCTIONS = [
    "sum",
    "prod",
    "max",
    "min",
    "mean",
    "var",
    "std",
    "any",
    "all",
    "argmax",
    "cumsum",
    "cumprod",
    "ptp",
    "nansum",
    "nanmean",
]
#: The elementwise functions that were compared.
COMPARED = [
    name
    for name in sorted(dir(np))
    if isinstance(getattr(np, name), np.ufunc)
    and getattr(np, name).__name__ == name
    and name in CONTRACT["ufuncs"]
    and CONTRACT["ufuncs"][name][0] == "cupy"
]


def dtypes(fn, *operands):
    """The dtypes of what a function returns, or the name of its error."""
    try:
        out = fn(*operands)
    except Exception as e:
        return f"ERR {type(e).__name__}"
    return [str(y.dtype) for y in (out if isinstance(out, tuple) else (out,))]


def cases(name):
    """What a function is called with: codes of arrays, and numbers."""
    fn = getattr(np, name)
    if name in REDUCTIONS or getattr(fn, "nin", 0) == 1:
        return [(c,) for c in CODES]
    if name == "where":
        return [("?", c, k) for c in CODES for k in NUMBERS]
    second = [*CODES, *(NUMBERS if isinstance(fn, np.ufunc) and name != "matmul" else ())]
    return [(c, e) for c in CODES for e in second]


@pytest.mark.parametrize("name", [*COMPARED, *REDUCTIONS, "where", "matmul", "concatenate"])
@pytest.mark.filterwarnings("ignore")
def test_dtypes_are_cupys(name):
    fn = getattr(np, name)
    fn = (lambda x, y: np.concatenate([x, y])) if name == "concatenate" else fn
    differ = {k: cupy for k, _, cupy in CONTRACT["dtypes"].get(name, [])}
    host = {c: np.ones(2, c) for c in CODES} | NUMBERS
    device = {c: LIBRARY.ones(2, c) for c in CODES} | NUMBERS
    wrong = {}
    with installed():
        for case in cases(name):
            got = dtypes(fn, *(device[c] for c in case))
            want = differ.get(",".join(case)) or dtypes(fn, *(host[c] for c in case))
            if got != want:
                wrong[case] = got, want
    assert wrong == {}


# ------------------------------------------------------------------ where it is stricter
def test_empty_arrays_hold_nothing_of_use():
    assert np.isnan(LIBRARY.empty(3)._a).all()
    assert np.isnan(LIBRARY.empty_like(LIBRARY.ones(3))._a).all()


def test_any_of_several_values_may_win():
    i, seen = LIBRARY.zeros(8, int), set()
    for _ in range(40):
        x = LIBRARY.zeros(1)
        x[i] = LIBRARY.arange(8.0)
        seen.add(x._a[0])
    assert len(seen) > 1


def test_sums_have_no_order():
    v = LIBRARY.asarray(np.array([1e16, 1.0, -1e16, 1.0, 1.0, 1.0]))
    seen = set()
    for _ in range(40):
        x = LIBRARY.zeros(1)
        LIBRARY.add.at(x, LIBRARY.zeros(6, int), v)
        seen.add(x._a[0])
    assert len(seen) > 1


def test_indices_wrap_and_singular_matrices_give_nan():
    x = LIBRARY.arange(3.0)
    assert x[LIBRARY.asarray(np.array([4]))].item() == 1.0
    assert np.isnan(LIBRARY.linalg.solve(LIBRARY.ones((2, 2)), LIBRARY.ones(2))._a).all()
    assert np.isnan(LIBRARY.linalg.cholesky(-LIBRARY.eye(2))._a).all()
