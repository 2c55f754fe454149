"""Make the pictures that `examples/README.md` shows: run each program, and keep its pictures small.

    python examples/gallery.py                     # all programs, in about four minutes
    python examples/gallery.py xor cnn             # these only
    python examples/gallery.py --out elsewhere     # not over the pictures that are kept

What the programs print comes before the names and sizes of their pictures.
"""

from __future__ import annotations

import argparse
import io
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

HERE = Path(__file__).parent

#: What each program is run with, besides a folder.
OPTIONS: dict[str, tuple[str, ...]] = {
    "pulsars": ("--way", "jit"), "newton_cg": (), "curve_fit": (), "heat": (), "laplace": (),
    "ridge": (), "hmc": (), "scalar_engine": (), "xor": (), "bending_space": (), "fashion": (),
    "cnn": (), "adversarial": (), "char_rnn": (), "transformer": (),
}  # fmt: skip

#: The greatest width and height of a picture in pixels, and its greatest size in bytes.
WIDE, HIGH, BYTES = 900, 1400, 80_000


def small(path: Path) -> bytes:
    """A picture as a PNG with a palette: of as many colours, and as wide, as fit into `BYTES`."""
    with Image.open(path) as image:
        whole = image.convert("RGB")
    width = WIDE
    while True:
        shown = whole.copy()
        shown.thumbnail((width, HIGH), Image.Resampling.LANCZOS)
        for colours in (128, 64):
            data = io.BytesIO()
            few = shown.quantize(colours, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
            few.save(data, "PNG", optimize=True)
            if data.tell() <= BYTES:
                return data.getvalue()
        width = int(0.9 * width)


def keep(name: str, out: Path) -> list[Path]:
    """Run a program; the small pictures that it leaves in a folder."""
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, str(HERE / f"{name}.py"), "--no-progress", "--out", folder]
        subprocess.run([*command, *OPTIONS[name]], check=True)
        made = []
        for path in sorted(Path(folder).rglob("*.png")):
            to = out / (path.name if path.stem.startswith(name) else f"{name}_{path.name}")
            to.write_bytes(small(path))
            made.append(to)
    return made


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the programs, and say what is kept."""
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("programs", nargs="*", metavar="program", help="names; all by default")
    options.add_argument("--out", type=Path, default=HERE / "pictures", help="where they go")
    chosen = options.parse_args(arguments)
    unknown = sorted({*chosen.programs} - {*OPTIONS})
    if unknown:
        options.error(f"no program {', '.join(unknown)}; there are {', '.join(OPTIONS)}")
    for name in chosen.programs or OPTIONS:
        for path in keep(name, chosen.out):
            print(f"{path.stat().st_size:7} bytes  {path}", flush=True)


if __name__ == "__main__":
    main()
