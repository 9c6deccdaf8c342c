"""Whether a scheduler learns whom to trust, at several shares of noisy tasks."""

from collections.abc import Sequence

from schedlab.lab.claims import CannotTell, Claim, Estimator, Tables
from schedlab.metalearning import names
from schedlab.metalearning.claims.estimators import SOURCE


def weighing_claims(shares: Sequence[float]) -> list[Claim]:
    """Return one claim for each share of noisy tasks that is neither 0 nor 1."""
    return [
        Claim(
            id=f"metalearning/noisy-weigh-less-at-{round(100 * share)}-percent",
            sentence=f"With {share:.0%} corrupted sine curves a corrupted one ends with less "
            "weight than a clean one",
            source=f"{SOURCE}; on sine curves",
            estimator=late_weight(share),
            unit="of a clean task's weight",
            holds_to=1.0,
            null=1.0,
            figure="weight-over-time",
            scales=("laptop", "paper"),
            reconstruction=True,
        )
        for share in shares
        if 0 < share < 1
    ]


def proposition_claims() -> list[Claim]:
    """Return what Proposition 1 says of pools that were met, as others summarise it."""
    source = "Proposition 1, as summarised; on sine curves"
    return [
        Claim(
            id="metalearning/proposition-one-identity",
            sentence="A schedule's meta-training loss is the mean loss plus n times the covariance "
            "of weight and loss: largest error on the pools met",
            source=source,
            estimator=identity_error,
            unit="of the mean loss",
            holds_to=1e-5,
            figure="weight-over-time",
            reconstruction=True,
        ),
        Claim(
            id="metalearning/proposition-one-lower-loss",
            sentence="The trained scheduler's meta-training loss is below that of uniform weights",
            source=source,
            estimator=loss_change,
            unit="relative",
            holds_to=0.0,
            null=0.0,
            figure="weight-over-time",
            scales=("laptop", "paper"),
            reconstruction=True,
        ),
    ]


def identity_error(tables: Tables) -> Sequence[float]:
    """Return the largest error of the identity over all worlds, seed by seed."""
    return tables["losses"].groupby("seed")["identity_error"].max().tolist()


def loss_change(tables: Tables) -> Sequence[float]:
    """Return the relative change of the loss by scheduling, the mean over worlds."""
    table = tables["losses"]
    change = (table["scheduled"] - table["uniform"]) / table["uniform"]
    return change.groupby(table["seed"]).mean().tolist()


def late_weight(share: float) -> Estimator:
    """Return an estimator: weight of noisy over clean tasks in the last quarter of training."""

    def estimate(tables: Tables) -> Sequence[float]:
        table = tables["dynamics"]
        rows = table[(table["scheduler"] == names.ATS) & (table["share"] == share)]
        rows = rows[rows["phase"] == "training"]
        late = rows[rows["step"] >= 0.75 * rows["step"].max()]
        if late.empty:
            raise CannotTell(f"the run has no {names.ATS!r}")
        return late.groupby("seed")["relative_weight"].mean().tolist()

    return estimate
