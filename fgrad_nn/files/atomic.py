"""Files that are there whole or not at all, whatever happens while they are written."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterable
from pathlib import Path

from fgrad.tracebacks import boundary

#: How the names of unfinished files end.
UNFINISHED = ".unfinished"


@boundary
def write_atomically(path: str | os.PathLike[str], parts: Iterable[bytes | memoryview]) -> None:
    """Write a file such that a reader sees the old one or the new one, never a part.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "note"
    >>> write_atomically(path, [b"all ", b"of it"])
    >>> path.read_bytes(), [p.name for p in path.parent.iterdir()]
    (b'all of it', ['note'])

    The octets go to a file beside it, which is then renamed. Both the file and the folder are
    written to the disk (fsync), so this also holds when the power fails; a process that is killed
    leaves at most a file whose name ends in ".unfinished".

    Args:
        path: the file; of a symbolic link, that to which it leads.
        parts: what it is to hold, in pieces.

    Raises:
        OSError: it can't be written; then what was there stays.
    """
    target = Path(os.path.realpath(path))
    beside = target.with_name(f".{target.name}.{secrets.token_hex(4)}{UNFINISHED}")
    try:
        with open(beside, "xb") as file:
            for part in parts:
                file.write(part)
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileNotFoundError):
            os.chmod(beside, target.stat().st_mode & 0o7777)
        os.replace(beside, target)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    _sync_folder(target.parent)


def _sync_folder(folder: Path) -> None:
    """Write the names in a folder to the disk; where folders can't be opened, that can't be."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def remove_unfinished(folder: Path) -> None:
    """Remove what killed processes have left in a folder."""
    for file in folder.glob(f".*{UNFINISHED}"):
        file.unlink(missing_ok=True)
