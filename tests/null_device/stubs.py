"""Libraries that do nothing, in place of CUDA's, so that CuPy's wheel can be imported without it.

Each exports the functions that CuPy's extension module of that library asks for; they return 0,
and those that create a handle store one.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

#: The extension module of CuPy's that is linked to each library.
LINKED = {
    "libcublas.so.12": "cublas",
    "libcufft.so.11": "cufft",
    "libcurand.so.10": "curand",
    "libcusolver.so.11": "cusolver",
    "libcusparse.so.12": "cusparse",
}
#: Libraries that the others' real versions load.
BESIDE = ("libcublasLt.so.12", "libnvJitLink.so.12")


def build(packages: Path, folder: Path) -> None:
    """Compile the libraries for the CuPy that is installed in ``packages``."""
    for library, module in LINKED.items():
        _compile(library, "\n".join(map(_function, _asked_for(packages, module))), folder)
    for library in BESIDE:
        _compile(library, "int stub_(void) { return 0; }", folder)


def _asked_for(packages: Path, module: str) -> list[str]:
    """The functions of CUDA's libraries that an extension module leaves to the linker."""
    file = next(f for part in ("cupy_backends", "cupy") for f in
                sorted((packages / part).rglob(f"{module}.*.so")))  # fmt: skip
    command = ["nm", "--dynamic", "--undefined-only", str(file)]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    names = {line.split()[-1].split("@")[0] for line in lines}
    return sorted(n for n in names if n.startswith("cu") and not n.startswith("cuda"))


def _function(name: str) -> str:
    if "create" in name.lower():
        return f"int {name}(void **handle) {{ if (handle) *handle = (void *)0x1000; return 0; }}"
    return f"int {name}(void) {{ return 0; }}"


def _compile(library: str, code: str, folder: Path) -> None:
    """A shared library with versioned symbols, as the real one has them."""
    source, versions = folder / f"{library}.c", folder / f"{library}.map"
    source.write_text(code + "\n")
    versions.write_text(f"{library} {{ global: *; }};\n")
    command = ["gcc", "-shared", "-fPIC", "-w", "-o", str(folder / library), str(source),
               f"-Wl,-soname,{library}", f"-Wl,--version-script={versions}"]  # fmt: skip
    subprocess.run(command, check=True)
