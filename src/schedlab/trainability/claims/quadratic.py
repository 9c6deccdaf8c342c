"""What the gradient-noise bound implies on a noisy quadratic, in closed form."""

from schedlab.lab.claims import Claim, Tables

SOURCE = "the bound of section 3 on a noisy quadratic, where it has a closed form"


def quadratic_claims() -> list[Claim]:
    """Return the claims; none is a figure of the paper's."""
    return [
        Claim(
            id="trainability/quadratic-rest",
            sentence="On a noisy quadratic cooling ends where lr (2 − lr λ) = 2 γ B/(B − 1)",
            source=SOURCE,
            estimator=end_over_rest,
            unit="of the root",
            holds_from=0.7,
            holds_to=1.05,
            figure="cooling",
        ),
        Claim(
            id="trainability/quadratic-below",
            sentence="Started well below that root, the learning rate is left alone",
            source=SOURCE,
            estimator=left_alone,
            unit="of its start",
            holds_from=0.97,
            holds_to=1.0,
            figure="cooling",
        ),
        Claim(
            id="trainability/quadratic-blind-spot",
            sentence="On a sharp quadratic the bound has no root: a step at 95 % of the limit of "
            "stability is hardly cooled",
            source=SOURCE,
            estimator=unnoticed,
            unit="of its start",
            holds_from=0.97,
            holds_to=1.0,
            figure="cooling",
        ),
    ]


def end_over_rest(tables: Tables) -> list[float]:
    """Return the last learning rate over the root, the mean over runs that start above it."""
    rows = tables["cooling"]
    last = rows[rows["start"] > 1].groupby(["seed", "curvature", "first_lr"]).last()
    return (last["lr"] / last["resting_lr"]).groupby("seed").mean().tolist()


def left_alone(tables: Tables) -> list[float]:
    """Return the last over the first learning rate of runs that start below the root."""
    rows = tables["cooling"]
    last = rows[rows["start"] < 0.75].reset_index().groupby(["seed", "curvature", "start"]).last()
    return (last["lr"] / last["first_lr"]).groupby("seed").mean().tolist()


def unnoticed(tables: Tables) -> list[float]:
    """Return the last over the first learning rate where there is no root."""
    rows = tables["cooling"]
    last = rows[rows["resting_lr"].isna()].groupby("seed").last()
    return (last["lr"] / last["first_lr"]).tolist()
