"""Differential equations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import integrate

from ...closures import Reader, example
from ...core import Tracer
from ...errors import ArgumentError, ConvergenceError, NoRuleError, describe, name_of
from ...packing import Packing, array_like
from ...solutions import jacobian, plain
from ...tracebacks import boundary
from .flow import Flow

OdeResult: Any = type(integrate.solve_ivp(lambda t, y: y, (0.0, 1.0), [1.0]))


class _Initial:
    """An initial-value problem of a pytree as one of a vector that may read traced values."""

    def __init__(self, name: str, fun: Any, y0: Any, t0: Any, args: Any, tfirst: bool) -> None:
        if not callable(fun):
            raise ArgumentError(
                f"{name} wants a function.", describe(fun), "pass the function itself"
            )
        self.name, self.packing = name, Packing(array_like(y0), name, "y0")
        self.args = args if isinstance(args, tuple) else (args,)
        self.y, self.reader = self.packing.vector, Reader(name)
        self.front = (np.float64(example(t0)), np.array(example(self.y)))
        what = f"the result of {name_of(fun)}"

        def slope(t: Any, v: Any, *args: Any) -> Any:
            y = self.packing.unpack(v)
            out = fun(t, y, *args) if tfirst else fun(y, t, *args)
            return self.packing.like(out, what)

        slope.__wrapped__ = fun  # type: ignore[attr-defined]
        self.slope = self.reader.function(slope, self.args, *self.front)

    def flow(self, solver: Any) -> Flow:
        """The equation and what solves it."""
        return Flow(self.name, self.slope, solver, own=True)

    def traced(self, *others: Any) -> bool:
        """Whether the solution depends on traced values."""
        return bool(self.reader.values) or any(isinstance(x, Tracer) for x in (self.y, *others))


def _times(ts: Any) -> Any:
    """Times as a vector of float64."""
    ts = array_like(ts)
    ts = ts if isinstance(ts, Tracer) else np.asarray(ts)
    return ts if ts.dtype == np.float64 else ts.astype(np.float64)


def _tolerance(given: Any, size: int) -> Any:
    """A tolerance for a state that has others behind it, which get its least."""
    if given is None or np.ndim(given) == 0 or len(given) == size:
        return given
    given = np.asarray(given, np.float64)
    return np.concatenate([given, np.full(size - len(given), given.min())])


@boundary
def odeint(
    func: Callable[..., Any], y0: Any, t: Any, args: Any = (), Dfun: Any = None,
    col_deriv: bool = False, full_output: bool = False, ml: Any = None, mu: Any = None,
    rtol: Any = None, atol: Any = None, tcrit: Any = None, h0: float = 0.0, hmax: float = 0.0,
    hmin: float = 0.0, ixpr: bool = False, mxstep: int = 0, mxhnil: int = 0, mxordn: int = 12,
    mxords: int = 5, printmessg: bool = False, tfirst: bool = False,
) -> Any:  # fmt: skip
    """Solve an initial-value problem, with `scipy.integrate.odeint`.

    The solution can be differentiated in `y0`, in `t`, in `args` and in what `func` closes over:
    forward with the variational equation, in reverse with the continuous adjoint, which SciPy's
    solver solves backwards with the same tolerances (L. Pontryagin et al., 1962; R. Chen et al.,
    Neural ordinary differential equations, 2018). A derivative is as exact as the tolerances say.
    In reverse the stretch before each output is solved twice, so few outputs cost less than many.
    In `fgrad.vmap` the elements are solved one by one.

    >>> import numpy as np, fgrad
    >>> from fgrad.scipy import integrate
    >>> t = np.array([0.0, 1.0, 2.0])
    >>> def decay(rate):
    ...     return integrate.odeint(lambda y, t: {"a": -rate * y["a"]}, {"a": 1.0}, t)["a"][-1]
    >>> bool(np.isclose(fgrad.grad(decay)(0.5), -2 * np.exp(-1.0), rtol=1e-6))
    True

    Args:
        func: ``func(y, t, *args)``, with `tfirst` ``func(t, y, *args)``, of a pytree y like `y0`
            and a number t; returns the derivative, a pytree like `y0`. It is called with double
            precision, whatever the dtypes of `y0`. A complex number counts as two real ones.
        y0: the state at ``t[0]``: a pytree of arrays; a list of numbers is an array, as in SciPy.
        t: times, of shape (T,), rising or falling.
        args: further arguments, pytrees; a single one that is no tuple is taken for one.
        Dfun, col_deriv, ml, mu: a Jacobian of one's own, of the vector of the state; as in SciPy.
        full_output: return SciPy's dictionary too; only where no traced values are read.
        rtol, atol, tcrit, h0, hmax, hmin, ixpr, mxstep, mxhnil, mxordn, mxords, printmessg: as in
            SciPy; vectors of tolerances are for the vector of the state.
        tfirst: `func` takes t first.

    Returns:
        A pytree like `y0`, its arrays with an axis of length T in front.

    Raises:
        ConvergenceError: traced values are read, and the solver didn't reach the last time.
            (Otherwise SciPy warns.)
        TreeError, ShapeError: `func` doesn't return a pytree like `y0`.
        TracerConversionError: `func` closes over traced values and asks for values, as in
            ``if y > 0``; pass these in `args`.
    """
    ts = _times(t)
    problem = _Initial("odeint", func, y0, ts[0], args, tfirst)
    packing = problem.packing
    options = {
        "rtol": rtol, "atol": atol, "tcrit": tcrit, "h0": h0, "hmax": hmax, "hmin": hmin,
        "ixpr": ixpr, "mxstep": mxstep, "mxhnil": mxhnil, "mxordn": mxordn, "mxords": mxords,
        "printmessg": printmessg,
    }  # fmt: skip
    matrix: dict[str, Any] = {"ml": ml, "mu": mu, "col_deriv": col_deriv}
    if Dfun is not None:
        matrix["Dfun"] = _own_jacobian(problem, Dfun, tfirst)
    solver = _Odeint(options, matrix)
    if not problem.traced(ts):
        states, info = solver.integrated(problem.slope, problem.y, ts, True)
        return (packing.finish(states), info) if full_output else packing.finish(states)
    if full_output or Dfun is not None:
        raise NoRuleError(
            "odeint of traced values takes no full_output= and no Dfun=.",
            f"full_output={full_output!r}, Dfun={'None' if Dfun is None else 'a function'}",
            "leave it away",
        )
    return packing.finish(problem.flow(solver)(problem.y, ts, problem.reader.values))


class _Odeint:
    """SciPy's odeint with its options."""

    def __init__(self, options: dict[str, Any], matrix: dict[str, Any]) -> None:
        self.options, self.matrix = options, matrix

    def integrated(self, f: Any, y: Any, ts: Any, own: bool) -> Any:
        """The states, and SciPy's dictionary."""
        options = _for_size(self.options, len(y))
        if own:
            options |= self.matrix
        else:  # equations for derivatives have more to follow
            options["mxstep"] = 10 * (options["mxstep"] or 500)
        return integrate.odeint(
            lambda t, x: plain(f(t, x), "odeint"), y, ts, (), tfirst=True, full_output=True,
            **options,
        )  # fmt: skip

    def solve(self, f: Any, y: Any, ts: Any, own: bool) -> Any:
        states, info = self.integrated(f, y, ts, own)
        if info["message"] != "Integration successful.":
            raise _failed("odeint", info["message"], "mxstep")
        return states

    def path(self, f: Any, y: Any, start: float, stop: float) -> Any:
        # The same solver under another name, which keeps what it takes to interpolate.
        given = {k: _DEFAULT if self.options[k] is None else self.options[k]
                 for k in ("rtol", "atol")}  # fmt: skip
        given["max_step"] = self.options["hmax"] or np.inf
        return _SolveIvp("LSODA", given).path(f, y, start, stop)


