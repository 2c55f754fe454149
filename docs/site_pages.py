"""What the pages of the site need beyond Sphinx: links, notebooks, files that stand elsewhere.

- Pages link to files of the repository, such as ``../examples/ridge.py``, since they are read
  there too. On the site these become links to the pages of these files, or to copies of them.
- Each tutorial is offered as a notebook, made of its text: an example of its code becomes a cell,
  with the answer that the page shows.
"""

from __future__ import annotations

import doctest
import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent
#: Files of the repository that are pages of the site.
PAGES = {
    "examples/README.md": "examples.md",
    "benchmarks/README.md": "benchmarks.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "README.md": "index.md",
}
PICTURES = (".gif", ".png", ".svg")
LINK = re.compile(r"\]\((?P<target>[^)\s#:]+)(?P<anchor>#[^)\s]*)?\)")


def _links(app: Sphinx, docname: str, content: list[str]) -> None:
    """Turn links to files into links to what the site has of them."""
    up = "../" * docname.count("/")
    page = DOCS / f"{docname}.md"
    sources = {"examples": ROOT / "examples", "benchmarks": ROOT / "benchmarks"}
    base = sources.get(docname, ROOT if docname in ("changelog", "contributing") else page.parent)

    def replace(found: re.Match[str]) -> str:
        target = (base / found["target"]).resolve()
        if not target.is_relative_to(ROOT) or not target.is_file():
            return found[0]  # an address, or code such as ``f[0](x)``
        inside = target.relative_to(ROOT).as_posix()
        if inside in PAGES:
            return f"]({up}{PAGES[inside]}{found['anchor'] or ''})"
        if target.is_relative_to(DOCS) or target.suffix in PICTURES:
            path = os.path.relpath(target, page.parent).replace(os.sep, "/")
            return f"]({path}{found['anchor'] or ''})"
        return f"](repo:{up}_files/{inside})"

    content[0] = LINK.sub(replace, content[0])


def _included(app: Sphinx, docname: str, content: list[str]) -> None:
    """Put the text of files outside of this folder where pages ask for it, and name notebooks."""
    if found := re.fullmatch(r"<!-- the text of (\S+) -->\n*", content[0]):
        content[0] = (ROOT / found[1]).read_text("utf-8")
    if docname.startswith("tutorials/"):
        name = docname.split("/")[1]
        note = f'\nThis page as a notebook: <a href="{name}.ipynb" download>{name}.ipynb</a>\n'
        content[0] = re.sub(r"(\n#[^\n]*|\A#[^\n]*)\n", rf"\1\n{note}", content[0], count=1)
    content[0] = re.sub(r"\n\n```\n", "\n```\n", content[0])  # doctest wants the empty line
    _links(app, docname, content)


def notebook(text: str) -> dict[str, Any]:
    r"""A page as a notebook: nbformat 4.5.

    >>> cells = notebook("# Title\n\n```python\n>>> 1 + 1\n2\n\n```\n\nWords.\n")["cells"]
    >>> [(cell["cell_type"], cell["source"]) for cell in cells]
    [('markdown', '# Title'), ('code', '1 + 1'), ('markdown', 'Words.')]
    >>> cells[1]["outputs"][0]["data"]
    {'text/plain': '2'}
    """
    cells: list[dict[str, Any]] = []

    def add(kind: str, source: str, **rest: Any) -> None:
        cell = {"cell_type": kind, "id": f"cell-{len(cells)}", "metadata": {}, "source": source}
        cells.append(cell | rest)

    for k, part in enumerate(re.split(r"```python\n(.*?)\n```", text, flags=re.S)):
        if k % 2:
            for source, answer in _runs(part):
                out = {"output_type": "execute_result", "execution_count": None, "metadata": {}}
                outputs = [out | {"data": {"text/plain": answer}}] if answer else []
                add("code", source, execution_count=None, outputs=outputs)
        elif prose := re.sub(r"!\[[^\]]*\]\([^)]*\)", "", part).strip():  # the cells make pictures
            add("markdown", prose)
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    about = {"kernelspec": kernel, "language_info": {"name": "python"}}
    return {"cells": cells, "metadata": about, "nbformat": 4, "nbformat_minor": 5}


def _runs(part: str) -> list[tuple[str, str]]:
    """The code of a block in pieces that end where the page shows an answer."""
    found: list[tuple[str, str]] = []
    lines: list[str] = []
    for example in doctest.DocTestParser().get_examples(part + "\n"):
        lines.append(example.source.rstrip("\n"))
        if example.want:
            found.append(("\n".join(lines), example.want.rstrip("\n")))
            lines = []
    return found + ([("\n".join(lines), "")] if lines else [])


def _finish(app: Sphinx, error: Exception | None) -> None:
    """Write notebooks, and copy the files that pages link to."""
    if error is not None or app.builder.format != "html":
        return
    out = Path(app.outdir)
    for page in sorted((DOCS / "tutorials").glob("*.md")):
        text = json.dumps(notebook(page.read_text("utf-8")), indent=1, ensure_ascii=False)
        (out / "tutorials" / f"{page.stem}.ipynb").write_text(text + "\n", "utf-8")
    for folder in ("examples", "benchmarks"):
        for file in sorted((ROOT / folder).glob("*.*")):
            (out / "_files" / folder).mkdir(parents=True, exist_ok=True)
            shutil.copy(file, out / "_files" / folder / file.name)


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect the steps."""
    app.connect("source-read", _included)
    app.connect("build-finished", _finish)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
