"""Makes the pictures of the pages again: `docs/pictures/*`, by the code that the pages show.

    python docs/make_pictures.py                    # all pages that show pictures
    python docs/make_pictures.py quickstart         # one of them

It needs what the extra `test` installs. The code of a page is run as the tests run it.
A page that shows a picture which its code doesn't write is an error.
"""

from __future__ import annotations

import doctest
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

import matplotlib as mpl
from hypothesis import settings
from threadpoolctl import threadpool_limits

DOCS = Path(__file__).resolve().parent
PICTURES = DOCS / "pictures"
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def shown(page: Path) -> set[str]:
    """The names of the pictures that a page shows."""
    return set(re.findall(r"!\[[^\]]*\]\((?:\.\./)?pictures/([\w.]+)\)", page.read_text("utf-8")))


def written(page: Path) -> set[str]:
    """The names of the pictures that the code of a page writes."""
    return set(re.findall(r'\.save(?:fig)?\("([\w.]+)"', page.read_text("utf-8")))


def main(arguments: list[str]) -> int:
    """Run pages; 0 on success, 1 if the code of one gives something else than it shows."""
    os.environ["MPLBACKEND"] = "Agg"
    os.environ["SOURCE_DATE_EPOCH"] = "0"  # no dates in files, so that the same code makes the same
    sys.path.insert(0, str(DOCS.parent))
    mpl.rcParams["svg.hashsalt"] = "fgrad"
    settings.register_profile("pictures", derandomize=True, deadline=None, database=None)
    settings.load_profile("pictures")
    folder = tempfile.mkdtemp()
    os.chdir(folder)
    failed = 0
    for page in sorted(DOCS.rglob("*.md")):
        if shown(page) and (not arguments or page.stem in arguments):
            if missing := shown(page) - written(page):
                raise SystemExit(f"{page.name} shows {missing}, which its code doesn't write")
            with threadpool_limits(1):
                result = doctest.testfile(str(page), module_relative=False, optionflags=OPTIONS)
            failed += result.failed
            for name in shown(page):
                shutil.copy(Path(folder) / name, PICTURES / name)
            print(page.relative_to(DOCS), *sorted(shown(page)))
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
