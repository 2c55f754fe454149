"""The site of the documentation: it builds, it is whole, and what it shows is there."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
sys.path.append(str(DOCS))

import make_pictures  # noqa: E402
import site_api  # noqa: E402
import site_pages  # noqa: E402

PAGES = sorted(p.relative_to(DOCS).as_posix() for k in ("md", "rst") for p in DOCS.rglob(f"*.{k}"))
TUTORIALS = sorted(p.stem for p in (DOCS / "tutorials").glob("*.md"))
#: Modules that pages import though they aren't public: what is shown is how fgrad works.
INSIDE = {"fgrad.reverse", "fgrad.checkpointing"}


def test_the_site_builds_without_warnings(tmp_path: Path) -> None:
    options = ["-b", "dummy", "-E", "-W", "--keep-going", "-q", "-d", str(tmp_path / "doctrees")]
    command = [sys.executable, "-m", "sphinx", *options, str(DOCS), str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_each_public_name_is_on_one_page_of_the_api() -> None:
    documented: list[str] = []
    for page in (DOCS / "api").glob("*.rst"):
        text = page.read_text("utf-8")
        for module, names in re.findall(r"\.\. names:: (\S+)\n((?:\n|   .*\n)*)", text):
            if names.strip():
                documented += [f"{module}.{name}" for name in names.split()]
            else:
                groups, _ = site_api.on_page(module)
                documented += [path for paths in groups.values() for path in paths]
    assert len(documented) == len(set(documented))
    public = {f"{module}.{name}" for module, names in site_api.public().items() for name in names}
    assert public == set(documented), "a new name wants a place on a page of docs/api"
    assert len(public) > 1000


def test_pages_use_public_modules_alone() -> None:
    used = set()
    for page in [*DOCS.rglob("*.md"), ROOT / "README.md"]:
        for line in page.read_text("utf-8").splitlines():
            code = re.sub(r"^(>>>|\.\.\.) ", "", line).strip()
            if re.match(r"(import|from) fgrad", code):
                for statement in ast.parse(code).body:
                    if isinstance(statement, ast.ImportFrom):
                        used.add(statement.module)
                    elif isinstance(statement, ast.Import):
                        used |= {alias.name for alias in statement.names}
    ours = {name for name in used if name and name.startswith("fgrad")}
    assert "fgrad.scipy.optimize" in ours
    assert ours - set(site_api.MODULES) - {"fgrad.scipy"} <= INSIDE


def test_each_page_is_in_a_list_of_contents() -> None:
    listed = {"index"}
    for page in PAGES:
        text = (DOCS / page).read_text("utf-8")
        for block in re.findall(r"{toctree}\n(.*?)```|toctree::\n((?:\n|   .*\n)*)", text, re.S):
            entries = re.findall(r"^\s*([\w/]+)$", "".join(block), re.M)
            listed |= {(Path(page).parent / entry).as_posix() for entry in entries}
    pages = {Path(page).with_suffix("").as_posix() for page in PAGES}
    assert pages == listed, "a new page wants a line in docs/index.md or docs/api/index.rst"


@pytest.mark.parametrize("page", [p for p in PAGES if p.endswith(".md")])
def test_pictures_and_files_that_a_page_links_to_are_there(page: str) -> None:
    path = DOCS / page
    text = re.sub(r"```.*?```|`[^`\n]*`", "", path.read_text("utf-8"), flags=re.S)
    for target in re.findall(r"\]\(([^)\s#:]+)(?:#[^)\s]*)?\)", text):
        assert (path.parent / target).is_file(), target
    made = make_pictures.shown(path)
    assert made <= make_pictures.written(path)


def test_no_picture_is_left_over() -> None:
    text = "".join((DOCS / page).read_text("utf-8") for page in PAGES)
    for picture in (DOCS / "pictures").rglob("*.*"):
        assert f"{picture.relative_to(DOCS).as_posix()})" in text
        assert picture.stat().st_size < 200_000


@pytest.mark.parametrize("name", TUTORIALS)
def test_a_tutorial_is_a_notebook_too(name: str) -> None:
    text = (DOCS / "tutorials" / f"{name}.md").read_text("utf-8")
    notebook = site_pages.notebook(text)
    cells = notebook["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    assert cells[0]["source"].startswith("# ")
    assert len({cell["id"] for cell in cells}) == len(cells)
    for cell in code:
        ast.parse(cell["source"])
        assert ">>>" not in cell["source"]
    shown = "".join(cell["source"] for cell in code)
    typed = re.findall(r"^(?:>>>|\.\.\.) (.*)$", text, re.M)
    assert all(line.strip() in shown for line in typed)


def test_links_to_files_become_links_to_pages() -> None:
    content = [
        "[a](../examples/README.md), [b](../examples/xor.py), [c](https://x.org), `f(x)[0](y)`"
    ]
    site_pages._links(None, "jit", content)
    assert content[0].startswith("[a](examples.md), [b](repo:_files/examples/xor.py), [c](https")
    assert content[0].endswith("`f(x)[0](y)`")
