"""The package's shape: imports go down the layers, files are small, names are listed once."""

from __future__ import annotations

import ast
import itertools
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LIMIT = 400

#: Module -> layer. A module imports from lower layers only; `ALLOWED` lists the exceptions.
LAYERS: dict[str, float] = {
    "fgrad.errors": 0,
    "fgrad.arrays": 1,
    "fgrad.libraries": 1.5,
    "fgrad.moving": 1.5,
    "fgrad.frozen": 1,
    "fgrad.tracebacks": 1,
    "fgrad.tree": 2,
    "fgrad.core": 2,
    "fgrad.scopes": 2,
    "fgrad.kinds": 3,
    "fgrad.vocabulary": 2,
    "fgrad.elsewhere": 3,
    "fgrad.tracer": 4,
    "fgrad.graph": 3,
    "fgrad.broadcasting": 3,
    "fgrad.checks": 4,
    "fgrad.fronts": 5,
    "fgrad.doors": 5,
    "fgrad.rules": 6,
    "fgrad.ops": 7,
    "fgrad.forward": 7,
    "fgrad.cotangents": 7,
    "fgrad.reverse": 8,
    "fgrad.axes": 3,
    "fgrad.batch": 7,
    "fgrad.stage": 7,
    "fgrad.surface": 7,
    "fgrad.series": 7,
    "fgrad.recorders": 9,
    "fgrad.mappers": 9,
    "fgrad.arguments": 9,
    "fgrad.numpy": 9,
    "fgrad.choosing": 9,
    "fgrad.collectives": 9,
    "fgrad.custom": 9,
    "fgrad.derivatives": 10,
    "fgrad.packing": 10,
    "fgrad.taylor": 10,
    "fgrad.shapes": 10,
    "fgrad.closures": 10,
    "fgrad.jacobians": 11,
    "fgrad.curvature": 12,
    "fgrad.gauss_newton": 13,
    "fgrad.customized": 10,
    "fgrad.custom_rules": 11,
    "fgrad.blackbox": 12,
    "fgrad.linearization": 11,
    "fgrad.solutions": 12,
    "fgrad.effects": 9,
    "fgrad.custom_gradients": 12,
    "fgrad.callbacks": 13,
    "fgrad.debug": 13.5,  # it looks into compiled functions
    "fgrad.random": 12,
    "fgrad.checkpoint_policies": 12,
    "fgrad.control": 12,
    "fgrad.checkpointing": 13,
    "fgrad.compiler": 13,
    "fgrad.distributed": 13,
    "fgrad.drawing": 13,
    "fgrad.conversion": 13,
    "fgrad.custom_batching": 13,
    "fgrad.sparse": 13,
    "fgrad": 14,
    "fgrad.__main__": 15,
    "fgrad.scipy": 14,
    "fgrad.testing": 15,
    "fgrad_nn.types": 15,
    "fgrad_nn.coins": 15,
    "fgrad_nn.masks": 15,
    "fgrad_nn.softmaxes": 16,
    "fgrad_nn.activations_piecewise": 16,
    "fgrad_nn.activations_smooth": 16,
    "fgrad_nn.activations": 17,
    "fgrad_nn.label_entropy": 18,
    "fgrad_nn.initializers_structured": 16,
    "fgrad_nn.initializers": 17,
    "fgrad_nn.layers": 18,
    "fgrad_nn.combinators": 19,
    "fgrad_nn.summary": 19,
    "fgrad_nn.losses": 19,
    "fgrad_nn.metrics": 20,
    "fgrad_nn.optimizers": 16,
    "fgrad_nn.schedules": 17,
    "fgrad_nn.projections": 17,
    "fgrad_nn.extras": 15,
    "fgrad_nn.data": 16,
    "fgrad_nn.files": 16,
    "fgrad_nn.training": 20,
    "fgrad_nn": 24,
}

