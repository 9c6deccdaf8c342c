"""What ``params.yaml`` may say about the estimation stages."""

from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    Field,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    model_validator,
)

from schedlab.estimation.learning.settings import DQNSettings, TrainingSettings
from schedlab.estimation.plants.systems import SYSTEMS
from schedlab.estimation.schedulers import SCHEDULERS
from schedlab.lab.parameters import Parameters, Seeds
from schedlab.lab.resolve import SchedulerEntry, resolve, resolve_all

ESTIMATORS = ("hold", "predictor", "filter")
Discount = Annotated[float, Field(gt=0, lt=1)]
Prices = Annotated[list[PositiveFloat], Field(min_length=1)]


def check_system(name: str) -> str:
    """Refuse a name that is no system."""
    if name not in SYSTEMS:
        raise ValueError(f"unknown system; allowed are {', '.join(SYSTEMS)}")
    return name


SystemName = Annotated[str, AfterValidator(check_system)]


class Grid(Parameters):
    """Sizes of the exact solver, see :class:`schedlab.estimation.exact.solve.Grid`.

    Attributes
    ----------
    cells
        Cells of the grid of errors, odd.
    reach
        Half width, in standard deviations of the noise.
    ages
        Length of the tables.
    """

    cells: Annotated[int, Field(ge=3)]
    reach: PositiveFloat
    ages: PositiveInt

    @model_validator(mode="after")
    def _a_cell_at_zero(self) -> Self:
        if self.cells % 2 == 0:
            raise ValueError(f"cells: {self.cells} is even; a cell must be centred on 0")
        return self


class BiasMap(Parameters):
    """The map of where alternation leads from.

    Attributes
    ----------
    system, price
        What is watched.
    reach
        First biases span ``[-reach, reach]``.
    points
        Per axis.
    grid
        Sizes of the solver, which may be coarser here.
    """

    system: SystemName
    price: PositiveFloat
    reach: PositiveFloat
    points: Annotated[int, Field(ge=2)]
    grid: Grid


class ExactParameters(Parameters):
    """Parameters of the exact optima.

    Attributes
    ----------
    prices
        Prices of a message to solve, by scalar system.
    headline
        Of these, by system, the price that figures and claims show.
    planar_price
        Price for the system with two states, S5.
    discount
        Per step.
    grid, coin_grid
        Sizes of the solver; for the coin S6 its two points must be centres of cells.
    starts
        Lloyd starts beside the one without biases.
    skewness, skewness_price
        Skewness of the noise to sweep, and the price there.
    maps
        Equilibria from a plane of first biases.
    paths, steps
        Size of the simulations that check every number.
    seeds
        One paired simulation each.
    """

    prices: dict[SystemName, Prices]
    headline: dict[SystemName, PositiveFloat]
    planar_price: PositiveFloat
    discount: Discount
    grid: Grid
    coin_grid: Grid
    starts: PositiveInt
    skewness: Annotated[list[float], Field(min_length=2)]
    skewness_price: PositiveFloat
    maps: list[BiasMap]
    paths: PositiveInt
    steps: PositiveInt
    seeds: Seeds

    @model_validator(mode="after")
    def _headline_is_solved(self) -> Self:
        for name, price in self.headline.items():
            if price not in self.prices.get(name, []):
                raise ValueError(f"headline: {name}: {price:g} is not among its prices")
        return self


class Rule(Parameters):
    """A scheduler with the receiver it runs with, and one option to vary.

    Attributes
    ----------
    use, label, options
        As :class:`schedlab.lab.resolve.SchedulerEntry` reads them.
    estimator
        ``hold`` keeps the last message, ``predictor`` extrapolates, ``filter`` also reads silence.
    dial, settings
        Option of the constructor that is varied, and its values; without them the options give
        one point.
    """

    use: Annotated[str, Field(min_length=1)]
    label: str = ""
    options: dict[str, Any] = Field(default_factory=dict)
    estimator: str = "predictor"
    dial: str = ""
    settings: list[float] = Field(default_factory=list)

    @model_validator(mode="after")
    def _can_be_made(self) -> Self:
        if self.estimator not in ESTIMATORS:
            raise ValueError(f"estimator: unknown; allowed are {', '.join(ESTIMATORS)}")
        if bool(self.dial) != bool(self.settings):
            raise ValueError("dial and settings go together")
        for entry in self.entries():
            resolve(entry, SCHEDULERS).make()
        return self

    def entries(self) -> list[SchedulerEntry]:
        """Return an entry per value of the dial."""
        varied = [{self.dial: value} for value in self.settings] if self.dial else [{}]
        plain = {"use": self.use} | ({"label": self.label} if self.label else {})
        return [SchedulerEntry(**plain, options=self.options | one) for one in varied]


class BaselineParameters(Parameters):
    """Parameters of the curves of error against rate.

    Attributes
    ----------
    optima_folder
        Results of the exact stage, relative to the checkout.
    systems
        Scalar systems whose optima are there.
    schedulers
        Rules to draw beside them.
    matched_rates
        Rates at which claims compare, by system.
    ranked, ranked_price
        System and price at which rules are ranked by cost, each at its best setting.
    discount
        Per step.
    paths, steps
        Size of a simulation.
    seeds
        One paired simulation each.
    """

    optima_folder: str
    systems: Annotated[list[SystemName], Field(min_length=1)]
    schedulers: Annotated[list[Rule], Field(min_length=1)]
    matched_rates: dict[SystemName, list[Annotated[float, Field(gt=0, lt=1)]]]
    ranked: SystemName
    ranked_price: PositiveFloat
    discount: Discount
    paths: PositiveInt
    steps: PositiveInt
    seeds: Seeds

    @model_validator(mode="after")
    def _labels_differ(self) -> Self:
        resolve_all([rule.entries()[0] for rule in self.schedulers], SCHEDULERS)
        return self


