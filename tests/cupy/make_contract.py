"""Write `contract.json`: CuPy's public interface as data, from three longer files.

    python tests/cupy/make_contract.py cupy_api.json cupy_probes.json cupy_dtype_diff.json

The three were made from CuPy 14.2 and its source: names and signatures by reading the source, the
probes by evaluating expressions with the released wheel on a device that records kernels without
running them, the dtypes by calling each ufunc on each pair of dtypes there. Values were not
compared, because no kernel ran. CuPy's random numbers are left out: fgrad has its own.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

MODULES = {"numpy": "cupy", "linalg": "cupy.linalg", "fft": "cupy.fft",
           "stride_tricks": "cupy.lib.stride_tricks", "special": "cupyx.scipy.special"}  # fmt: skip


def signature(text: str) -> str:
    """Names and defaults alone, without annotations and Cython's types."""
    inner = re.sub(r"\s+", " ", text.strip())[1:-1].strip()
    parts = re.split(r",\s*(?![^\[\](]*[\])])", inner) if inner else []
    out = []
    for part in parts:
        name, equals, default = (p.strip() for p in part.partition("="))
        name = name.split(":")[0].strip().split(" ")[-1]
        out.append(f"{name}={default}" if equals else name)
    return f"({', '.join(out)})"


def functions(section: dict[str, Any]) -> dict[str, str]:
    """Name -> signature, of functions that are CuPy's own."""
    return {
        name: signature(entry["signature"])
        for name, entry in section.items()
        if entry.get("supported") and entry.get("cupy_kind") == "function"
    }


def compact_probe(entry: dict[str, Any]) -> dict[str, Any] | None:
    """What a probe said, without its kernels; None if that depended on values."""
    if entry.get("artefact"):
        return None
    if not entry["ok"]:
        return {"error": entry["error"]}
    return {k: entry[k] for k in ("type", "shape", "dtype", "sync", "d2h", "h2d") if entry.get(k)}


def main(api_path: str, probes_path: str, dtypes_path: str) -> None:
    api, probes, dtypes = (
        json.loads(Path(p).read_text()) for p in (api_path, probes_path, dtypes_path)
    )
    differ: dict[str, list[Any]] = {}
    for case, (numpy, cupy) in dtypes["diff"].items():
        name, _, operands = case.partition("(")
        differ.setdefault(name, []).append([operands[:-1], numpy, cupy])
    contract = {
        "version": api["_meta"]["cupy_wheel_version"],
        "functions": {home: functions(api[key]) for key, home in MODULES.items()},
        "numpy's own": sorted(
            k for k, v in api["numpy"].items() if v["supported"] and v.get("cupy_kind") is None
        ),
        "missing": {
            home: sorted(k for k, v in api[key].items() if v.get("supported") is False)
            for key, home in MODULES.items()
        },
        "ufuncs": {
            name: [u["module"], u["nin"], u["nout"], u["methods"]]
            for name, u in api["ufuncs"].items()
        },
        "methods": {
            m["name"]: signature(m["signature"])
            for m in api["ndarray_methods"]
            if m["kind"] == "method" and (not m["name"].startswith("_"))
        },
        "properties": sorted(
            m["name"]
            for m in api["ndarray_methods"]
            if m["kind"] != "method" and not m["name"].startswith("_")
        ),
        "missing of arrays": api["ndarray_missing"],
        "probes": {
            k: p
            for k, v in probes["probes"].items()
            if "random" not in k and (p := compact_probe(v)) is not None
        },
        "dtypes": differ,
    }  # fmt: skip
    text = json.dumps(contract, separators=(",", ":"), sort_keys=True)
    lines = re.sub(r'(?<=[}\]"]),(?=")', ",\n", text)
    (Path(__file__).parent / "contract.json").write_text(lines + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
