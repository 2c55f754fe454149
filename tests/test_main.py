"""``python -m fgrad`` says what is installed and whether it works."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import numpy as np

import fgrad
from fgrad import __main__ as main

ROOT = Path(__file__).resolve().parent.parent


def test_it_prints_versions_and_passes():
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-m", "fgrad"], capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": path},
    )  # fmt: skip
    assert f"numpy {np.__version__}" in done.stdout
    assert done.stdout.count("ok    ") == len(main.tests())
    assert "FAILED" not in done.stdout
    assert f"backends of jit: {', '.join(main.backends())}" in done.stdout
    assert main.backends()[0] == "numpy"
    assert len([name for name in main.tests() if "compiled" in name]) == len(main.backends())
    for package in ("rich", "llvmlite", "mpi4py", "cupy"):
        assert f"\n  {package} " in done.stdout


def test_it_says_why_there_is_no_machine_code(monkeypatch, capsys):
    monkeypatch.setattr(main, "available", lambda: "llvmlite isn't installed")
    assert main.main() == 0
    assert (
        "backends of jit: numpy (not native: llvmlite isn't installed)" in capsys.readouterr().out
    )
    assert not [name for name in main.tests() if "(native)" in name]


def test_a_wheel_of_another_name_is_found(monkeypatch):
    def version(name):
        if name != "cupy-cuda13x":
            raise metadata.PackageNotFoundError(name)
        return "14.0"

    monkeypatch.setattr(main.metadata, "version", version)
    assert main.version("cupy") == "14.0"
    assert main.version("rich") is None


def test_a_wrong_derivative_fails(monkeypatch, capsys):
    grad = fgrad.grad
    monkeypatch.setattr(fgrad, "grad", lambda f: lambda x: grad(f)(x) * 1.001)
    assert main.main() == 1
    assert "FAILED reverse mode is the adjoint" in capsys.readouterr().out


def test_importing_fgrad_loads_no_modules_that_it_does_not_use():
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    unused = ("numpy.f2py", "scipy", "matplotlib", "rich")
    code = f"import sys, fgrad; print([m for m in {unused} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": path},
    )  # fmt: skip
    assert done.stdout.strip() == "[]"
