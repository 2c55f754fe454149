"""Pulsar candidates for `pulsars.py`: read from a CSV file, or simulated.

A search for pulsars folds the telescope's time series at many trial periods and dispersion
measures (DM, the column density of electrons on the way, in pc/cm3). What stands out is a
*candidate*: a folded pulse profile, and a curve of the signal-to-noise ratio over the trial DMs.
A pulsar has a narrow pulse and a curve that peaks at its own DM; noise has neither; interference
from the ground has no dispersion, so its curve is flat or peaks at DM 0. Eight numbers describe a
candidate: mean, standard deviation, excess kurtosis and skewness of the profile and of the curve,
as in the HTRU2 survey (Lyon et al. 2016, MNRAS 459, 1104).

In the published HTRU2 files the names of the columns kurtosis and skewness are exchanged: no data
can have an excess kurtosis below skewness**2 - 2, and those columns obey that only when they swap
names. `read_csv` tests for it and swaps the names, so that pictures name their axes rightly.
"""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import NamedTuple

import numpy as np

from fgrad.errors import FgradError

FEATURES = tuple(
    f"{curve}_{moment}"
    for curve in ("profile", "dmsnr")
    for moment in ("mean", "std", "kurtosis", "skewness")
)
BINS = 128  # of a folded profile
TRIAL_DMS = np.linspace(0.0, 300.0, 256)  # pc/cm3
FREQUENCY_GHZ, BANDWIDTH_MHZ = 1.352, 340.0  # of the HTRU survey at Parkes
SEARCH_FLOOR = 2.0  # what stays below this signal-to-noise ratio counts as nothing


class DataError(FgradError, ValueError):
    """The CSV file is not what the example can train on."""


class Candidates(NamedTuple):
    """Candidates: one row of eight features each, and 1 for a pulsar, 0 for anything else."""

    names: tuple[str, ...]
    features: np.ndarray  # (samples, 8) float64
    labels: np.ndarray  # (samples,) int64


def standardise(features: np.ndarray) -> np.ndarray:
    """Shift and scale each column to mean 0 and standard deviation 1; a constant one becomes 0."""
    spread = features.std(axis=0)
    return (features - features.mean(axis=0)) / np.where(spread > 0, spread, 1.0)


# Reading -----------------------------------------------------------------------------------------


