"""Products as stacks of small ones, beside whole ones: the table of `fgrad/compiler/tiling.py`.

    python benchmarks/products.py

A compiled product is timed against the same with `reassociate=False`, which leaves it whole, for
shapes of which `tiling.way` takes some apart. For each way the least, the median and the greatest
ratio are printed. Without OpenBLAS, or without AVX-512, nothing is taken apart.
"""

from __future__ import annotations

import one_thread

assert one_thread.DONE  # its import comes before NumPy's

import argparse  # noqa: E402
import itertools  # noqa: E402
from collections import defaultdict  # noqa: E402

import numpy as np  # noqa: E402
from measure import interleave  # noqa: E402

import fgrad  # noqa: E402
from fgrad.compiler.tiling import way  # noqa: E402

ROWS, INNER = (16, 32, 64, 128, 512, 2048), (32, 64, 128, 512)
#: Products of which the matrices that are held: name -> function, is x turned, is y turned.
FORMS = {
    "x @ y": (lambda x, y: x @ y, False, False),
    "x @ w.T": (lambda x, w: x @ w.T, False, True),
    "h.T @ y": (lambda h, y: h.T @ y, True, False),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=0.1, help="for each shape")
    seconds = parser.parse_args().seconds
    rng, ratios = np.random.default_rng(0), defaultdict(list)
    for dtype, name in itertools.product((np.float32, np.float64), FORMS):
        f, left, right = FORMS[name]
        for rows, k, n in itertools.product(ROWS, INNER, INNER):
            # of a gradient h.T @ y the rows are the terms of the sums
            m, terms = (k, rows) if left else (rows, k)
            found = way(m, terms, n, np.dtype(dtype), left, right)
            if found is None or m * terms * n > 10**8:
                continue
            x = rng.normal(size=(terms, m) if left else (m, terms)).astype(dtype)
            y = rng.normal(size=(n, terms) if right else (terms, n)).astype(dtype)
            parts, whole = fgrad.jit(f), fgrad.jit(f, reassociate=False)
            calls = {"whole": lambda: whole(x, y), "parts": lambda: parts(x, y)}  # noqa: B023
            ratios[name, found.by].append(interleave(calls, seconds)["parts"].cpu_ratio)
    print("| product | by | shapes | least | median | greatest |\n|---|---|---:|---:|---:|---:|")
    for (name, by), found in ratios.items():
        low, middle, high = np.min(found), np.median(found), np.max(found)
        print(f"| {name} | {by} | {len(found)} | {low:.2f} | {middle:.2f} | {high:.2f} |")


if __name__ == "__main__":
    main()
