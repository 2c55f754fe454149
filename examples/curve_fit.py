"""Fit a curve to noisy data by the Levenberg-Marquardt method, and say how sure the fit is.

    python examples/curve_fit.py
    python examples/curve_fit.py --quick --seed 3

A bell that was struck rings down: y = a exp(-d t) cos(2 pi f t + p) + c. From 80 samples with
noise of known size the five parameters are to be found, with standard errors, and a band in which,
at each time, the curve lies with a probability of 95 %, also where there are no data.

With residuals r(p) and their Jacobian J, each step of the method solves

    (J.T J + damping I) step = -J.T r,

which is Newton's equation without the curvature of r, damped if it led too far (K. Madsen,
H. Nielsen, O. Tingleff, Methods for Non-Linear Least Squares Problems, 2004, algorithm 3.16).
fgrad gives J in two ways. `value_and_jacfwd` makes the matrix, column by column in one pass. `gnvp`
makes products with J.T J, for fits whose J is too large to be kept; conjugate gradients then solve
the equation. Both find the same fit, and it is that of `scipy.optimize.curve_fit`.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import program
import scipy.optimize
import scipy.stats

import fgrad
import fgrad.scipy.optimize

Residuals = Callable[[np.ndarray], Any]

#: The parameters: name, unit, truth, first guess.
PARAMETERS = (
    ("amplitude", "mV", 2.0, 1.0),
    ("decay", "1/s", 0.25, 0.1),
    ("frequency", "Hz", 0.8, 0.75),
    ("phase", "rad", 0.6, 0.0),
    ("offset", "mV", 0.3, 0.0),
)
NAMES = tuple(name for name, *_ in PARAMETERS)
TRUTH = np.array([truth for _, _, truth, _ in PARAMETERS])
GUESS = np.array([guess for *_, guess in PARAMETERS])


# The data ----------------------------------------------------------------------------------------


class Data(NamedTuple):
    """Samples y at times t, with the standard deviation of the noise of each."""

    t: np.ndarray
    y: np.ndarray
    sigma: np.ndarray


def ring(t: np.ndarray, parameters: Any) -> Any:
    """The model: a decaying oscillation over the times t, in mV."""
    amplitude, decay, frequency, phase, offset = parameters
    return amplitude * np.exp(-decay * t) * np.cos(2 * np.pi * frequency * t + phase) + offset


def simulate(samples: int, rng: np.random.Generator) -> Data:
    """Samples over six seconds; the noise of an amplifier that warms up becomes smaller."""
    t = np.linspace(0.0, 6.0, samples)
    sigma = 0.3 + 0.4 * np.exp(-t)
    return Data(t, ring(t, TRUTH) + sigma * rng.normal(size=samples), sigma)


def residuals_of(data: Data) -> Residuals:
    """The distances of the data from the curve, in standard deviations, as a function of p."""
    return lambda parameters: (ring(data.t, parameters) - data.y) / data.sigma


# The method --------------------------------------------------------------------------------------


class Fit(NamedTuple):
    """The parameters, their covariance, the sum of squared residuals, and the iterations."""

    parameters: np.ndarray
    covariance: np.ndarray
    chi2: float
    iterations: int

    @property
    def errors(self) -> np.ndarray:
        """The standard errors."""
        return np.sqrt(np.diag(self.covariance))


class Linearised(NamedTuple):
    """Residuals r at a point, the gradient J.T r, and the solution of the damped equation."""

    r: np.ndarray
    gradient: np.ndarray
    step: Callable[[float], np.ndarray]  # damping -> step
    largest: float  # of the diagonal of J.T J


def by_matrix(residuals: Residuals, p: np.ndarray) -> Linearised:
    """The equation with J as a matrix (samples, parameters), by forward mode."""
    r, J = fgrad.value_and_jacfwd(residuals)(p)

    def step(damping: float) -> np.ndarray:
        # as least squares of stacked rows: J.T @ J would square the condition of J
        rows = np.concatenate([J, np.sqrt(damping) * np.eye(len(p))])
        return np.linalg.lstsq(rows, np.concatenate([-r, np.zeros(len(p))]))[0]

    return Linearised(r, J.T @ r, step, float(np.max(np.sum(J * J, axis=0))))


def by_products(residuals: Residuals, p: np.ndarray) -> Linearised:
    """The equation with products alone: J.T r by reverse mode, J.T J v by `gnvp`."""
    r, pullback = fgrad.vjp(residuals, p)
    (gradient,) = pullback(r)

    def product(v: np.ndarray) -> np.ndarray:
        return fgrad.gnvp(residuals, (p,), (v,))

    def step(damping: float) -> np.ndarray:
        return conjugate_gradients(lambda v: product(v) + damping * v, -gradient)

    units = np.eye(len(p))
    return Linearised(r, gradient, step, max(float(unit @ product(unit)) for unit in units))


def conjugate_gradients(
    product: Callable[[np.ndarray], np.ndarray], b: np.ndarray, tolerance: float = 1e-10
) -> np.ndarray:
    """Solve A x = b for a positive definite A, given by its products with vectors."""
    x, residual, direction = np.zeros_like(b), b, b
    for _ in range(10 * len(b)):
        if np.linalg.norm(residual) <= tolerance * np.linalg.norm(b):
            break
        moved = product(direction)
        length = (residual @ residual) / (direction @ moved)
        x = x + length * direction
        following = residual - length * moved
        direction = following + (following @ following) / (residual @ residual) * direction
        residual = following
    return x


def levenberg_marquardt(
    residuals: Residuals,
    start: np.ndarray,
    linearise: Callable[[Residuals, np.ndarray], Linearised] = by_matrix,
    *,
    tolerance: float = 1e-10,
    limit: int = 200,
) -> Fit:
    """Find the least squares of residuals, from a first guess.

    Args:
        residuals: a function of parameters (n,) that returns an array (m,), in standard deviations.
        start: the first guess.
        linearise: how to solve the equation of a step, `by_matrix` or `by_products`.
        tolerance: of the step, relative to the parameters.
        limit: of the iterations.

    Raises:
        RuntimeError: there is no convergence within the limit.
    """
    p, here = start, linearise(residuals, start)
    damping, growth = 1e-3 * here.largest, 2.0
    for iteration in range(1, limit + 1):
        step = here.step(damping)
        predicted = 0.5 * step @ (damping * step - here.gradient)
        new_r = residuals(p + step)
        gain = 0.5 * (here.r @ here.r - new_r @ new_r)
        # near the minimum both are rounding errors, and their ratio says nothing
        rounding = 10 * np.finfo(float).eps * (here.r @ here.r)
        agreement = (gain + rounding) / (predicted + rounding)
        small = np.linalg.norm(step) <= tolerance * (np.linalg.norm(p) + tolerance)
        if agreement > 0:
            p = p + step
            here = linearise(residuals, p)
            damping *= max(1 / 3, 1 - (2 * agreement - 1) ** 3)
            growth = 2.0
        else:
            damping, growth = damping * growth, 2 * growth
        if small:
            J = fgrad.jacfwd(residuals)(p)
            covariance = np.linalg.inv(J.T @ J)
            return Fit(p, covariance, float(here.r @ here.r), iteration)
    raise RuntimeError(
        f"The fit did not converge in {limit} steps. Sum of squares: {here.r @ here.r:.6g}, "
        f"length of its gradient: {np.linalg.norm(here.gradient):.2e}. Try another first guess."
    )


def band(t: np.ndarray, fit: Fit, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper bounds of the curve over t: what the errors of the parameters make of it.

    A change dp of the parameters moves the curve by J dp, with J the Jacobian of the model, so its
    variances are the diagonal of J C J.T for the covariance C.
    """
    J = fgrad.jacfwd(lambda p: ring(t, p))(fit.parameters)
    spread = np.sqrt(np.sum(J @ fit.covariance * J, axis=1))
    reach = float(scipy.stats.norm.ppf(0.5 + level / 2)) * spread
    middle = ring(t, fit.parameters)
    return middle - reach, middle + reach


