"""What ``params.yaml`` may say about the diffusion stages."""

from typing import Annotated, Self

from pydantic import AfterValidator, Field, PositiveFloat, PositiveInt, model_validator

from schedlab.diffusion.learned_parameters import MODELS as LEARNED
from schedlab.diffusion.learned_parameters import ImageSet, Several
from schedlab.diffusion.schedulers import SCHEDULERS
from schedlab.diffusion.schedulers.core.solvers import SOLVERS
from schedlab.lab.parameters import Parameters, Seeds
from schedlab.lab.resolve import SchedulerEntry, makeable


def check_solvers(names: list[str]) -> list[str]:
    """Refuse names that are no solver."""
    for name in names:
        if name not in SOLVERS:
            raise ValueError(f"unknown solver {name!r}; allowed are {', '.join(SOLVERS)}")
    return names


Schedulers = Annotated[list[SchedulerEntry], AfterValidator(makeable(SCHEDULERS))]
Solvers = Annotated[list[str], Field(min_length=1), AfterValidator(check_solvers)]
Budgets = Annotated[list[PositiveInt], Field(min_length=1)]


class ZooParameters(Parameters):
    """Parameters of the scheduler zoo.

    Attributes
    ----------
    schedulers
        Entries as :mod:`schedlab.lab.resolve` reads them.
    thin
        Every so-manieth combination of options is compared with diffusers, per seed.
    budgets
        Evaluations of the network a sample.
    samples
        Starts a run.
    seeds
        One paired run each.
    """

    schedulers: Schedulers
    thin: PositiveInt
    budgets: Budgets
    samples: PositiveInt
    seeds: Seeds


class OrderParameters(Parameters):
    """Parameters of the convergence bench.

    Attributes
    ----------
    solvers
        Names in :data:`schedlab.diffusion.schedulers.core.solvers.SOLVERS`.
    intervals
        Grid sizes, rising; multiples of 6 suit the solvers that work in blocks.
    noisiest, cleanest
        First and last ratio of noise to signal.
    samples
        Starts a run.
    seeds
        One paired run each.
    """

    solvers: Solvers
    intervals: Annotated[list[PositiveInt], Field(min_length=2)]
    noisiest: PositiveFloat
    cleanest: PositiveFloat
    samples: PositiveInt
    seeds: Seeds

    @model_validator(mode="after")
    def _is_falling(self) -> Self:
        if self.cleanest >= self.noisiest:
            raise ValueError(f"cleanest: {self.cleanest:g} is not below {self.noisiest:g}")
        return self


class InversionParameters(Parameters):
    """Parameters of inversion on the mixture.

    Attributes
    ----------
    schedulers
        Deterministic entries.
    steps
        Steps of the runs that are inverted.
    iterations
        Rounds of the iterative methods.
    samples
        Data a run.
    seeds
        One paired run each.
    """

    schedulers: Schedulers
    steps: Budgets
    iterations: Budgets
    samples: PositiveInt
    seeds: Seeds


class SectionParameters(Parameters):
    """Parameters of every scheduler on the learned model.

    Attributes
    ----------
    images
        The set that the model was trained on.
    schedulers
        Entries as :mod:`schedlab.lab.resolve` reads them.
    samples
        Images per measured point.
    path_points
        Points of a NAO path whose middle is generated from, an odd number.
    budget
        Evaluations of the network at which paths are compared.
    budgets, reference_steps
        Evaluations at which quality is measured, and steps of the long run of DDIM to compare with.
    etas, memory_samples, memory_seeds
        Shares of randomness, seeds per run on the mixture, and paired runs.
    """

    images: ImageSet
    schedulers: Schedulers
    samples: Several
    path_points: Annotated[int, Field(ge=3)]
    budget: PositiveInt
    budgets: Budgets
    reference_steps: PositiveInt
    etas: Annotated[list[Annotated[float, Field(ge=0, le=1)]], Field(min_length=1)]
    memory_samples: Annotated[int, Field(ge=2)]
    memory_seeds: Seeds


MODELS: dict[str, type[Parameters]] = {
    "zoo": ZooParameters,
    "orders": OrderParameters,
    "inversion": InversionParameters,
    "section_one": SectionParameters,
    **LEARNED,
}
