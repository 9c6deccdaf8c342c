"""What is known of the best pairs, and what the reconstruction of CALM must respect.

The paper's own tables were not available; its claim is that silence carries information and that
reading it lowers the error. Where the theory of others or a closed form says how much, the range is
theirs; where only our exact solver does, simulation checks it.
"""

from functools import partial

import numpy as np
import pandas as pd

from schedlab.lab.claims import CannotTell, Claim, Tables

ABSTRACT = "abstract (silence carries information)"
THEORY = (
    "Lipsa and Martins (2011); Nayyar, Başar, Teneketzis and Veeravalli (2013): symmetric "
    "thresholds and the plain predictor are optimal"
)
OURS = "reconstruction; exact best responses"


def optimum_claims() -> list[Claim]:
    """Return the claims on exact pairs."""
    return [*_negative_controls(), *_gains(), *_coin(), *_solver()]


def _negative_controls() -> list[Claim]:
    none = {"unit": "relative", "holds_from": -0.005, "holds_to": 0.005, "reconstruction": True}
    return [
        Claim(
            id="estimation/normal-noise-no-gain",
            sentence="With normal noise (S1) the best pair costs what the best scheduler with the "
            "plain predictor costs, to 0.5 %",
            source=THEORY,
            estimator=partial(change, "S1", "joint"),
            figure="silent-sets",
            **none,
        ),
        Claim(
            id="estimation/no-skewness-no-gain",
            sentence="Over laws of one peak the gain of reading silence vanishes with their "
            "skewness: without any it is 0, to 0.5 %",
            source=THEORY,
            estimator=partial(gain_at, 0.0),
            figure="skewness",
            **none,
        ),
    ]


def _gains() -> list[Claim]:
    lower = {"unit": "relative", "null": 0.0, "reconstruction": True}
    share = {"unit": "of the joint gain", "holds_from": 0.0, "holds_to": 0.5, "null": 0.0}
    return [
        Claim(
            id="estimation/rare-jumps-joint-gain",
            sentence="With rare jumps to one side (S2) a pair that reads silence costs at most "
            "0.62 of the best pair that takes it for missing data",
            source=ABSTRACT + "; bound: " + OURS,
            estimator=partial(change, "S2", "joint"),
            holds_to=-0.38,
            figure="silent-sets",
            **lower,
        ),
        Claim(
            id="estimation/exponential-joint-gain",
            sentence="With exponential noise (S3) reading silence lowers the cost by at least 15 %",
            source=ABSTRACT + "; bound: " + OURS,
            estimator=partial(change, "S3", "joint"),
            holds_to=-0.15,
            figure="silent-sets",
            **lower,
        ),
        Claim(
            id="estimation/two-peaks-joint-gain",
            sentence="Symmetric noise of two peaks (S4) is no negative control: an asymmetric pair "
            "costs at least 40 % less",
            source="Molin and Hirche (arXiv:1203.4980): gain for noise of several peaks; bound: "
            + OURS,
            estimator=partial(change, "S4", "joint"),
            holds_to=-0.40,
            figure="equilibria",
            **lower,
        ),
        *[
            Claim(
                id=f"estimation/estimator-only-share-{name.lower()}",
                sentence=f"A receiver that learns to read silence under a fixed scheduler gets "
                f"some, but less than half of what both get together ({words}, {name})",
                source=OURS,
                estimator=partial(share_of_gain, name),
                figure="pairs",
                reconstruction=True,
                **share,
            )
            for name, words in (("S2", "rare jumps"), ("S3", "exponential noise"))
        ],
    ]


def _coin() -> list[Claim]:
    return [
        Claim(
            id="estimation/exact-coin-rate",
            sentence="A coin as noise (S6): the best pair sends at half of the steps, ±0.01",
            source="closed form",
            estimator=partial(measured, "S6", "joint", "rate"),
            unit="messages/step",
            holds_from=0.49,
            holds_to=0.51,
            figure="pairs",
        ),
        Claim(
            id="estimation/exact-coin-error",
            sentence="A coin as noise (S6): the best pair has no error (mean square below 0.001)",
            source="closed form",
            estimator=partial(measured, "S6", "joint", "mse"),
            holds_to=0.001,
            figure="pairs",
        ),
    ]