def read_csv(path: str | Path) -> Candidates:
    """Read candidates from a CSV file: a header, eight feature columns, and a column `label`.

    Raises:
        DataError: the file can't be read or is no such table; the message names line and column.
    """
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            rows = [(n, row) for n, row in enumerate(csv.reader(file), start=1) if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(
            "--data wants a CSV file with a header, eight feature columns and `label`.",
            f"{path}, which could not be read: {getattr(error, 'strerror', None) or error}",
            "check the path, or leave --data out to train on simulated candidates",
        ) from error
    header = [name.strip() for name in rows[0][1]] if rows else []
    if "label" not in header or len(header) != 9:
        raise DataError(
            "--data wants eight feature columns and a column `label`.",
            f"{path} with the columns {', '.join(header) if header else '(none)'}",
            "put these nine names in the file's first line; the order is free",
        )
    at = header.index("label")
    names = tuple(name for name in header if name != "label")
    table = np.array([_numbers(path, line, row, header) for line, row in rows[1:]]).reshape(-1, 9)
    labels = table[:, at]
    wrong = np.flatnonzero((labels != 0) & (labels != 1))
    if wrong.size:
        raise DataError(
            "A label is 1 for a pulsar and 0 for anything else.",
            f"{labels[wrong[0]]:g} in line {rows[1 + wrong[0]][0]} of {path}",
            "correct the label, or delete the line",
        )
    if len(np.unique(labels)) < 2:
        raise DataError(
            "Training wants samples of both classes, pulsars (1) and others (0).",
            f"{int(labels.sum())} pulsars and {int((labels == 0).sum())} others in {path}",
            "add candidates of the missing class",
        )
    features = np.delete(table, at, axis=1)
    return Candidates(_true_names(names, features), features, labels.astype(np.int64))


def _true_names(names: tuple[str, ...], features: np.ndarray) -> tuple[str, ...]:
    """Exchange the names of a kurtosis and a skewness column if only that makes them possible."""
    true = list(names)
    for name in names:
        other = name.replace("kurtosis", "skewness")
        if other == name or other not in names:
            continue
        k, s = names.index(name), names.index(other)
        first, second = features[:, k], features[:, s]
        if not _possible(first, second) and _possible(second, first):
            true[k], true[s] = other, name
    return tuple(true)


def _possible(kurtosis: np.ndarray, skewness: np.ndarray) -> bool:
    """Whether these can be the excess kurtosis and skewness of any data; cells are rounded."""
    return bool(np.all(kurtosis >= skewness**2 - 2 - 0.01))


def _numbers(path: str | Path, line: int, row: list[str], header: list[str]) -> list[float]:
    """Turn the cells of one line into finite floats."""
    if len(row) != len(header):
        raise DataError(
            f"Each line wants {len(header)} cells, as many as the header.",
            f"{len(row)} cells in line {line} of {path}",
            "complete the line, or delete it",
        )
    numbers = []
    for name, cell in zip(header, row, strict=True):
        try:
            number = float(cell)
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            raise DataError(
                "Each cell wants a finite number.",
                f"{cell.strip()!r} in line {line}, column {name} of {path}",
                "replace the cell, or delete the line",
            )
        numbers.append(number)
    return numbers


# Simulating --------------------------------------------------------------------------------------


def simulate(samples: int, rng: np.random.Generator) -> Candidates:
    """Simulate candidates, half of them pulsars, in random order.

    Of the others, six in ten are noise; the rest is interference, most of it a hum (a sinusoid in
    the profile), some of it sparks (a narrow pulse, as a pulsar's, but without dispersion).
    """
    pulsars = samples // 2
    hums, sparks = round(0.28 * (samples - pulsars)), round(0.12 * (samples - pulsars))
    noise = samples - pulsars - hums - sparks
    parts = [_pulsars(pulsars, rng), _noise(noise, rng), _hums(hums, rng), _sparks(sparks, rng)]
    profiles = np.concatenate([profile for profile, _ in parts])
    curves = np.concatenate([curve for _, curve in parts])
    curves = np.maximum(curves + _search_noise(samples, rng) - SEARCH_FLOOR, 0.0)
    profiles += rng.normal(size=profiles.shape)
    features = np.hstack([moments(_eight_bits(profiles)), moments(_eight_bits(curves))])
    labels = (np.arange(samples) < pulsars).astype(np.int64)
    order = rng.permutation(samples)
    return Candidates(FEATURES, features[order], labels[order])


def moments(curves: np.ndarray) -> np.ndarray:
    """Mean, standard deviation, excess kurtosis and skewness of each row, as (rows, 4).

    A row without spread has no shape to speak of: its kurtosis and skewness are 0.
    """
    mean, spread = curves.mean(axis=1), curves.std(axis=1)
    z = (curves - mean[:, None]) / np.where(spread > 0, spread, 1.0)[:, None]
    kurtosis = np.where(spread > 0, np.mean(z**4, axis=1) - 3.0, 0.0)
    return np.stack([mean, spread, kurtosis, np.mean(z**3, axis=1)], axis=1)


def dispersed_response(offset: np.ndarray, width: np.ndarray) -> np.ndarray:
    """What a wrong DM leaves of the signal-to-noise ratio of a pulse.

    Cordes & McLaughlin 2003, ApJ 596, 1142, equation 12: sqrt(pi)/2 * erf(zeta)/zeta.

    Args:
        offset: trial DM minus true DM, in pc/cm3.
        width: width of the pulse in ms; broadcasts against `offset`.
    """
    zeta = 6.91e-3 * np.abs(offset) * BANDWIDTH_MHZ / (width * FREQUENCY_GHZ**3)
    zeta = np.maximum(zeta, 1e-6)  # erf(z)/z has the limit 2/sqrt(pi) at 0, and 1e-6 is there
    return np.sqrt(np.pi) / 2 * np.vectorize(math.erf, otypes=[float])(zeta) / zeta


def _pulsars(count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Profiles (count, bins) and curves (count, trials) of pulsars, both without noise."""
    period = 600.0 * rng.lognormal(sigma=0.7, size=(count, 1))  # ms
    width = np.clip(0.04 * rng.lognormal(sigma=0.5, size=(count, 1)), 0.008, 0.3)  # of a period
    dm = 10 ** rng.uniform(1.0, 2.4, size=(count, 1))
    ratio = 8.0 + 12.0 * rng.lognormal(sigma=0.9, size=(count, 1))  # signal to noise at the true DM
    profile = _pulses(count, width, rng)
    profile *= ratio / np.sqrt(np.sum(profile**2, axis=1, keepdims=True))
    return profile, ratio * dispersed_response(TRIAL_DMS - dm, width * period)


def _pulses(count: int, width: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Von Mises pulses of full width `width` at half height; one in four has a second component."""
    phase = np.arange(BINS) / BINS
    concentration = (2.355 / (2 * np.pi * width)) ** 2
    centre = rng.uniform(size=(count, 1))
    beside = centre + rng.uniform(1.0, 2.5, size=(count, 1)) * width
    height = rng.uniform(0.3, 0.9, size=(count, 1)) * (rng.uniform(size=(count, 1)) < 0.25)
    first = np.exp(concentration * (np.cos(2 * np.pi * (phase - centre)) - 1))
    return first + height * np.exp(concentration * (np.cos(2 * np.pi * (phase - beside)) - 1))


def _noise(count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """An empty profile, and the narrow peak by chance for which the search kept the candidate."""
    dm = rng.uniform(TRIAL_DMS[0], TRIAL_DMS[-1], size=(count, 1))
    reach = 2.5 * rng.lognormal(sigma=0.6, size=(count, 1))  # pc/cm3
    height = 4.0 + rng.gamma(3.0, 1.0, size=(count, 1))
    return np.zeros((count, BINS)), height * np.exp(-0.5 * ((TRIAL_DMS - dm) / reach) ** 2)


def _hums(count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Sinusoidal interference: as wide as its period, so that hardly any DM smears it out."""
    period = 200.0 * rng.lognormal(sigma=1.2, size=(count, 1))  # ms
    cycles = rng.integers(1, 4, size=(count, 1))
    ratio = 5.0 + 6.0 * rng.lognormal(sigma=0.8, size=(count, 1))
    phase = np.arange(BINS) / BINS + rng.uniform(size=(count, 1))
    profile = ratio * np.sqrt(2 / BINS) * np.sin(2 * np.pi * cycles * phase)
    return profile, ratio * dispersed_response(TRIAL_DMS, 0.5 * period / cycles)


def _sparks(count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Impulsive interference: a narrow pulse that is strongest without dedispersion."""
    width = np.clip(0.06 * rng.lognormal(sigma=0.6, size=(count, 1)), 0.01, 0.3)
    ratio = 6.0 + 8.0 * rng.lognormal(sigma=0.8, size=(count, 1))
    profile = _pulses(count, width, rng)
    profile *= ratio / np.sqrt(np.sum(profile**2, axis=1, keepdims=True))
    return profile, ratio * dispersed_response(TRIAL_DMS, width * 100.0)


def _search_noise(count: int, rng: np.random.Generator) -> np.ndarray:
    """Unit Gaussian noise over the trial DMs; neighbours share most data, so it is smoothed."""
    weights = np.exp(-0.5 * (np.arange(-4, 5) / 1.5) ** 2)
    white = rng.normal(size=(count, TRIAL_DMS.size + weights.size - 1))
    windows = np.lib.stride_tricks.sliding_window_view(white, weights.size, axis=1)
    return windows @ (weights / np.sqrt(np.sum(weights**2)))


def _eight_bits(curves: np.ndarray) -> np.ndarray:
    """Scale each row to 0..255 and round, as survey archives store them."""
    low, high = curves.min(axis=1, keepdims=True), curves.max(axis=1, keepdims=True)
    return np.round(255.0 * (curves - low) / np.where(high > low, high - low, 1.0))
