"""Builds the site of the documentation into `build/docs`, with warnings as errors.

    python -m pip install ".[docs]" && python docs/build.py
    python docs/build.py somewhere/else

Nothing is asked of a network. Open `build/docs/index.html` in a browser.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from sphinx.cmd.build import build_main

DOCS = Path(__file__).resolve().parent


def main(arguments: list[str]) -> int:
    """Build the site; 0 on success."""
    parser = argparse.ArgumentParser(description="Build the site of the documentation.")
    parser.add_argument(
        "out", nargs="?", type=Path, default=DOCS.parent / "build" / "docs", help="the folder"
    )
    out = parser.parse_args(arguments).out
    options = ["--fresh-env", "--fail-on-warning", "--keep-going", "--quiet"]
    status = build_main([*options, "-d", str(out.parent / "doctrees"), str(DOCS), str(out)])
    if status == 0:
        print(f"The site is in {out / 'index.html'}")
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
