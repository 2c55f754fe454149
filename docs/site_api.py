"""The directive `names`, which documents public names of a module, each under its shortest path.

``.. names:: fgrad.random`` documents all names of the module. Where the module is a package, they
stand in groups, one for each of its files; the first line of a file's docstring is the heading.
With names as its content the directive documents those alone, in that order.

A function that two modules offer, such as `fgrad.scan` and ``fgrad.control.scan``, is documented
once, by the shorter name.
"""

from __future__ import annotations

import ast
import functools
import importlib
import importlib.util
import inspect
import re
import sys
import types
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

#: The public modules, those with the shorter paths first.
MODULES = (
    "fgrad", "fgrad_nn", "fgrad.checkpoint_policies", "fgrad.control", "fgrad.debug",
    "fgrad.distributed", "fgrad.errors", "fgrad.numpy", "fgrad.random", "fgrad.sparse",
    "fgrad.testing", "fgrad.testing.strategies", "fgrad.tree", "fgrad.scipy.cluster.vq",
    "fgrad.scipy.fft", "fgrad.scipy.integrate", "fgrad.scipy.interpolate", "fgrad.scipy.linalg",
    "fgrad.scipy.ndimage", "fgrad.scipy.optimize", "fgrad.scipy.signal",
    "fgrad.scipy.sparse.linalg", "fgrad.scipy.spatial.transform", "fgrad.scipy.special",
    "fgrad.scipy.stats", "fgrad_nn.activations", "fgrad_nn.data", "fgrad_nn.files",
    "fgrad_nn.initializers", "fgrad_nn.layers", "fgrad_nn.losses", "fgrad_nn.metrics",
    "fgrad_nn.optimizers", "fgrad_nn.projections", "fgrad_nn.schedules", "fgrad_nn.training",
)  # fmt: skip
#: Names that a module imports when they are asked for, which its text therefore doesn't list.
LATE = {"fgrad.testing": {"laws": "properties"}}
OURS = ("fgrad", "fgrad_nn")
#: What stays as it is in docstrings: literals, references, doctests and directives.
KEPT = re.compile(r"(``.*?``|`[^`]*`|^ *(?:>>>|\.\.\.|\.\. ).*?$)", re.S | re.M)
#: How Python shows classes and functions, and objects that stand for "not given".
NAMED = re.compile(r"<(?:class|function|ufunc) '?(?:[\w<>]+\.)*(\w+|<lambda>)'?(?: at \w+)?>")
MARKER = re.compile(r"<object object(?: at \w+)?>|<no value>")
#: Stars that don't begin emphasis, such as those of ``(batch, *lengths)``; bars, as in |x|.
STARS = re.compile(r"\*(?=\w)(?!\w+\*)|(?<!\|)\|(?!\|)")

#: An entry for several attributes: ``shape, dtype: of the answer``.
SEVERAL = re.compile(r"    (\w+(?:, \w+)+):(.*)$")


