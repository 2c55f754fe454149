"""fgrad in IPython and notebooks, and in other processes."""

from __future__ import annotations

import re
from typing import Any

import joblib
import numpy as np
import pytest

import fgrad


def loss(x: Any) -> Any:
    return np.sum(np.sin(x) ** 2)


@pytest.fixture(scope="module")
def shell() -> Any:
    interactive = pytest.importorskip("IPython.core.interactiveshell")
    out = interactive.InteractiveShell()
    out.run_cell("import numpy as np\nimport fgrad")
    return out


def completed(shell: Any, text: str) -> set[str]:
    completer = pytest.importorskip("IPython.core.completer")
    with completer.provisionalcompleter():
        return {c.text for c in shell.Completer.completions(text, len(text))}


def test_ipython_completes_public_names(shell: Any) -> None:
    assert {"value_and_grad", "value_grad_hvp"} <= completed(shell, "fgrad.val")
    assert {"grad", "jit", "scan", "debug", "random"} <= completed(shell, "fgrad.")


def test_ipython_completes_methods_of_compiled_functions(shell: Any) -> None:
    shell.run_cell("compiled = fgrad.jit(np.sin)")
    assert "explain" in completed(shell, "compiled.ex")


def test_ipython_shows_the_users_lines_alone(
    shell: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FGRAD_TRACEBACK", raising=False)
    shell.run_cell("def loss(x):\n    return np.sum(x @ np.ones(7))\nfgrad.grad(loss)(np.ones(3))")
    out = re.sub(r"\x1b\[[0-9;]*m", "", "".join(capsys.readouterr()))  # without its colours
    assert "np.sum(x @ np.ones(7))" in out
    assert "derivatives.py" not in out


def test_notebooks_draw_graphs(shell: Any) -> None:
    shell.run_cell("picture = fgrad.draw(lambda x: np.sum(np.sin(x)), np.ones(2))")
    data, _ = shell.display_formatter.format(shell.user_ns["picture"])
    assert data["image/svg+xml"].startswith("<svg")


def test_what_a_prompt_shows_is_one_line() -> None:
    for x in (fgrad.grad(loss), fgrad.jit(loss), fgrad.vjp(loss, np.ones(2))[1]):
        assert "\n" not in repr(x)


@pytest.mark.parametrize("backend", ["loky", "threading"])
@pytest.mark.parametrize("make", [fgrad.grad, fgrad.jit, lambda f: fgrad.jit(fgrad.hessian(f))])
def test_joblib_runs_transformed_functions(backend: str, make: Any) -> None:
    f = make(loss)
    xs = [np.full(3, float(k)) for k in range(4)]
    found = joblib.Parallel(n_jobs=2, backend=backend)(joblib.delayed(f)(x) for x in xs)
    for y, x in zip(found, xs, strict=True):
        np.testing.assert_allclose(y, make(loss)(x), rtol=1e-12)
