"""What ``params.yaml`` may say about training predictors."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, NonNegativeInt, PositiveFloat, PositiveInt
from pydantic import model_validator as check_model

from schedlab.data.load import check_name
from schedlab.lab.parameters import Parameters, Seeds
from schedlab.lab.resolve import SchedulerEntry, makeable

Sizes = Annotated[list[PositiveInt], Field(min_length=2)]


def check_rankers(entries: list[SchedulerEntry]) -> list[SchedulerEntry]:
    """Refuse rankers that cannot be made."""
    from schedlab.ranking.rankers import RANKERS  # torch: only where rankers are wanted

    return makeable(RANKERS)(entries)


def check_prompt_sets(names: list[str]) -> list[str]:
    """Refuse a name that is no set of prompts."""
    from schedlab.ranking.prompts import PROMPT_SETS

    for name in names:
        if name not in PROMPT_SETS:
            raise ValueError(f"no prompts named {name!r}; there are {', '.join(PROMPT_SETS)}")
    return names


def check_length_set(name: str) -> str:
    """Refuse a name that is no set of request lengths."""
    check_name(name)
    return name


class TrainingParameters(Parameters):
    """Parameters of the training of predictors on real prompts.

    Attributes
    ----------
    rankers
        Entries as :mod:`schedlab.lab.resolve` reads them, names from
        :data:`schedlab.ranking.rankers.RANKERS`.
    prompts
        Most prompts of a set to use, training and held-out together.
    held_out
        Share of the distinct prompts that is held out.
    label_buckets
        Widths of ListMLE's label buckets to compare, tokens.
    list_sizes
        Sizes of ListMLE's lists to compare.
    curve_every
        Steps between two points of the learning curve.
    transfer_between
        Sets of prompts to train on and to test on, each on each, see
        :data:`schedlab.ranking.prompts.PROMPT_SETS`.
    transfer_prompts
        Most prompts of each of them to use.
    hand_over
        Labels of rankers whose held-out scores are kept, for other stages to serve by.
    seeds
        One split and one training each.
    """

    rankers: Annotated[list[SchedulerEntry], AfterValidator(check_rankers)]
    prompts: Annotated[int, Field(ge=200)]
    held_out: Annotated[float, Field(gt=0, lt=1)]
    label_buckets: Sizes
    list_sizes: Sizes
    curve_every: PositiveInt
    transfer_between: Annotated[list[str], Field(min_length=1), AfterValidator(check_prompt_sets)]
    transfer_prompts: Annotated[int, Field(ge=200)]
    hand_over: list[str]
    seeds: Seeds

    @check_model(mode="after")
    def _handed_over_are_trained(self) -> Self:
        labels = [entry.label for entry in self.rankers]
        if unknown := [label for label in self.hand_over if label not in labels]:
            raise ValueError(f"hand_over: {unknown[0]!r} is not among the rankers")
        return self


class OwnLengthsParameters(Parameters):
    """Parameters of the stage in which a real language model answers; off by default.

    Attributes
    ----------
    prompts
        Prompts to answer, 0 for none.
    runs
        Answers to each, with different seeds of the sampling.
    max_new_tokens
        Where answers are cut, tokens.
    max_prompt_tokens
        Where prompts are cut, tokens.
    temperature
        Of the sampling.
    batch
        Prompts answered at a time.
    """

    prompts: NonNegativeInt
    runs: Annotated[int, Field(ge=2)]
    max_new_tokens: PositiveInt
    max_prompt_tokens: PositiveInt
    temperature: PositiveFloat
    batch: PositiveInt


class LimitsParameters(Parameters):
    """Parameters of the bounds on any predictor's tau.

    Attributes
    ----------
    workloads
        Sets of request lengths, see :func:`schedlab.data.load.lengths`.
    class_widths
        Widths of the classes of a perfect classifier, tokens.
    sample
        Requests that tau is taken over, drawn anew for each seed.
    public
        Which catalogued predictions to look at, see
        :data:`schedlab.ranking.experiment.limits.PUBLIC`; needs a network or a mirror.
    seeds
        One sample each.
    """

    workloads: Annotated[
        list[Annotated[str, AfterValidator(check_length_set)]], Field(min_length=1)
    ]
    class_widths: Annotated[list[PositiveInt], Field(min_length=1)]
    sample: Annotated[int, Field(ge=10)]
    public: list[Literal["bert", "other-llms"]]
    seeds: Seeds
