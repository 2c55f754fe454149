"""``python -m fgrad``: what is installed, and whether it works here."""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable
from importlib import metadata

import numpy as np

import fgrad
from fgrad.compiler.native import available

#: What fgrad needs, and what it can use, with what that gives.
NEEDED = ("numpy", "optree")
USED = {
    "scipy": "fgrad.scipy, fgrad.sparse",
    "hypothesis": "fgrad.testing's strategies",
    "matplotlib": "draw(...).save(.png, .pdf)",
    "safetensors": "fgrad_nn's saved parameters",
    "tqdm": "progress bars",
    "rich": "the table of fgrad.profile",
    "llvmlite": "jit's backend for machine code",
    "mpi4py": "fgrad.distributed, several processes",
    "cupy": "arrays on a GPU",
}


#: What the wheels of a package are called that isn't called by its own name.
WHEELS = {"cupy": ("cupy-cuda12x", "cupy-cuda13x", "cupy-cuda11x")}


def version(package: str) -> str | None:
    """The version of an installed package."""
    for name in (package, *WHEELS.get(package, ())):
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return None


def backends() -> list[str]:
    """The backends of `fgrad.jit` that can be used here."""
    return ["numpy", *(["native"] if available() is None else [])]


def f(x: np.ndarray) -> np.ndarray:
    """What the tests differentiate."""
    out: np.ndarray = np.sum(np.tanh(x[1:] * x[:-1]) ** 2 + np.exp(-x[1:]))
    return out


def tests() -> dict[str, Callable[[], bool]]:
    """Each transformation against another way to the same numbers."""
    rng = np.random.default_rng(0)
    x, v, step = rng.normal(size=6), rng.normal(size=6), 1e-6
    slope = fgrad.grad(f)

    def near(a: object, b: object, rtol: float = 1e-9) -> bool:
        return bool(np.allclose(np.asarray(a), np.asarray(b), rtol=rtol, atol=rtol))

    compiled = {
        f"compiled functions are the functions ({backend})": lambda b=backend: near(
            [fgrad.jit(slope, backend=b)(y) for y in (x, v)], [slope(x), slope(v)]
        )
        for backend in backends()
    }
    return {
        "forward mode is the central difference": lambda: near(
            fgrad.jvp(f, (x,), (v,))[1], (f(x + step * v) - f(x - step * v)) / (2 * step), 1e-6
        ),
        "reverse mode is the adjoint of forward mode": lambda: near(
            slope(x) @ v, fgrad.jvp(f, (x,), (v,))[1]
        ),
        "vmap is the stack of calls": lambda: near(
            fgrad.vmap(slope)(np.stack([x, v])), np.stack([slope(x), slope(v)])
        ),
        "the Hessian is symmetric": lambda: near(fgrad.hessian(f)(x), fgrad.hessian(f)(x).T),
        **compiled,
    }


def main() -> int:
    """Print versions and run the tests; 1 if one of them fails."""
    print(f"fgrad {fgrad.__version__}, Python {platform.python_version()}, {platform.system()}")
    for package in NEEDED:
        print(f"  {package} {version(package)}")
    for package, use in USED.items():
        found = version(package)
        print(f"  {package} {found}" if found else f"  {package} is not installed ({use})")
    why = available()
    print(f"  backends of jit: {', '.join(backends())}" + (f" (not native: {why})" if why else ""))
    failed = 0
    for name, test in tests().items():
        good = test()
        failed += not good
        print(f"  {'ok    ' if good else 'FAILED'} {name}")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
