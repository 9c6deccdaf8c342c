"""What the tables of meta-training say: scores, who was selected, what the scheduler prefers."""

import pandas as pd

KEYS = ["scheduler", "world", "seed"]
WINDOW = 16  # pools that a window of training dynamics averages over
PHASES = ("warm_up", "training")


def score_curves(scores: pd.DataFrame) -> pd.DataFrame:
    """Return the mean over test tasks at every evaluation.

    Parameters
    ----------
    scores
        Of :func:`schedlab.metalearning.experiment.arms.compare`.

    Returns
    -------
    Columns ``scheduler, world, seed, step, score, loss``.
    """
    means = scores.groupby([*KEYS, "step"], sort=False)[["score", "loss"]].mean()
    return means.reset_index()


def final_scores(scores: pd.DataFrame) -> pd.DataFrame:
    """Return :func:`score_curves` at each arm's last evaluation."""
    curves = score_curves(scores)
    last = curves.groupby(KEYS, sort=False)["step"].transform("max")
    return curves[curves["step"] == last].reset_index(drop=True)


def well_solved(scores: pd.DataFrame, limit: float = 0.3) -> pd.DataFrame:
    """Return how many test tasks end with a score above ``limit``, as the paper counts assays.

    Returns
    -------
    Columns ``scheduler, world, seed, solved``.
    """
    last = scores.groupby(KEYS, sort=False)["step"].transform("max")
    table = scores[scores["step"] == last]
    solved = table["score"].gt(limit).groupby([table[key] for key in KEYS], sort=False).sum()
    return solved.rename("solved").reset_index()


def dynamics(steps: pd.DataFrame) -> pd.DataFrame:
    """Return how much weight noisy tasks got, and how many were selected, window by window.

    Parameters
    ----------
    steps
        Of :func:`schedlab.metalearning.experiment.arms.compare`.

    Returns
    -------
    Columns ``scheduler, world, seed, phase, step`` (the window's first), ``noisy`` (their share
    of candidates), ``noisy_weight`` (of the probability), ``noisy_selected`` (of the tasks that
    were taken), ``relative_weight``: mean weight of a noisy task over that of a clean one.
    """
    table = steps[[*KEYS, "phase", "step"]].copy()
    noisy = steps["noisy"].astype(float)
    table["noisy"], table["count"] = noisy, 1.0
    table["noisy_weight"], table["weight"] = noisy * steps["weight"], steps["weight"]
    table["noisy_selected"] = noisy * steps["selected"]
    table["selected"] = steps["selected"]
    table["step"] = table["step"] // WINDOW * WINDOW
    sums = table.groupby([*KEYS, "phase", "step"], sort=False).sum().reset_index()
    clean_weight = (sums["weight"] - sums["noisy_weight"]) / (sums["count"] - sums["noisy"])
    sums["relative_weight"] = sums["noisy_weight"] / sums["noisy"] / clean_weight
    sums["noisy_weight"] /= sums["weight"]
    sums["noisy_selected"] /= sums["selected"]
    sums["noisy"] /= sums["count"]
    return sums.drop(columns=["count", "weight", "selected"])


def noisy_share(steps: pd.DataFrame) -> pd.DataFrame:
    """Return the share of noisy tasks among those the real meta-model was trained on.

    Returns
    -------
    Columns ``scheduler, world, seed, noisy`` (among candidates), ``noisy_selected``, and
    ``noisy_selected_late``, over the last 50 steps.
    """
    training = steps[steps["phase"] == "training"]
    taken = training["selected"] * training["noisy"]
    late = training["step"] > training["step"].max() - 50
    table = training[KEYS].assign(
        candidates=1.0,
        noisy=training["noisy"].astype(float),
        selected=training["selected"],
        taken=taken,
        late=training["selected"] * late,
        taken_late=taken * late,
    )
    sums = table.groupby(KEYS, sort=False).sum()
    return pd.DataFrame(
        {
            "noisy": sums["noisy"] / sums["candidates"],
            "noisy_selected": sums["taken"] / sums["selected"],
            "noisy_selected_late": sums["taken_late"] / sums["late"],
        }
    ).reset_index()


