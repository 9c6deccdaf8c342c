"""What the public code of SeedSelect and NAO promises, on classes that a model has hardly seen."""

from collections.abc import Callable

from schedlab.lab.claims import CannotTell, Claim, Tables


def select_claims() -> list[Claim]:
    """Return the claims that the stage on SeedSelect decides."""
    shared = {"source": "README of the public code (reconstruction)", "reconstruction": True}
    return [
        Claim(
            id="diffusion/nao-start-saves-iterations",
            sentence="From NAO's start SeedSelect reaches the loss of a random start's end in at "
            "most a third of the iterations",
            estimator=iterations_saved,
            unit="of the iterations",
            holds_to=1 / 3,
            null=1.0,
            figure="losses",
            **shared,
        ),
        Claim(
            id="diffusion/seedselect-helps-rare-classes",
            sentence="SeedSelect makes images of rare classes that are recognised more often",
            estimator=gain("recognised", "accuracy", "random", "before"),
            unit="accuracy",
            holds_from=0.0,
            null=0.0,
            figure="rare",
            **shared,
        ),
        Claim(
            id="diffusion/seedselect-augmentation-helps",
            sentence="Adding images of NAO and SeedSelect to a long-tailed training set raises a "
            "classifier's accuracy on its rare classes",
            estimator=gain("augmentation", "rare_accuracy", "NAO", "nothing"),
            unit="accuracy",
            holds_from=0.0,
            null=0.0,
            figure="rare",
            **shared,
        ),
    ]


def iterations_saved(tables: Tables) -> list[float]:
    """Return, per seed, iterations from NAO's start to the other's final loss, over its number."""
    ratios = []
    for _, rows in tables["losses"].groupby("seed"):
        curves = {name: part.sort_values("iteration") for name, part in rows.groupby("start")}
        target = curves["random"]["loss"].iloc[-1]
        below = curves["NAO"][curves["NAO"]["loss"] <= target]
        if below.empty:
            raise CannotTell("NAO's start did not reach that loss in as many iterations")
        ratios.append(below["iteration"].iloc[0] / curves["random"]["iteration"].max())
    return ratios


def gain(table: str, column: str, better: str, than: str) -> Callable[[Tables], list[float]]:
    """Return an estimator: per seed, a measure of some images minus that of others."""

    def measure(tables: Tables) -> list[float]:
        values = tables[table].pivot_table(index="seed", columns="images", values=column)
        return (values[better] - values[than]).tolist()

    return measure
