"""RAD and the throughput bound: stability, tiling, dynamic allocation, cycles.

Requests are those of the theory: prompts of whole tiles, outputs of a cut exponential, Poisson
arrivals. Every run stops at a horizon, so that loads beyond the bound can be looked at.
"""

from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from schedlab.lab.resolve import resolve
from schedlab.lab.seeds import generator
from schedlab.lab.sweep import sweep
from schedlab.serving.costs import COST_MODELS, Work
from schedlab.serving.experiment.runs import simulate
from schedlab.serving.parameters import Mix, ThroughputParameters
from schedlab.serving.records import Run
from schedlab.serving.schedulers import SCHEDULERS
from schedlab.serving.workload import RequestClass, build_requests

OVERLOAD = 1.5  # times the bound: the queue never empties, so throughput is all there can be
TRACE_POINTS = 60
EVERYONE = (RequestClass("all", 1.0, 1.0),)
AMPLE_BLOCKS = 10**6
SHORT = Mix(prompt_tiles=4, mean_output=100, max_output=256)
"""Mix of the tiling experiment, whose prompts are whole multiples of each batch size."""


def saturated_throughput(parameters: ThroughputParameters) -> pd.DataFrame:
    """Run each scheduler on each mix beyond the bound; one row per ``mix``, scheduler and seed."""
    grid = [
        {"entry": entry.model_dump(), "mix": name, "setting": _setting(parameters, OVERLOAD, mix)}
        for (name, mix), entry in product(parameters.mixes.items(), parameters.schedulers)
    ]
    return sweep(measure, grid, parameters.seeds, label="throughput")


def stability(parameters: ThroughputParameters) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Run RAD at loads around the bound.

    Returns
    -------
    One row per ``load`` and seed as :func:`measure` gives it; and the requests in the system
    over time: ``load, seed, time_s, requests``.
    """
    table = sweep(measure_over_time, _loads(parameters), parameters.seeds, label="stability")
    over_time = ["time_s", "requests"]
    each_run = table.drop(columns=over_time).drop_duplicates(ignore_index=True)
    return each_run, table[["load", "seed", *over_time]]


def cycles(parameters: ThroughputParameters) -> pd.DataFrame:
    """Run RAD beyond the bound at each cycle length; one row per scheduler and seed."""
    setting = _setting(parameters, OVERLOAD, _first_mix(parameters))
    grid = [
        {"entry": rad(parameters.tile_tokens, length), "setting": setting}
        for length in (*parameters.cycles, None)
    ]
    return sweep(measure, grid, parameters.seeds, label="cycles")


def tiling(parameters: ThroughputParameters) -> pd.DataFrame:
    """Saturate RAD and Sarathi-Serve with whole tiles, and Sarathi-Serve with 8 tokens more.

    One row per scheduler, ``budget`` (tokens of a whole batch), ``extra`` and seed.
    """
    grid = []
    for budget in parameters.tile_budgets:
        setting = _setting(parameters, OVERLOAD, SHORT) | {
            "cost_model": parameters.tiling_cost_model,
            "tile_tokens": budget,
        }
        entries = ((rad(budget, None), 0), (_sarathi(budget), 0), (_sarathi(budget + 8), 8))
        grid += [
            {"entry": entry, "setting": setting, "budget": budget, "extra": extra}
            for entry, extra in entries
        ]
    return sweep(measure, grid, parameters.seeds, label="tiling")


def staircase(parameters: ThroughputParameters) -> pd.DataFrame:
    """Return ``cost_model, tokens, batch_s, tokens_per_s`` at the sizes that were measured.

    A model that is a formula is evaluated every 8 tokens.
    """
    most = max(parameters.tile_budgets) + 8
    sizes = [
        (name, tokens)
        for name in (parameters.tiling_cost_model, *parameters.staircases)
        for tokens in getattr(COST_MODELS[name], "tokens", range(8, most + 1, 8))
        if tokens <= most
    ]
    table = pd.DataFrame(sizes, columns=["cost_model", "tokens"])
    table["batch_s"] = [_batch_s(*row) for row in table.itertuples(index=False)]
    return table.assign(tokens_per_s=table["tokens"] / table["batch_s"])


def measure(
    entry: dict[str, Any], setting: dict[str, Any], seed: int, **labels: Any
) -> dict[str, Any]:
    """Run one scheduler to the horizon and measure what the theory speaks of.

    Returns
    -------
    ``scheduler``; ``tokens_per_s`` after the first quarter, and of an endless row of the fullest
    batches; ``share`` of the bound; ``growth`` of the number of requests in the second half and
    that of a fluid, requests/s; ``left``, requests there at the end; ``full``, the share of
    batches that fill a tile or find no more to do; ``served_of_bound``, the largest ratio ever
    of tokens served to those that Theorem 1 allows.
    """
    return _summary(entry, setting, *_run(entry, setting, seed))


def measure_over_time(
    entry: dict[str, Any], setting: dict[str, Any], seed: int, **labels: Any
) -> pd.DataFrame:
    """Run as :func:`measure`; a row for each of evenly spaced times, with the requests there."""
    run, rate, bound = _run(entry, setting, seed)
    at = np.linspace(0, setting["horizon_s"], TRACE_POINTS + 1)[1:]
    last = np.searchsorted(run.batches["start_s"], at, side="right") - 1
    present = (run.batches["waiting"] + run.batches["running"]).to_numpy()
    trace = pd.DataFrame({"time_s": at, "requests": np.where(last < 0, 0, present[last])})
    return trace.assign(**_summary(entry, setting, run, rate, bound))


def tile_lengths(mix: Mix, tile_tokens: int, n: int, seed: int) -> pd.DataFrame:
    """Draw requests of the theory: prompts of whole tiles, outputs of a cut exponential."""
    draw = generator(seed, "serving", "tiles", mix.prompt_tiles, mix.mean_output)
    prompts = tile_tokens * draw.integers(1, mix.prompt_tiles + 1, n)
    outputs = np.minimum(np.floor(draw.exponential(mix.mean_output, n)) + 1, mix.max_output)
    return pd.DataFrame({"prompt_tokens": prompts, "output_tokens": outputs.astype(int)})


def mean_tokens(mix: Mix, tile_tokens: int) -> float:
    """Return the mean of prompt plus output of :func:`tile_lengths`, in closed form.

    With ``q = exp(-1 / mean_output)`` an output is at least ``k`` with probability
    ``q**(k - 1)``, up to the cut.
    """
    q = np.exp(-1 / mix.mean_output)
    return tile_tokens * (mix.prompt_tiles + 1) / 2 + (1 - q**mix.max_output) / (1 - q)


def rad(tile_tokens: int, prefills_per_cycle: int | None) -> dict[str, Any]:
    """Return RAD's entry for a tile and a cycle length, None for cycles without end."""
    length = "∞" if prefills_per_cycle is None else str(prefills_per_cycle)
    options = {"b_col": tile_tokens, "prefills_per_cycle": prefills_per_cycle}
    return {"use": "rad", "label": f"RAD (N = {length})", "options": options}


