"""Machine code on disk: only where the user wants it, and nobody else can write."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

import pytest

from fgrad.compiler.native import disk

IMAGE = disk.Image(("f", "g"), ("fgrad_exp_f64",), bytes(range(256)) + b"\n\n")
unix = pytest.mark.skipif(sys.platform == "win32", reason="folders have other permissions there")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> disk.Folder:
    monkeypatch.setenv("FGRAD_NATIVE_CACHE", str(tmp_path / "a" / "b"))
    found = disk.folder()
    assert found is not None
    return found


def refused(path: Path, monkeypatch: pytest.MonkeyPatch, reason: str) -> None:
    monkeypatch.setenv("FGRAD_NATIVE_CACHE", str(path))
    with pytest.warns(RuntimeWarning, match=f"{reason}. FGRAD_NATIVE_CACHE must name a folder"):
        assert disk.folder() is None


def test_off_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FGRAD_NATIVE_CACHE", raising=False)
    assert disk.folder() is None
    monkeypatch.setenv("FGRAD_NATIVE_CACHE", "0")
    assert disk.folder() is None


@unix
def test_standard_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FGRAD_NATIVE_CACHE", "1")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(sys, "platform", "linux")
    found = disk.folder()
    assert found is not None
    assert found.path == tmp_path / "fgrad" / "native"
    assert found.path.stat().st_mode & 0o777 == 0o700


def test_there_and_back(folder: disk.Folder) -> None:
    assert folder.get(disk.key("a")) is None
    folder.put(disk.key("a"), IMAGE)
    assert folder.get(disk.key("a")) == IMAGE
    assert folder.get(disk.key("b")) is None
    assert [p.name for p in folder.path.iterdir()] == [disk.key("a")]  # nothing temporary is left


def test_keys_tell_everything_apart() -> None:
    keys = [disk.key(), disk.key(""), disk.key("a", "b"), disk.key("ab"), disk.key("a,b")]
    keys += [disk.key('a", "b'), disk.key("b", "a")]
    assert len(set(keys)) == len(keys)
    assert all(len(k) == 64 for k in keys)


def test_key_holds_the_version(monkeypatch: pytest.MonkeyPatch) -> None:
    before = disk.key("a")
    monkeypatch.setattr(disk.importlib.metadata, "version", lambda _: "99.0")
    assert disk.key("a") != before


@pytest.mark.parametrize("position", [0, 10, 64, 65, 70, 150, -1])
def test_damaged_files_are_not_read(folder: disk.Folder, position: int) -> None:
    folder.put("x", IMAGE)
    file = folder.path / "x"
    content = bytearray(file.read_bytes())
    content[position] ^= 1
    file.write_bytes(content)
    assert folder.get("x") is None
    file.write_bytes(content[:20])
    assert folder.get("x") is None
    file.write_bytes(b"")
    assert folder.get("x") is None


@unix
@pytest.mark.parametrize("mode", [0o755, 0o770, 0o701, 0o702])
def test_open_to_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int) -> None:
    tmp_path.chmod(mode)
    refused(tmp_path, monkeypatch, "others can enter it")


@unix
def test_of_somebody_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tmp_path.chmod(0o700)
    monkeypatch.setattr(os, "getuid", lambda: tmp_path.stat().st_uid + 1)
    refused(tmp_path, monkeypatch, "it belongs to somebody else")


@unix
def test_a_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "real").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    refused(tmp_path / "link", monkeypatch, "it is no folder, or only a link to one")


def test_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("spam")
    refused(tmp_path / "file", monkeypatch, "File exists")


def test_a_folder_that_has_gone(folder: disk.Folder) -> None:
    folder.path.rmdir()
    folder.put("x", IMAGE)
    assert folder.get("x") is None


def test_written_by_several_at_once(folder: disk.Folder) -> None:
    """A reader sees a whole file or none."""
    images = [disk.Image((), (), bytes([i]) * 100_000) for i in range(4)]
    seen: list[disk.Image | None] = []

    def work(image: disk.Image) -> None:
        for _ in range(10):
            folder.put("x", image)
            seen.append(folder.get("x"))

    threads = [threading.Thread(target=work, args=(image,)) for image in images]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(image in images for image in seen)
