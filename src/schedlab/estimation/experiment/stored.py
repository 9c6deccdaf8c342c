"""The exact stage's tables, for stages that compare with its optima."""

import pandas as pd

from schedlab.lab.paths import find_root

TABLES = ("optima", "biases", "regions")


def read_optima(folder: str) -> dict[str, pd.DataFrame]:
    """Read what :func:`schedlab.estimation.exact.solve.read_pair` takes pairs from.

    Parameters
    ----------
    folder
        Results of the exact stage, relative to the checkout.

    Raises
    ------
    FileNotFoundError
        If that stage has not run.
    """
    place = find_root() / folder
    if missing := [name for name in TABLES if not (place / f"{name}.parquet").is_file()]:
        raise FileNotFoundError(
            f"{folder}/{missing[0]}.parquet is missing; compute it with: dvc repro estimation@exact"
        )
    return {name: pd.read_parquet(place / f"{name}.parquet") for name in TABLES}
