"""Routers: which replica gets a request when it arrives.

A router is any object with ``choose(states, request) -> index``, a pure function of what the
replicas look like at that moment. Ties go to the replica with the lowest index.
"""

from collections.abc import Sequence
from typing import Protocol

from schedlab.lab.seeds import generator
from schedlab.serving.request import Request
from schedlab.serving.schedulers import options
from schedlab.serving.state import State


class Router(Protocol):
    """Anything that can choose a replica."""

    def choose(self, states: Sequence[State], request: Request) -> int:
        """Return the index of the replica that shall serve a request."""
        ...


class Random:
    """Each replica with equal probability, whatever its state: the planner of Theorem 2.

    Parameters
    ----------
    seed
        Root seed. The draw depends on it and on how many requests came before, nothing else.
    """

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    def choose(self, states: Sequence[State], request: Request) -> int:
        """Return a uniformly random index."""
        draw = generator(self.seed, "serving", "router", _arrived(states))
        return int(draw.integers(len(states)))


class RoundRobin:
    """One replica after the other, as the authors' benchmark splits its trace."""

    def choose(self, states: Sequence[State], request: Request) -> int:
        """Return the next index in turn."""
        return _arrived(states) % len(states)


class LeastOutstanding:
    """The replica with the fewest requests that have not finished."""

    def choose(self, states: Sequence[State], request: Request) -> int:
        """Return the index with the fewest waiting and running requests."""
        return _lowest([len(state.waiting) + len(state.running) for state in states])


class ShortestBacklog:
    """The replica with the fewest tokens still to process.

    Parameters
    ----------
    outputs
        Whether outputs to come are counted, which only an oracle can know; otherwise only
        what is left of the prompts.
    """

    def __init__(self, *, outputs: bool = False) -> None:
        options.flag("outputs", outputs)
        self.outputs = outputs

    def choose(self, states: Sequence[State], request: Request) -> int:
        """Return the index with the shortest backlog."""
        return _lowest([self._backlog(state) for state in states])

    def _backlog(self, state: State) -> int:
        if self.outputs:
            return state.backlog_tokens
        return sum(request.prefill_left for request in (*state.waiting, *state.running))


def _arrived(states: Sequence[State]) -> int:
    return sum(state.num_arrived for state in states)


def _lowest(values: Sequence[int]) -> int:
    return min(range(len(values)), key=values.__getitem__)


ROUTERS: dict[str, type] = {
    "random": Random,
    "round_robin": RoundRobin,
    "least_outstanding": LeastOutstanding,
    "shortest_backlog": ShortestBacklog,
}
"""Router classes by the name that ``params.yaml`` uses."""