def _statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements of a module, with those that are for type checkers."""
    for statement in body:
        if isinstance(statement, ast.If) and ast.unparse(statement.test).endswith("TYPE_CHECKING"):
            yield from [] if isinstance(statement.test, ast.UnaryOp) else statement.body
        else:
            yield statement


@functools.cache
def _sources(module: str) -> dict[str, str]:
    """The public names of a module, and the module that each comes from, by the module's text.

    Public are its own functions and classes, what it imports as itself (``import x as x``), and
    its own values of types of ours.
    """
    here = importlib.import_module(module)
    found: dict[str, str] = {}
    file = Path(here.__file__ or "")
    package = module if file.name == "__init__.py" else module.rpartition(".")[0]
    for statement in _statements(ast.parse(file.read_text(encoding="utf-8")).body):
        match statement:
            case ast.ImportFrom(module=source, names=names, level=level):
                origin = "." * level + (source or "")
                for alias in names:
                    if alias.asname == alias.name:
                        found[alias.name] = importlib.util.resolve_name(origin, package)
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                found[name] = module
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                kind = type(getattr(here, name, None))
                if kind.__module__.split(".")[0] in OURS:
                    found[name] = module
    found |= {name: f"{module}.{source}" for name, source in LATE.get(module, {}).items()}
    return {
        name: source
        for name, source in found.items()
        if not name.startswith("_") and not isinstance(getattr(here, name), types.ModuleType)
    }


@functools.cache
def public() -> dict[str, dict[str, str]]:
    """For each public module its names that no module before it has, with where they come from."""
    seen: dict[int, str] = {}
    out: dict[str, dict[str, str]] = {}
    for module in MODULES:
        out[module] = {}
        for name, source in _sources(module).items():
            path = f"{module}.{name}"
            if seen.setdefault(id(_object(path)), path) == path:
                out[module][name] = source
    return out


def on_page(module: str) -> tuple[dict[str, list[str]], list[str]]:
    """What the page of a module documents: paths by the file that they come from.

    The page of `fgrad_nn.layers` documents its layers by their short names, such as
    `fgrad_nn.dense`; that of `fgrad_nn` leaves them out. The second result are the paths of names
    that stand on other pages.
    """
    shortest = {
        id(_object(f"{home}.{name}")): (home, f"{home}.{name}")
        for home, names in public().items()
        for name in names
    }
    groups: dict[str, list[str]] = {}
    others = []
    for name, source in _sources(module).items():
        home, path = shortest[id(_object(f"{module}.{name}"))]
        if home == module and source in MODULES and source != module:
            continue  # on the page of that module
        here = home == module or _sources("fgrad_nn").get(name) == module
        known = groups.setdefault(source, []) if here else others
        if path not in known:
            known.append(path)
    for paths in groups.values():
        paths.sort(key=lambda path: isinstance(_object(path), type))  # functions first
    return {source: paths for source, paths in groups.items() if paths}, others


@functools.cache
def _object(path: str) -> Any:
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)


def _first_line(text: str | None) -> str:
    """The first sentence of a docstring; NumPy's ufuncs begin theirs with signatures."""
    paragraphs = [" ".join(p.split()) for p in (text or "").split("\n\n")]
    prose = [p for p in paragraphs if p and not re.match(r"[\w.]+\(.*\)", p)]
    return prose[0] if prose else ""


def _escape(text: str) -> str:
    """Text of another library as reStructuredText that means just this text."""
    return re.sub(r"([\\*|_])", r"\\\1", text.replace("`", ""))


def _signature(path: str) -> str:
    """The arguments of a function of another library; of a ufunc, its operands."""
    thing = _object(path)
    head = (getattr(thing, "__doc__", None) or "").strip().split("\n")[0]
    found = re.match(r"\w+(\(.*\))$", head)
    if isinstance(thing, np.ufunc):
        names = re.findall(r"\w+", found[1])[: thing.nin] if found else []
        return f"({', '.join(names)})"
    if found:
        return found[1]
    try:
        return _plain(str(inspect.signature(thing)))
    except (TypeError, ValueError):
        return "(...)"


def _described(kind: str, path: str, arguments: str, text: str) -> list[str]:
    """A name that autodoc can't describe, with the text that is to stand there."""
    module, _, name = path.rpartition(".")
    return [f".. py:{kind}:: {name}{arguments}", f"   :module: {module}", "", f"   {text}", ""]


def entry(path: str) -> list[str]:
    """The reStructuredText that documents one name."""
    thing = _object(path)
    kind = type(thing).__module__.split(".")[0]
    home = (getattr(thing, "__module__", None) or "").split(".")[0]
    line = _escape(_first_line(getattr(thing, "__doc__", None)))
    if isinstance(thing, type):
        if home not in OURS:
            return _described("class", path, "", line)
        if issubclass(thing, BaseException):
            return [f".. autoexception:: {path}", "   :no-members:", "", *_also(path)]
        return [f".. autoclass:: {path}", "", *_also(path)]
    if home in OURS and (inspect.isroutine(thing) or hasattr(thing, "__wrapped__")):
        return [f".. autofunction:: {path}", "", *_also(path)]
    if kind in OURS:
        return _described("data", path, "", _first_line(thing.__doc__ or type(thing).__doc__))
    if callable(thing) and not isinstance(thing, types.GenericAlias):
        return _described("function", path, _signature(path), line)
    return _described("data", path, "", f"``{thing}``")


def _also(path: str) -> list[str]:
    """A word on the other names of the same thing in its module."""
    module, _, name = path.rpartition(".")
    thing = _object(path)
    others = [n for n in _sources(module) if n != name and _object(f"{module}.{n}") is thing]
    return [f"   Also by the name ``{other}``." for other in others] + [""] * bool(others)


