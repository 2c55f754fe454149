"""The wheel and the source archive: the same bytes each time, well formed, and they work."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def run(*command: str | Path, **options: object) -> str:
    done = subprocess.run(
        [str(c) for c in command], capture_output=True, text=True, check=False, **options  # type: ignore[call-overload]
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return str(done.stdout)


def build(folder: Path, target: str) -> Path:
    """The archive that hatchling makes of this checkout."""
    run(sys.executable, "-m", "hatchling", "build", "-t", target, "-d", folder, cwd=ROOT)
    (made,) = folder.iterdir()
    return made


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("wheel"), "wheel")


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("sdist"), "sdist")


def digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


@pytest.mark.parametrize("target", ["wheel", "sdist"])
def test_two_builds_are_equal_byte_for_byte(
    target: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    assert digest(build(tmp_path, target)) == digest(request.getfixturevalue(target))


def test_twine_finds_nothing_wrong(wheel: Path, sdist: Path) -> None:
    out = run(sys.executable, "-m", "twine", "check", "--strict", wheel, sdist)
    assert out.count("PASSED") == 2


def test_the_wheel_holds_both_packages_whole_and_nothing_else(wheel: Path) -> None:
    inside = {n for n in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in n}
    expected = {
        str(p.relative_to(ROOT))
        for package in ("fgrad", "fgrad_nn")
        for p in (ROOT / package).rglob("*")
        if p.is_file() and "__pycache__" not in p.parts
    }
    assert {"fgrad/py.typed", "fgrad_nn/py.typed"} <= inside
    assert inside == expected


def test_the_source_archive_builds_the_same_wheel(wheel: Path, sdist: Path, tmp_path: Path) -> None:
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    (source,) = tmp_path.iterdir()
    out = tmp_path / "again"
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", out, cwd=source)
    (again,) = out.iterdir()
    assert digest(again) == digest(wheel)


def test_the_wheel_installs_and_runs_in_a_fresh_environment(wheel: Path, tmp_path: Path) -> None:
    home = tmp_path / "fresh"
    run(sys.executable, "-m", "venv", home)
    python = home / ("Scripts" if os.name == "nt" else "bin") / "python"
    env = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "PIP_"))}
    run(python, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", wheel, env=env)
    # What it depends on is lent from this environment, behind the fresh one's own packages.
    place = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip()
    Path(place, "lent.pth").write_text(sysconfig.get_path("purelib"))
    program = (
        "import fgrad, fgrad_nn, numpy as np\n"
        "print(fgrad.grad(lambda x: np.sum(x ** 2))(np.ones(2)), fgrad.__file__)"
    )
    out = run(python, "-c", program, cwd=tmp_path, env=env)
    assert out.startswith("[2. 2.]")
    assert str(home) in out
    assert "ok     compiled functions" in run(python, "-m", "fgrad", cwd=tmp_path, env=env)
