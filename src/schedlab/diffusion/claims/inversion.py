"""What is said of inverting deterministic schedulers, tried on the mixture."""

from collections.abc import Sequence

import pandas as pd

from schedlab.lab.claims import CannotTell, Claim, Estimator, Tables

SOURCE = "Samuel et al. 2025 (regularised Newton-Raphson inversion), arXiv:2312.12540"
ROUNDS = 3


def inversion_claims() -> list[Claim]:
    """Return the claims of the stage."""
    return [
        Claim(
            id="diffusion/ddim-inversion-errs-less-with-steps",
            sentence="DDIM inversion's round trip errs at most half as much with 50 steps as "
            "with 10",
            source="Song, Meng and Ermon 2021, section 5.4",
            estimator=fewer_over_more("DDIM", "DDIM inversion", 0),
            unit="of the error with 10 steps",
            holds_to=0.5,
            null=1.0,
            figure="round-trips",
        ),
        Claim(
            id="diffusion/fixed-point-inversion-is-better",
            sentence="Three fixed-point iterations cut DDIM inversion's error at 50 steps to a "
            "tenth",
            source=SOURCE,
            estimator=method_over_ddim("DDIM", "fixed point", 50),
            unit="of DDIM inversion's error",
            holds_to=0.1,
            null=1.0,
            figure="round-trips",
        ),
        _newton("newton", "Newton", "Three Newton iterations", reconstruction=False),
        _newton(
            "guided-newton", "guided Newton", "With guidance of 0.1, three too", reconstruction=True
        ),
        Claim(
            id="diffusion/every-deterministic-solver-inverts",
            sentence="Three fixed-point iterations cut the error of every deterministic scheduler "
            "at 50 steps to a tenth of DDIM inversion's on its grid",
            source="ours: the fixed point of a whole run",
            estimator=worst_scheduler("fixed point", 50),
            unit="of DDIM inversion's error",
            holds_to=0.1,
            null=1.0,
            figure="round-trips",
        ),
        Claim(
            id="diffusion/exact-seeds-of-a-coarse-sampler-are-unlikely",
            sentence="With 10 steps of DDIM exact inversion makes seeds larger than the prior does",
            source=SOURCE,
            estimator=size("DDIM", "fixed point", 10),
            unit="of the prior's size",
            holds_from=1.05,
            null=1.0,
            figure="sizes",
        ),
    ]


def _newton(name: str, method: str, words: str, reconstruction: bool) -> Claim:
    return Claim(
        id=f"diffusion/{name}-inversion-is-better",
        sentence=f"{words} err at most half as much as DDIM inversion at 50 steps of DDIM",
        source=SOURCE,
        estimator=method_over_ddim("DDIM", method, 50),
        unit="of DDIM inversion's error",
        holds_to=0.5,
        null=1.0,
        figure="round-trips",
        reconstruction=reconstruction,
    )


def _table(tables: Tables, steps: int) -> pd.DataFrame:
    """Return the rows at a number of steps, with the claims' number of iterations."""
    table = tables["round_trips"]
    kept = table[(table["steps"] == steps) & table["iterations"].isin((0, ROUNDS))]
    if kept.empty or ROUNDS not in set(kept["iterations"]):
        raise CannotTell(f"no runs with {steps} steps and {ROUNDS} iterations")
    return kept


def _of(tables: Tables, scheduler: str, method: str, steps: int, column: str) -> pd.Series:
    """Return a column by seed."""
    table = _table(tables, steps)
    found = table[(table["scheduler"] == scheduler) & (table["method"] == method)]
    if found.empty:
        raise CannotTell(f"no runs of {scheduler} by {method}")
    return found.set_index("seed")[column]


def fewer_over_more(scheduler: str, method: str, iterations: int) -> Estimator:
    """Return an estimator of the error with 50 steps over that with 10."""

    def values(tables: Tables) -> Sequence[float]:
        fine, coarse = (_of(tables, scheduler, method, n, "rmse") for n in (50, 10))
        return (fine / coarse).to_list()

    return values


def method_over_ddim(scheduler: str, method: str, steps: int) -> Estimator:
    """Return an estimator of a method's error over that of DDIM's inversion."""

    def values(tables: Tables) -> Sequence[float]:
        ours = _of(tables, scheduler, method, steps, "rmse")
        return (ours / _of(tables, scheduler, "DDIM inversion", steps, "rmse")).to_list()

    return values


def worst_scheduler(method: str, steps: int) -> Estimator:
    """Return an estimator of the largest of these ratios over all schedulers."""

    def values(tables: Tables) -> Sequence[float]:
        table = _table(tables, steps).pivot_table(
            index=["scheduler", "seed"], columns="method", values="rmse"
        )
        return (table[method] / table["DDIM inversion"]).groupby("seed").max().to_list()

    return values


def size(scheduler: str, method: str, steps: int) -> Estimator:
    """Return an estimator of the root mean square of the seeds, 1 for the prior."""
    return lambda tables: _of(tables, scheduler, method, steps, "size").to_list()
