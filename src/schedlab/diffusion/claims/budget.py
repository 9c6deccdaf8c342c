"""What claims measure of solvers at a budget of evaluations: errors relative to DDIM's."""

from collections.abc import Sequence

import pandas as pd

from schedlab.lab.claims import CannotTell, Estimator, Tables

MULTISTEP = ("LMS", "PLMS", "DPM-Solver++ 2M", "DPM-Solver++ 3M", "DEIS", "UniPC")


def errors_at(tables: Tables, table: str, nfe: int) -> pd.DataFrame:
    """Return the errors with so many evaluations, a row a seed and a column a scheduler."""
    rows = tables[table]
    found = rows[rows["nfe"] == nfe].pivot_table(index="seed", columns="scheduler", values="rmse")
    if "DDIM" not in found:
        raise CannotTell(f"no run of DDIM with {nfe} evaluations")
    return found.dropna(axis=1)


def best_against_ddim(table: str, nfe: int) -> Estimator:
    """Return an estimator of the best multistep solver's error over DDIM's."""

    def values(tables: Tables) -> Sequence[float]:
        found = errors_at(tables, table, nfe)
        chosen = [name for name in found if name.startswith(MULTISTEP)]
        if not chosen:
            raise CannotTell("no multistep solver is among the schedulers")
        best = found[chosen].mean().idxmin()
        return (found[best] / found["DDIM"]).to_list()

    return values


def against_ddim(label: str, table: str, nfe: int) -> Estimator:
    """Return an estimator of a scheduler's error over DDIM's."""

    def values(tables: Tables) -> Sequence[float]:
        found = errors_at(tables, table, nfe)
        if label not in found:
            raise CannotTell(f"no run of {label} with {nfe} evaluations")
        return (found[label] / found["DDIM"]).to_list()

    return values
