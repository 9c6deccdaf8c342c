"""Schedulers: when to send, a pure function of what the sender sees."""

from schedlab.estimation.schedulers.clocks import Age, Always, Never, Periodic, Random
from schedlab.estimation.schedulers.interface import Policy, Scheduler, vectorised
from schedlab.estimation.schedulers.triggers import EventTriggered, SendOnDelta, StochasticTrigger
from schedlab.estimation.schedulers.value import (
    ExactValue,
    MyopicValue,
    PlanarValue,
    SilentIntervals,
)

__all__ = [
    "SCHEDULERS",
    "Age",
    "Always",
    "EventTriggered",
    "ExactValue",
    "MyopicValue",
    "Never",
    "Periodic",
    "PlanarValue",
    "Policy",
    "Random",
    "Scheduler",
    "SendOnDelta",
    "SilentIntervals",
    "StochasticTrigger",
    "vectorised",
]

SCHEDULERS: dict[str, type] = {
    "age": Age,
    "always": Always,
    "event_triggered": EventTriggered,
    "exact_value": ExactValue,
    "myopic": MyopicValue,
    "never": Never,
    "periodic": Periodic,
    "random": Random,
    "send_on_delta": SendOnDelta,
    "silent_intervals": SilentIntervals,
    "stochastic": StochasticTrigger,
}
"""Scheduler classes by the name that ``params.yaml`` uses."""
