"""What ``params.yaml`` may say about the metalearning stages."""

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, NonNegativeInt, PositiveFloat, PositiveInt
from pydantic import model_validator as check_model

from schedlab.lab.parameters import Parameters, Seeds
from schedlab.lab.resolve import SchedulerEntry, makeable
from schedlab.metalearning.schedulers import SCHEDULERS
from schedlab.metalearning.tasks import WORLDS

GIVEN = 2  # what a scheduler is made from beside its options: number of tensors, and seed


def check_world(world: dict[str, Any]) -> dict[str, Any]:
    """Refuse a world without a known name; its options are checked where it is made."""
    if world.get("use") not in WORLDS:
        raise ValueError(f"unknown world {world.get('use')!r}; allowed are {', '.join(WORLDS)}")
    return world


Schedulers = Annotated[list[SchedulerEntry], AfterValidator(makeable(SCHEDULERS, given=GIVEN))]
World = Annotated[dict[str, Any], AfterValidator(check_world)]
Shares = Annotated[list[Annotated[float, Field(ge=0, le=1)]], Field(min_length=2)]


class LearnerParameters(Parameters):
    """The meta-learner.

    Attributes
    ----------
    learner
        ``anil`` adapts the head to a task, ``maml`` everything.
    network, network_options
        ``fully_connected`` or ``convnet``, and their keyword arguments, for instance ``widths``.
    inner_lr, inner_steps
        Of the inner loop.
    first_order
        Whether the outer gradient takes inner gradients as constants.
    """

    learner: Literal["anil", "maml"] = "anil"
    network: Literal["fully_connected", "convnet"] = "fully_connected"
    network_options: dict[str, Any] = Field(default_factory=dict)
    inner_lr: PositiveFloat
    inner_steps: PositiveInt = 5
    first_order: bool = False


class Comparison(Parameters):
    """What every stage sets that meta-trains under several schedulers.

    Attributes
    ----------
    world
        ``use``, a name of :data:`~schedlab.metalearning.tasks.WORLDS`, and its options.
    learner
        The meta-learner.
    schedulers
        Entries as :mod:`schedlab.lab.resolve` reads them; each is an arm.
    match_compute
        Label of the scheduler whose compute uniform training gets as well; empty for none.
    pool, batch
        Candidates of an iteration and how many of them are trained on.
    pretrain, pretrain_clean
        Uniform meta-updates before scheduling, and whether they are free of noise.
    steps, meta_lr
        Meta-updates under the scheduler, and Adam's learning rate.
    evaluate_every
        Steps between two evaluations; 0 for start and end alone.
    test_steps
        Inner steps on test tasks.
    seeds
        Each draws initial parameters, a world, its pools and selections, the same for all arms.
    stack
        Seeds that are trained as one stack.
    """

    world: World
    learner: LearnerParameters
    schedulers: Schedulers
    match_compute: str
    pool: PositiveInt
    batch: PositiveInt
    pretrain: NonNegativeInt
    pretrain_clean: bool
    steps: PositiveInt
    meta_lr: PositiveFloat
    evaluate_every: NonNegativeInt
    test_steps: PositiveInt
    seeds: Seeds
    stack: PositiveInt

    @check_model(mode="after")
    def _sizes_fit(self) -> Self:
        if self.batch > self.pool:
            raise ValueError(f"batch: {self.batch} tasks cannot be taken of a pool of {self.pool}")
        labels = [entry.label for entry in self.schedulers]
        if self.match_compute and self.match_compute not in labels:
            raise ValueError(f"match_compute: {self.match_compute!r} is no scheduler's label")
        return self


class WeighingParameters(Comparison):
    """The stage that shows how tasks are weighed.

    Attributes
    ----------
    shares
        Shares of noisy tasks, one training each.
    """

    shares: Shares


class RegressionParameters(Parameters):
    """The stage of corrupted regression.

    Attributes
    ----------
    worlds
        Which of the cases are run.
    cases
        Comparisons by name; ``fsmol`` needs a download.
    """

    worlds: Annotated[list[Literal["sinusoids", "fsmol"]], Field(min_length=1)]
    cases: dict[Literal["sinusoids", "fsmol"], Comparison]

    @check_model(mode="after")
    def _cases_are_there(self) -> Self:
        if missing := [name for name in self.worlds if name not in self.cases]:
            raise ValueError(f"worlds: {missing[0]!r} is none of the cases")
        return self


class SweepParameters(Parameters):
    """The stage that varies the share of noisy tasks, and the classes of training.

    Attributes
    ----------
    shares
        Shares of noisy tasks.
    noise
        Comparison that is run at each share.
    budgets
        Numbers of training classes.
    limited
        Comparison that is run with each.
    """

    shares: Shares
    noise: Comparison
    budgets: Annotated[list[PositiveInt], Field(min_length=2)]
    limited: Comparison


MODELS: dict[str, type[Parameters]] = {
    "weighing": WeighingParameters,
    "characters": Comparison,
    "regression": RegressionParameters,
    "rivals": Comparison,
    "sweep": SweepParameters,
}
"""Parameter model of each stage."""
