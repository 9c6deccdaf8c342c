"""What the paper claims of RAD and of the throughput bound."""

import pandas as pd

from schedlab.lab.claims import CannotTell, Claim, Estimator, Tables
from schedlab.serving.claims.estimators import arm_of, on_tables

RAD = "RAD (N = ∞)"
THEOREM_1 = "Theorem 1"
THEOREM_2 = "Theorem 2"


def throughput_claims(tile_tokens: int) -> list[Claim]:
    """Return what saturated and stable runs can decide.

    Parameters
    ----------
    tile_tokens
        Tokens in a tile of the theory's cost model.
    """
    return [*_theorem_claims(tile_tokens), *_tiling_claims(), *_allocation_claims()]


def _theorem_claims(tile_tokens: int) -> list[Claim]:
    return [
        Claim(
            id="serving/no-scheduler-beats-the-bound",
            sentence="No scheduler ever serves more tokens than whole tiles allow",
            source=THEOREM_1,
            estimator=runs_beyond_the_bound,
            unit="runs beyond it",
            holds_from=0.0,
            holds_to=0.0,
            figure="throughput",
        ),
        Claim(
            id="serving/rad-stable-below-the-bound",
            sentence="At 95 % of the bound RAD's backlog stays below two tiles of requests",
            source=THEOREM_2,
            estimator=on_tables(at_load, "left", 0.95),
            unit="requests",
            holds_to=2.0 * tile_tokens,
            figure="stability",
        ),
        Claim(
            id="serving/rad-unstable-above-the-bound",
            sentence="At 110 % of the bound the backlog grows as a fluid's would",
            source=THEOREM_1,
            estimator=growth_over_fluid,
            unit="of the fluid's growth",
            holds_from=0.8,
            holds_to=1.2,
            figure="stability",
        ),
        Claim(
            id="serving/rad-fills-its-tiles",
            sentence="Every batch of RAD fills a tile, unless all there is to do is decoding less",
            source="Algorithm 1; optimal tiling",
            estimator=on_tables(extreme, "stability", "full", None, "min"),
            unit="of batches",
            holds_from=1.0,
            holds_to=1.0,
            figure="stability",
        ),
    ]


def _tiling_claims() -> list[Claim]:
    return [
        Claim(
            id="serving/whole-tiles-saturate",
            sentence="Saturated, RAD and Sarathi-Serve with whole tiles reach the tokens per "
            "second of full batches, on measured batch times of an A100",
            source="optimal tiling",
            estimator=distance_from_full,
            unit="relative",
            holds_to=0.001,
            figure="tiling",
        ),
        Claim(
            id="serving/part-tiles-cost",
            sentence="Eight tokens past a tile lower the saturated throughput at every batch size",
            source="optimal tiling",
            estimator=gain_of_part_tiles,
            unit="relative",
            holds_to=0.0,
            null=0.0,
            figure="tiling",
        ),
    ]


def _allocation_claims() -> list[Claim]:
    reaches = {"unit": "of the bound", "holds_from": 0.97, "figure": "throughput"}
    below = {"unit": "of the bound", "holds_to": 0.97, "figure": "throughput"}

    def share(how: str, *labels: str) -> Estimator:
        return on_tables(extreme, "throughput", "share", labels, how)

    return [
        Claim(
            id="serving/rad-reaches-the-bound",
            sentence="Beyond the bound RAD serves at least 97 % of it, on every mix",
            source=THEOREM_2,
            estimator=share("min", RAD),
            **reaches,
        ),
        Claim(
            id="serving/sarathi-reaches-the-bound",
            sentence="Sarathi-Serve with batches of one tile serves at least 97 % of it too",
            source="work-conserving schedulers are throughput-optimal (Li, Dai and Peng 2025)",
            estimator=share("min", "Sarathi-Serve (one tile)"),
            **reaches,
        ),
        Claim(
            id="serving/orca-reaches-the-bound",
            sentence="Orca with enough slots serves at least 97 % of it too",
            source="work-conserving schedulers are throughput-optimal (Li, Dai and Peng 2025)",
            estimator=share("min", "Orca"),
            **reaches,
        ),
        Claim(
            id="serving/static-splits-fall-short",
            sentence="A static 1:1 split of iterations falls short of it where prompts are long",
            source="dynamic resource allocation",
            estimator=share("min", "Static split 1:1"),
            **below,
        ),
        Claim(
            id="serving/faster-transformer-falls-short",
            sentence="FasterTransformer's static batches fall short of it on every mix",
            source="not throughput-optimal (Li, Dai and Peng 2025)",
            estimator=share("max", "FasterTransformer"),
            **below,
        ),
        Claim(
            id="serving/longer-cycles-carry-more",
            sentence="RAD's throughput grows with the length of its cycles",
            source="cycle parameter N, as readers of the paper report it",
            estimator=smallest_step,
            unit="of the bound",
            holds_from=0.0,
            null=0.0,
            figure="cycles",
            reconstruction=True,
        ),
    ]


def extreme(
    table: str, column: str, labels: tuple[str, ...] | None, how: str, *, tables: Tables
) -> list[float]:
    """Return, per seed, the largest or smallest value of a column over all runs of some labels."""
    rows = tables[table]
    if labels is not None:
        rows = pd.concat([arm_of(rows, label) for label in labels])
    return rows.groupby("seed")[column].agg(how).tolist()


def at_load(column: str, load: float, *, tables: Tables) -> list[float]:
    """Return, per seed, RAD's value at one load of the stability runs."""
    rows = tables["stability"]
    rows = rows[rows["load"] == load]
    if rows.empty:
        raise CannotTell(f"the run has no load of {load:g} times the bound")
    return rows.sort_values("seed")[column].tolist()


def growth_over_fluid(tables: Tables) -> list[float]:
    """Return, per seed, the measured growth of the backlog over the fluid's at load 1.1."""
    return [
        growth / fluid
        for growth, fluid in zip(
            at_load("growth", 1.1, tables=tables),
            at_load("fluid_growth", 1.1, tables=tables),
            strict=True,
        )
    ]


def distance_from_full(tables: Tables) -> list[float]:
    """Return, per seed, the largest relative distance from the throughput of full batches."""
    rows = tables["tiling"].query("extra == 0")
    distance = (rows["tokens_per_s"] / rows["full_tokens_per_s"] - 1).abs()
    return distance.groupby(rows["seed"]).max().tolist()


def gain_of_part_tiles(tables: Tables) -> list[float]:
    """Return, per seed, the best change over batch sizes that eight tokens more bring."""
    rows = arm_of(tables["tiling"], "Sarathi-Serve")
    whole, part = (
        rows[rows["extra"] == extra].set_index(["seed", "budget"])["tokens_per_s"]
        for extra in (0, 8)
    )
    return (part / whole - 1).groupby("seed").max().tolist()


def runs_beyond_the_bound(tables: Tables) -> list[float]:
    """Return, per seed, how many runs ever served more tokens than Theorem 1 allows."""
    rows = pd.concat([tables["throughput"], tables["stability"]])
    beyond = rows["served_of_bound"] > 1 + 1e-9  # room for rounding
    return beyond.groupby(rows["seed"]).sum().tolist()


def smallest_step(tables: Tables) -> list[float]:
    """Return, per seed, the smallest gain from one cycle length to the next longer one."""
    table = tables["cycles"]
    steps = table.groupby("seed", sort=True)["share"].apply(lambda shares: shares.diff().min())
    return steps.tolist()
