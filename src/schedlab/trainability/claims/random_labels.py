"""What the paper says of the random-label stream (figures 3, 5 and 8), and a control of ours."""

from collections.abc import Callable

import pandas as pd

from schedlab.lab.claims import CannotTell, Claim, Estimator, Tables
from schedlab.trainability.labels import AS_WRITTEN, FINAL, RESET, SCHEDULED, VANILLA

# Figure 5, mean task accuracy over 40 tasks, digitised: vanilla, reset, scheduled.
MEANS = {
    "l2": (0.120, 0.184, 0.445),
    "wasserstein": (0.582, 0.605, 0.645),
    "crelu": (0.105, 0.102, 0.503),
}
# Figure 5, last ten tasks over the first, vanilla.
DECLINE = {"l2": 0.60, "wasserstein": 0.98, "crelu": 1.01}
# Figure 8, learning rate of fc1 at the end relative to the start: 100, 250 and 500 epochs.
FIRST_LAYER = {
    "l2": (0.33, 0.40, 0.48),
    "wasserstein": (0.47, 0.57, 0.80),
    "crelu": (0.27, 0.31, 0.35),
}
PAPER = "set scale: paper in params.yaml, then dvc repro trainability@{} (a GPU, about a day)"


def random_label_claims(method: str) -> list[Claim]:
    """Return the claims about one method.

    Parameters
    ----------
    method
        ``l2``, ``wasserstein`` or ``crelu``.
    """
    vanilla, reset, scheduled = MEANS[method]
    # CReLU's gain needs tasks as long as the paper's: in shorter ones noise does not dominate.
    scales = ("paper",) if method == "crelu" else ("smoke", "laptop", "paper")
    common = {"min_seeds": 5, "scales": scales, "decide_with": PAPER.format(method)}
    above = {"unit": "accuracy", "holds_from": 0.0, "null": 0.0, "figure": "accuracy"}
    return [
        Claim(
            id=f"trainability/{method}-scheduled-above-vanilla",
            sentence=f"{NAMES[method]}: the scheduler fits later tasks better than a constant step",
            source="figure 5",
            estimator=difference(SCHEDULED, VANILLA),
            published=round(scheduled - vanilla, 3),
            **above,
            **common,
        ),
        Claim(
            id=f"trainability/{method}-scheduled-above-reset",
            sentence=f"{NAMES[method]}: the scheduler fits later tasks better than a reset network",
            source="figure 5",
            estimator=difference(SCHEDULED, RESET),
            published=round(scheduled - reset, 3),
            **above,
            **common,
        ),
        *([_reset_claim(method, reset - vanilla, common)] if method != "crelu" else []),
        _decline_claim(method, common),
        _first_layer_claim(method, common),
        Claim(
            id=f"trainability/{method}-formula-as-written",
            sentence=f"{NAMES[method]}: with β and volatility as the paper writes them, the "
            "scheduler still fits later tasks better than a constant step",
            source="eqs. (1) to (3); the released runs used other constants",
            estimator=difference(AS_WRITTEN, VANILLA),
            **above,
            **common,
        ),
        Claim(
            id=f"trainability/{method}-control-final-steps",
            sentence=f"{NAMES[method]}: the scheduler fits later tasks better than the step sizes "
            "at which it ends, held constant from the start",
            source="a control that the paper lacks",
            estimator=difference(SCHEDULED, FINAL),
            **above,
            **common,
        ),
    ]


NAMES = {"l2": "L2", "wasserstein": "Wasserstein", "crelu": "CReLU"}


def noise_floor_claim() -> Claim:
    """Return the claim that gradients are dominated by noise: α_g* hovers near 1 (figure 3)."""
    return Claim(
        id="trainability/l2-noise-floor",
        sentence="L2: the first layer's gradient-noise step α_g* hovers near 1",
        source="section 3; figure 3",
        estimator=noise_floor,
        published=1.05,
        holds_from=0.9,
        holds_to=1.2,
        figure="bounds",
        min_seeds=5,
    )


def _reset_claim(method: str, published: float, common: dict) -> Claim:
    return Claim(
        id=f"trainability/{method}-reset-above-vanilla",
        sentence=f"{NAMES[method]}: a network reset at each task fits later tasks better than one "
        "that goes on",
        source="figure 5",
        estimator=difference(RESET, VANILLA),
        published=round(published, 3),
        unit="accuracy",
        holds_from=0.0,
        null=0.0,
        figure="accuracy",
        **common,
    )


def _decline_claim(method: str, common: dict) -> Claim:
    declines = method == "l2"
    return Claim(
        id=f"trainability/{method}-" + ("loses-trainability" if declines else "keeps-its-level"),
        sentence=f"{NAMES[method]}: at a constant step the last task is fitted "
        + ("worse than the first" if declines else "as well as the first, to 10 %"),
        source="figure 5",
        estimator=last_over_first,
        published=DECLINE[method],
        unit="of the first task's accuracy",
        **({"holds_to": 1.0, "null": 1.0} if declines else {"holds_from": 0.9, "holds_to": 1.1}),
        figure="accuracy",
        **common,
    )


def _first_layer_claim(method: str, common: dict) -> Claim:
    low, middle, high = FIRST_LAYER[method]
    return Claim(
        id=f"trainability/{method}-first-layer-cools",
        sentence=f"{NAMES[method]}: the first layer's learning rate falls to between {low:g} and "
        f"{high:g} of its start",
        source="figure 8, for 100 to 500 epochs a task",
        estimator=first_layer_end,
        published=middle,
        unit="of its start",
        holds_from=low,
        holds_to=high,
        null=1.0,
        figure="learning-rates",
        **common,
    )


def difference(treated: str, baseline: str) -> Estimator:
    """Return an estimator: mean accuracy from the second task on, treated minus baseline."""

    def estimate(tables: Tables) -> list[float]:
        rows = tables["accuracy"]
        later = rows[rows["task"] > 1]
        arms = [
            _arm(later, label).groupby("seed")["accuracy"].mean() for label in (treated, baseline)
        ]
        return (arms[0] - arms[1]).tolist()

    return estimate


def last_over_first(tables: Tables) -> list[float]:
    """Return accuracy on the last task over accuracy on the first at a constant step."""
    rows = _arm(tables["accuracy"], VANILLA).set_index(["task", "seed"])["accuracy"]
    return (rows[rows.index.get_level_values("task").max()] / rows[1]).tolist()


def first_layer_end(tables: Tables) -> list[float]:
    """Return the first layer's last learning rate over the one it started with."""
    return _first_layer(tables, lambda relative: relative.iloc[-1], "relative_lr")


def noise_floor(tables: Tables) -> list[float]:
    """Return the median over decisions of the first layer's α_g*."""
    return _first_layer(tables, lambda steps: steps.median(), "gradient_step")


def _first_layer(tables: Tables, summary: Callable[[pd.Series], float], column: str) -> list[float]:
    rows = _arm(tables["decisions"], SCHEDULED)
    rows = rows[rows["layer"] == "fc1"]
    return [float(summary(part[column])) for _, part in rows.groupby("seed")]


def _arm(table: pd.DataFrame, label: str) -> pd.DataFrame:
    arm = table[table["arm"] == label]
    if arm.empty:
        raise CannotTell(f"the run has no arm labelled {label!r}")
    return arm