def _title(module: str) -> tuple[str, str]:
    """A short heading for the names of a file, and the line that it is taken from."""
    if module.split(".")[0] not in OURS:
        return (
            "SciPy's own names",
            "SciPy documents them; where they have derivatives, they have them here",
        )
    line = (sys.modules[module].__doc__ or module).strip().split("\n")[0].rstrip(".")
    return re.split(r"[:;,.] ", line)[0].replace("`", ""), line


class Names(SphinxDirective):
    """Document all names of a module, or some of them."""

    required_arguments = 1
    has_content = True

    def run(self) -> list[nodes.Node]:
        """Make the text, and read it as a part of the page."""
        module = self.arguments[0]
        wanted = [name for line in self.content for name in line.split()]
        lines = [f".. py:currentmodule:: {module}", ""]
        if wanted:
            if missing := [name for name in wanted if name not in public()[module]]:
                raise self.error(f"{module} has no public {', '.join(missing)}")
            for name in wanted:
                lines += entry(f"{module}.{name}")
        else:
            lines += _page(module)
        return self.parse_text_to_nodes("\n".join(lines), allow_section_headings=True)


def _page(module: str) -> list[str]:
    """The reStructuredText of all names of a module, in groups."""
    groups, shorter = on_page(module)
    lines: list[str] = []
    for source, paths in groups.items():
        if len(groups) > 1:
            title, line = _title(source)
            lines += [title, "-" * len(title), ""]
            lines += [line + ".", ""] if line != title else []
        for path in paths:
            lines += entry(path)
    if shorter:
        title = "Names with a shorter path"
        lines += [title, "-" * len(title), ""]
        lines += [", ".join(f":py:obj:`{path}`" for path in shorter), ""]
    return lines


def _skip(app: Sphinx, what: str, name: str, thing: Any, skip: bool, options: Any) -> bool | None:
    """Leave out the fields of named tuples and dataclasses, whose class says what they are."""
    text = getattr(thing, "__doc__", None) or ""
    methods = (property, functools.cached_property, staticmethod, classmethod)
    plain = what == "class" and not callable(thing) and not isinstance(thing, (*methods, Enum))
    return True if plain or text.startswith("Alias for field number") else None


def _each_field(lines: list[str]) -> list[str]:
    """The lines of a docstring, with an entry for each of several attributes that share one.

    >>> _each_field(["Attributes:", "    a, b: numbers,", "        both.", "    c: one."])
    ['Attributes:', '    a: numbers,', '        both.', '    b: numbers,', '        both.',
     '    c: one.']
    """
    out: list[str] = []
    names: list[str] = []
    shared: list[str] = []
    inside = False

    def end() -> None:
        for name in names:
            out.extend([f"    {name}:{shared[0]}", *shared[1:]])
        names.clear()

    for line in lines:
        if names and line.startswith("     "):
            shared.append(line)
            continue
        end()
        inside = line == "Attributes:" or (inside and line[:1] in ("", " "))
        found = SEVERAL.match(line) if inside else None
        if found:
            names[:], shared = found[1].split(", "), [found[2]]
        else:
            out.append(line)
    end()
    return out


def _docstring(
    app: Sphinx, what: str, name: str, thing: Any, options: Any, lines: list[str]
) -> None:
    """Make reStructuredText of what docstrings write plainly: stars, bars, when errors come."""
    text = "\n".join(lines).replace("Raises, when it is called:\n", "Raises:\n")
    parts = KEPT.split(text)
    parts[::2] = [STARS.sub(r"\\\g<0>", part) for part in parts[::2]]
    lines[:] = _each_field("".join(parts).split("\n"))


def _plain(signature: str) -> str:
    """A signature in which default values are written as one would type them."""
    return MARKER.sub("...", NAMED.sub(r"\1", signature))


def _arguments(
    app: Sphinx, what: str, name: str, thing: Any, options: Any, signature: str, returns: str
) -> tuple[str, str] | None:
    return (_plain(signature), returns) if signature else None


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directive."""
    app.add_directive("names", Names)
    app.connect("autodoc-skip-member", _skip)
    app.connect("autodoc-process-signature", _arguments)
    app.connect("autodoc-process-docstring", _docstring, priority=400)  # before napoleon
    return {"parallel_read_safe": True, "parallel_write_safe": True}
