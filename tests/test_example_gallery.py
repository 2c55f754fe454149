"""The pictures that examples/README.md shows: all there, all small, of all programs."""

from __future__ import annotations

import io
import re
from pathlib import Path

import gallery
import numpy as np
import pytest
from PIL import Image

EXAMPLES = Path(gallery.__file__).parent
README = (EXAMPLES / "README.md").read_text()
PICTURES = sorted((EXAMPLES / "pictures").iterdir())


def test_the_readme_shows_all_pictures_and_no_others():
    shown = re.findall(r"!\[[^\]]+\]\((.+?)\)", README)
    assert sorted(shown) == [f"pictures/{path.name}" for path in PICTURES]


def test_they_are_small_enough_to_be_kept():
    sizes = [path.stat().st_size for path in PICTURES]
    assert max(sizes) <= gallery.BYTES
    assert sum(sizes) <= 1_500_000


@pytest.mark.parametrize("path", PICTURES, ids=lambda path: path.stem)
def test_each_is_of_a_program_and_shows_something(path):
    assert any(path.stem.startswith(name) for name in gallery.OPTIONS)
    with Image.open(path) as image:
        width, height = image.size
        pixels = np.asarray(image.convert("L"))
    assert width <= gallery.WIDE
    assert height <= gallery.HIGH
    assert pixels.std() > 5


def test_every_program_has_pictures_and_a_row():
    for name in gallery.OPTIONS:
        assert (EXAMPLES / f"{name}.py").exists()
        assert f"| `{name}.py` |" in README
        assert any(path.stem.startswith(name) for path in PICTURES)


def test_a_picture_is_made_small_whatever_it_shows(tmp_path, monkeypatch):
    monkeypatch.setattr(gallery, "BYTES", 10_000)
    monkeypatch.setattr(gallery, "WIDE", 180)
    noise = np.random.default_rng(0).integers(0, 256, (140, 180, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "noise.png")
    data = gallery.small(tmp_path / "noise.png")
    assert len(data) <= gallery.BYTES
    with Image.open(io.BytesIO(data)) as image:
        assert 80 < image.width < 180
        assert abs(image.width / image.height - 9 / 7) < 0.02


def test_a_run_leaves_small_pictures(tmp_path, monkeypatch, capsys):
    def program(command, check):
        assert command[1].endswith("xor.py")
        assert check
        folder = Path(command[command.index("--out") + 1])
        for name in ("xor", "more"):
            Image.new("RGB", (50, 40), "white").save(folder / f"{name}.png")

    monkeypatch.setattr(gallery.subprocess, "run", program)
    gallery.main(["xor", "--out", str(tmp_path / "new")])
    made = sorted(path.name for path in (tmp_path / "new").iterdir())
    assert made == ["xor.png", "xor_more.png"]
    assert re.search(r"\d+ bytes  .*xor_more\.png", capsys.readouterr().out)


def test_a_program_that_is_not_there(capsys):
    with pytest.raises(SystemExit):
        gallery.main(["xorr"])
    assert "no program xorr; there are pulsars, " in capsys.readouterr().err