#: odeint's tolerances.
_DEFAULT = 1.49012e-8


def _for_size(options: dict[str, Any], size: int) -> dict[str, Any]:
    """Options for a state of another length."""
    return {
        k: _tolerance(x, size) if k in ("rtol", "atol") else x for k, x in options.items()
    }  # fmt: skip


def _own_jacobian(problem: _Initial, jac: Any, tfirst: bool) -> Any:
    """A user's Jacobian, as a function of the time and the vector."""

    def matrix(t: Any, v: Any, *args: Any) -> Any:
        y = problem.packing.unpack(v)
        return jac(t, y, *args) if tfirst else jac(y, t, *args)

    return lambda t, v: matrix(t, v, *problem.args)


def _failed(name: str, message: str, limit: str) -> ConvergenceError:
    return ConvergenceError(
        f"{name} wants to reach the last time, to differentiate the solution.",
        f"SciPy's message: {message}",
        f"check that the solution stays finite; raise {limit}, or take another method",
    )


@boundary
def solve_ivp(
    fun: Callable[..., Any], t_span: Any, y0: Any, method: Any = "RK45", t_eval: Any = None,
    dense_output: bool = False, events: Any = None, vectorized: bool = False, args: Any = None,
    **options: Any,
) -> Any:  # fmt: skip
    """Solve an initial-value problem, with `scipy.integrate.solve_ivp`.

    The solution can be differentiated in `y0`, in the times, in `args` and in what `fun` closes
    over: forward with the variational equation, in reverse with the continuous adjoint, which the
    same method solves backwards with the same tolerances (L. Pontryagin et al., 1962; R. Chen et
    al., Neural ordinary differential equations, 2018). A derivative is as exact as the tolerances
    say; SciPy's are rtol=1e-3 and atol=1e-6. In `fgrad.vmap` the elements are solved one by one.

    >>> import numpy as np, fgrad
    >>> from fgrad.scipy import integrate
    >>> def last(rate):
    ...     f = lambda t, y: -rate * y
    ...     return integrate.solve_ivp(f, (0.0, 2.0), np.ones(1), rtol=1e-9, atol=1e-9).y[0, -1]
    >>> bool(np.isclose(fgrad.grad(last)(0.5), -2 * np.exp(-1.0), rtol=1e-6))
    True

    Args:
        fun: ``fun(t, y, *args)``, of a number t and a pytree y like `y0`; returns the derivative, a
            pytree like `y0`. It is called with double precision, whatever the dtypes of `y0`. A
            complex number counts as two real ones.
        t_span: the first and the last time.
        y0: the state at the first time: a pytree of arrays; a list of numbers is an array.
        method: as in SciPy. Radau's and BDF's Jacobian is supplied by fgrad.
        t_eval: times, of shape (T,), between those of `t_span`; None for the times of the solver's
            steps, which count as fixed.
        dense_output, events: as in SciPy, of the vector of the state; only where no traced values
            are read. For events `fun(t, y, *args)` has y as a pytree.
        vectorized: `fun` is always called with one state.
        args: further arguments, pytrees.
        options: as in SciPy: `rtol`, `atol`, `max_step`, `first_step`, `jac` and so on.

    Returns:
        An object like SciPy's: ``t``, of shape (T,); ``y``, a pytree like `y0`, its arrays with an
        axis of length T at the end; ``status``, ``message``, ``success``, ``nfev``, ``njev``,
        ``nlu``, ``sol``, ``t_events`` and ``y_events``. Where traced values are read, counts are
        -1.

    Raises:
        ConvergenceError: traced values are read, and the solver didn't reach the last time.
            (Otherwise ``success`` is False, as in SciPy.)
        TreeError, ShapeError: `fun` doesn't return a pytree like `y0`.
        NoRuleError: traced values are read, and `events` or `dense_output` are given; or the
            number of steps, which `t_eval` would fix, can't be known.
    """
    ends: list[Any] = [x if isinstance(x, Tracer) else np.float64(x) for x in t_span]
    first, end = ends
    problem = _Initial("solve_ivp", fun, y0, first, () if args is None else args, True)
    packing = problem.packing
    ts = None if t_eval is None else _times(t_eval)

    solver = _SolveIvp(method, options, end)
    if callable(options.get("jac")):
        solver.jac = _own_jacobian(problem, options["jac"], True)
    if not problem.traced(first, end, ts):
        watching = _events(problem, events)
        result = solver.integrated(
            problem.slope, problem.y, (first, end), True, t_eval=ts, dense_output=dense_output,
            events=watching,
        )  # fmt: skip
        states = np.reshape(result.y, (packing.size, -1))  # SciPy's is [] if it didn't get far
        result.y = packing.finish(states.T, last=True)
        return result
    if events is not None or dense_output:
        raise NoRuleError(
            "solve_ivp of traced values takes no events= and no dense_output=.",
            "one of them",
            "leave it away, and list the times in t_eval",
        )
    inner = slice(1, None) if ts is not None else slice(None)
    if ts is None:
        ts = _steps(problem, solver, first, end)
    else:
        ts = np.concatenate([np.reshape(first, (1,)), ts])
    states = problem.flow(solver)(problem.y, ts, problem.reader.values)
    return OdeResult(
        t=ts[inner], y=packing.finish(states[inner], last=True), sol=None, t_events=None,
        y_events=None, nfev=-1, njev=-1, nlu=-1, status=0, success=True,
        message="The solver successfully reached the end of the integration interval.",
    )  # fmt: skip


