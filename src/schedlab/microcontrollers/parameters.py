"""What ``params.yaml`` may say about the microcontroller stages."""

from typing import Annotated, Self

from pydantic import AfterValidator, Field, NonNegativeFloat, PositiveFloat, PositiveInt
from pydantic import model_validator as check_model

from schedlab.lab.parameters import Parameters, Seeds
from schedlab.lab.resolve import SchedulerEntry, makeable
from schedlab.microcontrollers.boards import board
from schedlab.microcontrollers.costs import SETS, find
from schedlab.microcontrollers.frontend.networks import NETWORKS
from schedlab.microcontrollers.frontend.targets import target
from schedlab.microcontrollers.schedulers import SCHEDULERS


def check_counts(name: str) -> str:
    """Refuse a name that is no set of instruction counts."""
    if name not in SETS:
        raise ValueError(f"unknown set of counts; allowed are {', '.join(SETS)}")
    return name


def check_board(name: str) -> str:
    """Refuse a name that is no board."""
    board(name)
    return name


BoardName = Annotated[str, AfterValidator(check_board)]
Boards = Annotated[list[BoardName], Field(min_length=1)]
Schedulers = Annotated[list[SchedulerEntry], AfterValidator(makeable(SCHEDULERS))]
Cores = Annotated[int, Field(ge=1, le=16)]  # Ariel OS has room for 16 threads


class Scene(Parameters):
    """What every stage sets.

    Attributes
    ----------
    counts
        Set of measured instruction counts, see :func:`schedlab.microcontrollers.costs.read`.
    schedulers
        Entries as :mod:`schedlab.lab.resolve` reads them.
    jitter
        Standard deviation of each workgroup's duration from run to run, as a share.
    seeds
        One paired run each.
    """

    counts: Annotated[str, AfterValidator(check_counts)]
    schedulers: Schedulers
    jitter: Annotated[float, Field(ge=0, le=0.2)]
    seeds: Seeds


class ScheduleParameters(Scene):
    """Parameters of the notebook that shows one schedule.

    Attributes
    ----------
    model, board
        Whose dispatches run where.
    inferences
        Inferences without a restart, for the warnings.
    """

    model: str
    board: BoardName
    inferences: PositiveInt

    @check_model(mode="after")
    def _has_the_model(self) -> Self:
        find(self.counts, self.model, target=board(self.board).target)
        return self


class Setting(Parameters):
    """What hinders the cores.

    Attributes
    ----------
    beta
        Slow-down for each other core that runs a workgroup.
    job_cycles, dispatch_cycles
        Cost of a hand-over, and serial cost of a dispatch, cycles.
    """

    beta: NonNegativeFloat
    job_cycles: NonNegativeFloat
    dispatch_cycles: NonNegativeFloat


class SpeedUpParameters(Scene):
    """Parameters of the comparison of schedulers on boards with two cores.

    Attributes
    ----------
    boards
        Boards, each with the networks that were compiled for it.
    cpi
        Cycles per instruction of all of them.
    settings
        By name, from nothing that hinders the cores to everything.
    """

    boards: Boards
    cpi: PositiveFloat
    settings: Annotated[dict[str, Setting], Field(min_length=1)]


class SweepParameters(Scene):
    """Parameters of the sweeps over contention, overhead, cores and unequal cores.

    Attributes
    ----------
    boards
        Boards, whose costs stay but for what is swept.
    betas
        Contention.
    overheads
        Cost of a hand-over, as shares of the mean workgroup.
    cores
        Numbers of equal cores.
    slow_speeds
        Speed of the second of two cores.
    """

    boards: Boards
    betas: Annotated[list[NonNegativeFloat], Field(min_length=2)]
    overheads: Annotated[list[NonNegativeFloat], Field(min_length=2)]
    cores: Annotated[list[Cores], Field(min_length=2)]
    slow_speeds: Annotated[list[PositiveFloat], Field(min_length=1)]

    @check_model(mode="after")
    def _nothing_is_swept_from_above(self) -> Self:
        for name in ("betas", "overheads", "cores"):
            values = getattr(self, name)
            if values != sorted(set(values)):
                raise ValueError(f"{name}: expected rising values, got {values}")
        return self


class TunerParameters(Scene):
    """Parameters of the search for the best grid and scheduler of a board.

    Attributes
    ----------
    boards
        Boards to tune for.
    job_cycles
        Cost of a hand-over for the crossover curve, cycles.
    """

    boards: Boards
    job_cycles: Annotated[list[NonNegativeFloat], Field(min_length=2)]


def check_network(name: str) -> str:
    """Refuse a name that is no network for the digits."""
    if name not in NETWORKS:
        raise ValueError(f"unknown network; allowed are {', '.join(NETWORKS)}")
    return name


def check_target(name: str) -> str:
    """Refuse a name that is no target of the compiler."""
    target(name)
    return name


class KernelParameters(Parameters):
    """Parameters of the notebook that compiles networks and runs their kernels.

    Attributes
    ----------
    models
        Default models, or names from the data catalogue.
    targets
        What to compile them for, besides the host that runs them.
    schedulers
        Entries as :mod:`schedlab.lab.resolve` reads them, each followed for real.
    cores
        Numbers of threads.
    network, epochs
        What is trained, quantised and compiled once per seed, and for how long.
    seeds
        Each draws an input, an order of the workgroups, and first weights.
    """

    models: Annotated[list[str], Field(min_length=1)]
    targets: Annotated[list[Annotated[str, AfterValidator(check_target)]], Field(min_length=1)]
    schedulers: Schedulers
    cores: Annotated[list[Cores], Field(min_length=1)]
    network: Annotated[str, AfterValidator(check_network)]
    epochs: PositiveInt
    seeds: Seeds


MODELS: dict[str, type[Parameters]] = {
    "kernels": KernelParameters,
    "schedule": ScheduleParameters,
    "speed_up": SpeedUpParameters,
    "sweeps": SweepParameters,
    "tuner": TunerParameters,
}