FILES = sorted(itertools.chain(ROOT.glob("fgrad/**/*.py"), ROOT.glob("fgrad_nn/**/*.py")))


def module_of(file: Path) -> str:
    parts = list(file.relative_to(ROOT).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def layer_of(module: str) -> float:
    """The layer of a module, or of the package that it belongs to."""
    while module not in LAYERS:
        module = module.rpartition(".")[0]
    return LAYERS[module]


def imports_of(file: Path, tree: ast.AST) -> set[str]:
    """The modules of ours that the statements below a node import, by absolute name."""
    package = module_of(file).split(".")
    package = package if file.name == "__init__.py" else package[:-1]
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(a.name for a in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            for a in node.names:
                name = f"{module}.{a.name}"
                path = ROOT.joinpath(*name.split("."))
                is_module = path.with_suffix(".py").exists() or path.is_dir()
                found.add(name if is_module else module)
    return {name for name in found if name.split(".")[0] in ("fgrad", "fgrad_nn")}


@pytest.mark.parametrize("file", FILES, ids=module_of)
def test_imports_go_down(file: Path) -> None:
    """A module imports from lower layers; within a folder, from files without a way back."""
    module = module_of(file)
    for name in imports_of(file, ast.parse(file.read_text())):
        same_package = any(
            module.startswith(package) and name.startswith(f"{package}.")
            for package in (
                "fgrad.compiler",
                "fgrad.control",
                "fgrad.debug",
                "fgrad.distributed",
                "fgrad.drawing",
                "fgrad.ops",
                "fgrad.random",
                "fgrad.scipy",
                "fgrad.solutions",
                "fgrad.sparse",
                "fgrad.testing",
                "fgrad_nn.data",
                "fgrad_nn.files",
                "fgrad_nn.layers",
                "fgrad_nn.losses",
                "fgrad_nn.metrics",
                "fgrad_nn.optimizers",
                "fgrad_nn.schedules",
                "fgrad_nn.training",
            )
        )
        assert layer_of(name) < layer_of(module) or same_package, f"{module} imports {name}"


def test_no_cycle() -> None:
    """Following imports from any module never leads back to it."""
    graph = {
        module_of(f): {
            n for n in imports_of(f, ast.parse(f.read_text())) if n != module_of(f)
        }
        for f in FILES
    }  # fmt: skip
    done: set[str] = set()
    for start in graph:
        stack: list[tuple[str, tuple[str, ...]]] = [(start, (start,))]
        while stack:
            here, way = stack.pop()
            for there in graph.get(here, ()):
                assert there not in way, " -> ".join([*way, there])
                if there not in done:
                    stack.append((there, (*way, there)))
        done.add(start)


@pytest.mark.parametrize("file", FILES, ids=module_of)
def test_no_import_inside_functions(file: Path) -> None:
    """Our own modules are imported at the top of a file."""
    functions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, functions):
            assert not imports_of(file, node), f"{file.name}:{node.lineno}"


@pytest.mark.parametrize(
    "file",
    sorted(f for d in ("fgrad", "fgrad_nn", "tests", "examples", "benchmarks")
           for f in ROOT.glob(f"{d}/**/*.py")),
    ids=lambda f: str(f.relative_to(ROOT)),
)  # fmt: skip
def test_files_are_small(file: Path) -> None:
    """A file is one idea and at most 400 lines."""
    lines = len(file.read_text().splitlines())
    assert lines <= LIMIT, f"{file.relative_to(ROOT)} has {lines} lines"


@pytest.mark.parametrize("file", FILES, ids=module_of)
def test_no_catch_all(file: Path) -> None:
    """No error is swallowed whatever it is."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ExceptHandler):
            broad = node.type is None or (
                isinstance(node.type, ast.Name) and node.type.id in ("Exception", "BaseException")
            )
            raises = any(isinstance(n, ast.Raise) and n.exc is None for n in ast.walk(node))
            assert not broad or raises, f"{file.name}:{node.lineno}"
