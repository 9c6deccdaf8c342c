"""What ``params.yaml`` may say about the serving stages."""

from typing import Annotated, Self

from pydantic import (
    AfterValidator,
    Field,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
)
from pydantic import model_validator as check_model

from schedlab.data.load import check_name
from schedlab.lab.parameters import Parameters, Seeds
from schedlab.lab.resolve import SchedulerEntry, makeable
from schedlab.serving.costs import COST_MODELS
from schedlab.serving.routers import ROUTERS
from schedlab.serving.schedulers import SCHEDULERS

Rates = Annotated[list[PositiveFloat], Field(min_length=1)]
Share = Annotated[float, Field(ge=0, le=1)]


def check_workload(name: str) -> str:
    """Refuse a name that is no set of request lengths."""
    check_name(name)
    return name


def check_cost_model(name: str) -> str:
    """Refuse a name that is no cost model."""
    if name not in COST_MODELS:
        raise ValueError(f"unknown cost model; allowed are {', '.join(COST_MODELS)}")
    return name


CostModelName = Annotated[str, AfterValidator(check_cost_model)]
Schedulers = Annotated[list[SchedulerEntry], AfterValidator(makeable(SCHEDULERS))]


class Scene(Parameters):
    """What every serving stage sets: who arrives, on what machine, under which schedulers.

    Attributes
    ----------
    workload
        Name of a set of prompt and output lengths, see :func:`schedlab.data.load.lengths`.
    cost_model
        Name of a batch-time model, see :data:`schedlab.serving.costs.COST_MODELS`.
    schedulers
        Entries as :mod:`schedlab.lab.resolve` reads them.
    blocks
        KV-cache blocks of 16 tokens.
    paying_share
        Share of requests with the strict limit on the time between tokens.
    paying_tbt_s, free_tbt_s
        Limits on the time between tokens, s.
    """

    workload: Annotated[str, AfterValidator(check_workload)]
    cost_model: CostModelName
    schedulers: Schedulers
    blocks: PositiveInt
    paying_share: Share
    paying_tbt_s: PositiveFloat
    free_tbt_s: PositiveFloat


class BatchParameters(Scene):
    """Parameters of the notebook that follows batches one by one.

    Attributes
    ----------
    requests, rate
        Requests a run, and arrival rate in requests/s.
    seeds
        The first one's run is drawn; the rules are checked on all.
    """

    requests: PositiveInt
    rate: PositiveFloat
    seeds: Seeds


class LoadParameters(Scene):
    """Parameters of the load sweep.

    Attributes
    ----------
    rates
        Nominal arrival rates, requests/s.
    near_capacity
        The rates among them at which claims compare schedulers.
    requests
        Requests a run.
    seeds
        One paired run each.
    ttft_slo_s
        Median time to first token that defines capacity, s.
    capacity_between
        Lowest and highest rate that the search for capacity considers, requests/s.
    """

    rates: Rates
    near_capacity: Rates
    requests: PositiveInt
    seeds: Seeds
    ttft_slo_s: PositiveFloat
    capacity_between: tuple[PositiveFloat, PositiveFloat]

    @check_model(mode="after")
    def _parts_agree(self) -> Self:
        if missing := sorted(set(self.near_capacity) - set(self.rates)):
            raise ValueError(f"near_capacity: {missing[0]:g} is not among the rates")
        low, high = self.capacity_between
        if low >= high:
            raise ValueError(f"capacity_between: {low:g} is not below {high:g}")
        return self


class OffsetParameters(Scene):
    """Parameters of the study of SLAI's offset, memory and user priority.

    Attributes
    ----------
    offsets
        Fixed offsets to try, in mean batch times.
    scarce_blocks
        KV-cache blocks of the second machine, with less memory than ``blocks``.
    rate, requests
        Arrival rate in requests/s, and requests a run.
    priority_rate, priority_requests
        The same for the comparison with user priority, which needs many requests, since few
        users pay.
    seeds
        One paired run each.
    """

    offsets: Annotated[list[NonNegativeFloat], Field(min_length=2)]
    scarce_blocks: PositiveInt
    rate: PositiveFloat
    requests: PositiveInt
    priority_rate: PositiveFloat
    priority_requests: PositiveInt
    seeds: Seeds

    @check_model(mode="after")
    def _second_machine_is_smaller(self) -> Self:
        if self.scarce_blocks >= self.blocks:
            raise ValueError(f"scarce_blocks: {self.scarce_blocks} is not below {self.blocks}")
        return self


class Mix(Parameters):
    """Requests of the theory.

    Attributes
    ----------
    prompt_tiles
        Prompts are uniform on 1 to this many tiles.
    mean_output, max_output
        Outputs are exponential with this mean, rounded up and cut at the maximum, tokens.
    """

    prompt_tiles: PositiveInt
    mean_output: PositiveInt
    max_output: PositiveInt


class ThroughputParameters(Parameters):
    """Parameters of RAD and the throughput bound.

    Attributes
    ----------
    cost_model, tile_tokens
        Batch-time model with a tile, and tokens in the tile.
    tiling_cost_model, tile_budgets
        Measured staircase, and the batch sizes to saturate on it, tokens.
    staircases
        Batch-time models of other GPUs to draw beside it.
    mixes
        Requests by name; the first is that of stability and cycles.
    schedulers
        Entries to saturate.
    loads
        Loads around the bound, as shares of it, for stability.
    cycles
        Most prompts in a cycle of RAD, beside cycles without end.
    horizon_s
        Simulated time of a run, s.
    seeds
        One paired run each.
    """

    cost_model: CostModelName
    tile_tokens: PositiveInt
    tiling_cost_model: CostModelName
    staircases: list[CostModelName]
    tile_budgets: Annotated[list[PositiveInt], Field(min_length=1)]
    mixes: Annotated[dict[str, Mix], Field(min_length=1)]
    schedulers: Schedulers
    loads: Rates
    cycles: Annotated[list[PositiveInt], Field(min_length=1)]
    horizon_s: PositiveFloat
    seeds: Seeds


class RoutingParameters(Scene):
    """Parameters of several replicas behind a router.

    Attributes
    ----------
    routers
        Entries as for schedulers, names from :data:`schedlab.serving.routers.ROUTERS`.
    replicas
        Number of equal replicas.
    rates
        Arrival rates of the whole fleet, requests/s.
    requests
        Requests a run.
    seeds
        One paired run each.
    """

    routers: Annotated[list[SchedulerEntry], AfterValidator(makeable(ROUTERS))]
    replicas: PositiveInt
    rates: Rates
    requests: PositiveInt
    seeds: Seeds


MODELS: dict[str, type[Parameters]] = {
    "batch": BatchParameters,
    "load_fit": LoadParameters,
    "load_sharegpt": LoadParameters,
    "offsets": OffsetParameters,
    "throughput": ThroughputParameters,
    "routing": RoutingParameters,
}
