"""What ``params.yaml`` may say about the ranking stages."""

from schedlab.lab.parameters import Parameters
from schedlab.ranking.parameters.serving import BurstParameters, RatesParameters
from schedlab.ranking.parameters.training import TrainingParameters

MODELS: dict[str, type[Parameters]] = {
    "training": TrainingParameters,
    "burst": BurstParameters,
    "rates": RatesParameters,
}
