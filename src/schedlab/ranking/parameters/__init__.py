"""What ``params.yaml`` may say about the ranking stages."""

from schedlab.lab.parameters import Parameters

MODELS: dict[str, type[Parameters]] = {}
