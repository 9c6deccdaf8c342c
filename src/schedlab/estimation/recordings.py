"""Real trajectories: a glucose sensor that a package ships, and vehicle speeds of the catalogue.

Glucose. A continuous glucose monitor under the skin radios a reading every five minutes; the radio
is what empties its battery, so when to send matters. The package ``bokeh-sampledata`` ships half a
year of one person's readings, given to the public domain. Readings are whole mg/dL.

Vehicles. OpenACC (JRC, CC BY 4.0): speeds of cars in platoons, to be had through the catalogue.
The provider's splines make samples at 10 Hz smoother than a live sensor's, so they are thinned to
2 Hz.
"""

import gzip
import hashlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import numpy as np
import pandas as pd

from schedlab.data.catalog import fetch
from schedlab.estimation.plants import Problem, Replay

STEPS = 100  # of a window
GLUCOSE_SHA256 = "91fdad8325541a4487d88cb59b2fc9f6ed821c7c01eaabed0606bbb7089be8de"
GLUCOSE_EVERY = pd.Timedelta(minutes=5)
GLUCOSE_TRAINING = 0.6  # share of the time line that training gets, its beginning
THINNING = 5  # 10 Hz to 2 Hz
VEHICLE_TESTS = ("ZalaZone_dynamic_part2", "Casale_part7", "Vicolungo_JRC-VC_280219_part3")


@dataclass(frozen=True)
class Slope:
    """Extrapolation of a value and its last change: ``v + c``, the change fading by a factor.

    Attributes
    ----------
    keeps
        Share of the change that is left after a step; 1 is constant acceleration for speeds.
    """

    keeps: float = 1.0

    def __call__(self, x: Any, w: Any, xp: Any = np) -> Any:
        """Return the states one step on; the noise is not looked at."""
        change = self.keeps * x[..., 1:]
        return xp.concatenate([x[..., :1] + change, change], -1)


@dataclass(frozen=True)
class Recording:
    """Windows of a real trajectory, cut in time into training and test.

    Attributes
    ----------
    name, unit
        What tables call it, and the unit of the value.
    training, test
        States (value, its change in a step), ``(windows, STEPS + 1, 2)``.
    blocks
        Of each test window, the block within which windows are not independent.
    slope
        How receivers extrapolate.
    """

    name: str
    unit: str
    training: np.ndarray
    test: np.ndarray
    blocks: np.ndarray
    slope: Slope

    def problem(self, price: float, windows: np.ndarray) -> Problem:
        """Return the problem of replaying some windows; only errors of the value count."""
        plant = Replay(self.name, windows, self.slope)
        return Problem(plant, price, np.diag([1.0, 0.0]))


def glucose() -> Recording:
    """Return the glucose recording of the installed package, verified.

    Raises
    ------
    ValueError
        If the package holds other bytes than version 2026.1 does.
    """
    raw = (files("bokeh_sampledata") / "_data" / "CGM.csv.gz").read_bytes()
    found = hashlib.sha256(raw).hexdigest()
    if found != GLUCOSE_SHA256:
        raise ValueError(
            f"bokeh-sampledata: CGM.csv.gz: expected sha256 {GLUCOSE_SHA256}, found {found}; "
            "reinstall it with: python -m pip install --force-reinstall bokeh-sampledata==2026.1"
        )
    table = pd.read_csv(io.BytesIO(gzip.decompress(raw)), parse_dates=["datetime"])
    table = table.dropna(subset=["glucose"]).sort_values("datetime", kind="stable")
    table = table.drop_duplicates("datetime").reset_index(drop=True)
    gap = (table["datetime"].diff() - GLUCOSE_EVERY).abs() > pd.Timedelta(seconds=60)
    table["week"] = (table["datetime"] - table["datetime"].iloc[0]).dt.days // 7
    windows, weeks = _cut(table, gap.cumsum(), "glucose", "week")
    last = np.quantile(weeks, GLUCOSE_TRAINING)
    training, test = windows[weeks <= last], windows[weeks > last]
    return Recording(
        "glucose", "mg/dL", training, test, weeks[weeks > last], Slope(_persistence(training))
    )


def vehicles() -> Recording:
    """Return the OpenACC recording, through the catalogue.

    Raises
    ------
    FileNotFoundError
        If the catalogue cannot get it.
    """
    table = pd.read_csv(fetch("openacc-speed-10hz"))
    series = table.groupby(["part", "veh"], sort=True)
    thin = table[series.cumcount() % THINNING == 0].copy()
    thin["block"] = thin["part"] + " " + thin["veh"].astype(str)
    windows, blocks = _cut(thin, thin["block"], "v", "block")
    test = np.array([block.startswith(VEHICLE_TESTS) for block in blocks])
    return Recording("openacc", "m/s", windows[~test], windows[test], blocks[test], Slope())


RECORDINGS: dict[str, Callable[[], Recording]] = {"glucose": glucose, "openacc": vehicles}


def _cut(
    table: pd.DataFrame, series: pd.Series, column: str, label: str
) -> tuple[np.ndarray, np.ndarray]:
    """Return whole windows of each unbroken series, and the label of where each begins."""
    windows, labels = [], []
    for _, part in table.groupby(series, sort=False):
        value = part[column].to_numpy(dtype=float)
        states = np.stack([value[1:], np.diff(value)], axis=-1)
        for start in range(0, len(states) - STEPS, STEPS + 1):
            windows.append(states[start : start + STEPS + 1])
            labels.append(part[label].iloc[start + 1])
    return np.stack(windows), np.array(labels)


def _persistence(windows: np.ndarray) -> float:
    """Return how much of a change the next one keeps, by least squares."""
    now, after = windows[:, :-1, 1].ravel(), windows[:, 1:, 1].ravel()
    return float(now @ after / (now @ now))
