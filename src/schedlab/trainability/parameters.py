"""What ``params.yaml`` may say about the trainability stages."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, NonNegativeFloat, PositiveFloat, PositiveInt
from pydantic import model_validator as check_model

from schedlab.lab.parameters import Parameters, Seeds
from schedlab.lab.resolve import SchedulerEntry, makeable
from schedlab.trainability.images import SOURCES
from schedlab.trainability.networks import ACTIVATIONS
from schedlab.trainability.penalties import PENALTIES
from schedlab.trainability.remedies import REMEDIES
from schedlab.trainability.schedulers import SCHEDULERS

OPTIMIZER = 1  # what a scheduler is given beside its options
REMEDY_ARGUMENTS = 4
INITIAL_WEIGHTS = 1


def _one_of(allowed: object) -> AfterValidator:
    def check(name: str) -> str:
        if name not in allowed:
            raise ValueError(f"unknown name; allowed are {', '.join(allowed)}")
        return name

    return AfterValidator(check)


def check_remedies(entries: list[SchedulerEntry]) -> list[SchedulerEntry]:
    """Refuse remedies that do not exist."""
    return makeable(REMEDIES, given=REMEDY_ARGUMENTS)(entries) if entries else entries


def check_regularisers(entries: list[SchedulerEntry]) -> list[SchedulerEntry]:
    """Refuse regularisers that do not exist."""
    return makeable(PENALTIES, given=INITIAL_WEIGHTS)(entries) if entries else entries


Schedulers = Annotated[list[SchedulerEntry], AfterValidator(makeable(SCHEDULERS, given=OPTIMIZER))]
Remedies = Annotated[list[SchedulerEntry], AfterValidator(check_remedies)]
Regularisers = Annotated[list[SchedulerEntry], AfterValidator(check_regularisers)]


class Training(Parameters):
    """What every stage that trains networks sets.

    Attributes
    ----------
    images
        ``mnist-5k``, which a pinned package ships, or ``mnist-t10k`` from the catalogue.
    samples
        Images of a seed's stream.
    tasks, epochs, batch_size
        Length of the stream, passes over a task, samples in a minibatch.
    widths
        Inputs, hidden units of each layer, and outputs.
    lr, weight_decay
        Adam's learning rate and its coupled L2 penalty.
    interval
        K, updates between two decisions of a scheduler that reads statistics.
    iterations, tolerance
        Of Lanczos' method for the sharpness.
    seeds
        One network, image set, label stream and order of samples each, shared by all arms.
    stack
        Seeds trained in one stacked pass: 1 on a CPU, where stacking gains nothing.
    device
        ``cpu``, or ``auto`` for a GPU where there is one.
    """

    images: Annotated[str, _one_of(SOURCES)]
    samples: PositiveInt
    tasks: Annotated[int, Field(ge=2)]
    epochs: PositiveInt
    batch_size: PositiveInt
    widths: Annotated[list[PositiveInt], Field(min_length=3)]
    lr: PositiveFloat
    weight_decay: NonNegativeFloat
    interval: PositiveInt
    iterations: PositiveInt
    tolerance: PositiveFloat
    seeds: Seeds
    stack: PositiveInt
    device: Literal["cpu", "auto"]


class RandomLabelParameters(Training):
    """Parameters of the notebook on the paper's stream of random labels.

    Attributes
    ----------
    activation
        ``relu`` or ``crelu``.
    penalty, penalty_strength
        Name of a regulariser added to the loss, or empty for none, and its weight.
    schedulers
        Entries as :mod:`schedlab.lab.resolve` reads them; each is an arm.
    remedies
        Each is an arm at a constant learning rate.
    regularisers
        Each is such an arm too, in place of the stage's own penalty and weight decay.
    """

    activation: Annotated[str, _one_of(ACTIVATIONS)]
    penalty: Annotated[str, _one_of(("", *PENALTIES))]
    penalty_strength: NonNegativeFloat
    schedulers: Schedulers
    remedies: Remedies
    regularisers: Regularisers

    @check_model(mode="after")
    def _labels_differ(self) -> Self:
        arms = (*self.schedulers, *self.remedies, *self.regularisers)
        labels = [entry.label for entry in arms]
        if repeated := {label for label in labels if labels.count(label) > 1}:
            raise ValueError(f"{min(repeated)!r} labels two arms")
        return self


class IndicatorParameters(Training):
    """Parameters of the notebook on indicators.

    Attributes
    ----------
    methods
        Which of plain, l2, crelu and wasserstein are watched.
    penalty_strength
        Weight of the Wasserstein penalty.
    """

    methods: Annotated[list[Literal["plain", "l2", "crelu", "wasserstein"]], Field(min_length=1)]
    penalty_strength: NonNegativeFloat


class StreamParameters(Training):
    """Parameters of the notebook on other streams.

    Attributes
    ----------
    streams
        Which of shuffled_labels, permuted_inputs and flipped_bits.
    bit_samples, bit_widths
        Samples a task and layers of the network on the stream of flipped bits.
    schedulers, remedies
        Arms, as in :class:`RandomLabelParameters`.
    """

    streams: Annotated[
        list[Literal["shuffled_labels", "permuted_inputs", "flipped_bits"]], Field(min_length=1)
    ]
    bit_samples: PositiveInt
    bit_widths: Annotated[list[PositiveInt], Field(min_length=3)]
    schedulers: Schedulers
    remedies: Remedies


class QuadraticParameters(Parameters):
    """Parameters of the noisy quadratic, whose answer is known in closed form.

    Attributes
    ----------
    dimensions, batch_size
        Size d of the weights, and samples B whose gradients are averaged.
    curvatures
        λ of the quadratics.
    starts
        Learning rates to start from, relative to the smaller root where there is one.
    blind_curvature, blind_lr
        A quadratic without a root, and a step near its limit of stability.
    updates, interval, cool
        Length of a run, updates between decisions, and the factor of a cooling.
    seeds
        Streams of gradient noise.
    """

    dimensions: PositiveInt
    batch_size: Annotated[int, Field(ge=2)]
    curvatures: Annotated[list[PositiveFloat], Field(min_length=1)]
    starts: Annotated[list[PositiveFloat], Field(min_length=1)]
    blind_curvature: PositiveFloat
    blind_lr: PositiveFloat
    updates: PositiveInt
    interval: PositiveInt
    cool: Annotated[float, Field(gt=0, lt=1)]
    seeds: Seeds


MODELS = {
    "quadratic": QuadraticParameters,
    "plain": RandomLabelParameters,
    "l2": RandomLabelParameters,
    "wasserstein": RandomLabelParameters,
    "crelu": RandomLabelParameters,
    "indicators": IndicatorParameters,
    "streams": StreamParameters,
}
"""Parameter model of each stage."""