# The comparison ----------------------------------------------------------------------------------


def by_scipy(data: Data, **options: Any) -> Fit:
    """The fit by `scipy.optimize.curve_fit`, whose Jacobian is made of finite differences."""
    p, covariance, about, *_ = scipy.optimize.curve_fit(
        lambda t, *p: ring(t, p), data.t, data.y, GUESS, data.sigma, absolute_sigma=True,
        full_output=True, ftol=1e-12, xtol=1e-12, **options,
    )  # fmt: skip
    return Fit(p, covariance, float(np.sum(about["fvec"] ** 2)), about["nfev"])


def by_bridge(data: Data) -> Fit:
    """The fit by `fgrad.scipy.optimize.curve_fit`: SciPy's method with fgrad's Jacobian."""
    p, covariance = fgrad.scipy.optimize.curve_fit(
        lambda t, *p: ring(t, p), data.t, data.y, GUESS, data.sigma, absolute_sigma=True,
        ftol=1e-12, xtol=1e-12, gtol=1e-12,
    )  # fmt: skip
    return Fit(p, covariance, float(np.sum(residuals_of(data)(p) ** 2)), 0)


def refits(data: Data, fit: Fit, count: int, rng: np.random.Generator, bar: Any) -> np.ndarray:
    """Parameters (count, n) of fits to other data that the fitted curve could have made."""
    curve = ring(data.t, fit.parameters)
    found = []
    for _ in range(count):
        again = data._replace(y=curve + data.sigma * rng.normal(size=len(curve)))
        found.append(levenberg_marquardt(residuals_of(again), fit.parameters).parameters)
        bar.update()
    return np.array(found)


