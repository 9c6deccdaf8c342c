"""What the paper says of the random-label stream (figures 3 to 5 and 8), and a control of ours."""

from collections.abc import Callable
from typing import Any

import pandas as pd

from schedlab.lab.claims import CannotTell, Claim, Estimator, Tables
from schedlab.lab.parameters import SCALES
from schedlab.trainability.labels import AS_WRITTEN, FINAL, METHODS, RESET, SCHEDULED, VANILLA
from schedlab.trainability.parameters import RandomLabelParameters

# Figure 5, mean task accuracy over 40 tasks, digitised: vanilla, reset, scheduled.
MEANS = {
    "l2": (0.120, 0.184, 0.445),
    "wasserstein": (0.582, 0.605, 0.645),
    "crelu": (0.105, 0.102, 0.503),
}
# Vanilla, last tasks over the first: figure 5, the last ten of 40; without a regulariser figure 4,
# the last of five.
DECLINE = {"plain": 0.19, "l2": 0.60, "wasserstein": 0.98, "crelu": 1.01}
# Figure 8, learning rate of fc1 at the end relative to the start: 100, 250 and 500 epochs.
FIRST_LAYER = {
    "l2": (0.33, 0.40, 0.48),
    "wasserstein": (0.47, 0.57, 0.80),
    "crelu": (0.27, 0.31, 0.35),
}
PAPER = "set scale: paper in params.yaml, then dvc repro trainability@{} (a GPU, about a day)"


def method_of(parameters: RandomLabelParameters) -> str:
    """Return what the paper calls the method: a key of :data:`METHODS`, or a penalty's name."""
    if parameters.penalty:
        return parameters.penalty
    if parameters.activation == "crelu":
        return "crelu"
    return "l2" if parameters.weight_decay else "plain"


def random_label_claims(method: str) -> list[Claim]:
    """Return the claims about one method.

    Parameters
    ----------
    method
        A key of :data:`METHODS`. Of other methods, such as a penalty of one's own, the paper says
        nothing. Without a regulariser it shows the decline only, and no scheduler.
    """
    if method not in METHODS:
        return []
    decline = _decline_claim(method)
    if method == "plain":
        return [decline]
    above = [_above_vanilla_claim(method), _above_reset_claim(method)]
    if method != "crelu":  # there both are at chance
        above.append(_reset_claim(method))
    return [
        *above,
        decline,
        _first_layer_claim(method),
        _as_written_claim(method),
        _control_claim(method),
        *([_noise_floor_claim()] if method == "l2" else []),
    ]


def _common(method: str) -> dict[str, Any]:
    # CReLU's gain needs tasks as long as the paper's: in shorter ones noise does not dominate.
    scales = ("paper",) if method == "crelu" else SCALES
    return {"min_seeds": 5, "scales": scales, "decide_with": PAPER.format(method)}


def _order_claim(
    method: str, name: str, words: str, source: str, arms: tuple[str, str], published: float | None
) -> Claim:
    """Return the claim that the first arm fits later tasks better than the second."""
    return Claim(
        id=f"trainability/{method}-{name}",
        sentence=f"{METHODS[method]}: {words}",
        source=source,
        estimator=difference(*arms),
        published=published,
        unit="accuracy",
        holds_from=0.0,
        null=0.0,
        figure="accuracy",
        **_common(method),
    )


def _above_vanilla_claim(method: str) -> Claim:
    vanilla, _, scheduled = MEANS[method]
    words = "the scheduler fits later tasks better than a constant step"
    arms, published = (SCHEDULED, VANILLA), round(scheduled - vanilla, 3)
    return _order_claim(method, "scheduled-above-vanilla", words, "figure 5", arms, published)


def _above_reset_claim(method: str) -> Claim:
    _, reset, scheduled = MEANS[method]
    words = "the scheduler fits later tasks better than a reset network"
    arms, published = (SCHEDULED, RESET), round(scheduled - reset, 3)
    return _order_claim(method, "scheduled-above-reset", words, "figure 5", arms, published)


def _reset_claim(method: str) -> Claim:
    vanilla, reset, _ = MEANS[method]
    words = "a network reset at each task fits later tasks better than one that goes on"
    arms, published = (RESET, VANILLA), round(reset - vanilla, 3)
    return _order_claim(method, "reset-above-vanilla", words, "figure 5", arms, published)


def _as_written_claim(method: str) -> Claim:
    words = (
        "with β and volatility as the paper writes them, the scheduler still fits later tasks "
        "better than a constant step"
    )
    source = "eqs. (1) to (3); the released runs used other constants"
    arms = (AS_WRITTEN, VANILLA)
    return _order_claim(method, "formula-as-written", words, source, arms, None)


def _control_claim(method: str) -> Claim:
    words = (
        "the scheduler fits later tasks better than the step sizes at which it ends, held "
        "constant from the start"
    )
    source = "a control that the paper lacks"
    arms = (SCHEDULED, FINAL)
    return _order_claim(method, "control-final-steps", words, source, arms, None)


def _noise_floor_claim() -> Claim:
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


def _decline_claim(method: str) -> Claim:
    declines = method in ("plain", "l2")
    return Claim(
        id=f"trainability/{method}-" + ("loses-trainability" if declines else "keeps-its-level"),
        sentence=f"{METHODS[method]}: at a constant step the last task is fitted "
        + ("worse than the first" if declines else "as well as the first, to 10 %"),
        source="figure 4, over 5 tasks" if method == "plain" else "figure 5",
        estimator=last_over_first,
        published=DECLINE[method],
        unit="of the first task's accuracy",
        **({"holds_to": 1.0, "null": 1.0} if declines else {"holds_from": 0.9, "holds_to": 1.1}),
        figure="accuracy",
        **_common(method),
    )


def _first_layer_claim(method: str) -> Claim:
    low, middle, high = FIRST_LAYER[method]
    return Claim(
        id=f"trainability/{method}-first-layer-cools",
        sentence=f"{METHODS[method]}: the first layer's learning rate falls to between {low:g} and "
        f"{high:g} of its start",
        source="figure 8, for 100 to 500 epochs a task",
        estimator=first_layer_end,
        published=middle,
        unit="of its start",
        holds_from=low,
        holds_to=high,
        null=1.0,
        figure="learning-rates",
        **_common(method),
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
