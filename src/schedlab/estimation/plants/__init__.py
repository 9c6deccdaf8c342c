"""Plants: what moves, and what an error costs."""

from schedlab.estimation.plants.adapters import from_callable, from_control
from schedlab.estimation.plants.linear import Linear, linear
from schedlab.estimation.plants.plant import Plant, Problem
from schedlab.estimation.plants.replay import Replay
from schedlab.estimation.plants.systems import SYSTEMS, system

__all__ = [
    "SYSTEMS",
    "Linear",
    "Plant",
    "Problem",
    "Replay",
    "from_callable",
    "from_control",
    "linear",
    "system",
]