def _solver() -> list[Claim]:
    return [
        Claim(
            id="estimation/alternation-never-rises",
            sentence="Exact best responses in turn never raise the cost: largest rise in a round, "
            "from any start and on any system, at most 1e-6",
            source="person-by-person optimality",
            estimator=largest_rise,
            holds_to=1e-6,
            figure="alternation",
        ),
        Claim(
            id="estimation/alternation-agrees",
            sentence="Where an integral equation or a closed form gives the optimum, alternation "
            "finds it to 0.5 % (one value per system: its worst price)",
            source="Chakravorty and Mahajan (2015); closed forms",
            estimator=disagreement,
            unit="relative",
            holds_to=0.005,
            figure="pairs",
        ),
        Claim(
            id="estimation/simulation-agrees",
            sentence="Simulation finds the exact cost of every pair, to 1 % in the worst one",
            source="law of large numbers",
            estimator=worst_simulation,
            unit="relative",
            holds_to=0.01,
            figure="pairs",
            scales=("laptop", "paper"),
        ),
    ]


def _wide(tables: Tables, name: str, column: str = "cost") -> pd.DataFrame:
    rows = tables["simulations"]
    rows = rows[rows["system"] == name]
    if rows.empty:
        raise CannotTell(f"the run has no system {name}")
    return rows.pivot_table(index="seed", columns="pair", values=column)


def change(name: str, pair: str, tables: Tables) -> list[float]:
    """Return, per seed, a pair's simulated cost over that of zero-bias, minus 1."""
    wide = _wide(tables, name)
    return (wide[pair] / wide["zero-bias"] - 1).tolist()


def share_of_gain(name: str, tables: Tables) -> list[float]:
    """Return, per seed, the estimator's gain alone as a share of the joint one."""
    wide = _wide(tables, name)
    alone, both = (wide["zero-bias"] - wide[pair] for pair in ("estimator-only", "joint"))
    return (alone / both).tolist()


def measured(name: str, pair: str, column: str, tables: Tables) -> list[float]:
    """Return a simulated quantity of a pair, per seed."""
    return _wide(tables, name, column)[pair].tolist()


def gain_at(skewness: float, tables: Tables) -> list[float]:
    """Return, per seed, the relative change of cost by the joint pair at some skewness."""
    rows = tables["gains"]
    rows = rows[(rows["skewness"] == skewness) & (rows["pair"] == "joint")]
    if rows.empty:
        raise CannotTell(f"the run has no noise of skewness {skewness:g}")
    return (0 - rows.sort_values("seed")["gain"]).tolist()


def largest_rise(tables: Tables) -> list[float]:
    """Return, per start, the largest rise of cost in a round over all systems and prices."""
    rows = tables["rounds"].sort_values("round")
    rise = rows.groupby(["system", "price", "start"])["cost"].diff().fillna(0.0)
    return rise.groupby(rows["start"]).max().tolist()


def disagreement(tables: Tables) -> list[float]:
    """Return, per system, the worst relative distance between alternation and another method."""
    optima = tables["optima"]
    joint = optima[optima["pair"] == "joint"]
    both = tables["independent"].merge(joint, on=["system", "price"], suffixes=("_other", ""))
    distance = (both["cost"] / both["cost_other"] - 1).abs()
    return distance.groupby(both["system"]).max().tolist()


def worst_simulation(tables: Tables) -> list[float]:
    """Return, per seed, the worst relative distance of simulated from exact costs."""
    rows = pd.concat([tables["simulations"], tables["planar"].dropna()])
    distance = np.abs(rows["cost"] / rows["exact"] - 1)
    return distance.groupby(rows["seed"]).max().tolist()
