"""What ``params.yaml`` may say about the serving stages."""

from typing import Annotated, Self

from pydantic import (
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    field_validator,
)
from pydantic import model_validator as check_model

from schedlab.data.load import check_name
from schedlab.lab.parameters import Parameters, Seeds
from schedlab.lab.resolve import SchedulerEntry, resolve_all
from schedlab.serving.costs import COST_MODELS
from schedlab.serving.schedulers import SCHEDULERS

Rates = Annotated[list[PositiveFloat], Field(min_length=1)]
Share = Annotated[float, Field(ge=0, le=1)]


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

    workload: str
    cost_model: str
    schedulers: Annotated[list[SchedulerEntry], Field(min_length=1)]
    blocks: PositiveInt
    paying_share: Share
    paying_tbt_s: PositiveFloat
    free_tbt_s: PositiveFloat

    @field_validator("workload")
    @classmethod
    def _is_a_length_set(cls, name: str) -> str:
        check_name(name)
        return name

    @field_validator("cost_model")
    @classmethod
    def _is_a_cost_model(cls, name: str) -> str:
        if name not in COST_MODELS:
            raise ValueError(f"unknown cost model; allowed are {', '.join(COST_MODELS)}")
        return name

    @field_validator("schedulers")
    @classmethod
    def _can_be_made(cls, entries: list[SchedulerEntry]) -> list[SchedulerEntry]:
        for choice in resolve_all(entries, SCHEDULERS):
            try:
                choice.make()
            except ValueError as error:
                raise ValueError(f"{choice.label}: {error}") from None
        return entries


class BatchParameters(Scene):
    """Parameters of the notebook that follows batches one by one."""

    requests: PositiveInt
    rate: PositiveFloat
    seed: NonNegativeInt


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


MODELS: dict[str, type[Parameters]] = {
    "batch": BatchParameters,
    "load_fit": LoadParameters,
    "load_sharegpt": LoadParameters,
    "offsets": OffsetParameters,
}
