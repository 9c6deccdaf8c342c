"""What unequal cores, more cores and dearer hand-overs do."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from schedlab.lab.claims import CannotTell, Claim, Tables
from schedlab.microcontrollers.claims.estimators import PREDICTED, THEORY, of
from schedlab.microcontrollers.claims.labels import ARIEL, EFT, GUIDED, STATIC
from schedlab.microcontrollers.costs import NETWORKS

HALF = "slow == 0.5"
FOUR = "cores == 4"


def sweep_claims(counts: str) -> list[Claim]:
    """Return the claims of the sweeps, over the networks of a set of counts."""
    which = NETWORKS[counts]
    return [*_unequal_core_claims(which), *_core_claims(which), *_hand_over_claims()]


def _unequal_core_claims(which: str) -> list[Claim]:
    return [
        _unequal(
            "unequal-static",
            f"Halves of the work gain nothing once one core has half the speed ({which})",
            of("unequal", "speed_up", "max", f"scheduler == '{STATIC}' and {HALF}"),
            holds_to=1.05,
        ),
        _unequal(
            "unequal-fifo-low",
            f"Ariel's queue gains at least 1.15 with a second core of half the speed ({which})",
            of("unequal", "speed_up", "min", f"scheduler == '{ARIEL}' and {HALF}"),
            holds_from=1.15,
        ),
        _unequal(
            "unequal-eft",
            "Earliest finish is at most 1 % slower than Ariel's queue on unequal cores",
            eft_over_fifo,
            holds_from=-0.01,
        ),
    ]


def _core_claims(which: str) -> list[Claim]:
    return [
        Claim(
            id="microcontrollers/four-cores-low",
            sentence=f"Near-equal tiles alone bring every network to 3.15 on four cores ({which})",
            source=PREDICTED,
            estimator=of("cores", "tiles", "min", FOUR),
            unit="times",
            holds_from=3.15,
            figure="networks",
        ),
        Claim(
            id="microcontrollers/amdahl",
            sentence="No speed-up exceeds Amdahl's law",
            source=THEORY,
            estimator=of("cores", "amdahl", "max"),
            unit="of the law's",
            holds_to=1.0 + 1e-9,
            figure="networks",
        ),
    ]


def _hand_over_claims() -> list[Claim]:
    return [
        Claim(
            id="microcontrollers/overhead-monotone",
            sentence="Speed-up falls at every step of the cost of a hand-over",
            source=THEORY,
            estimator=steepest_rise,
            unit="times",
            holds_to=0.0,
            figure="schedulers",
        ),
        Claim(
            id="microcontrollers/break-even",
            sentence="Two cores stop paying when a hand-over costs as much as a workgroup: "
            "n p = n (p + o) / m",
            source=THEORY,
            estimator=break_evens,
            unit="mean workgroups",
            holds_from=0.7,
            holds_to=1.1,
            figure="schedulers",
        ),
        Claim(
            id="microcontrollers/chunks-help",
            sentence="Where hand-overs cost most, guided chunks beat single workgroups",
            source=THEORY,
            estimator=guided_over_fifo,
            unit="relative",
            holds_from=0.0,
            null=0.0,
            figure="schedulers",
        ),
    ]


def _unequal(name: str, sentence: str, estimator: object, **limits: float) -> Claim:
    return Claim(
        id=f"microcontrollers/{name}",
        sentence=sentence,
        source=PREDICTED,
        estimator=estimator,
        unit="relative" if name.endswith("eft") else "times",
        figure="schedulers",
        **limits,
    )


def _against_fifo(rows: pd.DataFrame, label: str) -> pd.Series:
    """Return the relative gain over Ariel's queue of each network, board and seed."""
    table = rows.pivot_table(
        index=["seed", "model", "board"], columns="scheduler", values="speed_up"
    )
    if not {ARIEL, label} <= set(table):
        raise CannotTell(f"the run lacks {ARIEL} or {label}")
    return table[label] / table[ARIEL] - 1


def eft_over_fifo(tables: Tables) -> Sequence[float]:
    """Return, per seed, the least relative gain of earliest finish over Ariel's queue."""
    gain = _against_fifo(tables["unequal"].query(HALF), EFT)
    return gain.groupby("seed").min().tolist()


def guided_over_fifo(tables: Tables) -> Sequence[float]:
    """Return, per seed, the mean relative gain of guided chunks at the dearest hand-over."""
    table = tables["overhead"]
    gain = _against_fifo(table[table["overhead"] == table["overhead"].max()], GUIDED)
    return gain.groupby("seed").mean().tolist()


def steepest_rise(tables: Tables) -> Sequence[float]:
    """Return, per seed, the largest rise of Ariel's speed-up between neighbouring overheads."""
    rows = tables["overhead"].query(f"scheduler == '{ARIEL}'")
    table = rows.pivot_table(
        index=["seed", "model", "board"], columns="overhead", values="speed_up"
    )
    return table.diff(axis=1).max(axis=1).groupby("seed").max().tolist()


def break_evens(tables: Tables) -> Sequence[float]:
    """Return, per seed, the mean overhead at which Ariel's speed-up is 1."""
    found = break_even(tables["overhead"], ARIEL)
    return found.groupby("seed")["overhead"].agg(lambda v: v.mean(skipna=False)).tolist()


def break_even(table: pd.DataFrame, scheduler: str) -> pd.DataFrame:
    """Return where a scheduler's speed-up falls through 1, per network, board and seed.

    Parameters
    ----------
    table
        Of :func:`schedlab.microcontrollers.experiment.sweeps.overhead`.
    scheduler
        Label.

    Returns
    -------
    ``seed, model, board, overhead``: linear between two points of the sweep; NaN where the sweep
    ends before.
    """
    rows = table[table["scheduler"] == scheduler]
    keys = ["seed", "model", "board"]
    found = [
        (*key, _crossing(part["overhead"].to_numpy(), part["speed_up"].to_numpy()))
        for key, part in rows.groupby(keys, sort=False)
    ]
    return pd.DataFrame(found, columns=[*keys, "overhead"])


def _crossing(at: np.ndarray, values: np.ndarray) -> float:
    below = np.flatnonzero(values < 1)
    if not below.size or below[0] == 0:
        return float("nan")
    k = below[0]
    share = (values[k - 1] - 1) / (values[k - 1] - values[k])
    return float(at[k - 1] + share * (at[k] - at[k - 1]))
