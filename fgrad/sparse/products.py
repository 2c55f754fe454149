"""Products of a Jacobian or a Hessian with many vectors at once, and a test of what was read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import tree
from ..arrays import Aval, aval
from ..batch import vmap
from ..core import home
from ..derivatives import jvp, vjp
from ..errors import ArgumentError, DtypeError, ShapeError, describe, name_of
from ..jacobians import Point, of_one
from ..moving import host_array
from .colorings import Coloring
from .detection import check_plain, gradient_of


class Products:
    """Products at one point, and the values of the function that come along.

    Attributes:
        name: what users call.
        value, aux: those of the function, once a product has been computed.
        gradient: its leaves, of a scalar function whose Hessian is multiplied.
    """

    def __init__(self, name: str, point: Point, chunk_size: Any, coloring: Coloring) -> None:
        self.name, self.point, self.chunk_size = name, point, chunk_size
        self.coloring = coloring
        self.value: Any = None
        self.aux: Any = None
        self.gradient: Any = None

    @property
    def dtype(self) -> Any:
        """The dtype of the matrix: that of the arguments, but at least float32, as SciPy's are."""
        dtypes = [a.dtype for a in self.point.avals]
        return np.result_type(np.float32, *dtypes) if dtypes else np.dtype(float)

    def jacobian(self, check: bool) -> Any:
        """The Jacobian as a csr_array."""
        c = self.coloring
        m, n = c.sparsity.shape
        if sum(a.size for a in self.point.avals) != n:
            raise self._wrong_shape()
        pushed: Any = None
        pulled: Any = None
        forward = c.forward > 0 or c.reverse == 0
        if forward:
            seeds = _seeds(c.columns, c.forward, check)
            pushed, right = self._along(self._push, self.point.avals, seeds)
            self.value, self.aux = tree.map(of_one, (self.value, self.aux))
            self._check_rows(pushed.shape[1], m)
        if c.reverse > 0:
            seeds = _seeds(c.rows, c.reverse, check and not forward)
            pulled, left = self._pull(seeds, m)
        found = c.read(pushed, pulled, self.dtype)
        if check and forward:
            self._compare(found, pushed[-1], right)
        elif check:
            self._compare(found.T.tocsr(), pulled[-1], left)
        return found

    def hessian(self, check: bool) -> Any:
        """The Hessian as a csr_array."""
        c = self.coloring
        if sum(a.size for a in self.point.avals) != c.sparsity.shape[1]:
            raise self._wrong_shape()
        gradient = gradient_of(self.point)

        def push(*ts: Any) -> Any:
            self.gradient, product, (self.value, self.aux) = jvp(
                gradient, self.point.xs, ts, has_aux=True
            )
            return product

        seeds = _seeds(c.columns, c.forward, check)
        pushed, vector = self._along(push, self.point.avals, seeds)
        self.gradient, self.value, self.aux = tree.map(
            of_one, (self.gradient, self.value, self.aux)
        )
        found = c.read(pushed, None, self.dtype)
        if check:
            self._compare(found, pushed[-1], vector)
        return found

    # ------------------------------------------------------------------ the two sweeps
    def _push(self, *ts: Any) -> Any:
        self.value, tangent, self.aux = jvp(self.point, self.point.xs, ts, has_aux=True)
        self._check_outs(self.value)
        return tangent

    def _pull(self, seeds: Any, m: int) -> Any:
        self.value, pullback, self.aux = vjp(self.point, *self.point.xs, has_aux=True)
        self._check_outs(self.value)
        outs, structure = tree.flatten(self.value)
        avals = [aval(y) for y in outs]
        self._check_rows(sum(a.size for a in avals), m)
        return self._along(lambda *gs: pullback(tree.unflatten(structure, gs)), avals, seeds)

    def _along(
        self, linear: Callable[..., Any], avals: Sequence[Aval], seeds: Any
    ) -> tuple[Any, Any]:
        """The map of each row of the seeds, as rows; and the last seed as it was rounded."""
        host = home(*self.point.xs)
        ends = np.cumsum([a.size for a in avals])[:-1]
        count = len(seeds)
        parts = [
            part.astype(a.dtype).reshape((count, *a.shape))
            for part, a in zip(np.split(seeds, ends, axis=1), avals, strict=True)
        ] if avals else []  # fmt: skip
        last = np.concatenate([np.zeros(0), *(part[-1].ravel() for part in parts)])
        there = [host.asarray(part) for part in parts]
        mapped = vmap(linear, axis_size=count, chunk_size=self.chunk_size)(*there)
        leaves = tree.leaves(mapped)
        check_plain(self.name, leaves)
        leaves = [host_array(y) for y in leaves]
        flat = [np.reshape(y, (count, -1)) if y.size else np.zeros((count, 0)) for y in leaves]
        return np.concatenate([np.zeros((count, 0)), *flat], axis=1), last

    # ------------------------------------------------------------------ checks
    def _check_outs(self, value: Any) -> None:
        """Refuse results without real derivatives."""
        for path, y in tree.leaves_with_path(value):
            if aval(y).dtype.kind != "f":
                where = f" at {tree.path_str(path)}" if path else ""
                raise DtypeError(
                    f"fgrad.sparse.{self.name} wants a function that returns real arrays; "
                    f"{name_of(self.point.selection.f)} does not.",
                    f"{describe(y)}{where}",
                    "return floating-point numbers (real and imaginary part of complex ones), "
                    "and what has no derivative as aux, with has_aux=True",
                )

    def _check_rows(self, found: int, wanted: int) -> None:
        if found != wanted:
            raise self._wrong_shape(found)

    def _wrong_shape(self, rows: int | None = None) -> ShapeError:
        """The error of a pattern that isn't one of this matrix."""
        n = sum(a.size for a in self.point.avals)
        wanted = f"({n}, {n})" if self.name.endswith("hessian") else f"({rows or 'm'}, {n})"
        return ShapeError(
            f"fgrad.sparse.{self.name} wants a sparsity pattern of shape {wanted}: a row for each "
            f"number of the result of {name_of(self.point.selection.f)}, a column for each number "
            "of the argument.",
            f"a pattern of shape {self.coloring.sparsity.shape}",
            "find it with fgrad.sparse.sparsity(f)(*args), or leave it away",
        )

    def _compare(self, found: Any, product: Any, vector: Any) -> None:
        """Refuse a matrix whose product with a random vector isn't the derivative in it."""
        avals = [*self.point.avals, *map(aval, tree.leaves(self.value))]
        eps = max(float(np.finfo(a.dtype).eps) for a in avals)
        wide = found.astype(np.float64)
        product = product.astype(np.float64)
        with np.errstate(all="ignore"):
            ours = wide @ vector
            scale = abs(wide) @ abs(vector) + abs(product)
            largest = np.max(scale, initial=0.0, where=np.isfinite(scale))
            bad = np.isfinite(ours) & ~(
                abs(ours - product) <= np.sqrt(eps) * scale + 64 * eps * largest
            )
        if bad.any():
            i = int(np.argmax(bad))
            what = "column" if self.coloring.forward == 0 and self.coloring.reverse else "row"
            raise ArgumentError(
                f"fgrad.sparse.{self.name} wants a sparsity pattern that has all entries of the "
                f"{'Hessian' if self.name.endswith('hessian') else 'Jacobian'}.",
                f"a pattern of {found.nnz} entries; {what} {i} times a random vector is "
                f"{product[i]:.6g}, and {ours[i]:.6g} with the entries of the pattern",
                "find the pattern for these arguments and captured arrays with "
                "fgrad.sparse.sparsity (hessian_sparsity), or leave it away; a function must do "
                "the same each time",
            )


def _seeds(colors: Any, count: int, check: bool) -> Any:
    """A row for each colour, with a one for each member; with ``check`` a random one at the end."""
    seeds = np.zeros((max(count + check, 1), len(colors)))
    here = colors >= 0
    seeds[colors[here], np.flatnonzero(here)] = 1
    if check:
        seeds[-1] = _random(len(colors))
    return seeds


def _random(n: int) -> Any:
    """Numbers from 1 to 2 and their negatives."""
    rng = np.random.default_rng(3)
    return rng.uniform(1, 2, n) * rng.choice([-1.0, 1.0], n)