def preferences(steps: pd.DataFrame, pools: int = WINDOW) -> pd.DataFrame:
    """Return how a scheduler's weight goes with loss and similarity, at the end of training.

    Within each of the last pools, whose tasks nothing was trained on before they were weighed:
    Spearman's rank correlation, which no temperature changes.

    Parameters
    ----------
    steps
        Of :func:`schedlab.metalearning.experiment.arms.compare`.
    pools
        How many of the last pools.

    Returns
    -------
    Columns ``scheduler, world, seed, loss, similarity``: mean correlations, missing where a
    scheduler does not look at a factor or gives all tasks the same weight.
    """
    training = steps[steps["phase"] == "training"]
    late = training[training["step"] > training["step"].max() - pools]
    pool = [*KEYS, "step"]
    factors = ["loss", "similarity", "weight"]
    ranks = late.groupby(pool, sort=False)[factors].rank()
    ranks[pool] = late[pool]
    centred = ranks[factors] - ranks.groupby(pool, sort=False)[factors].transform("mean")
    products = pd.DataFrame(
        {
            **{f"{a}{a}": centred[a] ** 2 for a in factors},
            "loss": centred["loss"] * centred["weight"],
            "similarity": centred["similarity"] * centred["weight"],
        }
    )
    products[pool] = late[pool]
    sums = products.groupby(pool, sort=False).sum(min_count=1)
    found = pd.DataFrame(
        {
            name: sums[name] / (sums[name * 2] * sums["weightweight"]) ** 0.5
            for name in ("loss", "similarity")
        }
    )
    return found.groupby(KEYS, sort=False).mean().reset_index()


def total_passes(cost: pd.DataFrame) -> pd.DataFrame:
    """Return what each arm cost: ``scheduler, world, seed, passes`` over tasks."""
    return cost.groupby(KEYS, sort=False)["passes"].max().reset_index()


def moments(steps: pd.DataFrame, scheduler: str, seed: int, pools: int = 6) -> pd.DataFrame:
    """Return the candidates of one run at four moments, for pictures.

    Returns
    -------
    Rows of ``steps`` with a column ``moment``: a few pools each from the beginning and the end of
    warm-up and training.
    """
    run = steps[(steps["scheduler"] == scheduler) & (steps["seed"] == seed)]
    found = []
    for phase, words in (("warm_up", "warm-up"), ("training", "training")):
        part = run[run["phase"] == phase]
        last = part["step"].max()
        found.append(part[part["step"] < pools].assign(moment=f"{words} begins"))
        found.append(part[part["step"] > last - pools].assign(moment=f"{words} ends"))
    return pd.concat(found, ignore_index=True)


def last_pools(steps: pd.DataFrame, scheduler: str, pools: int = WINDOW) -> pd.DataFrame:
    """Return the candidates of the last pools that a scheduler weighed, all seeds."""
    run = steps[(steps["scheduler"] == scheduler) & (steps["phase"] == "training")]
    return run[run["step"] > run["step"].max() - pools].reset_index(drop=True)


def with_passes(curves: pd.DataFrame, cost: pd.DataFrame) -> pd.DataFrame:
    """Return score curves with a column ``passes``: what was spent up to that evaluation."""
    training = cost[cost["phase"] == "training"]
    warm_up = cost[cost["phase"] == "warm_up"].groupby(KEYS)["passes"].max()
    done = training.assign(step=training["step"] + 1)[[*KEYS, "step", "passes"]]
    table = curves.merge(done, on=[*KEYS, "step"], how="left")
    start = warm_up.reindex(pd.MultiIndex.from_frame(table[KEYS])).fillna(0.0).to_numpy()
    return table.assign(passes=table["passes"].fillna(pd.Series(start)))