class _SolveIvp:
    """SciPy's solve_ivp with its options."""

    def __init__(self, method: Any, options: dict[str, Any], end: Any = None) -> None:
        self.method, self.options, self.end = method, options, end
        #: A Jacobian of the user's.
        self.jac: Any = None

    def integrated(self, f: Any, y: Any, span: Any, own: bool, **more: Any) -> Any:
        """SciPy's result."""
        given = _for_size(self.options, len(y))
        if not own:
            given = {k: x for k, x in given.items() if k not in _OWN}
        elif self.jac is not None:
            given["jac"] = self.jac
        if self.method in ("Radau", "BDF"):
            given.setdefault("jac", lambda t, x: jacobian(lambda z: f(t, z), x))
        return integrate.solve_ivp(
            lambda t, x: plain(f(t, x), "solve_ivp"), span, y, self.method, **more, **given
        )

    def checked(self, *args: Any, **more: Any) -> Any:
        """SciPy's result, where the last time was reached."""
        result = self.integrated(*args, **more)
        if not result.success:
            raise _failed("solve_ivp", result.message, "max_step or the tolerances")
        return result

    def solve(self, f: Any, y: Any, ts: Any, own: bool) -> Any:
        # As far as SciPy would go for plain values, so that it takes the same steps.
        end = self.end if own and not isinstance(self.end, Tracer) else ts[-1]
        return self.checked(f, y, (ts[0], end), own, t_eval=ts).y.T

    def path(self, f: Any, y: Any, start: float, stop: float) -> Any:
        return self.checked(f, y, (start, stop), False, dense_output=True).sol