def _sarathi(budget: int) -> dict[str, Any]:
    options = {"token_budget": budget, "max_num_seqs": 1024}
    return {"use": "sarathi", "label": "Sarathi-Serve", "options": options}


def _first_mix(parameters: ThroughputParameters) -> Mix:
    return next(iter(parameters.mixes.values()))


def _loads(parameters: ThroughputParameters) -> list[dict[str, Any]]:
    entry, mix = rad(parameters.tile_tokens, None), _first_mix(parameters)
    return [
        {"entry": entry, "load": load, "setting": _setting(parameters, load, mix)}
        for load in parameters.loads
    ]


def _setting(parameters: ThroughputParameters, load: float, mix: Mix) -> dict[str, Any]:
    return {
        "load": load,
        "mix": mix.model_dump(),
        "cost_model": parameters.cost_model,
        "tile_tokens": parameters.tile_tokens,
        "horizon_s": parameters.horizon_s,
    }


def _run(entry: dict[str, Any], setting: dict[str, Any], seed: int) -> tuple[Run, float, float]:
    """Return a run, its arrival rate and the bound of Theorem 1, both in requests/s."""
    cost, mix = COST_MODELS[setting["cost_model"]], Mix(**setting["mix"])
    bound = cost.peak_tokens_per_s / mean_tokens(mix, setting["tile_tokens"])
    rate = setting["load"] * bound
    count = int(1.2 * rate * setting["horizon_s"]) + 200  # enough to reach the horizon
    lengths = tile_lengths(mix, setting["tile_tokens"], count, seed)
    run = simulate(
        build_requests(lengths, count, rate, seed, classes=EVERYONE, truncate_at=None),
        resolve(entry, SCHEDULERS).make(),
        cost,
        total_blocks=AMPLE_BLOCKS,
        until_s=setting["horizon_s"],
    )
    return run, rate, bound


def _batch_s(cost_model: str, tokens: int) -> float:
    return COST_MODELS[cost_model](Work(prefills=((tokens, 0),)))


def _summary(
    entry: dict[str, Any], setting: dict[str, Any], run: Run, rate: float, bound: float
) -> dict[str, Any]:
    table, horizon_s = run.batches, setting["horizon_s"]
    tokens = table["prefill_tokens"] + table["decode_tokens"]
    present = table["waiting"] + table["running"]
    peak = COST_MODELS[setting["cost_model"]].peak_tokens_per_s
    settled, rest = (table["start_s"] > horizon_s / part for part in (4, 2))
    throughput = tokens[settled].sum() / table["duration_s"][settled].sum()
    no_more = (table["waiting"] == 0) & (table["decode_tokens"] == table["running"])
    return {
        "scheduler": entry["label"],
        "tokens_per_s": throughput,
        "full_tokens_per_s": tokens.max() / _batch_s(setting["cost_model"], int(tokens.max())),
        "share": throughput / peak,
        "growth": np.polyfit(table["start_s"][rest], present[rest], 1)[0],
        "fluid_growth": rate - bound,
        "left": int(present.iloc[-1]),
        "full": ((tokens == setting["tile_tokens"]) | no_more).mean(),
        "served_of_bound": (
            tokens.cumsum() / (peak * (table["start_s"] + table["duration_s"]))
        ).max(),
    }
