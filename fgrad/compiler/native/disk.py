"""Machine code kept on disk between processes, where the user has asked for it.

Whoever can write into such a folder can have code run in the user's name. So there is none unless
the variable ``FGRAD_NATIVE_CACHE`` is ``1``, for a folder in the user's cache, or names a folder;
the folder must belong to the user, and nobody else may enter it. A file is named by the hash of
all that its code depends on, holds a hash of itself, and appears whole or not at all.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import stat
import sys
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Image:
    """An object file.

    Attributes:
        given: the functions that it defines.
        wanted: the functions of ours that it calls.
        code: its bytes.
    """

    given: tuple[str, ...]
    wanted: tuple[str, ...]
    code: bytes


def key(*parts: str) -> str:
    """The name of a file: a hash of the parts, and of fgrad's version.

    >>> len(key("define void @f() { ret void }", "skylake"))
    64
    """
    whole = json.dumps([importlib.metadata.version("fgrad"), *parts])
    return hashlib.sha256(whole.encode()).hexdigest()


def folder() -> Folder | None:
    """The folder that the environment asks for; None if it asks for none, or it isn't private."""
    asked = os.environ.get("FGRAD_NATIVE_CACHE", "")
    if asked in ("", "0"):
        return None
    path = _standard() if asked == "1" else Path(asked)
    reason = _refusal(path)
    if reason is not None:
        warnings.warn(
            f"fgrad keeps no compiled programs in {path}: {reason}. "
            "FGRAD_NATIVE_CACHE must name a folder of yours that nobody else can enter.",
            RuntimeWarning,
            stacklevel=2,
        )
        return None
    return Folder(path)


def _standard() -> Path:
    """Where programs of this user keep what can be made again."""
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "fgrad" / "native"


def _refusal(path: Path) -> str | None:
    """Why a folder can't be trusted; it is made if it isn't there."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = os.lstat(path)
    except OSError as error:
        return error.strerror or "it can't be made"
    if not stat.S_ISDIR(found.st_mode):
        return "it is no folder, or only a link to one"
    if sys.platform != "win32":  # there, folders of a user's profile are private to begin with
        if found.st_uid != os.getuid():
            return "it belongs to somebody else"
        if stat.S_IMODE(found.st_mode) & 0o077:
            return "others can enter it"
    return None


class Folder:
    """Object files by their keys."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def get(self, name: str) -> Image | None:
        """The file of this key; None if there is none, or it is damaged."""
        try:
            content = (self.path / name).read_bytes()
        except OSError:
            return None
        head, _, rest = content.partition(b"\n")
        if head != _check(rest):
            return None
        names, _, code = rest.partition(b"\n")
        given, wanted = json.loads(names)
        return Image(tuple(given), tuple(wanted), code)

    def put(self, name: str, image: Image) -> None:
        """Keep a file; a disk that is full keeps none."""
        rest = json.dumps([image.given, image.wanted]).encode() + b"\n" + image.code
        try:
            handle, temporary = tempfile.mkstemp(dir=self.path)
        except OSError:
            return
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(_check(rest) + b"\n" + rest)
            os.replace(temporary, self.path / name)
        except OSError:
            Path(temporary).unlink(missing_ok=True)


def _check(rest: bytes) -> bytes:
    return hashlib.sha256(rest).hexdigest().encode()