#: Options that are about the user's own equation.
_OWN = ("first_step", "jac", "jac_sparsity", "lband", "uband")


def _steps(problem: _Initial, solver: _SolveIvp, first: Any, end: Any) -> Any:
    """The times of the solver's steps, between ends that may be traced."""
    values = problem.reader.values
    for x in (problem.y, first, end, *values):
        if getattr(x, "hides", False):
            raise NoRuleError(
                "solve_ivp in vmap and make_graph wants t_eval: how many steps the solver takes "
                "depends on values.",
                f"t_eval=None with {describe(x)} that stands for many",
                "pass t_eval, the times to return",
            )
    plain_values = problem.reader.examples()
    span = tuple(map(example, (first, end)))
    f = lambda t, x: problem.slope(t, x, *plain_values)  # noqa: E731
    result = solver.checked(f, problem.front[1], span, True)
    ends = [np.reshape(x, (1,)) for x in (first, end)]
    return np.concatenate([ends[0], result.t[1:-1], ends[1]])


def _events(problem: _Initial, events: Any) -> Any:
    """A user's events, as functions of the vector."""
    if events is None:
        return None

    def one(event: Any) -> Any:
        def value(t: Any, v: Any) -> Any:
            return event(t, problem.packing.unpack(v), *problem.args)

        for name in ("terminal", "direction"):
            if hasattr(event, name):
                setattr(value, name, getattr(event, name))
        return value

    return one(events) if callable(events) else [one(e) for e in events]