class Arm(Parameters):
    """One training of the learning stage, for all seeds and prices at once.

    Attributes
    ----------
    system, prices
        What is learned, and the prices of a message.
    start
        ``zero``: from the noise-free prediction; ``lloyd``: from Lloyd's cells.
    estimator
        ``table`` or ``network``.
    rounds
        Turns of scheduler and estimator.
    seeds
        How many of the stage's seeds take part; all by default.
    """

    system: SystemName
    prices: Prices
    start: Literal["zero", "lloyd"]
    estimator: Literal["table", "network"]
    rounds: PositiveInt
    seeds: PositiveInt | None = None

    @property
    def label(self) -> str:
        """What tables and figures call it."""
        start = {"zero": "zero", "lloyd": "Lloyd"}[self.start]
        return f"learned, {start} start, {self.estimator}"


class LearningParameters(Parameters):
    """Parameters of the learning stage.

    Attributes
    ----------
    arms
        Trainings.
    training
        Settings they share.
    dqn, dqn_systems, dqn_seeds
        The deep Q-network that learns the scheduler alone: settings, where it is tried, and by
        how many seeds.
    optima_folder
        Results of the exact stage, which hold the optima of every system and price.
    trigger_widths
        Widths of the event trigger to compare with at equal rates.
    ages_shown
        Ages whose silence is drawn.
    discount
        Per step.
    paths, steps
        Size of the final simulations.
    seeds
        One training each.
    """

    arms: Annotated[list[Arm], Field(min_length=1)]
    training: TrainingSettings
    dqn: DQNSettings
    dqn_systems: list[SystemName]
    dqn_seeds: PositiveInt
    optima_folder: str
    trigger_widths: Annotated[list[PositiveFloat], Field(min_length=2)]
    ages_shown: PositiveInt
    discount: Discount
    paths: PositiveInt
    steps: PositiveInt
    seeds: Seeds

    def settings_of(self, arm: Arm) -> TrainingSettings:
        """Return the settings of one arm."""
        return self.training.model_copy(update={"rounds": arm.rounds, "estimator": arm.estimator})

    def headline(self, name: str) -> float:
        """Return the price at which a system is compared in full, that of its first arm."""
        return next(arm.prices[0] for arm in self.arms if arm.system == name)


class NonlinearParameters(Parameters):
    """Parameters of the nonlinear plants.

    Attributes
    ----------
    systems
        Plants, each at its own price.
    training
        Settings of the trainings.
    particles
        Of a filter, each plant.
    discount
        Per step.
    paths, steps
        Size of the final simulations.
    seeds
        One training each.
    """

    systems: Annotated[list[SystemName], Field(min_length=1)]
    training: TrainingSettings
    particles: Annotated[int, Field(ge=2)]
    discount: Discount
    paths: PositiveInt
    steps: PositiveInt
    seeds: Seeds


class RecordedParameters(Parameters):
    """Parameters of the recorded trajectories.

    Attributes
    ----------
    recordings
        ``glucose`` ships with a package; ``openacc`` comes through the catalogue.
    prices
        Prices of a message, by recording, in its unit squared.
    threshold_shares
        Thresholds to try on the squared error, as shares of the price.
    alternations
        Times that a learned receiver is refitted to what its own loop shows.
    training
        Settings of its network.
    seed
        Of the network.
    """

    recordings: Annotated[list[Literal["glucose", "openacc"]], Field(min_length=1)]
    prices: dict[str, Prices]
    threshold_shares: Annotated[list[PositiveFloat], Field(min_length=1)]
    alternations: PositiveInt
    training: TrainingSettings
    seed: Annotated[int, Field(ge=0)]

    @model_validator(mode="after")
    def _every_recording_has_prices(self) -> Self:
        if missing := [name for name in self.recordings if name not in self.prices]:
            raise ValueError(f"prices: none given for {missing[0]}")
        return self


class ChannelParameters(Parameters):
    """Parameters of the shared channel.

    Attributes
    ----------
    optima_folder
        Results of the exact stage, whose pairs the loops use.
    system, price
        Plant of every loop, and price of a message at which its pairs are best.
    airtime
        Steps that a message occupies the channel.
    loops
        Numbers of loops to put on it.
    few_loops, losses, delays
        With so few loops, probabilities of loss and delays in steps are tried.
    discount
        Per step, of the pairs' design.
    steps
        Of a run.
    seeds
        One run each.
    """

    optima_folder: str
    system: SystemName
    price: PositiveFloat
    airtime: PositiveFloat
    loops: Annotated[list[PositiveInt], Field(min_length=1)]
    few_loops: PositiveInt
    losses: Annotated[list[Annotated[float, Field(ge=0, lt=1)]], Field(min_length=1)]
    delays: Annotated[list[NonNegativeFloat], Field(min_length=1)]
    discount: Discount
    steps: PositiveInt
    seeds: Seeds


MODELS: dict[str, type[Parameters]] = {
    "exact": ExactParameters,
    "baselines": BaselineParameters,
    "learning": LearningParameters,
    "nonlinear": NonlinearParameters,
    "recorded": RecordedParameters,
    "channel": ChannelParameters,
}
