"""What the authors of solvers say about their order of convergence."""

from collections.abc import Sequence

from schedlab.diffusion.experiment.orders import LOG, RISING
from schedlab.diffusion.schedulers.core.solvers import SOLVERS
from schedlab.lab.claims import CannotTell, Claim, Estimator, Tables

SLACK = 0.15  # what a finite grid may take from an order
LIMITS = {
    "LMS 4": 3.3,  # its first three steps have lower orders
    "DEIS 3": 2.75,
    "DPM-Solver 3M corrected": 2.6,
    "DPM-Solver++ 3M corrected": 2.6,
    "UniPC 3": 3.75,
}
"""Lower limits of solvers whose start costs more than the slack."""

SOURCES = {
    "DDIM": "Song, Meng and Ermon 2021, section 4.3: Euler's method",
    "Heun": "Karras et al. 2022, section 3",
    "LMS": "Karras et al. 2022, code: Adams-Bashforth of order 4",
    "PLMS": "Liu et al. 2022: second-order convergent",
    "DEIS": "Zhang and Chen 2023, section 3",
    "DPM": "Lu et al. 2022",
    "UniPC": "Zhao et al. 2023, theorem on the order of accuracy",
}


def order_claims() -> list[Claim]:
    """Return one claim a solver, and what the missing factor of the third order costs."""
    return [*(_order(name) for name in SOLVERS), _factor("DPM-Solver++"), _factor("DPM-Solver")]


def _order(name: str) -> Claim:
    declared = SOLVERS[name].order
    family = next(key for key in SOURCES if name.startswith(key))
    return Claim(
        id=f"diffusion/order-{_slug(name)}",
        sentence=f"{name} converges with order {declared}",
        source=SOURCES[family],
        estimator=_measured(name),
        published=float(declared),
        unit="order",
        holds_from=LIMITS.get(name, declared - SLACK),
        figure="orders",
    )


def _factor(name: str) -> Claim:
    return Claim(
        id=f"diffusion/corrected-third-order-{_slug(name)}",
        sentence=f"With the true second derivative {name} 3M has at most half its error as "
        "published, on the finest grid",
        source="the authors' code takes half the derivative; the series needs all of it",
        estimator=_corrected_over_published(name),
        unit="of the published error",
        holds_to=0.5,
        null=1.0,
        figure="convergence",
    )


def _measured(name: str) -> Estimator:
    def values(tables: Tables) -> Sequence[float]:
        table = tables["orders"]
        mask = (table["solver"] == name) & (table["grid"] == LOG) & (table["start"] == RISING)
        found = table[mask]["order"]
        if found.empty:
            raise CannotTell(f"{name} is not among the solvers of this run")
        return found.to_list()

    return values


def _corrected_over_published(name: str) -> Estimator:
    def values(tables: Tables) -> Sequence[float]:
        table = tables["errors"]
        finest = table[
            (table["grid"] == LOG)
            & (table["start"] == RISING)
            & (table["intervals"] == table["intervals"].max())
        ].pivot_table(index="seed", columns="solver", values="rmse")
        if not {f"{name} 3M", f"{name} 3M corrected"} <= set(finest):
            raise CannotTell(f"{name} 3M is not among the solvers of this run")
        return (finest[f"{name} 3M corrected"] / finest[f"{name} 3M"]).to_list()

    return values


def _slug(name: str) -> str:
    plain = name.lower().replace("++", "-plus-plus").replace(" ", "-")
    return plain.replace("-solver", "")
