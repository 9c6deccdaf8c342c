"""Which policies are compared in each system, from which cached table, and what each one knows.

*Nothing* is neither what waits nor what has been. *Statistics* are laws, averages, and what the
policy has itself seen so far. *A prediction* is an estimate for this very case. *The truth* is what
is to come; a policy may know it and still not be the best.
"""

from pathlib import Path

import pandas as pd

from schedlab.information.closure import Comparison, NoDistance, closures
from schedlab.information.parameters import ChartParameters
from schedlab.lab.paths import find_root

NOTHING, STATISTICS, PREDICTION, TRUTH = "nothing", "statistics", "a prediction", "the truth"


def comparisons(parameters: ChartParameters) -> list[Comparison]:
    """Return what the chart compares, in the order of its rows."""
    return [
        *_diffusion(parameters),
        *_ranking(),
        *_serving(),
        _metalearning(),
        _trainability(),
        _microcontrollers(parameters),
        _estimation(),
    ]


def _diffusion(parameters: ChartParameters) -> list[Comparison]:
    past, ahead = (
        ("LMS", "PLMS", "DEIS 3", "DPM-Solver++ 2M", "UniPC 2"),
        ("Heun", "DPM-Solver++ 3S"),
    )
    knowing = ("FIX", "NIN", "SLERP", "LOL", "NAO")
    return [
        Comparison(
            system="diffusion",
            measure=f"error after {parameters.evaluations} evaluations",
            table="diffusion/zoo/budget",
            policy="scheduler",
            value="rmse",
            naive="DDIM",
            best=0.0,
            best_is="the exact solution",
            # One slope; the slopes so far; a slope tried ahead.
            knows={
                "DDIM": NOTHING,
                **dict.fromkeys(past, STATISTICS),
                **dict.fromkeys(ahead, PREDICTION),
            },
            only={"nfe": parameters.evaluations},
        ),
        Comparison(
            system="diffusion",
            measure="Fréchet distance halfway between two images",
            table="diffusion/seeds/midpoints",
            policy="method",
            value="frechet",
            naive="LERP",
            best="end points",
            best_is="the two seeds themselves",
            knows={"LERP": NOTHING, **dict.fromkeys(knowing, STATISTICS), "end points": TRUTH},
            only={"pairs": "inverted"},
        ),
    ]


def _ranking() -> list[Comparison]:
    ends = {
        "policy": "scheduler",
        "value": "latency_mean",
        "naive": "FCFS",
        "best": "SRTF (true lengths)",
        "best_is": "shortest remaining time first, by true lengths",
    }
    learned = ("10 classes", "Classes of 100", "Ridge regression", "ListMLE")
    published = ("Perception Only", "10 classes", "Ranking", "Other sampling run")
    return [
        Comparison(
            system="ranking",
            measure="mean latency, rankers trained here",
            table="ranking/worth/real",
            knows={
                "FCFS": NOTHING,
                "Prompt length": STATISTICS,
                **dict.fromkeys(learned, PREDICTION),
                "SRTF (true lengths)": TRUTH,
            },
            **ends,
        ),
        Comparison(
            system="ranking",
            measure="mean latency, orders as good as published",
            table="ranking/burst/burst",
            knows={
                "FCFS": NOTHING,
                "MLFQ": STATISTICS,
                **dict.fromkeys(published, PREDICTION),
                "SRTF (true lengths)": TRUTH,
            },
            cases=("model", "trace"),
            **ends,
        ),
    ]


def _serving() -> list[Comparison]:
    return [
        Comparison(
            system="serving",
            measure="throughput beyond capacity",
            table="serving/throughput/throughput",
            policy="scheduler",
            value="share",
            naive="FasterTransformer",
            best=1.0,
            best_is="the bound of Theorem 1",
            knows={
                "FasterTransformer": NOTHING,
                "Static split 1:1": NOTHING,
                "Static split 4:1": STATISTICS,
                "Orca": STATISTICS,
                "Sarathi-Serve (one tile)": STATISTICS,
                "RAD (N = ∞)": STATISTICS,
            },
            cases=("mix",),
        ),
        Comparison(
            system="serving",
            measure="mean time to first token, routed",
            table="serving/routing/routing",
            policy="router",
            value="ttft_mean_s",
            naive="Random",
            best="Shortest backlog",
            best_is="the shortest backlog, outputs to come included",
            knows={
                "Random": NOTHING,
                "Round robin": STATISTICS,
                "Least outstanding": STATISTICS,
                "Shortest backlog": TRUTH,
            },
            cases=("rate",),
            only={"class": "all"},
        ),
    ]


