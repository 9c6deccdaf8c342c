"""Numbers of *Efficient LLM Scheduling by Learning to Rank* (arXiv 2408.15792), beside ours."""

import pandas as pd

from schedlab.ranking.claims.labels import CLASSES, FCFS, MLFQ, PERCEPTION, RANKING

SERVED = (FCFS, MLFQ, PERCEPTION, CLASSES, RANKING)
GENERATED = (FCFS, CLASSES, RANKING)

TABLE_1 = {  # burst of 2,000: mean and 90th percentile, s/token
    ("8B", "ShareGPT"): ((1.15, 1.07, 1.35, 1.13, 0.56), (1.60, 1.57, 1.67, 1.51, 0.67)),
    ("8B", "LMSYS"): ((1.73, 0.80, 0.75, 1.77, 0.38), (4.86, 1.56, 1.47, 4.98, 0.52)),
    ("70B", "ShareGPT"): ((1.44, 1.37, 1.04, 1.26, 0.78), (2.01, 1.89, 1.35, 1.73, 0.96)),
    ("70B", "LMSYS"): ((2.17, 1.00, 0.95, 2.23, 0.54), (5.54, 1.91, 1.72, 5.72, 0.82)),
}
TABLE_2 = {  # 10,000 prompts: s to the first 1,000, and completions in 300 s
    ("8B", "ShareGPT"): ((343.29, 421.92, 143.18), (841, 655, 1706)),
    ("8B", "LMSYS"): ((197.38, 237.40, 30.48), (1348, 1644, 4434)),
    ("70B", "ShareGPT"): ((440.71, 512.84, 231.59), (670, 479, 1299)),
    ("70B", "LMSYS"): ((253.68, 338.83, 59.67), (1167, 895, 3710)),
}
TABLE_4 = {  # 1,000 requests: s in total and for the predictor
    ("8B", "ShareGPT"): (254.23, 2.81),
    ("8B", "LMSYS"): (127.82, 1.03),
    ("70B", "ShareGPT"): (419.74, 7.09),
    ("70B", "LMSYS"): (211.30, 2.46),
}
FIGURE_3 = {  # Llama-3-8B, mean s/token, digitised by Sarkar and Fund (ACM REP 2026)
    ("ShareGPT", 8): (0.11, 0.10, 0.11, 0.13, 0.10),
    ("ShareGPT", 16): (0.48, 0.29, 0.37, 0.37, 0.24),
    ("ShareGPT", 32): (1.48, 0.82, 1.02, 1.24, 0.61),
    ("ShareGPT", 64): (3.94, 2.68, 2.68, 3.23, 1.58),
    ("LMSYS", 8): (0.09, 0.07, 0.09, 0.18, 0.07),
    ("LMSYS", 16): (0.46, 0.16, 0.18, 0.16, 0.14),
    ("LMSYS", 32): (1.89, 0.34, 0.46, 0.57, 0.32),
    ("LMSYS", 64): (5.61, 1.26, 1.52, 3.33, 0.78),
}
FIGURE_2B = {  # burst on ShareGPT, 8B, read off the figure: mean s/token by tau
    0.0: 1.26,
    0.14: 1.11,
    0.22: 0.99,
    0.39: 0.88,
    0.51: 0.69,
    0.68: 0.48,
    1.0: 0.39,
}


def table_1() -> pd.DataFrame:
    """Return Table 1: ``model, trace, scheduler, latency_mean, latency_p90`` (s/token)."""
    return _long(TABLE_1, ["model", "trace"], SERVED, ["latency_mean", "latency_p90"])


def table_2() -> pd.DataFrame:
    """Return Table 2: ``model, trace, scheduler, first_s, completions``."""
    return _long(TABLE_2, ["model", "trace"], GENERATED, ["first_s", "completions"])


def table_4() -> pd.DataFrame:
    """Return Table 4: ``model, trace, total_s, predictor_s, share``."""
    rows = [
        {"model": model, "trace": trace, "total_s": total, "predictor_s": ours}
        for (model, trace), (total, ours) in TABLE_4.items()
    ]
    return pd.DataFrame(rows).assign(share=lambda table: table["predictor_s"] / table["total_s"])


def figure_3() -> pd.DataFrame:
    """Return the rate sweep: ``trace, rate, scheduler, latency_mean`` (s/token)."""
    values = {place: (row,) for place, row in FIGURE_3.items()}
    return _long(values, ["trace", "rate"], SERVED, ["latency_mean"])


def _long(
    values: dict[tuple, tuple], places: list[str], labels: tuple[str, ...], columns: list[str]
) -> pd.DataFrame:
    rows = [
        dict(zip(places, place, strict=True))
        | {"scheduler": label}
        | dict(zip(columns, numbers, strict=True))
        for place, table in values.items()
        for label, numbers in zip(labels, zip(*table, strict=True), strict=True)
    ]
    return pd.DataFrame(rows)


def beside(measured: pd.DataFrame, published: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    """Return the mean over seeds of measured columns, with the published ones beside them.

    Parameters
    ----------
    measured
        Tidy table with a column ``seed``.
    published
        One row per place; columns that are not in ``columns`` say which.
    columns
        What to compare.
    """
    places = [name for name in published if name not in columns]
    means = measured.groupby(places, sort=False)[columns].mean().add_suffix(", measured")
    theirs = published.set_index(places)[columns].add_suffix(", published")
    joined = means.join(theirs)
    return joined[[f"{name}, {kind}" for name in columns for kind in ("published", "measured")]]
