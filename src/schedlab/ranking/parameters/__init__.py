"""What ``params.yaml`` may say about the ranking stages."""

from schedlab.lab.parameters import Parameters
from schedlab.ranking.parameters.serving import (
    BurstParameters,
    RatesParameters,
    SlaiParameters,
    WorthParameters,
)
from schedlab.ranking.parameters.training import (
    LimitsParameters,
    OwnLengthsParameters,
    TrainingParameters,
)

MODELS: dict[str, type[Parameters]] = {
    "training": TrainingParameters,
    "own_lengths": OwnLengthsParameters,
    "limits": LimitsParameters,
    "burst": BurstParameters,
    "rates": RatesParameters,
    "worth": WorthParameters,
    "slai": SlaiParameters,
}
