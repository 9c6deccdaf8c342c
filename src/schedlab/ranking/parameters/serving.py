"""What ``params.yaml`` may say about the ranking stages that drive the serving engine."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, NonNegativeFloat, NonNegativeInt, PositiveInt

from schedlab.data.load import check_name
from schedlab.lab.parameters import Parameters, Seeds
from schedlab.lab.resolve import SchedulerEntry, makeable
from schedlab.serving.parameters import CostModelName, Rates, Share
from schedlab.serving.schedulers import SCHEDULERS

Tau = Annotated[float, Field(ge=-1, le=1)]


def check_lengths(name: str) -> str:
    """Refuse a name that is no set of request lengths."""
    check_name(name)
    return name


LengthSet = Annotated[str, AfterValidator(check_lengths)]


class Machine(Parameters):
    """A model on its device, in one version of an engine.

    Attributes
    ----------
    cost_model
        Name of a batch-time model, see :data:`schedlab.serving.costs.COST_MODELS`.
    blocks
        KV-cache blocks of 16 tokens.
    score_token_s
        Time that the predictor takes for a token of prompt, s.
    swap_block_s
        Time to move a block between device and host, s.
    """

    cost_model: CostModelName
    blocks: PositiveInt
    score_token_s: NonNegativeFloat
    swap_block_s: NonNegativeFloat


class Trace(Parameters):
    """Requests of one kind, and how well their lengths can be predicted.

    Attributes
    ----------
    lengths
        Set of prompt and output lengths.
    ranking_tau, perception_tau, optimal_tau
        Kendall's tau of the trained ranker, of the model's own estimate, and of the lengths of
        another sampling run.
    overrides
        Scheduler options that differ for this trace, by the policy's label.
    """

    lengths: LengthSet
    ranking_tau: Tau
    perception_tau: Tau
    optimal_tau: Tau
    overrides: dict[str, dict[str, Any]] = Field(default_factory=dict)


class Policy(SchedulerEntry):
    """A scheduler with what it is told of the requests: ``use``, ``label``, ``options``, and these.

    Attributes
    ----------
    scores
        Where priorities come from; ``ranking`` and ``classes`` also take the predictor's time.
    preemption
        As :func:`schedlab.serving.engine.simulate` takes it.
    extra_tokens
        Output tokens that every request gets on top, for the estimate of Perception Only.
    """

    scores: Literal["none", "ranking", "classes", "perception", "optimal"] = "none"
    preemption: Literal["swap", "recompute"] = "swap"
    extra_tokens: NonNegativeInt = 0

    @property
    def entry(self) -> SchedulerEntry:
        """The scheduler alone."""
        return SchedulerEntry(use=self.use, label=self.label, options=self.options)


def check_policies(policies: list[Policy]) -> list[Policy]:
    """Refuse policies whose scheduler cannot be made."""
    makeable(SCHEDULERS)([policy.entry for policy in policies])
    return policies


Policies = Annotated[list[Policy], AfterValidator(check_policies)]
Traces = Annotated[dict[str, Trace], Field(min_length=1)]


class ServedParameters(Parameters):
    """What stages with several traces and policies set.

    Attributes
    ----------
    machine
        What serves.
    traces
        Requests by name.
    policies
        What is compared.
    seeds
        One paired run each.
    """

    machine: Machine
    traces: Traces
    policies: Policies
    seeds: Seeds


class BurstParameters(ServedParameters):
    """Parameters of requests that are all there at the beginning.

    Attributes
    ----------
    large_machine
        A second machine with a larger model.
    requests
        Requests of the burst.
    overhead_requests
        Requests of the runs that measure the predictor's time.
    swap_costs_s
        Times to move a block to try, s.
    prompts
        Prompts of the synthetic data set.
    data_set_policies
        Labels of the policies that generate it.
    first
        Completions to wait for.
    window_s
        Time in which completions are counted, s.
    """

    large_machine: Machine
    requests: PositiveInt
    overhead_requests: PositiveInt
    swap_costs_s: Annotated[list[NonNegativeFloat], Field(min_length=2)]
    prompts: PositiveInt
    data_set_policies: Annotated[list[str], Field(min_length=2)]
    first: PositiveInt
    window_s: NonNegativeFloat


class RatesParameters(ServedParameters):
    """Parameters of Poisson arrivals.

    Attributes
    ----------
    large_machine
        Machine of the study of starvation, as in the paper.
    arrivals
        ``poisson``, or a catalogued trace whose times are squeezed to each rate.
    rates
        Arrival rates, requests/s.
    arrivals_s
        Time during which requests arrive, s.
    starvation_rates
        Rates of the study of starvation, requests/s.
    promote_after, quantum
        T to try, batches, and q.
    slots
        Most requests in a batch to try beside the usual number, for the depth of the queue.
    """

    large_machine: Machine
    arrivals: Literal["poisson", "azure2023-conv", "azure2023-code", "mooncake-conversation"]
    rates: Rates
    arrivals_s: NonNegativeFloat
    starvation_rates: Rates
    promote_after: Annotated[list[PositiveInt], Field(min_length=1)]
    quantum: Annotated[list[PositiveInt], Field(min_length=1)]
    slots: Annotated[list[PositiveInt], Field(min_length=1)]


class WorthParameters(Parameters):
    """Parameters of what a better predictor is worth.

    Attributes
    ----------
    machine
        What serves.
    lengths
        Set of request lengths that the dials turn on.
    requests
        Requests of a burst.
    real_requests
        Most real requests of a burst.
    taus
        Values of Kendall's tau to try.
    shuffled_share
        Share of a perfect order that is shuffled, at either end.
    longest_output
        Outputs of the real requests are cut here, tokens.
    rankers
        Which trained rankers serve the real requests, by the labels of the stage that trained them.
    seeds
        One paired run each.
    """

    machine: Machine
    lengths: LengthSet
    requests: PositiveInt
    real_requests: PositiveInt
    taus: Annotated[list[Tau], Field(min_length=3)]
    shuffled_share: Share
    longest_output: PositiveInt
    rankers: Annotated[list[str], Field(min_length=1)]
    seeds: Seeds


class Load(Parameters):
    """Requests of one kind, and how fast they come.

    Attributes
    ----------
    lengths
        Set of prompt and output lengths.
    rates
        Arrival rates, requests/s.
    """

    lengths: LengthSet
    rates: Rates


class SlaiParameters(Parameters):
    """Parameters of ranks inside SLAI.

    Attributes
    ----------
    loads
        Requests by name.
    machine
        What serves.
    tau
        Kendall's tau of the predictor.
    schedulers
        Entries to compare; all get the same scores.
    requests
        Requests of a run.
    paying_share, paying_tbt_s, free_tbt_s
        Users, and the time between tokens that they were promised, s.
    ttft_slo_s
        Time to the first token that a request should meet, s.
    seeds
        One paired run each.
    """

    loads: Annotated[dict[str, Load], Field(min_length=1)]
    machine: Machine
    tau: Tau
    schedulers: Policies
    requests: PositiveInt
    paying_share: Share
    paying_tbt_s: NonNegativeFloat
    free_tbt_s: NonNegativeFloat
    ttft_slo_s: NonNegativeFloat
    seeds: Seeds
