"""How serving figures tell schedulers apart."""

import pandas as pd

from schedlab.lab.figures import Look, looks_of


def looks_in(table: pd.DataFrame) -> dict[str, Look]:
    """Return the look of every scheduler in a table, by order of appearance."""
    return looks_of(table["scheduler"])