def _metalearning() -> Comparison:
    measured = ("Self-paced", "Focal loss", "DAML-style", "Class pairs (GCP)", "PAML-style")
    measured += ("Hardest first", "Most similar first")
    return Comparison(
        system="metalearning",
        measure="accuracy, trained among noisy tasks",
        table="metalearning/characters/scores",
        policy="scheduler",
        value="score",
        naive="Uniform",
        best="Oracle (clean tasks only)",
        best_is="clean tasks only",
        knows={
            "Uniform": NOTHING,
            **dict.fromkeys(measured, STATISTICS),
            "ATS (fast)": PREDICTION,
            "Oracle (clean tasks only)": TRUTH,
        },
    )


def _trainability() -> Comparison:
    measured = (
        "Reduce on plateau",
        "ReDo",
        "Noise-curvature (formula as written)",
        "Noise-curvature (released setting)",
    )
    boundaries = ("Cosine with restarts", "Shrink and perturb", "Reset at each task")
    return Comparison(
        system="trainability",
        measure="accuracy on random labels",
        table="trainability/l2/accuracy",
        policy="arm",
        value="accuracy",
        naive="Constant",
        best="Constant at its final steps",
        best_is="the step sizes where noise-curvature ends, from the start",
        knows={
            "Constant": NOTHING,
            **dict.fromkeys(measured, STATISTICS),
            **dict.fromkeys(boundaries, TRUTH),  # of when a task ends
            "Constant at its final steps": TRUTH,
        },
    )


def _microcontrollers(parameters: ChartParameters) -> Comparison:
    return Comparison(
        system="microcontrollers",
        measure=f"speed-up, second core at speed {parameters.slow_speed:g}",
        table="microcontrollers/sweeps/unequal",
        policy="scheduler",
        value="speed_up",
        naive="Static block",
        best=1.0 + parameters.slow_speed,
        best_is="both cores busy to the end, a bound",
        knows={
            "Static block": NOTHING,
            **dict.fromkeys(("Ariel FIFO", "Guided", "Work stealing"), STATISTICS),
            "LPT": TRUTH,  # of the work, not of the speeds
            "EFT": TRUTH,
        },
        cases=("model", "target", "board"),
        only={"slow": parameters.slow_speed},
    )


def _estimation() -> Comparison:
    return Comparison(
        system="estimation",
        measure="error plus price of sending",
        table="estimation/learning/costs",
        policy="policy",
        value="cost",
        naive="always",
        best="exact joint",
        best_is="the optimum without knowledge of the future",
        knows={
            "always": NOTHING,
            "myopic value": STATISTICS,
            "exact zero-bias": STATISTICS,
            "exact estimator-only": STATISTICS,
            "learned, Lloyd start, table": PREDICTION,
            "exact joint": TRUTH,
        },
        cases=("system", "price"),
    )


def ends(parameters: ChartParameters) -> pd.DataFrame:
    """Return the two ends of each comparison in words, and where they are read."""
    return pd.DataFrame(
        {
            "system": comparison.system,
            "measure": comparison.measure,
            "naive": comparison.naive,
            "best": comparison.best_is,
            "table": comparison.table,
        }
        for comparison in comparisons(parameters)
    )


def measure(parameters: ChartParameters) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read the cached tables and return all shares, and what could not be compared.

    Parameters
    ----------
    parameters
        At which budget and speed two of the tables are read.

    Returns
    -------
    shares
        Rows of :func:`schedlab.information.closure.closures`, with ``system`` and ``comparison``.
    left_out
        ``system``, ``comparison`` and ``reason``, a row for each comparison without shares.
    """
    found, left_out = [], []
    for comparison in comparisons(parameters):
        key = {"system": comparison.system, "comparison": comparison.measure}
        path = find_root() / "results" / f"{comparison.table}.parquet"
        try:
            found.append(closures(comparison, _read(path)).assign(**key))
        except (FileNotFoundError, NoDistance) as reason:
            left_out.append({**key, "reason": str(reason)})
    columns = ["system", "comparison", "policy", "knows", "seed", "closed"]
    shares = pd.concat(found)[columns] if found else pd.DataFrame(columns=columns)
    return shares, pd.DataFrame(left_out, columns=["system", "comparison", "reason"])


def _read(path: Path) -> pd.DataFrame:
    if not path.is_file():
        name = path.relative_to(find_root())
        raise FileNotFoundError(f"{name} does not exist; bring it back with: dvc checkout")
    return pd.read_parquet(path)