def report(data: Data, fits: dict[str, tuple[Fit, float]], again: np.ndarray) -> None:
    """Print the fits, and the parameters of the first with two checks of its errors."""
    rows = []
    first, reference = fits["jacfwd"][0], fits["SciPy"][0]
    for name, (fit, seconds) in fits.items():
        away = np.max(np.abs(fit.parameters - first.parameters) / first.errors)
        spread = np.max(np.abs(fit.errors / first.errors - 1))
        iterations = f"{fit.iterations}" if name in ("jacfwd", "gnvp") else ""
        rows.append([name, iterations, f"{1000 * seconds:.1f}", f"{fit.chi2:.6f}",
                     f"{away:.1e}", f"{spread:.1e}"])  # fmt: skip
    columns = ["", "iterations", "ms", "chi2", "parameters off by (s.e.)", "errors off by (share)"]
    program.table(f"Fits to {len(data.t)} samples, compared with the first", columns, rows)
    rows = [
        [f"{name} ({unit})", f"{truth:g}", f"{first.parameters[i]:.6f}", f"{first.errors[i]:.6f}",
         f"{reference.errors[i]:.6f}", f"{again[:, i].std(ddof=1):.6f}"]
        for i, (name, unit, truth, _) in enumerate(PARAMETERS)
    ]  # fmt: skip
    columns = ["", "truth", "fit", "standard error", "SciPy's", f"spread of {len(again)} refits"]
    program.table("Parameters", columns, rows)


def picture(path: Path, data: Data, fit: Fit) -> Path:
    """The data, the fitted curve with its band, going on beyond the data, and the residuals."""
    figure, (above, below) = program.canvas(
        2, 1, size=(8.5, 6.0), sharex=True, height_ratios=[3, 1]
    )
    t = np.linspace(0.0, 1.5 * data.t[-1], 800)
    above.errorbar(data.t, data.y, data.sigma, fmt="o", color=program.BLUE, alpha=0.45,
                   markersize=3, linewidth=0.7, label="data and noise (1 s.d.)")  # fmt: skip
    above.fill_between(t, *band(t, fit), color=program.RED, alpha=0.3, linewidth=0,
                       label="95 % band of the curve")  # fmt: skip
    above.plot(t, ring(t, fit.parameters), color=program.RED, linewidth=1.6, label="fit")
    above.plot(t, ring(t, TRUTH), "--", color=program.INK, linewidth=1.0, label="truth")
    above.axvspan(data.t[-1], t[-1], color=program.OCHRE, alpha=0.1, linewidth=0)
    above.text(t[-1], above.get_ylim()[0], "no data ", ha="right", va="bottom", color=program.INK)
    above.set_ylabel("signal (mV)")
    above.set_title("Ring-down of a bell", loc="left", fontsize=14)
    above.legend(frameon=False, ncols=2, loc="upper center")
    below.axhspan(-2, 2, color=program.INK, alpha=0.08, linewidth=0)
    below.axhline(0.0, color=program.INK, linewidth=0.8)
    below.plot(data.t, residuals_of(data)(fit.parameters), "o", color=program.BLUE, markersize=3)
    below.set(xlabel="time (s)", ylabel="residual (s.d.)", xlim=(-0.1, t[-1]), ylim=(-3.5, 3.5))
    return program.save(figure, path)


def work(chosen: argparse.Namespace) -> list[Path]:
    """Fit simulated data in all ways, and show the fit."""
    data_rng, refit_rng = np.random.default_rng(chosen.seed).spawn(2)
    data = simulate(50 if chosen.quick else 80, data_rng)
    ways: dict[str, Callable[[], Fit]] = {
        "jacfwd": lambda: levenberg_marquardt(residuals_of(data), GUESS),
        "gnvp": lambda: levenberg_marquardt(residuals_of(data), GUESS, by_products),
        "SciPy": lambda: by_scipy(data),
        "fgrad.scipy": lambda: by_bridge(data),
    }
    fits = {}
    for name, way in ways.items():
        begin = time.perf_counter()
        fits[name] = way(), time.perf_counter() - begin
    count = 20 if chosen.quick else 500
    fit = fits["jacfwd"][0]
    with program.bar(chosen, count, "fit") as bar:
        again = refits(data, fit, count, refit_rng, bar)
    report(data, fits, again)
    return [picture(chosen.out / "curve_fit.png", data, fit)]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program; 0 on success, 2 when the output folder is not usable."""
    options = program.parser(
        "Fit a curve by the Levenberg-Marquardt method, with its errors.", "curve_fit_plots"
    )
    return program.run(options, arguments, work)


if __name__ == "__main__":
    sys.exit(main())
