"""Compile kernels for several generations of GPUs, with NVRTC and no GPU; a program.

    python -m tests.jit_cupy.compiling < sources.json

reads pairs of a source and options, and prints how many octets of machine code each kernel became.
"""

from __future__ import annotations

import json
import os
import sys

from ..null_device.device import NullDevice

GENERATIONS = ("70", "80", "90")


def main() -> None:
    compiler = NullDevice().install().cuda.compiler
    for source, options in json.load(sys.stdin):
        sizes = []
        for arch in GENERATIONS:
            code, _ = compiler.compile_using_nvrtc(source, (*options, "-ftz=true"), arch)
            sizes.append(len(code))
        print(*sizes, flush=True)
    os._exit(0)  # CuPy's own clean-up would call CUDA


if __name__ == "__main__":
    main()
