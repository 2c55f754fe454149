"""Runs the rows of `transform_table.py`, and writes them as a section of the page."""

from __future__ import annotations

import ast
import collections
import contextlib
import io
import pickle
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import scipy.sparse

import fgrad.scipy
import fgrad.sparse
from fgrad import testing, tree


def printed(f: Callable[[], Any]) -> str:
    """What a function prints."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        f()
    return out.getvalue()


def run(row: Any) -> None:
    """Run a row, and see that it gives what it says."""
    names: dict[str, Any] = {k: getattr(fgrad, k) for k in dir(fgrad) if k[0] != "_"} | {
        "np": np, "a": np.array, "X": np.array([1.0, 2.0, 3.0]), "fgrad": fgrad,
        "testing": testing, "pickle": pickle, "collections": collections, "printed": printed,
        "sparse_matrix": scipy.sparse.csr_array, "__name__": "__main__",
    }  # fmt: skip
    *before, last = ast.parse(row.code).body
    assert isinstance(last, ast.Expr), row.capability

    def value() -> Any:
        exec(compile(ast.Module(before, []), row.capability, "exec"), names)
        return eval(compile(ast.Expression(last.value), row.capability, "eval"), names)

    if isinstance(row.value, type):
        error = None
        try:
            value()
        except row.value as e:
            error = e
        assert error is not None, f"{row.capability} was to raise"
        assert error.to_do
        return
    got, want = tree.flatten(value()), tree.flatten(row.value)
    for x, y in zip(got[0], want[0], strict=True):
        if isinstance(y, (str, np.dtype)):
            assert x == y, (row.capability, x)
        else:
            np.testing.assert_allclose(x, y, rtol=1e-12, err_msg=row.capability)


def section(sections: Mapping[str, Sequence[Any]]) -> str:
    """The section of the page."""
    rows = [row for rows in sections.values() for row in rows]
    count = collections.Counter(row.verdict for row in rows)
    lines = [
        "## Transformations",
        "",
        f"What users of other libraries look for. Of {len(rows)} rows {count['yes']} work. "
        f"{count['refused']} are refused by an error that says what to do, {count['no']} have no "
        f"place here, for the reason that is given, {count['not yet']} aren't there yet, and "
        f"{count['not tested']} aren't tested. Rows with code are run by the tests: the last "
        "expression gives the value, or raises the error. In the code `np` is NumPy, `a` is "
        "`np.array`, `X` is `a([1.0, 2.0, 3.0])`, and the names of fgrad stand by themselves.",
    ]
    for title, group in sections.items():
        lines += ["", f"### {title}", "", "| | fgrad | write | gives | |", "|---|---|---|---|---|"]
        lines += [f"| {row.capability} | {row.verdict} | {_code(row)} |" for row in group]
    return "\n".join(lines) + "\n"


def _code(row: Any) -> str:
    if not row.code:
        return f"| | {row.note}"
    value = row.value
    shown = value.__name__ if isinstance(value, type) else _shown(value)
    code = re.sub(r"\n\s*", " ⏎ ", row.code).replace("|", r"\|")
    return f"`{code}` | `{shown}` | {row.note}"


def _shown(value: Any) -> str:
    """A value as one would write it."""
    if isinstance(value, np.ndarray):
        return _shown(value.tolist())
    if isinstance(value, np.dtype):
        return value.name
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k!r}: {_shown(v)}" for k, v in value.items()) + "}"
    if isinstance(value, (tuple, list)):
        inner = ", ".join(map(_shown, value))
        if isinstance(value, list):
            return f"[{inner}]"
        return f"({inner})" if len(value) > 1 else f"({inner},)"
    if isinstance(value, complex):
        return f"{value:.6g}"
    return repr(round(float(value), 6)) if isinstance(value, float) else repr(value)
